"""The workflows and activities of the reroute tests: a parcel that one of several couriers takes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from temporalio import activity, workflow
from temporalio.exceptions import ActivityError, TimeoutType, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from segue.activities import Policy, System, Terminal
    from segue.workflows import AllFailed, Call, CompensationFailed, call, fallback, first_success, hedge

couriers = System("reroute-test-couriers", policy=Policy(maximum_attempts=1, on_exhausted="fail"))

# What the couriers did, by parcel, in order; and the parcels that are held no longer.
effects: defaultdict[str, list[str]] = defaultdict(list)
released: set[str] = set()


class NoRiders(Exception):
    pass


class Closed(Exception):
    pass


@dataclass
class Parcel:
    """A parcel. What each courier does with it is said by name; one of whom nothing is said takes it.

    `no riders` and `closed` are errors, `silent` never answers, `slow` holds until it is cancelled, `deaf` takes it
    although it was cancelled, and `held` holds until the test lets it go, whatever happens meanwhile.
    """

    id: str
    bike: str = ""
    van: str = ""
    post: str = ""
    recall: str = ""


async def take(parcel: Parcel, courier: str) -> str:
    does: str = getattr(parcel, courier)
    if does == "no riders":
        raise NoRiders(f"{courier} has no riders")
    if does == "closed":
        raise Closed(f"{courier} is closed")
    if does == "silent":
        await asyncio.sleep(60)
    try:
        while does in ("slow", "deaf") or (does == "held" and parcel.id not in released):
            activity.heartbeat()
            await asyncio.sleep(0.02)
    except asyncio.CancelledError:
        effects[parcel.id].append(f"{courier} cancelled")
        if does != "deaf":
            raise
    effects[parcel.id].append(courier)
    return courier


BEATING = timedelta(seconds=5)


@couriers.activity
async def send_by_bike(parcel: Parcel) -> str:
    return await take(parcel, "bike")


@couriers.activity
async def send_by_van(parcel: Parcel) -> str:
    return await take(parcel, "van")


@couriers.activity
async def send_by_post(parcel: Parcel) -> str:
    return await take(parcel, "post")


@couriers.activity
async def recall_courier(courier: str) -> None:
    if courier == "post":
        raise Terminal("the post returns nothing")
    activity_id = activity.info().workflow_id or ""
    effects[activity_id].append(f"{courier} recalled")


async def told(work: Any) -> list[str]:
    """What came of it: the result, or the error with its cause and notes."""
    try:
        return [await work]
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        return [str(error.cause), *getattr(error, "__notes__", [])]
    except AllFailed as error:
        cause = error.__cause__
        return [error.message, str(cause.cause if isinstance(cause, ActivityError) else cause)]
    except CompensationFailed as error:
        return [error.message, str(error.__cause__)]
    except Terminal as error:
        return [error.message]


@workflow.defn
class Fallback:
    @workflow.run
    async def run(self, parcel: Parcel) -> list[str]:
        patient = timedelta(milliseconds=500)
        return await told(
            fallback(
                call(send_by_bike, parcel, start_to_close_timeout=patient),
                call(send_by_van, parcel, heartbeat_timeout=BEATING),
                call(send_by_post, parcel),
                on=(NoRiders, TimeoutType.START_TO_CLOSE),
            )
        )


@workflow.defn
class Cautious:
    """Falls back on every error but one."""

    @workflow.run
    async def run(self, parcel: Parcel) -> list[str]:
        return await told(fallback(call(send_by_bike, parcel), call(send_by_van, parcel), unless="Closed"))


@workflow.defn
class Walk:
    """A courier that needs ten days."""

    @workflow.run
    async def run(self, parcel: Parcel) -> str:
        try:
            await workflow.sleep(timedelta(days=10))
        except asyncio.CancelledError:
            effects[parcel.id].append("walk cancelled")
            raise
        return "walked"


async def stroll() -> str:
    await workflow.sleep(timedelta(days=10))
    return "walked"


@workflow.defn
class HedgedWalk:
    """Someone who is slow, as plain code or a child, and the van later."""

    @workflow.run
    async def run(self, parcel: Parcel, as_child: bool, seconds: float) -> list[str]:
        child = call(Walk.run, parcel, id=f"{workflow.info().workflow_id}/walk")
        walk = child if as_child else call(stroll)
        return await told(hedge(walk, call(send_by_van, parcel), after=timedelta(seconds=seconds)))


@workflow.defn
class Hedge:
    @workflow.run
    async def run(self, parcel: Parcel, undo: bool, seconds: float) -> list[str]:
        bike = _call(send_by_bike, parcel, undo)
        return await told(hedge(bike, _call(send_by_van, parcel, undo), after=timedelta(seconds=seconds)))


@workflow.defn
class FirstSuccess:
    @workflow.run
    async def run(self, parcel: Parcel, undo: bool) -> list[str]:
        calls = [_call(fn, parcel, undo) for fn in (send_by_bike, send_by_van, send_by_post)]
        return await told(first_success(*calls, unless=Closed))


def _call(fn: Callable[[Parcel], Any], parcel: Parcel, undo: bool) -> Call[str]:
    return call(fn, parcel, undo=recall_courier if undo else None, heartbeat_timeout=BEATING)


@workflow.defn
class Plain:
    """Plain code that succeeds in the same moment, and what is refused before anything starts."""

    @workflow.run
    async def run(self, case: Literal["tie", "alone", "nothing", "at once", "reason", "arguments"]) -> list[str]:
        undone: list[str] = []

        async def answer(text: str) -> str:
            await workflow.sleep(timedelta(milliseconds=10))
            return text

        one, two = call(answer, "one", undo=undone.append), call(answer, "two", undo=undone.append)
        match case:
            case "tie":
                return [*await told(first_success(one, two)), *undone]
            case "alone":
                return await told(first_success(one))
            case "nothing":
                return await told(fallback(one))
            case "at once":
                return await told(hedge(one, after=timedelta(0)))
            case "reason":
                return await told(fallback(one, two, on=7))  # type: ignore[arg-type]  # pyright: ignore
            case "arguments":
                bad: Any = {"parcel": "none"}
                call(send_by_bike, bad, 5, start_to_close=9, undo=send_by_van)  # type: ignore[call-overload]  # pyright: ignore
        return []


WORKFLOWS: list[type] = [Fallback, Cautious, Walk, HedgedWalk, Hedge, FirstSuccess, Plain]
ACTIVITIES: list[Callable[..., Any]] = [send_by_bike, send_by_van, send_by_post, recall_courier]
