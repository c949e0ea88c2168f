"""What became of the orders, by the ledgers of the four systems: nothing here asks Segue or Temporal.

`audit` reads the payment provider's book, the warehouse's database, the folder of invoices and the mail server's box,
and says what they agree on, and for which order they do not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from examples.order_to_cash.models import Order
from examples.order_to_cash.services.ledger import INVENTORY, INVOICES, MAIL, PAYMENTS, open_ledger
from examples.order_to_cash.services.warehouse import STOCK

__all__ = ["Audit", "Effort", "Finding", "audit", "in_flight", "progress"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """What must be so, and each case in which it is not."""

    text: str
    problems: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Effort:
    """What one system was asked, what it did, and how often nobody heard of it."""

    system: str
    asked: str
    did: str
    unheard: str


@dataclasses.dataclass(frozen=True)
class Audit:
    """What the ledgers say.

    Attributes:
        findings: What must be so.
        efforts: Requests against effects, by system.
        busiest: The paid order for which the payment provider was asked most often.
    """

    findings: Sequence[Finding]
    efforts: Sequence[Effort]
    busiest: str

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not any(finding.problems for finding in self.findings)


def progress(folder: Path) -> dict[str, int]:
    """Return how many orders are how far, by the systems' ledgers."""
    return {
        "charged": _count(folder / PAYMENTS, "SELECT count(*) FROM charges"),
        "invoiced": len(_invoices(folder)),
        "told": _count(folder / MAIL, "SELECT count(*) FROM mailbox"),
    }


def in_flight(folder: Path) -> int:
    """Return how many requests the payment provider has just taken and not answered: somebody waits for them."""
    just = time.time() - 1
    return _count(
        folder / PAYMENTS, f"SELECT count(*) FROM requests WHERE answered_at IS NULL AND received_at > {just}"
    )


def audit(folder: Path, orders: Sequence[Order]) -> Audit:
    """Return what the ledgers in a folder say of these orders."""
    charges = _rows(folder / PAYMENTS, "SELECT order_id, card, amount_cents FROM charges")
    requests = _rows(folder / PAYMENTS, "SELECT order_id, answer, mishap FROM requests")
    refused = {order for (order,) in _rows(folder / PAYMENTS, "SELECT order_id FROM refusals")}
    reserved = _rows(folder / INVENTORY, "SELECT order_id, sku, quantity, state FROM reservations")
    on_hand: dict[str, int] = dict(_rows(folder / INVENTORY, "SELECT sku, on_hand FROM stock"))
    told = Counter(recipient for (recipient,) in _rows(folder / MAIL, "SELECT recipient FROM mailbox"))
    deliveries = _rows(folder / MAIL, "SELECT answer, mishap FROM deliveries")
    invoices = _invoices(folder)

    by_id = {order.id: order for order in orders}
    charged = Counter(order for order, _, _ in charges)
    states = {order.id: _state(order, reserved) for order in orders}
    paid = {o for o in by_id if charged[o] and states[o] == "picked"}
    declined = {o for o in by_id if o in refused and states[o] == "released"}
    unserved = {o for o in by_id if not charged[o] and o not in refused and states[o] == "untouched"}
    picked = Counter[str]()
    for _, sku, quantity, state in reserved:
        picked[sku] += quantity if state == "picked" else 0

    return Audit(
        findings=[
            _finding(
                f"{len(orders)} orders accounted for: {len(paid)} paid and picked, {len(declined)} declined, "
                f"{len(unserved)} out of stock",
                (f"order {o}: no end to be seen" for o in by_id.keys() - paid - declined - unserved),
                (f"order {o}: both paid and declined" for o in paid & declined),
            ),
            _finding(
                f"{len(charges)} cards charged exactly once, for the amount of the order",
                (f"order {o}: charged {times} times" for o, times in charged.items() if times != 1),
                (
                    f"order {o}: card {card} charged {cents} cents, not {by_id[o].card} {by_id[o].total_cents} cents"
                    for o, card, cents in charges
                    if (card, cents) != (by_id[o].card, by_id[o].total_cents)
                ),
                (f"order {o}: charged, but not picked" for o in charged.keys() - paid),
            ),
            _finding(
                f"{len(declined)} declined orders compensated: nothing charged, stock back on the shelf",
                (f"order {o}: declined, but charged" for o in refused if charged[o]),
                (f"order {o}: declined, but its stock is not back" for o in refused - declined),
                (
                    f"{sku}: {on_hand[sku]} on the shelf, not {start} less the {picked[sku]} picked"
                    for sku, start in STOCK.items()
                    if on_hand[sku] != start - picked[sku]
                ),
            ),
            _finding(
                f"{len(invoices)} invoices, one for each paid order",
                (f"order {o}: paid, but no invoice" for o in paid - invoices),
                (f"order {o}: an invoice, but not paid" for o in invoices - paid),
            ),
            _finding(
                f"{told.total()} mails, one for each order",
                (f"order {order.id}: {told[order.email]} mails" for order in orders if told[order.email] != 1),
            ),
        ],
        efforts=[_payments(requests), _notices(deliveries)],
        busiest=_busiest(paid, requests) or orders[0].id,
    )


def _finding(text: str, *problems: Iterable[str]) -> Finding:
    return Finding(text, sorted(problem for found in problems for problem in found))


def _state(order: Order, reserved: Sequence[tuple[str, str, int, str]]) -> str:
    """Return the state of an order's goods, "untouched" if none were reserved; "wrong" if they are not what it asks."""
    own = sorted((sku, quantity, state) for order_id, sku, quantity, state in reserved if order_id == order.id)
    if not own:
        return "untouched"
    state = own[0][2]
    asked = sorted((line.sku, line.quantity, state) for line in order.lines)
    return state if own == asked else "wrong"


def _payments(requests: Sequence[tuple[str, str, str | None]]) -> Effort:
    answers = Counter(answer for _, answer, _ in requests)
    mishaps = Counter(mishap for _, _, mishap in requests)
    return Effort(
        "payments",
        f"{len(requests)} requests",
        f"{answers['charged']} charged, {answers['refused']} declined, {answers['replayed']} replayed, "
        f"{answers['busy']} busy",
        f"{mishaps['slow']} answered too late, {mishaps['cut']} cut off before the answer",
    )


def _notices(deliveries: Sequence[tuple[str, str | None]]) -> Effort:
    answers = Counter(answer for answer, _ in deliveries)
    mishaps = Counter(mishap for _, mishap in deliveries)
    return Effort(
        "notices",
        f"{len(deliveries)} messages",
        f"{answers['delivered']} delivered, {answers['duplicate']} duplicates dropped, {answers['busy']} busy",
        f"{mishaps['cut']} cut off before the answer",
    )


def _busiest(paid: set[str], requests: Sequence[tuple[str, str, str | None]]) -> str | None:
    times = Counter(order for order, _, _ in requests)
    return max(sorted(paid), key=lambda order: times[order], default=None)


def _invoices(folder: Path) -> set[str]:
    """Return the orders that have an invoice; what a killed worker was writing has another name."""
    return {path.stem for path in (folder / INVOICES).glob("*.txt")}


def _rows(ledger: Path, query: str) -> list[Any]:
    with contextlib.closing(open_ledger(ledger)) as connection:
        return connection.execute(query).fetchall()


def _count(ledger: Path, query: str) -> int:
    [[number]] = _rows(ledger, query)
    return int(number)
