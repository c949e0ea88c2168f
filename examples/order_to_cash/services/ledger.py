"""The ledgers: one SQLite file for each system, in one folder."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

__all__ = ["INVENTORY", "INVOICES", "MAIL", "PAYMENTS", "open_ledger"]

INVENTORY: Final = "inventory.sqlite"
PAYMENTS: Final = "payments.sqlite"
MAIL: Final = "mail.sqlite"
INVOICES: Final = "invoices"
"""Not a ledger but a folder: the invoices speak for themselves."""


def open_ledger(path: Path) -> sqlite3.Connection:
    """Return a connection to a ledger, which other processes may read and write at the same time."""
    # Its users hold a lock of their own where they share it between threads.
    ledger = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    ledger.execute("PRAGMA journal_mode = WAL")
    ledger.execute("PRAGMA synchronous = NORMAL")
    return ledger
