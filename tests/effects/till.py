"""The workflows and activities of the effect tests: a till that pays out, and does not always say whether it has."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    import httpx

    from segue.activities import Ambiguous, NotDone, Policy, Retryable, System, Terminal, idempotency_key
    from segue.workflows import Saga, call, fan_out

till = System(
    "effect-test-till",
    policy=Policy(
        start_to_close_timeout=timedelta(seconds=5), initial_interval=timedelta(milliseconds=10), maximum_attempts=3
    ),
)


@dataclass
class Payout:
    """What is paid out, and how each attempt goes.

    `ways` names what happens at each attempt: "" pays and says so, "paid X" pays and fails with X, "X" fails with X.
    """

    folder: str
    ways: tuple[str, ...] = ("",)
    answers: str = "book"


@dataclass
class Slip:
    key: str


@dataclass
class Book:
    """The till's own book: a line for each payout, and for each attempt."""

    folder: Path

    def write(self, name: str, line: str) -> None:
        with (self.folder / name).open("a") as file:
            file.write(f"{line}\n")

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []


def status(code: int) -> httpx.HTTPStatusError:
    request = httpx.Request("POST", "http://till.test/payouts")
    return httpx.HTTPStatusError("", request=request, response=httpx.Response(code, request=request))


FAILURES: dict[str, Callable[[], BaseException]] = {
    "not done": lambda: NotDone("the drawer is shut"),
    "retryable": lambda: Retryable("the drawer is shut", after=timedelta(milliseconds=20)),
    "in two days": lambda: NotDone("the till opens in two days", after=timedelta(days=2)),
    "terminal": lambda: Terminal("no such account", type="NoAccount"),
    "ambiguous": lambda: Ambiguous("the light went out"),
    "unknown": lambda: RuntimeError("the till is on fire"),
    "connect": lambda: httpx.ConnectError("refused"),
    "read": lambda: httpx.ReadTimeout("timed out"),
    "429": lambda: status(429),
    "503": lambda: status(503),
    "404": lambda: status(404),
}


async def fail(way: str, book: Book) -> None:
    match way:
        case "":
            return
        case "kill":
            book.write("process", str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            await asyncio.Event().wait()
        case _:
            raise FAILURES[way]()


@till.activity
async def find_payout(payout: Payout) -> Slip | None:
    """Tell what became of a payout by its key, which is the payout's own."""
    if payout.answers == "fails":
        raise Terminal("the book is locked", type="Locked")
    if payout.answers == "not done":
        raise NotDone("it is not in the book")
    key = idempotency_key()
    return Slip(key) if key in Book(Path(payout.folder)).lines("paid") else None


async def pay(payout: Payout) -> Slip:
    book = Book(Path(payout.folder))
    attempt = len(book.lines("attempts"))
    book.write("attempts", str(activity.info().attempt))
    way = payout.ways[attempt] if attempt < len(payout.ways) else ""
    if not way or way.startswith("paid "):
        book.write("paid", idempotency_key())
    await fail(way.removeprefix("paid "), book)
    return Slip(idempotency_key())


@till.activity(effect="at_most_once")
async def pay_blindly(payout: Payout) -> Slip:
    return await pay(payout)


@till.activity(effect="at_most_once", reconcile=find_payout)
async def pay_surely(payout: Payout) -> Slip:
    return await pay(payout)


@till.activity
async def was_stamped(payout: Payout) -> bool:
    return "stamp" in Book(Path(payout.folder)).lines("stamps")


@till.activity(effect="at_most_once", reconcile=was_stamped)
async def stamp_slip(payout: Payout) -> None:
    book = Book(Path(payout.folder))
    way = payout.ways[len(book.lines("attempts"))]
    book.write("attempts", "1")
    if way.startswith("paid "):
        book.write("stamps", "stamp")
    await fail(way.removeprefix("paid "), book)


@till.activity
async def put_back(slip: Slip) -> None: ...


@till.activity(effect="compensable", compensate=put_back)
async def take_out(payout: Payout) -> Slip:
    return await pay(payout)


@workflow.defn
class PayOut:
    @workflow.run
    async def run(self, activity: str, payout: Payout) -> Any:
        return await workflow.execute_activity(activity, payout)


@workflow.defn
class PayOutLocally:
    @workflow.run
    async def run(self, payout: Payout) -> None:
        await workflow.execute_local_activity(pay_blindly, payout)


@workflow.defn
class PayBatch:
    @workflow.run
    async def run(self, payouts: list[Payout]) -> None:
        await fan_out(pay_blindly, payouts, batch=2)


@workflow.defn
class TakeOut:
    """Takes out and then fails: what undoes it is known from its declaration."""

    @workflow.run
    async def run(self, payout: Payout) -> None:
        async with Saga() as saga:
            await saga.step(call(take_out, payout))
            raise Terminal("closed", type="Closed")


WORKFLOWS = [PayBatch, PayOut, PayOutLocally, TakeOut]
ACTIVITIES: list[Callable[..., Any]] = [
    find_payout, pay_blindly, pay_surely, was_stamped, stamp_slip, put_back, take_out,
]  # fmt: skip
