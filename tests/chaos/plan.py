"""What goes wrong in a round, and when: all of it drawn from a seed before anything starts.

    plan = Plan.draw("7/0", Size())
    plan.save(folder)                  # the worker's steps look up there what is to befall them

Moments are counted in what happens, never in seconds: the first attempt of a named step, the n-th answer of a system,
the k-th effect in the ledgers. So the same seed means the same plan on any machine, however fast it is. What else is
under way at such a moment depends on the machine.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import pydantic
from examples.order_to_cash.models import Line, Order
from examples.order_to_cash.services.warehouse import STOCK

__all__ = ["PLAN", "AnswerFault", "Mishap", "Moment", "MomentKind", "Plan", "Sheet", "Size", "is_paid", "is_unserved"]

Mishap = Literal["early", "lost", "late", "hangs", "dies", "twice"]
"""What befalls the first attempt of a step. early: it fails before its effect. lost: it fails after it, as when an
answer is lost. late: it is given up, and its effect comes after that. hangs: it is given up after its effect, and
completes nevertheless. dies: its worker is killed right after the effect. twice: it is completed twice."""

AnswerFault = Literal["cut", "late", "held", "kill"]
"""What befalls a request to a system. cut: the connection breaks instead of the answer. late: the answer comes after
the caller's timeout. held: the request itself does. kill: the worker that asked is killed before the answer."""

MomentKind = Literal["kill worker", "kill server", "cut", "stall"]
"""What happens after the k-th effect: a process is killed, the connections between workers and Temporal break in the
middle of an answer, or nothing passes between them for a while."""

PLAN: Final = "plan.json"


class Size(pydantic.BaseModel):
    """How much a round does, and how much goes wrong in it.

    Attributes:
        orders: Runs of order-to-cash.
        sheets: Runs of the stocktake, each with a fan-out in batches and one of single steps.
        shelves: Items of each fan-out.
        wide: Items of the fan-out that spreads itself over child workflows; 0 for none.
        workers: Worker processes.
        deaths: Steps right after whose effect their worker is killed.
        kills: Workers killed after some effect, beside those that die in a step or while they wait for an answer.
        outages: Times that the Temporal server is killed.
        cuts: Times that the connections to it break.
        stalls: Times that nothing passes to it or from it.
        postgres: Whether the stocktake's database is PostgreSQL, behind a proxy; else it is a file of SQLite.
        parks: Whether steps park, for an operator to repair them.
    """

    orders: int
    sheets: int
    shelves: int
    wide: int = 0
    workers: int = 2
    deaths: int = 1
    kills: int = 1
    outages: int = 1
    cuts: int = 1
    stalls: int = 0
    postgres: bool = False
    parks: bool = True

    @classmethod
    def short(cls) -> Size:
        """Return the size of a round in the test suite."""
        return cls(orders=18, sheets=3, shelves=9, wide=130)

    @classmethod
    def long(cls) -> Size:
        """Return the size of a round of `make chaos`."""
        return cls(
            orders=36, sheets=7, shelves=16, wide=200, deaths=3, kills=2, outages=2, cuts=2, stalls=1, postgres=True
        )


class Sheet(pydantic.BaseModel):
    """A stocktake: which shelves are counted, how many to an activity, and which get a new label."""

    id: str
    shelves: int
    batch: int
    labels: int
    parks: bool


class Moment(pydantic.BaseModel):
    """What happens once so many effects are in the ledgers; which worker, if it is one's end."""

    effects: int
    kind: MomentKind
    worker: int = 0


class Plan(pydantic.BaseModel):
    """A round: its work, and what goes wrong in it.

    Attributes:
        seed: What it was drawn from; also the seed of the misbehaving services.
        steps: What befalls the first attempt of a step, by the step's name.
        moments: What happens as effects add up, in their order.
        payments: What befalls the n-th request to the payment provider, counted from 1.
        mail: And to the mail server.
        database: And to PostgreSQL.
    """

    seed: str
    size: Size
    orders: list[Order]
    sheets: list[Sheet]
    steps: dict[str, Mishap]
    moments: list[Moment]
    payments: dict[int, AnswerFault]
    mail: dict[int, AnswerFault]
    database: dict[int, AnswerFault]

    @classmethod
    def draw(cls, seed: str, size: Size) -> Plan:
        """Return the plan of a seed and a size."""
        chance = random.Random(seed)
        orders = _orders(chance, size.orders)
        sheets = _sheets(chance, size)
        counted = sum(sheet.shelves for sheet in sheets)
        plan = cls(
            seed=seed,
            size=size,
            orders=orders,
            sheets=sheets,
            steps=_steps(chance, sheets, size.deaths),
            moments=[],
            payments=_answers(chance, size.orders, size.orders // 5, ("cut", "late", "held", "kill"), (4, 2, 3, 1)),
            mail=_answers(chance, size.orders * 4, size.orders * 2 // 3, ("cut", "late", "kill"), (6, 1, 1)),
            # A count takes five answers, COMMIT's among them.
            database=_answers(chance, counted * 5, 12 * size.postgres, ("cut", "late", "kill"), (8, 3, 1)),
        )
        return plan.model_copy(update={"moments": _moments(chance, size, plan.effects)})

    @property
    def effects(self) -> int:
        """About how many effects the round has: of each order a few, of each shelf one."""
        steps = sum(sheet.shelves + sheet.labels for sheet in self.sheets)
        return 3 * len(self.orders) + steps

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits that are the same for the same plan."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:8]

    @classmethod
    def load(cls, folder: Path) -> Plan:
        """Return the plan of a round's folder."""
        return cls.model_validate_json((folder / PLAN).read_bytes())

    def save(self, folder: Path) -> None:
        """Write the plan into a round's folder."""
        (folder / PLAN).write_text(self.model_dump_json(indent=1))


def is_paid(order: Order) -> bool:
    """Return whether there is nothing in the way of an order."""
    return order.card.startswith("tok_visa") and not is_unserved(order)


def is_unserved(order: Order) -> bool:
    """Return whether an order asks for more than there is, whenever it comes."""
    return any(line.quantity > STOCK[line.sku] for line in order.lines)


def _orders(chance: random.Random, count: int) -> list[Order]:
    """Return orders whose end is known beforehand: of what there is, all together take no more than that."""
    left = {sku: on_hand for sku, on_hand in STOCK.items() if sku != "theremin"}
    orders: list[Order] = []
    for number in range(1001, 1001 + count):
        lines: list[Line] = []
        for sku in sorted(chance.sample(sorted(sku for sku in left if left[sku] >= 2), chance.choice((1, 1, 2, 3)))):
            quantity = chance.choice((1, 1, 2))
            left[sku] -= quantity
            lines.append(Line(sku=sku, quantity=quantity, price_cents=chance.randrange(100, 9000, 10)))
        if chance.random() < 0.05:
            lines.append(Line(sku="theremin", quantity=STOCK["theremin"] + 1, price_cents=41900))
        card = chance.choices(("visa", "expired", "empty", "stolen"), (17, 1, 1, 1))[0]
        orders.append(
            Order(
                id=str(number),
                customer=f"Customer {number}",
                email=f"customer.{number}@example.com",
                card=f"tok_{card}_{number}",
                lines=lines,
            )
        )
    return orders


def _sheets(chance: random.Random, size: Size) -> list[Sheet]:
    sheets = [
        Sheet(
            id=f"sheet-{number}",
            shelves=size.shelves,
            batch=chance.choice((3, 5, size.shelves)),
            labels=max(2, size.shelves // 3),
            parks=size.parks,
        )
        for number in range(size.sheets)
    ]
    if size.wide:
        # An activity for each shelf, and so many of them that they are spread over child workflows.
        sheets.append(Sheet(id="sheet-wide", shelves=size.wide, batch=1, labels=2, parks=size.parks))
    return sheets


def _steps(chance: random.Random, sheets: Sequence[Sheet], deaths: int) -> dict[str, Mishap]:
    drawn: dict[str, Mishap] = {}
    for sheet in sheets:
        counted: list[Mishap] = ["early", "lost", "late"]
        for shelf, kind in zip(chance.sample(range(1, sheet.shelves), 3), counted, strict=True):
            drawn[f"{sheet.id}/count/{shelf}"] = kind
        for shelf in range(sheet.labels):
            if chance.random() < 0.4:
                labels: list[Mishap] = ["early", "lost", "late"]
                drawn[f"{sheet.id}/label/{shelf}"] = chance.choice(labels)
        # What happens at most once has no attempt that is given up before it acts: see docs/chaos.md.
        single: list[Mishap] = ["early", "lost", "hangs", "twice"]
        alone: dict[str, list[Mishap]] = {"call": single, "fax": single, "close": [*single, "late"]}
        for step, kinds in alone.items():
            if chance.random() < 0.7:
                drawn[f"{sheet.id}/{step}"] = chance.choice(kinds)
    # A worker's death costs seconds of everybody's time: few steps are worth it, of every sort.
    candidates = [f"{sheet.id}/{step}" for sheet in sheets for step in ("count/0", "label/0", "call", "fax", "close")]
    for name in chance.sample(candidates, min(len(candidates), deaths)):
        drawn[name] = "dies"
    return drawn


def _answers(
    chance: random.Random, requests: int, faults: int, kinds: Sequence[AnswerFault], weights: Sequence[int]
) -> dict[int, AnswerFault]:
    """Return what befalls some of the first so many requests."""
    numbers = chance.sample(range(1, requests + 1), faults)
    drawn: dict[int, AnswerFault] = {number: chance.choices(kinds, weights)[0] for number in sorted(numbers)}
    # At most one death, for the same reason.
    for number in [number for number, kind in drawn.items() if kind == "kill"][1:]:
        drawn[number] = "cut"
    return drawn


def _moments(chance: random.Random, size: Size, effects: int) -> list[Moment]:
    numbers: dict[MomentKind, int] = {
        "kill worker": size.kills,
        "kill server": size.outages,
        "cut": size.cuts,
        "stall": size.stalls,
    }
    kinds: list[MomentKind] = [kind for kind, number in numbers.items() for _ in range(number)]
    drawn = [
        Moment(effects=chance.randrange(effects // 20, effects * 9 // 10), kind=kind, worker=chance.randrange(99))
        for kind in kinds
    ]
    return sorted(drawn, key=lambda moment: moment.effects)
