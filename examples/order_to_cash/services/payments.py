"""The payment provider: HTTP, an idempotency key a charge, and a book of what it was asked and what it did.

    POST /charges   {"order": "1001", "card": "tok_visa_9cd5", "amount_cents": 6560}
    201             {"charge_id": "ch_0001", "amount_cents": 6560}
    402             {"error": "expired card"}
    503             Retry-After: 1

A request with a key that it knows gets the answer of the first one. One without, or with another, is charged again.
"""

from __future__ import annotations

import http.server
import json
import socket
import sqlite3
import struct
import threading
import time
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from examples.order_to_cash.services.ledger import open_ledger
from examples.order_to_cash.services.mishaps import SLOW_SECONDS, Mishap, mishap

__all__ = ["MISHAPS", "Book", "PaymentsServer"]

MISHAPS: Final[tuple[Mishap, ...]] = ("busy", "slow", "cut")

_REFUSED: Final = {"tok_expired": "expired card", "tok_empty": "insufficient funds", "tok_stolen": "stolen card"}
_SCHEMA: Final = """
    CREATE TABLE requests (
        id INTEGER PRIMARY KEY, order_id TEXT, answer TEXT, mishap TEXT, received_at REAL, answered_at REAL
    );
    CREATE TABLE charges (id TEXT PRIMARY KEY, key TEXT UNIQUE, order_id TEXT, card TEXT, amount_cents INTEGER);
    CREATE TABLE refusals (key TEXT UNIQUE, order_id TEXT, card TEXT, reason TEXT);
"""


class Answer(NamedTuple):
    """What the provider says to a request, and whether it gets to say it."""

    request: int
    mishap: Mishap | None
    status: int
    body: dict[str, Any]


class Book:
    """What the provider was asked, and whom it charged."""

    def __init__(self, path: Path, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._ledger: sqlite3.Connection = open_ledger(path)
        self._ledger.executescript(_SCHEMA)

    def charge(self, key: str | None, order: str, card: str, cents: int) -> Answer:
        """Charge a card, unless the key is known or the card is no good, and note it."""
        with self._lock:
            [[earlier]] = self._ledger.execute("SELECT count(*) FROM requests WHERE order_id = ?", (order,))
            found = mishap(self._seed, order, MISHAPS, earlier)
            if found == "busy":
                answer, status, body = "busy", 503, {"error": "busy, come back later"}
            else:
                answer, status, body = self._settle(key, order, card, cents)
            [[request]] = self._ledger.execute(
                "INSERT INTO requests (order_id, answer, mishap, received_at) VALUES (?, ?, ?, ?) RETURNING id",
                (order, answer, found, time.time()),
            )
        return Answer(request, found, status, body)

    def answered(self, request: int) -> None:
        """Note that the answer to a request is out, or never will be."""
        with self._lock:
            self._ledger.execute("UPDATE requests SET answered_at = ? WHERE id = ?", (time.time(), request))

    def _settle(self, key: str | None, order: str, card: str, cents: int) -> tuple[str, int, dict[str, Any]]:
        for charge_id, amount in self._ledger.execute("SELECT id, amount_cents FROM charges WHERE key = ?", (key,)):
            return "replayed", 201, {"charge_id": charge_id, "amount_cents": amount}
        for (reason,) in self._ledger.execute("SELECT reason FROM refusals WHERE key = ?", (key,)):
            return "replayed", 402, {"error": reason}
        for token, reason in _REFUSED.items():
            if card.startswith(token):
                self._ledger.execute("INSERT INTO refusals VALUES (?, ?, ?, ?)", (key, order, card, reason))
                return "refused", 402, {"error": reason}
        [[count]] = self._ledger.execute("SELECT count(*) FROM charges")
        charge_id = f"ch_{count + 1:04}"
        self._ledger.execute("INSERT INTO charges VALUES (?, ?, ?, ?, ?)", (charge_id, key, order, card, cents))
        return "charged", 201, {"charge_id": charge_id, "amount_cents": cents}


class PaymentsServer(http.server.ThreadingHTTPServer):
    """The provider's HTTP side, on a free port of loopback."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, book: Book) -> None:
        self.book = book
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that hang up are the point of the exercise."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # A small answer must not wait for the client to acknowledge its headers.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        book = cast("PaymentsServer", self.server).book
        answer = book.charge(self.headers["Idempotency-Key"], asked["order"], asked["card"], asked["amount_cents"])
        try:
            if answer.mishap == "slow":
                time.sleep(SLOW_SECONDS)
            if answer.mishap == "cut":
                self._cut()
            else:
                self._say(answer.status, json.dumps(answer.body).encode())
        finally:
            book.answered(answer.request)

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        if status == 503:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _cut(self) -> None:
        # A connection that is closed without lingering is reset, where it would otherwise end in order.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the book has it all."""
