"""The other work of a round, a stocktake: fan-outs in batches, in children and of single steps, and three steps alone.

    count_shelf ×n ──▶ print_label ×n ──▶ call_supplier ──▶ fax_head_office ──▶ close_books

Each step knows how to misbehave, once, as the plan in the round's folder says. Their effects:

    count_shelf       a row; `sql.transaction` makes it once
    print_label       a file, which has the same content whoever writes it
    call_supplier     at most once; whoever is unsure asks the supplier, who remembers
    fax_head_office   at most once; whoever is unsure waits for an operator
    close_books       a row; refused until an operator has unlocked the books
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import sqlite3
import time
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    import tests.chaos.narrow  # noqa: F401  # pyright: ignore[reportUnusedImport] - so that few items are many
    from sqlalchemy import text
    from tests.chaos.ledgers import FAXES, LABELS, PHONE, unlocked
    from tests.chaos.plan import Mishap, Plan, Sheet

    from segue.activities import Policy, Retryable, System, Terminal, sql
    from segue.workflows import fan_out

FOLDER: Final = "CHAOS_FOLDER"
STOCKTAKE: Final = "env:CHAOS_STOCKTAKE_URL"
COUNT: Final = text("INSERT INTO counts VALUES (:sheet, :shelf)")
CLOSE: Final = text("INSERT INTO closings VALUES (:sheet)")

# How long an attempt may take, and how long one lasts that is given up and comes late.
_TIMEOUT: Final = timedelta(seconds=3)
_LATE_SECONDS: Final = 4.5
# Nobody can undo a call, and a busy machine is no reason for one to be in doubt.
_UNHURRIED: Final = timedelta(seconds=8)
_HANG_SECONDS: Final = 9.5

_patient = Policy(
    start_to_close_timeout=_TIMEOUT,
    heartbeat_timeout=_TIMEOUT,
    initial_interval=timedelta(milliseconds=200),
    maximum_interval=timedelta(seconds=2),
    maximum_attempts=0,
)
shelves = System("chaos-shelves", policy=_patient)
labels = System("chaos-labels", policy=_patient)
telephone = System(
    "chaos-telephone",
    policy=Policy(start_to_close_timeout=_UNHURRIED, initial_interval=timedelta(milliseconds=200), on_exhausted="park"),
)
books = System(
    "chaos-books",
    policy=Policy(
        start_to_close_timeout=_TIMEOUT, initial_interval=timedelta(milliseconds=200), maximum_attempts=4,
        on_exhausted="park",
    ),
)  # fmt: skip

# Effects that come after their attempt was given up.
_stragglers: set[asyncio.Task[Any]] = set()


@shelves.activity
async def count_shelf(shelf: int, sheet: str) -> int:
    """Note that a shelf was counted."""
    mishap = _meet(f"{sheet}/count/{shelf}")
    await _suffer(mishap, _enter_count(sheet, shelf))
    return shelf


@sql.transaction(STOCKTAKE)
async def _enter_count(connection: sql.Connection, sheet: str, shelf: int) -> None:
    await connection.execute(COUNT, {"sheet": sheet, "shelf": shelf})


@labels.activity
def print_label(shelf: int, sheet: str) -> str:
    """Write a label, in a thread, which nobody can stop."""
    mishap = _meet(f"{sheet}/label/{shelf}")
    if mishap == "early":
        raise Retryable("no paper")
    if mishap == "late":
        time.sleep(_LATE_SECONDS)
    path = _folder() / LABELS / sheet / f"{shelf}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}")
    unfinished.write_text(f"{sheet}, shelf {shelf}\n")
    unfinished.replace(path)
    if mishap == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if mishap == "lost":
        raise ConnectionError("printed, but the printer did not say so")
    return path.name


@telephone.activity
async def ask_supplier(sheet: str) -> str | None:
    """Return what the supplier says of a call; None if there was none."""
    return _remembered(PHONE, sheet)


@telephone.activity(effect="at_most_once", reconcile=ask_supplier)
async def call_supplier(sheet: str) -> str:
    """Call the supplier, who has no key to know a second call by."""
    await _suffer(_meet(f"{sheet}/call"), _remember(PHONE, sheet), result=f"called about {sheet}")
    return f"called about {sheet}"


@telephone.activity(effect="at_most_once")
async def fax_head_office(sheet: str) -> str:
    """Send a fax, of which only the one at the other end knows whether it came."""
    await _suffer(_meet(f"{sheet}/fax"), _remember(FAXES, sheet), result=f"faxed {sheet}")
    return f"faxed {sheet}"


@books.activity
async def close_books(sheet: str) -> str:
    """Close the books of a sheet, once they are unlocked."""
    if not unlocked(_folder(), sheet).exists():
        raise Terminal(f"the books of {sheet} are locked", type="Locked")
    await _suffer(_meet(f"{sheet}/close"), _enter_closing(sheet), result=f"closed {sheet}")
    return f"closed {sheet}"


@sql.transaction(STOCKTAKE)
async def _enter_closing(connection: sql.Connection, sheet: str) -> None:
    await connection.execute(CLOSE, {"sheet": sheet})


@workflow.defn
class Stocktake:
    """Carries one sheet from the shelves to the books."""

    @workflow.run
    async def run(self, sheet: Sheet) -> list[str]:
        counted = await fan_out(count_shelf, range(sheet.shelves), sheet.id, batch=sheet.batch, concurrency=16)
        printed = await fan_out(print_label, range(sheet.labels), sheet.id)
        ended = [f"{len(counted)} counted, {len(printed)} labelled"]
        if sheet.parks:
            ended.append(await workflow.execute_activity(call_supplier, sheet.id))
            ended.append(await workflow.execute_activity(fax_head_office, sheet.id))
            ended.append(await workflow.execute_activity(close_books, sheet.id))
        return ended


async def _suffer(mishap: Mishap | None, effect: Coroutine[Any, Any, None], result: Any = None) -> None:
    """Make an effect, or let it go wrong."""
    if mishap == "early":
        effect.close()
        raise Retryable("not now")
    if mishap == "late":
        await _come_late(effect)
        return
    await effect
    if mishap == "hangs":
        await asyncio.shield(_linger(asyncio.sleep(_HANG_SECONDS)))
    if mishap == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if mishap == "lost":
        raise ConnectionError("done, but the answer was lost")
    if mishap == "twice":
        # The worker completes it again when the function returns.
        await activity.client().get_async_activity_handle(task_token=activity.info().task_token).complete(result)


async def _come_late(effect: Coroutine[Any, Any, None]) -> None:
    """Hang until the attempt is given up; the effect comes after that, whatever became of the attempt."""

    async def straggle() -> None:
        await asyncio.sleep(_LATE_SECONDS)
        await effect

    await asyncio.shield(_linger(straggle()))


def _linger(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Begin what goes on when the attempt is cancelled."""
    task = asyncio.create_task(work)
    _stragglers.add(task)
    task.add_done_callback(_stragglers.discard)
    return task


def _meet(step: str) -> Mishap | None:
    """Return what is to befall this attempt: what is planned for the step, if no attempt has met it yet."""
    mishap = _plan(_folder()).steps.get(step)
    if mishap is None:
        return None
    marks = _folder() / "met"
    marks.mkdir(exist_ok=True)
    try:
        # Of several attempts at once, in several processes, one is the first.
        os.close(os.open(marks / f"{step.replace('/', '.')}.{mishap}", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return None
    return mishap


@functools.cache
def _plan(folder: Path) -> Plan:
    return Plan.load(folder)


def _folder() -> Path:
    return Path(os.environ[FOLDER])


async def _remember(ledger: str, sheet: str) -> None:
    with contextlib.closing(sqlite3.connect(_folder() / ledger, timeout=10, isolation_level=None)) as connection:
        connection.execute("INSERT INTO received VALUES (?, ?)", (sheet, time.time()))


def _remembered(ledger: str, sheet: str) -> str | None:
    with contextlib.closing(sqlite3.connect(_folder() / ledger, timeout=10)) as connection:
        found = connection.execute("SELECT count(*) FROM received WHERE sheet = ?", (sheet,)).fetchone()
    return f"called about {sheet}" if found[0] else None
