"""Rooms that are booked in a race, by steps whose effects want accounting for: at most once, or parked."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from segue.activities import Ambiguous, Policy, System, Terminal
    from segue.workflows import AllFailed, Call, CompensationFailed, call, first_success, hedge

inns = System("reroute-test-inns", policy=Policy(maximum_attempts=1, on_exhausted="fail"))
parking = System("reroute-test-parking-inns", policy=Policy(maximum_attempts=1, on_exhausted="park"))

# What the inns did, by workflow id, in order; and what is held no longer: workflow id and room.
effects: defaultdict[str, list[str]] = defaultdict(list)
released: set[tuple[str, str]] = set()


@dataclass
class Room:
    """A room, and how its booking goes.

    `held` waits for the test, `slow` books before it does, `lost` books and does not say so, `unsaid` does neither,
    `full` cannot be booked. `asked` says whether who asks later what became of it has to wait for the test.
    """

    name: str
    way: str = ""
    asked: str = ""


def of_this_run() -> str:
    return activity.info().workflow_id or ""


async def until_released(name: str) -> None:
    while (of_this_run(), name) not in released:
        activity.heartbeat()
        await asyncio.sleep(0.02)


async def take(room: Room) -> str:
    if room.way == "full":
        raise Terminal(f"{room.name} is full", type="Full")
    if room.way == "unsaid":
        raise Ambiguous("the line is dead")
    if room.way == "slow":
        effects[of_this_run()].append(f"book {room.name}")
    if room.way in ("held", "slow"):
        try:
            await until_released(room.name)
        except asyncio.CancelledError:
            effects[of_this_run()].append(f"{room.name} is cancelled")
            raise
    effects[of_this_run()].append(f"book {room.name}")
    if room.way == "lost":
        raise Ambiguous("the line is dead")
    return room.name


@inns.activity
async def reserve_room(room: Room) -> str:
    return await take(room)


@inns.activity(effect="at_most_once")
async def reserve_room_once(room: Room) -> str:
    return await take(room)


@inns.activity
async def find_reservation(room: Room) -> str | None:
    if room.asked == "held":
        await until_released(f"ask {room.name}")
    return room.name if f"book {room.name}" in effects[of_this_run()] else None


@inns.activity(effect="at_most_once", reconcile=find_reservation)
async def reserve_room_surely(room: Room) -> str:
    return await take(room)


@parking.activity
async def reserve_room_parking(room: Room) -> str:
    return await take(room)


@inns.activity
async def cancel_reservation(name: str) -> None:
    effects[of_this_run()].append(f"cancel {name}")


@dataclass
class Way:
    activity: str
    room: Room
    undo: bool = False
    id: str | None = None
    queue: str | None = None


@dataclass
class Contest:
    ways: list[Way]
    after: float = 0
    unless: list[str] = field(default_factory=list[str])


_BOOKINGS: dict[str, Callable[[Room], Any]] = {
    "reserve_room": reserve_room,
    "reserve_room_once": reserve_room_once,
    "reserve_room_surely": reserve_room_surely,
    "reserve_room_parking": reserve_room_parking,
}


def _call(way: Way) -> Call[str]:
    undo = cancel_reservation if way.undo else None
    beating = timedelta(seconds=5)
    return call(
        _BOOKINGS[way.activity],
        way.room,
        undo=undo,
        activity_id=way.id,
        task_queue=way.queue,
        heartbeat_timeout=beating,
    )


@workflow.defn
class Book:
    @workflow.run
    async def run(self, contest: Contest) -> str:
        first, *others = [_call(way) for way in contest.ways]
        try:
            if contest.after:
                return await hedge(first, *others, after=timedelta(seconds=contest.after), unless=contest.unless)
            return await first_success(first, *others, unless=contest.unless)
        except ActivityError as error:
            return str(error.cause)
        except (AllFailed, CompensationFailed) as error:
            return error.message


WORKFLOWS: list[type] = [Book]
ACTIVITIES: list[Callable[..., Any]] = [
    reserve_room,
    reserve_room_once,
    find_reservation,
    reserve_room_surely,
    reserve_room_parking,
    cancel_reservation,
]
