"""Workflows whose histories are kept in `tests/histories`, to be replayed by every later version.

They use what Temporal offers, each as plain Temporal code with its timeouts at the call sites, so that the same code
runs on a worker without the plugin and on one with it. Change one of these and its histories no longer replay: add a
new one instead, and record it with `python -m tests.core.record`.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, SecretStr
from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

with workflow.unsafe.imports_passed_through():
    from segue.activities import Policy, System

TASK_QUEUE = "replayed"
TEN_SECONDS = timedelta(seconds=10)
ONCE = RetryPolicy(maximum_attempts=1)

# A plain worker takes no notice of a system; one with the plugin does.
warehouse = System("replayed-warehouse", policy=Policy(maximum_attempts=3))


@dataclass
class Parcel:
    id: str
    weight_grams: int


@warehouse.activity
async def weigh(parcel: Parcel) -> int:
    return parcel.weight_grams


@warehouse.activity
async def fail(message: str) -> None:
    raise ApplicationError(message, non_retryable=True)


@warehouse.activity
async def hold(seconds: float) -> str:
    while True:
        activity.heartbeat()
        await asyncio.sleep(min(seconds, 0.1))


@activity.defn
async def shout(text: str) -> str:
    return text.upper()


@workflow.defn
class Chain:
    """Activities one after another, with a timer between."""

    @workflow.run
    async def run(self, parcel: Parcel) -> int:
        total = 0
        for _ in range(2):
            total += await workflow.execute_activity(weigh, parcel, start_to_close_timeout=TEN_SECONDS)
        await workflow.sleep(timedelta(milliseconds=20))
        await workflow.execute_activity(shout, "packed", start_to_close_timeout=TEN_SECONDS)
        total += await workflow.execute_activity(weigh, parcel, start_to_close_timeout=TEN_SECONDS)
        return total


@workflow.defn
class TimerFirst:
    """No activity until a timer has fired, so a run may be adopted before it has numbered any."""

    @workflow.run
    async def run(self, parcel: Parcel) -> list[int]:
        await workflow.sleep(timedelta(milliseconds=20))
        first = await workflow.execute_activity(weigh, parcel, start_to_close_timeout=TEN_SECONDS)
        await workflow.sleep(timedelta(milliseconds=20))
        second = await workflow.execute_activity(weigh, parcel, start_to_close_timeout=TEN_SECONDS)
        return [first, second]


@workflow.defn
class FanOut:
    """Activities side by side, some with ids of their own, one that fails and is caught."""

    @workflow.run
    async def run(self, parcel: Parcel) -> list[str]:
        outcomes = await asyncio.gather(
            workflow.execute_activity(weigh, parcel, start_to_close_timeout=TEN_SECONDS, activity_id="first"),
            workflow.execute_activity(weigh, parcel, start_to_close_timeout=TEN_SECONDS),
            workflow.execute_activity(fail, "broken", start_to_close_timeout=TEN_SECONDS, retry_policy=ONCE),
            workflow.execute_activity("shout", "hey", start_to_close_timeout=TEN_SECONDS, activity_id="weigh-1"),
            workflow.execute_activity(weigh, parcel, start_to_close_timeout=TEN_SECONDS),
            return_exceptions=True,
        )
        return [str(outcome.cause) if isinstance(outcome, ActivityError) else str(outcome) for outcome in outcomes]


@workflow.defn
class Local:
    """Local activities between remote ones."""

    @workflow.run
    async def run(self, parcel: Parcel) -> list[str]:
        said: list[str] = []
        for word in ("one", "two"):
            said.append(await workflow.execute_local_activity(shout, word, start_to_close_timeout=TEN_SECONDS))
            weight = await workflow.execute_activity(weigh, parcel, start_to_close_timeout=TEN_SECONDS)
            said.append(str(weight))
        try:
            await workflow.execute_local_activity(
                fail, "no", start_to_close_timeout=TEN_SECONDS, retry_policy=ONCE, activity_id="given"
            )
        except FailureError as error:
            said.append(type(error).__name__)
        return said


@workflow.defn
class Child:
    """What `Parent` starts."""

    @workflow.run
    async def run(self, parcel: Parcel) -> int:
        return await workflow.execute_activity(weigh, parcel, start_to_close_timeout=TEN_SECONDS)


@workflow.defn
class Parent:
    """Children before and after an activity, with ids made of workflow randomness, and a signal to one of them."""

    @workflow.run
    async def run(self, parcel: Parcel) -> int:
        first = await workflow.execute_child_workflow(Child.run, parcel, id=f"child-{workflow.uuid4()}")
        middle = await workflow.execute_activity(weigh, parcel, start_to_close_timeout=TEN_SECONDS)
        waiting = await workflow.start_child_workflow(Signalled.run, id=f"child-{workflow.uuid4()}")
        await waiting.signal(Signalled.approve, "parent")
        await waiting.signal(Signalled.approve, "parent again")
        approvals = await waiting
        return first + middle + len(approvals)


@workflow.defn
class Signalled:
    """Waits for two signals, each of which runs an activity; an update may report in between."""

    def __init__(self) -> None:
        self.approvals: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: len(self.approvals) == 2)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.approvals

    @workflow.signal
    async def approve(self, name: str) -> None:
        loud = await workflow.execute_activity(shout, name, start_to_close_timeout=TEN_SECONDS)
        self.approvals.append(loud)

    @workflow.update
    async def rename(self, name: str) -> str:
        return await workflow.execute_activity(shout, name, start_to_close_timeout=TEN_SECONDS)


@workflow.defn
class Cancelled:
    """Is cancelled while an activity runs, and cleans up with another."""

    @workflow.run
    async def run(self, parcel: Parcel) -> None:
        await workflow.execute_activity(weigh, parcel, start_to_close_timeout=TEN_SECONDS)
        try:
            await workflow.execute_activity(
                hold,
                0.05,
                start_to_close_timeout=timedelta(minutes=1),
                heartbeat_timeout=timedelta(seconds=5),
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
        finally:
            await asyncio.shield(workflow.execute_activity(shout, "cleaned", start_to_close_timeout=TEN_SECONDS))


@workflow.defn
class Continued:
    """Continues as new twice."""

    @workflow.run
    async def run(self, left: int) -> str:
        await workflow.execute_activity(weigh, Parcel("c", left), start_to_close_timeout=TEN_SECONDS)
        if left:
            workflow.continue_as_new(left - 1)
        return "done"


@workflow.defn
class Raced:
    """An activity against a timer, with the loser cancelled."""

    @workflow.run
    async def run(self, parcel: Parcel) -> str:
        slow = workflow.start_activity(
            hold,
            0.05,
            start_to_close_timeout=timedelta(minutes=1),
            heartbeat_timeout=timedelta(seconds=5),
            cancellation_type=workflow.ActivityCancellationType.TRY_CANCEL,
        )
        timer = asyncio.create_task(asyncio.sleep(0.05))
        await workflow.wait([slow, timer], return_when=asyncio.FIRST_COMPLETED)
        slow.cancel()
        with contextlib.suppress(ActivityError):
            await slow
        await workflow.execute_activity(weigh, parcel, start_to_close_timeout=TEN_SECONDS)
        return "timer won"


@workflow.defn
class Patched:
    """Uses a patch of its own and workflow randomness."""

    @workflow.run
    async def run(self, parcel: Parcel) -> int:
        if workflow.patched("weigh-twice"):
            await workflow.execute_activity(weigh, parcel, start_to_close_timeout=TEN_SECONDS)
        await workflow.sleep(timedelta(milliseconds=10 + workflow.random().randint(0, 9)))
        return await workflow.execute_activity(weigh, parcel, start_to_close_timeout=TEN_SECONDS)


@activity.defn
async def measure(text: str) -> int:
    return len(text)


class Label(BaseModel):
    text: str
    scale: float | None = None


class SecretLabel(Label):
    code: SecretStr = SecretStr("0000")


@warehouse.activity
async def stick(label: Label) -> str:
    return label.text


@workflow.defn
class Altered:
    """Sends what arrives altered, in every way there is: plain Temporal lets it, and such runs must go on."""

    @workflow.run
    async def run(self, rounds: float | None) -> list[float | None]:
        secret = SecretLabel(text="s", scale=math.nan)
        text = await workflow.execute_activity(stick, secret, start_to_close_timeout=TEN_SECONDS)
        await workflow.sleep(timedelta(milliseconds=20))
        large = 0
        try:
            await workflow.execute_activity("stick", {"txt": 1}, start_to_close_timeout=TEN_SECONDS, retry_policy=ONCE)
        except ActivityError:
            large = await workflow.execute_local_activity(measure, "x" * 3_000_000, start_to_close_timeout=TEN_SECONDS)
        await workflow.execute_child_workflow(Echo.run, math.inf, id=f"child-{workflow.uuid4()}")
        workflow.upsert_memo({"scale": math.nan})
        listener = workflow.get_external_workflow_handle("nobody")
        try:
            await listener.signal("hello", math.nan)
        except ApplicationError:
            text = "nobody"
        if rounds is not None and rounds > 0:
            workflow.continue_as_new(-math.inf)
        return [math.nan, float(large + len(text))]


@workflow.defn
class Echo:
    """Returns what it is given."""

    @workflow.run
    async def run(self, value: float | None) -> float | None:
        return value


@dataclass
class Scan:
    name: str
    image: bytes
    pages: list[bytes]


@warehouse.activity
async def scan(name: str) -> Scan:
    return Scan(name, b"\xff\x00", [b"a", b"\xfe"])


@workflow.defn
class Scans:
    """Takes and returns bytes within dataclasses, which Temporal's default converter writes as lists of numbers."""

    @workflow.run
    async def run(self, before: Scan) -> int:
        first = await workflow.execute_activity(scan, "one", start_to_close_timeout=TEN_SECONDS)
        await workflow.sleep(timedelta(milliseconds=20))
        second = await workflow.execute_activity(scan, "two", start_to_close_timeout=TEN_SECONDS)
        return len(before.image) + len(first.image) + sum(len(page) for page in second.pages)


@workflow.defn
class Lossy:
    """Sends a secret and not a number, before and after it is told to go on."""

    def __init__(self) -> None:
        self.told = False

    @workflow.run
    async def run(self) -> list[float | None]:
        label = SecretLabel(text="s", scale=math.nan)
        await workflow.execute_activity(stick, label, start_to_close_timeout=TEN_SECONDS)
        await workflow.wait_condition(lambda: self.told)
        await workflow.execute_activity(stick, label, start_to_close_timeout=TEN_SECONDS)
        return [math.nan]

    @workflow.signal
    def go_on(self) -> None:
        self.told = True


WORKFLOWS: list[type] = [
    Chain,
    TimerFirst,
    FanOut,
    Local,
    Child,
    Parent,
    Signalled,
    Cancelled,
    Continued,
    Raced,
    Patched,
    Altered,
    Echo,
    Scans,
]
ACTIVITIES: list[Callable[..., Any]] = [weigh, fail, hold, shout, measure, stick, scan]
