"""What a round has done to the world, by the systems' own ledgers: nothing here asks Segue or Temporal.

    for line in audit(folder, plan):
        print(line.effect, line.expected, line.found, line.lost, line.double)

Every effect that the plan's work must have is known by a name, such as an order and the goods taken for it. One that is
expected and not found is lost; one that is found more often than expected is double.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from examples.order_to_cash import ledgers as orders
from examples.order_to_cash.services.ledger import INVENTORY, INVOICES, MAIL, PAYMENTS, open_ledger
from examples.order_to_cash.services.warehouse import stock_up
from tests.chaos.plan import Plan, is_paid, is_unserved

__all__ = ["FAXES", "LABELS", "PHONE", "STOCKTAKE", "Line", "audit", "count", "mishaps", "prepare", "unlocked"]

STOCKTAKE: Final = "stocktake.sqlite"
PHONE: Final = "phone.sqlite"
FAXES: Final = "faxes.sqlite"
LABELS: Final = "labels"

# A second count or call would be there twice: nothing but the steps themselves prevents it.
_STOCKTAKE: Final = "CREATE TABLE counts (sheet TEXT, shelf INTEGER); CREATE TABLE closings (sheet TEXT);"
_RECEIVED: Final = "CREATE TABLE received (sheet TEXT, at REAL);"


@dataclasses.dataclass(frozen=True)
class Line:
    """One kind of effect.

    Attributes:
        effect: What it is.
        ledger: Whose word it is.
        expected: How many there must be.
        found: How many there are.
        lost: Names of those that are not there.
        double: Names of those that are there though they should not be, or once more than they should.
        again: How often the system was asked for what it had done already, where it notes that.
    """

    effect: str
    ledger: str
    expected: int
    found: int
    lost: Sequence[str]
    double: Sequence[str]
    again: int | None = None


def prepare(folder: Path) -> None:
    """Make the ledgers of a round, but those that the services make themselves."""
    stock_up(folder)
    for name, schema in ((STOCKTAKE, _STOCKTAKE), (PHONE, _RECEIVED), (FAXES, _RECEIVED)):
        with contextlib.closing(open_ledger(folder / name)) as ledger:
            ledger.executescript(schema)


def unlocked(folder: Path, sheet: str) -> Path:
    """Return the file whose being there means that the books of a sheet are unlocked."""
    return folder / "unlocked" / sheet


def count(folder: Path) -> int:
    """Return about how many effects there are so far, as `Plan.effects` counts them."""
    numbers = [
        _rows(folder / STOCKTAKE, "SELECT count(*) FROM counts"),
        _rows(folder / INVENTORY, "SELECT count(DISTINCT order_id) FROM reservations"),
        _rows(folder / PAYMENTS, "SELECT count(*) FROM charges"),
        _rows(folder / MAIL, "SELECT count(*) FROM mailbox"),
    ]
    labels = sum(1 for _ in (folder / LABELS).glob("*/*.txt"))
    return sum(int(rows[0][0]) for rows in numbers) + labels


def audit(folder: Path, plan: Plan) -> list[Line]:
    """Return what the ledgers in a folder say of a plan's work."""
    parking = [sheet.id for sheet in plan.sheets if sheet.parks]
    charges = _rows(folder / PAYMENTS, "SELECT order_id, card, amount_cents FROM charges")
    replayed = len(_rows(folder / PAYMENTS, "SELECT id FROM requests WHERE answer = 'replayed'"))
    dropped = len(_rows(folder / MAIL, "SELECT id FROM deliveries WHERE answer = 'duplicate'"))
    paid = [order for order in plan.orders if is_paid(order)]
    served = [order for order in plan.orders if not is_unserved(order)]
    return [
        _line(
            "goods taken, then picked or put back",
            "warehouse database",
            [
                f"{order.id}: {line.quantity} {line.sku} {'picked' if is_paid(order) else 'released'}"
                for order in served
                for line in order.lines
            ],
            [
                f"{order}: {quantity} {sku} {state}"
                for order, sku, quantity, state in _rows(folder / INVENTORY, "SELECT * FROM reservations")
            ],
        ),
        _line(
            "cards charged",
            "payment provider",
            [f"{order.id}: {order.card} {order.total_cents}" for order in paid],
            [f"{order}: {card} {cents}" for order, card, cents in charges],
            replayed,
        ),
        _line(
            "cards declined",
            "payment provider",
            [order.id for order in served if not is_paid(order)],
            [order for (order,) in _rows(folder / PAYMENTS, "SELECT order_id FROM refusals")],
        ),
        _line(
            "invoices",
            "folder of objects",
            [order.id for order in paid],
            [path.stem for path in (folder / INVOICES).glob("*.txt")],
        ),
        _line(
            "mails, by Message-ID",
            "mail server",
            [order.email for order in plan.orders],
            [recipient for (recipient,) in _rows(folder / MAIL, "SELECT recipient FROM mailbox")],
            dropped,
        ),
        _line(
            "shelves counted",
            "stocktake database",
            [f"{sheet.id}/{shelf}" for sheet in plan.sheets for shelf in range(sheet.shelves)],
            [f"{sheet}/{shelf}" for sheet, shelf in _rows(folder / STOCKTAKE, "SELECT * FROM counts")],
        ),
        _line(
            "labels printed",
            "files",
            [f"{sheet.id}, shelf {shelf}\n" for sheet in plan.sheets for shelf in range(sheet.labels)],
            [path.read_text() for path in (folder / LABELS).glob("*/*.txt")],
        ),
        _line(
            "calls, at most once, asked after",
            "supplier",
            parking,
            [sheet for (sheet,) in _rows(folder / PHONE, "SELECT sheet FROM received")],
        ),
        _line(
            "faxes, at most once, repaired",
            "head office",
            parking,
            [sheet for (sheet,) in _rows(folder / FAXES, "SELECT sheet FROM received")],
        ),
        _line(
            "books closed",
            "stocktake database",
            parking,
            [sheet for (sheet,) in _rows(folder / STOCKTAKE, "SELECT sheet FROM closings")],
        ),
        # The example's own audit knows the shelves too: what was taken off them and what was put back must add up.
        _line(
            "contradictions between the systems",
            "all of order-to-cash",
            [],
            [problem for finding in orders.audit(folder, plan.orders).findings for problem in finding.problems],
        ),
    ]


def mishaps(folder: Path) -> Counter[str]:
    """Return how often which service misbehaved by itself."""
    found = Counter[str]()
    for name, ledger, table in (("payments", PAYMENTS, "requests"), ("mail", MAIL, "deliveries")):
        rows = _rows(folder / ledger, f"SELECT mishap, count(*) FROM {table} WHERE mishap IS NOT NULL GROUP BY mishap")
        found.update({f"{name}: {mishap}, by the service itself": number for mishap, number in rows})
    return found


def _line(effect: str, ledger: str, expected: Sequence[str], found: Sequence[str], again: int | None = None) -> Line:
    wanted, there = Counter(expected), Counter(found)
    return Line(
        effect,
        ledger,
        len(expected),
        len(found),
        sorted((wanted - there).elements()),
        sorted((there - wanted).elements()),
        again,
    )


def _rows(ledger: Path, query: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(ledger, timeout=10)) as connection:
        return connection.execute(query).fetchall()
