"""Races between steps whose effects want accounting for, on a real server: at most once, parked, with an id."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.worker import Worker
from tests.recorded import beginnings, recorded
from tests.reroute.rivals import ACTIVITIES, WORKFLOWS, Book, Contest, Room, Way, effects, released

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.client.repairs import parked_of, repair
from segue.workers.replay import replay
from segue.workflows.features import Feature
from segue.workflows.repair import ParkedStep, recovery


def worker(client: Client, queue: str) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        workflows=WORKFLOWS,
        activities=ACTIVITIES,
        max_cached_workflows=0,
        # A cancellation comes with the answer to a heartbeat.
        max_heartbeat_throttle_interval=timedelta(milliseconds=50),
    )


async def start(client: Client, contest: Contest) -> WorkflowHandle[Any, str]:
    queue = str(uuid.uuid4())
    return await client.start_workflow(Book.run, contest, id=queue, task_queue=queue)


async def until_beating(handle: WorkflowHandle[Any, Any], *ids: str) -> None:
    while not set(ids) <= {
        pending.activity_id
        for pending in (await handle.describe()).raw_description.pending_activities
        if pending.HasField("last_heartbeat_time")
    }:
        await asyncio.sleep(0.02)


async def until_parked(handle: WorkflowHandle[Any, Any]) -> ParkedStep:
    while True:
        with contextlib.suppress(Exception):
            if found := await parked_of(handle):
                return found[0]
        await asyncio.sleep(0.05)


async def until_won(handle: WorkflowHandle[Any, Any], id: str) -> None:
    """Wait until an activity has succeeded, and the run has heard of it."""
    while True:
        events = (await handle.fetch_history()).events
        made = {event.event_id: event.activity_task_scheduled_event_attributes.activity_id for event in events}
        if any(made.get(event.activity_task_completed_event_attributes.scheduled_event_id) == id for event in events):
            break
        await asyncio.sleep(0.02)
    await handle.query("__temporal_workflow_metadata")


async def until_effect(handle: WorkflowHandle[Any, Any], effect: str) -> None:
    while effect not in effects[handle.id]:
        await asyncio.sleep(0.02)


async def ids(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """The ids of the activities that were scheduled, in order, once it is known that the history replays."""
    history = await handle.fetch_history()
    assert await replay([history], WORKFLOWS, SeguePlugin(settings=Settings())) == 1
    return [
        event.activity_task_scheduled_event_attributes.activity_id
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]


async def test_an_error_that_ends_the_race_ends_it_where_systems_park(client: Client) -> None:
    """Nothing that races parks: neither an error that is left to the others nor one that is not."""
    full = [Way("reserve_room_parking", Room(name, "full")) for name in ("a", "b")]
    for contest, result, made in (
        (Contest(full, after=60, unless=["Full"]), "Full: a is full", 1),
        (Contest(full, unless=["Full"]), "Full: a is full", 2),
        (
            Contest(full),
            "first_success: all 2 failed: reserve_room_parking • a: Full: a is full; "
            "reserve_room_parking • b: Full: b is full",
            2,
        ),
    ):
        handle = await start(client, contest)
        async with worker(client, handle.id):
            assert await handle.result() == result
        assert await ids(handle) == [f"reserve_room_parking-{number}" for number in range(1, made + 1)]


AT_MOST_ONCE = (
    "{}() cannot be made: reserve_room_once is at-most-once, and may take effect although another wins: say what "
    "undoes it, as in call(reserve_room_once, ..., undo=...), or try one after another with fallback()"
)


@pytest.mark.parametrize(
    ("contest", "message"),
    [
        (Contest([Way("reserve_room_once", Room("a"))], after=60), AT_MOST_ONCE.format("hedge")),
        (
            Contest([Way("reserve_room_once", Room("a")), Way("reserve_room", Room("b"), undo=True)]),
            AT_MOST_ONCE.format("first_success"),
        ),
        (
            Contest([Way("reserve_room", Room("a"), id="x")], after=60),
            "hedge() cannot be made: 2 of its calls would have the id 'x' at the same time: leave it out",
        ),
        (
            Contest([Way("reserve_room", Room("a"), id="x"), Way("reserve_room_parking", Room("b"), id="x")]),
            "first_success() cannot be made: 2 of its calls would have the id 'x' at the same time: leave it out",
        ),
    ],
)
async def test_calls_that_cannot_be_made_side_by_side_are_refused(
    client: Client, contest: Contest, message: str
) -> None:
    """A race in which an effect might happen twice, or two calls would share an id, is refused before it starts."""
    handle = await start(client, contest)
    async with worker(client, handle.id):
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()

    assert isinstance(failed.value.cause, ApplicationError)
    assert (failed.value.cause.type, failed.value.cause.message) == ("InvalidCall", message)
    assert await ids(handle) == []


async def test_calls_with_ids_of_their_own_race(client: Client) -> None:
    """Each call may have the id that it was given, and an at-most-once call may race that says what undoes it."""
    handle = await start(
        client,
        Contest(
            [Way("reserve_room_once", Room("a", "full"), undo=True, id="x"), Way("reserve_room", Room("b"), id="y")]
        ),
    )
    async with worker(client, handle.id):
        assert await handle.result() == "b"
    assert await ids(handle) == ["x", "y"]


@pytest.mark.parametrize(
    ("action", "result", "undone"),
    [
        ("result", "a", ["cancel a"]),
        ("fail", None, []),
        ("retry", None, []),
        ("skip", None, []),
    ],
)
async def test_a_loser_that_may_have_happened_is_accounted_for(
    client: Client, action: Any, result: Any, undone: list[str]
) -> None:
    """It waits for an operator although another has won: what happened is undone, what did not is not made again."""
    ways = [Way("reserve_room_once", Room("a", "lost"), undo=True), Way("reserve_room", Room("b", "held"), undo=True)]
    handle = await start(client, Contest(ways))
    async with worker(client, handle.id):
        assert (await until_parked(handle)).reason == "ambiguous"
        released.add((handle.id, "b"))
        await until_won(handle, "reserve_room-1")
        step = await until_parked(handle)
        await repair(handle, step.step, action, result=result, by="ann")
        assert await handle.result() == "b"

    assert effects[handle.id] == ["book a", "book b", *undone]
    assert await ids(handle) == ["reserve_room_once-1", "reserve_room-1", *(["cancel_reservation-1"] if undone else [])]


@pytest.mark.parametrize("happened", [True, False])
async def test_a_loser_that_is_asked_about_is_asked_to_the_end(client: Client, happened: bool) -> None:
    """Another wins while a loser's system is asked what became of it: what it says is waited for, and undone."""
    way = "lost" if happened else "unsaid"
    ways = [Way("reserve_room_surely", Room("a", way, "held"), undo=True), Way("reserve_room", Room("b", "held"))]
    handle = await start(client, Contest(ways))
    async with worker(client, handle.id):
        await until_beating(handle, "find_reservation-1", "reserve_room-1")
        released.add((handle.id, "b"))
        await until_won(handle, "reserve_room-1")
        released.add((handle.id, "ask a"))
        assert await handle.result() == "b"

    booked, cancelled = (["book a"], ["cancel a"]) if happened else ([], [])
    assert effects[handle.id] == [*booked, "book b", *cancelled]
    made = ["reserve_room_surely-1", "reserve_room-1", "find_reservation-1"]
    assert await ids(handle) == [*made, *(["cancel_reservation-1"] if happened else [])]


@pytest.mark.parametrize(("way", "undone"), [("held", []), ("slow", ["cancel a"])])
async def test_a_loser_that_is_cancelled_in_the_middle_is_asked_about(
    client: Client, way: str, undone: list[str]
) -> None:
    """A cancellation that reaches a loser says nothing of its effect: its system is asked, and it is undone."""
    ways = [Way("reserve_room_surely", Room("a", way), undo=True), Way("reserve_room", Room("b", "held"))]
    handle = await start(client, Contest(ways))
    async with worker(client, handle.id):
        await until_beating(handle, "reserve_room_surely-1", "reserve_room-1")
        released.add((handle.id, "b"))
        assert await handle.result() == "b"

    booked = ["book a"] if way == "slow" else []
    assert effects[handle.id] == [*booked, "book b", "a is cancelled", *undone]
    made = ["reserve_room_surely-1", "reserve_room-1", "find_reservation-1"]
    assert await ids(handle) == [*made, *(["cancel_reservation-1"] if undone else [])]


async def test_a_loser_that_is_cancelled_in_the_middle_waits_for_repair(client: Client) -> None:
    """Where there is nobody to ask it parks, and an operator says what became of it."""
    ways = [Way("reserve_room_once", Room("a", "slow"), undo=True), Way("reserve_room", Room("b", "held"))]
    handle = await start(client, Contest(ways))
    async with worker(client, handle.id):
        await until_beating(handle, "reserve_room_once-1", "reserve_room-1")
        released.add((handle.id, "b"))
        step = await until_parked(handle)
        assert (step.reason, step.error) == ("ambiguous", "CancelledError: Cancelled")
        await repair(handle, step.step, "result", result="a", by="ann")
        assert await handle.result() == "b"

    assert effects[handle.id] == ["book a", "book b", "a is cancelled", "cancel a"]


@pytest.mark.parametrize("way", ["slow", "lost"])
async def test_a_run_goes_on_as_it_began(client: Client, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """A race that began in a version that dropped such losers replays as it went, whole and cut."""

    def older_version(feature: Feature) -> bool:
        return False

    ways = [Way("reserve_room_once", Room("a", way), undo=True), Way("reserve_room", Room("b", "held"))]
    handle = await start(client, Contest(ways))
    with monkeypatch.context() as older:
        older.setattr(recovery, "has", older_version)
        async with worker(client, handle.id):
            await until_effect(handle, "book a")
            await until_beating(handle, "reserve_room-1")
            released.add((handle.id, "b"))
            assert await handle.result() == "b"
    assert "cancel a" not in effects[handle.id]

    whole = [await handle.fetch_history()]
    cut = beginnings(whole)
    assert await replay([*whole, *cut], WORKFLOWS, SeguePlugin(settings=Settings())) == len(whole) + len(cut)


async def test_a_loser_that_nobody_took_is_known_not_to_have_happened(client: Client) -> None:
    """One that is still in its queue when another wins is cancelled there, and nobody is asked."""
    ways = [
        Way("reserve_room_once", Room("a"), undo=True, queue=str(uuid.uuid4())),
        Way("reserve_room", Room("b")),
    ]
    handle = await start(client, Contest(ways))
    async with worker(client, handle.id):
        assert await handle.result() == "b"
    assert effects[handle.id] == ["book b"]


async def test_a_cancelled_race_waits_for_what_may_have_happened(client: Client) -> None:
    """Where the run is cancelled every call is a loser, and the one that nobody knows of is accounted for."""
    ways = [Way("reserve_room_once", Room("a", "lost"), undo=True), Way("reserve_room", Room("b", "held"), undo=True)]
    handle = await start(client, Contest(ways))
    async with worker(client, handle.id):
        await until_parked(handle)
        await until_beating(handle, "reserve_room-1")
        await handle.cancel()
        await until_effect(handle, "b is cancelled")
        step = await until_parked(handle)
        await repair(handle, step.step, "result", result="a", by="ann")
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()

    assert isinstance(failed.value.cause, CancelledError)
    assert effects[handle.id] == ["book a", "b is cancelled", "cancel a"]
    assert await ids(handle) == ["reserve_room_once-1", "reserve_room-1", "cancel_reservation-1"]


async def test_what_was_not_accounted_for_replays() -> None:
    """Histories of the version that let such races begin, and dropped such losers, replay, whole and cut."""
    whole = recorded("older_reroute")
    cut = beginnings(whole)
    assert [one.workflow_id.removeprefix("older_reroute_") for one in whole] == [
        "ambiguous",
        "id",
        "once",
        "parked",
        "reconciling",
    ]
    assert await replay([*whole, *cut], WORKFLOWS, SeguePlugin(settings=Settings())) == len(whole) + len(cut)
