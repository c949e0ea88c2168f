"""The workflows and activities of the fan-out tests: pages that can be made to fail, to wait, and to be counted."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.common import RetryPolicy, VersioningBehavior
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from segue.activities import Capacity, ObjectRef, Policy, Retryable, System, Terminal, idempotency_key
    from segue.workflows import Batch, Failure, FanOutFailed, InvalidFanOut, StoredResults, fan_out

press = System(
    "fanout-test-press",
    policy=Policy(
        start_to_close_timeout=timedelta(seconds=10),
        initial_interval=timedelta(milliseconds=50),
        maximum_attempts=3,
        heartbeat_timeout=timedelta(seconds=5),
    ),
)
narrow = System("fanout-test-narrow", capacity=Capacity(concurrent=2))
metered = System("fanout-test-metered", capacity=Capacity(per_second=100))


@dataclass
class Page:
    number: int
    printed: datetime = datetime(2026, 1, 2, 3, 4, 5)


@dataclass
class Printed:
    number: int
    at: datetime
    attempt: int


@dataclass
class Seen:
    """What the activities saw in one test, told apart by the test's name."""

    runs: Counter[int] = field(default_factory=Counter[int])
    keys: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    ids: set[str] = field(default_factory=set[str])
    at_once: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


seen: dict[str, Seen] = defaultdict(Seen)
released: set[str] = set()


def note(test: str, number: int) -> int:
    noted = seen[test]
    with noted.lock:
        noted.runs[number] += 1
        noted.keys[number].add(idempotency_key())
        noted.ids.add(activity.info().activity_id)
        return noted.runs[number]


@press.activity
async def print_page(page: Page, test: str) -> Printed:
    """Pages that end in 7 fail for good, pages that end in 3 fail once."""
    count = note(test, page.number)
    await asyncio.sleep(0)
    if page.number % 10 == 7:
        raise Terminal(f"page {page.number} is blank")
    if page.number % 10 == 3 and count == 1:
        raise ValueError("paper jam")
    return Printed(page.number, page.printed, activity.info().attempt)


@press.activity
def print_in_thread(page: int, test: str) -> int:
    noted = seen[test]
    note(test, page)
    with noted.lock:
        noted.at_once += 1
        noted.most = max(noted.most, noted.at_once)
    time.sleep(0.02)
    with noted.lock:
        noted.at_once -= 1
    return page * 2


@press.activity
async def double(page: int) -> int:
    return page * 2


@press.activity
async def refuse(page: int) -> int:
    raise Retryable("press is down", after=timedelta(milliseconds=20))


@press.activity(name="fanout_hold")
async def hold(page: int, test: str) -> int:
    note(test, page)
    while test not in released and page % 10 == 9:
        await asyncio.sleep(0.02)
    return page


@press.activity
async def large(page: int) -> str:
    return "x" * 300_000


@press.activity
async def large_page(page: str) -> int:
    return len(page)


@press.activity
async def frame(page: Page, border: str, width: float = 1.5, since: datetime = datetime(2026, 1, 1)) -> str:
    return f"page {page.number} of {page.printed}, {border}, {width}, {since}"


@press.activity
async def weigh_page(page: int, text: str, test: str) -> int:
    """Every tenth page fails once."""
    if note(test, page) == 1 and page % 10 == 3:
        raise ValueError("paper jam")
    return page + len(text)


@press.activity
async def copy_page(size: int, test: str) -> str:
    note(test, size)
    return "x" * size


@press.activity
async def stamp_page(page: Page, marks: list[str], test: str) -> tuple[int, list[str]]:
    """Every page fails once."""
    if note(test, page.number) == 1:
        raise ValueError("paper jam")
    return page.number, marks


class Unknown:
    """What no converter knows."""


@press.activity
async def bind(page: Page | int, by: Any = Unknown()) -> str:  # noqa: B008 - only that it cannot be sent matters
    return f"{page} by {type(by).__name__}"


@narrow.activity
async def narrow_step(page: int, test: str) -> int:
    noted = seen[test]
    noted.at_once += 1
    noted.most = max(noted.most, noted.at_once)
    await asyncio.sleep(0.02)
    noted.at_once -= 1
    return page


@metered.activity
async def metered_step(page: int) -> int:
    return page


@press.activity
async def slow(page: int) -> int:
    """Takes too long, but for its first page."""
    await asyncio.sleep(0 if page == 0 else 30)
    return page


@press.activity
def slow_in_thread(page: int) -> int:
    """The same in a thread."""
    time.sleep(0 if page == 0 else 2)
    return page


@activity.defn
async def undeclared(page: int) -> str:
    return f"page {page} by {activity.info().activity_type}, {activity.info().activity_id}"


@dataclass
class Edition:
    """How the workflow is to fan out."""

    test: str
    pages: int = 20
    fn: str = "print_page"
    batch: int | None = None
    size_bytes: int = 0
    tolerate: float | int | None = None
    concurrency: int = 100


@dataclass
class Ended:
    results: list[Any]
    failures: list[Failure]
    error: str = ""


@workflow.defn
class Print:
    """Fans out over the pages of an edition."""

    @workflow.run
    async def run(self, edition: Edition) -> Ended:
        numbers = range(edition.pages)
        batch: Batch | int | None = edition.batch
        if edition.size_bytes and edition.batch:
            batch = Batch(edition.batch, edition.size_bytes)
        options: dict[str, Any] = {"concurrency": edition.concurrency, "batch": batch, "tolerate": edition.tolerate}
        items: Any = numbers
        args: tuple[Any, ...] = ()
        if edition.fn == "print_page":
            items = [Page(number) for number in numbers]
        if edition.fn in ("print_page", "print_in_thread", "hold", "narrow_step"):
            args = (edition.test,)
        if edition.fn.startswith("slow"):
            options["start_to_close_timeout"] = timedelta(milliseconds=300)
            options["retry_policy"] = RetryPolicy(maximum_attempts=1)
        if edition.fn == "undeclared":
            options["start_to_close_timeout"] = timedelta(seconds=5)
        spread: Callable[..., Any] = fan_out
        try:
            outcome: Any = await spread(PRESSES[edition.fn], items, *args, **options)
        except FanOutFailed as error:
            return Ended([], list(error.failures), error.message)
        if edition.fn == "large":
            return Ended([len(text) for text in outcome], [])
        if edition.tolerate is None:
            return Ended(outcome, [])
        return Ended(outcome.results, list(outcome.failures))


PRESSES: dict[str, Callable[..., Any]] = {
    "print_page": print_page,
    "undeclared": undeclared,
    "double": double,
    "refuse": refuse,
    "large": large,
    "metered_step": metered_step,
    "print_in_thread": print_in_thread,
    "hold": hold,
    "narrow_step": narrow_step,
    "slow": slow,
    "slow_in_thread": slow_in_thread,
}


@dataclass
class Printing:
    """A fan-out whose items, results or both are objects."""

    test: str
    source: ObjectRef | None
    pages: int
    results_to: str | None
    batch: int
    tolerate: float | None = None


@workflow.defn
class PrintObjects:
    """Fans out over the lines of an object, and returns what there is, or the error."""

    @workflow.run
    async def run(self, printing: Printing) -> tuple[StoredResults | None, list[Printed] | None, str | None]:
        items = printing.source or [Page(number) for number in range(printing.pages)]
        try:
            if printing.results_to is None:
                read = await fan_out(print_page, items, printing.test, batch=printing.batch, tolerate=1.0)
                return None, read.results, None
            stored = await fan_out(
                print_page,
                items,
                printing.test,
                batch=printing.batch,
                tolerate=printing.tolerate,
                results_to=printing.results_to,
            )
        except (FanOutFailed, InvalidFanOut) as error:
            return None, None, error.message
        return stored, None, None


@workflow.defn(versioning_behavior=VersioningBehavior.PINNED)
class Versioned:
    """A workflow that says how it changes versions."""

    @workflow.run
    async def run(self) -> list[int]:
        return await fan_out(double, [1])


@workflow.defn
class Altered:
    """Alters its items, and what goes with them, as soon as it has called fan_out."""

    @workflow.run
    async def run(self, test: str, batch: int | None) -> list[tuple[int, list[str]]]:
        pages, marks = [Page(number) for number in range(6)], ["draft"]
        spreading = asyncio.create_task(fan_out(stamp_page, pages, marks, test, batch=batch, concurrency=2))
        await asyncio.sleep(0)
        for page in pages:
            page.number += 100
        pages.clear()
        marks.append("final")
        return await spreading


@workflow.defn
class Heavy:
    """Sends a large text with every item."""

    @workflow.run
    async def run(self, test: str, pages: int, size: int, batch: int | None) -> list[int]:
        return await fan_out(weigh_page, range(pages), "x" * size, test, batch=batch, concurrency=10)


@workflow.defn
class Copies:
    """Has texts of some sizes made, and returns how many came, or the error."""

    @workflow.run
    async def run(self, test: str, sizes: list[int], batch: int | None, concurrency: int) -> tuple[int, str, str]:
        try:
            texts = await fan_out(copy_page, sizes, test, batch=batch, concurrency=concurrency)
        except ApplicationError as error:
            return 0, str(error.type), error.message
        return sum(map(len, texts)), "", ""


@workflow.defn
class Defaults:
    """Leaves arguments out that have defaults."""

    @workflow.run
    async def run(self, batch: int | None, wide: int) -> tuple[list[str], list[str]]:
        framed = await fan_out(frame, [Page(1), Page(2)] * wide, "thin", batch=batch)
        return sorted(set(framed)), await fan_out(bind, [3, 4], batch=batch)


@workflow.defn
class Undeclared:
    """Fans out over an activity without a timeout."""

    @workflow.run
    async def run(self, pages: int, batch: int | None) -> list[str]:
        return await fan_out(undeclared, range(pages), batch=batch)


@workflow.defn
class Refused:
    """Calls fan_out in every way that is refused, and returns what it is told."""

    @workflow.run
    async def run(self) -> list[str]:
        calls: list[tuple[Any, Any, tuple[Any, ...], dict[str, Any]]] = [
            (len, [1], (), {}),
            ("double", [1], (), {}),
            (double, {1, 2}, (), {}),
            (double, "12", (), {}),
            (double, iter([1]), (), {}),
            (double, [1], (), {"concurrency": 0}),
            (double, [1], (), {"concurrency": True}),
            (double, [1], (), {"batch": 0}),
            (double, [1], (), {"batch": Batch(10, size_bytes=2_000_000)}),
            (double, [1], (), {"tolerate": -1}),
            (double, [1], (), {"tolerate": 1.5}),
            (double, [1], (), {"tolerate": float("nan")}),
            (double, [1, 2, "three"], (), {}),
            (double, [1], ("too many",), {}),
            (print_page, [Page(1)], (), {}),
            (print_page, [Page(1), Page(2)], (3,), {"batch": 2}),
            (double, [1], (), {"start_to_close_timeout": 5}),
            (double, [1], (), {"activity_id": "mine"}),
            (hold, [1, Unknown()], ("test",), {"batch": 2}),
            (large_page, ["x", "x" * 2_000_000], (), {"batch": 2}),
            (large_page, ["x" * 1_000_000] * 21, (), {}),
            (double, ObjectRef(url="pages.jsonl", size_bytes=1), (), {}),
            (double, [1], (), {"batch": 1, "results_to": "../elsewhere"}),
            (double, range(1001), (), {"batch": 1, "results_to": "results"}),
            (bind, [1, Page(1)], (), {}),
            (hold, range(30), ("x" * 1_000_000,), {"batch": 1, "results_to": "results"}),
            (hold, range(13_000), ("x" * 1_000_000,), {}),
        ]
        told: list[str] = []
        for fn, items, args, options in calls:
            try:
                await fan_out(fn, items, *args, **options)
            except InvalidFanOut as error:
                told.append(error.message)
        return told


WORKFLOWS: list[type] = [Print, PrintObjects, Refused, Undeclared, Defaults, Altered, Heavy, Copies]
ACTIVITIES: list[Callable[..., Any]] = [large_page, frame, bind, stamp_page, weigh_page, copy_page, *PRESSES.values()]
