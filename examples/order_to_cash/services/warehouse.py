"""The warehouse's database: what is on the shelves, and for which order it was taken off them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from examples.order_to_cash.services.ledger import INVENTORY, open_ledger

__all__ = ["STOCK", "stock_up"]

STOCK: Final[Mapping[str, int]] = {
    "capo": 60,
    "cello-strings": 20,
    "metronome": 20,
    "music-stand": 30,
    "notebook-staves": 80,
    "reed-clarinet": 90,
    "rosin": 60,
    "theremin": 2,
    "tuning-fork": 40,
    "violin-strings": 40,
}
"""What is on the shelves at the start."""

# A reservation that was made twice would be there twice: nothing but the steps themselves prevents it.
_SCHEMA: Final = """
    CREATE TABLE stock (sku TEXT PRIMARY KEY, on_hand INTEGER NOT NULL CHECK (on_hand >= 0));
    CREATE TABLE reservations (
        order_id TEXT NOT NULL,
        sku TEXT NOT NULL REFERENCES stock,
        quantity INTEGER NOT NULL CHECK (quantity > 0),
        state TEXT NOT NULL CHECK (state IN ('reserved', 'picked', 'released'))
    );
"""


def stock_up(folder: Path) -> None:
    """Make the database, with `STOCK` on the shelves, and its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(open_ledger(folder / INVENTORY)) as ledger:
        ledger.executescript(_SCHEMA)
        ledger.executemany("INSERT INTO stock VALUES (?, ?)", STOCK.items())
