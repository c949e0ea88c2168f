"""Sagas on a real Temporal server: what is undone, in which order, by which errors, and what operators see of it."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from tests.recorded import beginnings, recorded
from tests.saga.trips import (
    ACTIVITIES,
    WORKFLOWS,
    Guarded,
    Interrupted,
    Mixed,
    Party,
    Together,
    Travel,
    Trip,
    Unfit,
    Waiting,
    effects,
    released,
    undeclared,
)

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.replay import replay

BOOKED = ["book hotel", "book flight", "pay"]


def worker(client: Client, queue: str, **options: Any) -> Worker:
    # A cancellation comes with the answer to a heartbeat.
    options = {"max_heartbeat_throttle_interval": timedelta(milliseconds=50), **options}
    return Worker(client, task_queue=queue, workflows=WORKFLOWS, activities=ACTIVITIES, **options)


async def failure(handle: WorkflowHandle[Any, Any]) -> BaseException | None:
    """What a run ended with."""
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    return failed.value.cause


async def steps(handle: WorkflowHandle[Any, Any]) -> list[tuple[str, str]]:
    """The activities that were scheduled, in order, with their summaries."""
    return [
        (
            event.activity_task_scheduled_event_attributes.activity_id,
            event.user_metadata.summary.data.decode().strip('"'),
        )
        async for event in handle.fetch_history_events()
        if event.HasField("activity_task_scheduled_event_attributes")
    ]


async def scheduled(handle: WorkflowHandle[Any, Any], id: str) -> HistoryEvent:
    """The event that scheduled an activity."""
    return next(
        event
        for event in (await handle.fetch_history()).events
        if event.activity_task_scheduled_event_attributes.activity_id == id
    )


async def until_held(handle: WorkflowHandle[Any, Any], id: str) -> None:
    """Wait until a step runs and beats."""
    while not any(
        pending.activity_id == id and pending.HasField("last_heartbeat_time")
        for pending in (await handle.describe()).raw_description.pending_activities
    ):
        await asyncio.sleep(0.02)


async def test_nothing_is_undone_where_all_went_well(client: Client) -> None:
    """A block that ends well runs no compensation, and the query tells what could have been undone."""
    queue = str(uuid.uuid4())
    async with worker(client, queue, max_cached_workflows=0):
        handle = await client.start_workflow(Travel.run, Trip(queue), id=queue, task_queue=queue)
        assert await handle.result() == "away"
        [saga] = await handle.query("segue_saga")

    assert effects[queue] == [*BOOKED, "depart"]
    assert saga == {
        "name": "trip",
        "state": "completed",
        "deadline": None,
        "compensations": [
            {"name": "unbook_part", "summary": f"unbook_part • {queue}, hotel", "state": "registered", "error": None},
            {"name": "unbook_part", "summary": f"unbook_part • {queue}, flight", "state": "registered", "error": None},
            {"name": "repay", "summary": f"repay • {queue}", "state": "registered", "error": None},
        ],
    }


async def test_what_was_done_is_undone_last_first(client: Client) -> None:
    """A failed step undoes those before it, last first, as steps of their own; the run ends with the step's error."""
    queue = str(uuid.uuid4())
    async with worker(client, queue, max_cached_workflows=0):
        handle = await client.start_workflow(Travel.run, Trip(queue, refuse=("depart",)), id=queue, task_queue=queue)
        error = await failure(handle)

    assert isinstance(error, ActivityError)
    assert isinstance(error.cause, ApplicationError)
    assert error.cause.message == "cannot depart"
    assert effects[queue] == [*BOOKED, "repay 5", "unbook flight", "unbook hotel"]
    assert await steps(handle) == [
        ("book_part-1", f"{queue}, hotel"),
        ("book_part-2", f"{queue}, flight"),
        ("pay_for-1", queue),
        ("depart-1", queue),
        ("repay-1", f"undo {queue}"),
        ("unbook_part-1", f"undo {queue}, flight"),
        ("unbook_part-2", f"undo {queue}, hotel"),
    ]


async def test_compensations_may_run_at_once(client: Client) -> None:
    """With `parallel`, one that is held up does not hold up the others."""
    queue = str(uuid.uuid4())
    trip = Trip(queue, refuse=("depart",), hold="unbook flight", parallel=True)
    async with worker(client, queue):
        handle = await client.start_workflow(Travel.run, trip, id=queue, task_queue=queue)
        while len(effects[queue]) < 5:
            await asyncio.sleep(0.02)
        assert sorted(effects[queue][3:]) == ["repay 5", "unbook hotel"]
        released.add(queue)
        await failure(handle)

    assert effects[queue][5:] == ["unbook flight"]


async def test_a_cancelled_run_is_undone_and_is_cancelled(client: Client) -> None:
    """A cancelled run undoes what it did, is not stopped at that by a second request, and ends as cancelled."""
    queue = str(uuid.uuid4())
    trip = Trip(queue, hold="depart")
    async with worker(client, queue, max_cached_workflows=0):
        handle = await client.start_workflow(Travel.run, trip, id=queue, task_queue=queue)
        await until_held(handle, "depart-1")
        await handle.cancel()
        await handle.cancel()
        error = await failure(handle)

    assert isinstance(error, CancelledError)
    assert effects[queue] == [*BOOKED, "repay 5", "unbook flight", "unbook hotel"]


async def test_a_step_that_succeeds_while_it_is_cancelled_is_undone(client: Client) -> None:
    """`step` waits until its step has ended, so that what it did after all is undone after it and not before."""
    queue = str(uuid.uuid4())
    async with worker(client, queue, max_cached_workflows=0):
        handle = await client.start_workflow(Travel.run, Trip(queue, hold="pay"), id=queue, task_queue=queue)
        await until_held(handle, "pay_for-1")
        await handle.cancel()
        error = await failure(handle)

    assert isinstance(error, CancelledError)
    assert effects[queue] == [*BOOKED, "repay 5", "unbook flight", "unbook hotel"]


@pytest.mark.parametrize("first", ["result", "cancellation"])
async def test_a_result_that_comes_with_the_cancellation_is_undone(client: Client, first: str) -> None:
    """A step whose result and cancellation reach the run in the same task has registered what undoes it."""
    queue = str(uuid.uuid4())
    options: dict[str, Any] = {"max_cached_workflows": 0}
    async with Worker(client, task_queue=queue, activities=ACTIVITIES):
        async with Worker(client, task_queue=queue, workflows=WORKFLOWS, **options):
            handle = await client.start_workflow(Travel.run, Trip(queue, hold="pay"), id=queue, task_queue=queue)
            await until_held(handle, "pay_for-1")
        # Nobody takes the run's tasks now, so what happens to it is told in one of them.
        if first == "cancellation":
            await handle.cancel()
        released.add(queue)
        while len(effects[queue]) < 3 or (await handle.describe()).raw_description.pending_activities:
            await asyncio.sleep(0.02)
        if first == "result":
            await handle.cancel()
        async with Worker(client, task_queue=queue, workflows=WORKFLOWS, **options):
            error = await failure(handle)

    assert isinstance(error, CancelledError)
    assert effects[queue] == [*BOOKED, "repay 5", "unbook flight", "unbook hotel"]


async def test_a_saga_in_a_child_is_undone_with_its_parent(client: Client) -> None:
    """A cancelled parent cancels its child, and waits for what that undoes."""
    queue = str(uuid.uuid4())
    async with worker(client, queue, max_cached_workflows=0):
        handle = await client.start_workflow(Party.run, Trip(queue, hold="depart"), id=queue, task_queue=queue)
        while len(effects[queue]) < 3:
            await asyncio.sleep(0.02)
        await until_held(client.get_workflow_handle(f"{queue}/travel"), "depart-1")
        await handle.cancel()
        error = await failure(handle)

    assert isinstance(error, CancelledError)
    assert effects[queue] == [*BOOKED, "repay 5", "unbook flight", "unbook hotel"]


@pytest.mark.parametrize("cached", [0, 100])
async def test_a_step_under_way_is_undone(client: Client, cached: int) -> None:
    """Where another step fails, it is cancelled and waited for, and what it did all the same is undone."""
    queue = str(uuid.uuid4())
    async with worker(client, queue, max_cached_workflows=cached):
        handle = await client.start_workflow(
            Together.run, Trip(queue, hold="pay", refuse=("depart",)), id=queue, task_queue=queue
        )
        error = await failure(handle)

    assert isinstance(error, ActivityError)
    assert str(error.cause) == "Refused: cannot depart"
    assert effects[queue] == ["pay", "repay 5"]
    assert await steps(handle) == [("depart-1", queue), ("pay_for-1", queue), ("repay-1", f"undo {queue}")]
    assert await replay([await handle.fetch_history()], WORKFLOWS, SeguePlugin(settings=Settings())) == 1


@pytest.mark.parametrize(
    ("stumble", "message"),
    [
        (
            "late",
            "Saga 'saga' has ended, and would not run 'unbook_part • {queue}, flight': register it within the block",
        ),
        ("go on", "Saga 'saga' is being undone, and starts no step more: 'book_part • {queue}, train'"),
    ],
)
async def test_what_comes_too_late_is_refused(client: Client, stumble: str, message: str) -> None:
    """A saga that has ended takes no compensation, and one that is being undone starts no step."""
    queue = str(uuid.uuid4())
    trip = Trip(queue, hold="pay", refuse=("depart",), stumble=stumble)
    async with worker(client, queue, max_cached_workflows=0):
        told = await client.execute_workflow(Together.run, trip, id=queue, task_queue=queue)

    assert told == [
        "Refused: cannot depart",
        message.format(queue=queue),
        "compensated",
        f"repay • {queue}: done",
    ]
    assert effects[queue] == ["pay", "repay 5"]


async def test_a_saga_with_a_step_under_way_is_not_continued_as_new(client: Client) -> None:
    """The run that follows would know nothing of the step, so it is undone, and the run fails and says so."""
    queue = str(uuid.uuid4())
    trip = Trip(queue, hold="pay", stumble="depart and continue")
    async with worker(client, queue, max_cached_workflows=0):
        handle = await client.start_workflow(Together.run, trip, id=queue, task_queue=queue)
        error = await failure(handle)

    assert isinstance(error, ApplicationError)
    assert error.type == "InvalidSaga"
    assert effects[queue] == ["depart", "pay", "repay 5"]


async def test_a_second_cancellation_waits_until_all_is_undone(client: Client) -> None:
    """Who cancels while compensations run does not stop them, and has their way when they have ended."""
    queue = str(uuid.uuid4())
    async with worker(client, queue):
        told = await client.execute_workflow(Interrupted.run, Trip(queue), id=queue, task_queue=queue)

    assert told == ["on purpose"]
    assert effects[queue] == ["unbook hotel"]


async def test_a_compensation_does_not_give_up(client: Client) -> None:
    """A compensation is tried again where its system's policy would have ended it, at that policy's intervals."""
    queue = str(uuid.uuid4())
    trip = Trip(queue, refuse=("depart",), stumble="unbook hotel")
    async with worker(client, queue):
        handle = await client.start_workflow(Guarded.run, trip, id=queue, task_queue=queue)
        assert await handle.result() == [
            "Refused: cannot depart",
            f"Saga 'saga' has undone: unbook_part • {queue}, hotel",
            f"unbook_part • {queue}, hotel: done",
            f"unbook_part • {queue}, flight: withdrawn",
        ]

    assert effects[queue] == ["unbook hotel"]
    asked = (await scheduled(handle, "unbook_part-1")).activity_task_scheduled_event_attributes
    assert asked.retry_policy.maximum_attempts == 0
    assert asked.retry_policy.initial_interval.ToTimedelta() == timedelta(milliseconds=50)


async def test_a_compensation_that_fails_stops_no_other(client: Client) -> None:
    """The others run; the error names what failed and what was done, and its cause is the error before it."""
    queue = str(uuid.uuid4())
    trip = Trip(queue, refuse=("depart", "unbook flight"))
    async with worker(client, queue, max_cached_workflows=0):
        handle = await client.start_workflow(Travel.run, trip, id=queue, task_queue=queue)
        error = await failure(handle)
        [saga] = await handle.query("segue_saga")

    assert isinstance(error, ApplicationError)
    assert (error.type, error.non_retryable) == ("CompensationFailed", True)
    assert error.message == (
        f"Saga 'trip': 1 of 3 compensations failed: unbook_part • {queue}, flight: Refused: cannot unbook flight. "
        f"Done: 'repay • {queue}', 'unbook_part • {queue}, hotel'"
    )
    assert isinstance(error.cause, ActivityError)
    assert str(error.cause.cause) == "Refused: cannot depart"
    assert effects[queue] == [*BOOKED, "repay 5", "unbook hotel"]
    assert [(one["state"], one["error"]) for one in saga["compensations"]] == [
        ("done", None),
        ("failed", "Refused: cannot unbook flight"),
        ("done", None),
    ]


async def test_a_failed_compensation_is_an_error_of_its_own(client: Client) -> None:
    """Code that catches it gets what was done as values."""
    queue = str(uuid.uuid4())
    trip = Trip(queue, refuse=("depart", "unbook hotel"))
    async with worker(client, queue):
        told = await client.execute_workflow(Guarded.run, trip, id=queue, task_queue=queue)

    assert told == [
        f"Saga 'saga': 1 of 1 compensation failed: unbook_part • {queue}, hotel: Refused: cannot unbook hotel",
        "()",
        "Activity task failed",
    ]


async def test_compensations_of_every_kind_in_nested_sagas(client: Client) -> None:
    """An inner saga is undone before the outer; children, plain code, and a saga by hand are compensations too."""
    queue = str(uuid.uuid4())
    trip = Trip(queue, refuse=("depart",))
    async with worker(client, queue, max_cached_workflows=0):
        handle = await client.start_workflow(Mixed.run, trip, id=queue, task_queue=queue)
        assert await handle.result() == [
            "inner",
            "outer",
            f"Saga 'inner' has undone: tell • inner, Unbook • {queue}, train",
            "Saga 'outer' has undone: run_compensations, append • outer",
        ]
        states = [(saga["name"], saga["state"]) for saga in await handle.query("segue_saga")]

    assert effects[queue] == ["unbook train", "unbook car"]
    assert states == [
        ("by hand", "compensated"),
        ("outer", "compensated"),
        ("done", "completed"),
        ("inner", "compensated"),
    ]


async def test_a_saga_is_not_continued_as_new(client: Client) -> None:
    """Continuing as new in a saga would forget what can be undone: it is undone, and the run fails and says so."""
    queue = str(uuid.uuid4())
    async with worker(client, queue):
        handle = await client.start_workflow(Waiting.run, Trip(queue, hold="continue"), id=queue, task_queue=queue)
        error = await failure(handle)

    assert isinstance(error, ApplicationError)
    assert error.type == "InvalidSaga"
    assert error.message == (
        "Saga 'saga' is left by continue_as_new, and the run that follows could not undo what this one did: "
        "end the block first"
    )
    assert effects[queue] == ["unbook hotel"]


async def test_an_unfit_worker_undoes_nothing(client: Client) -> None:
    """An error that tells of the worker's code fails its task, not the run, and so nothing is undone for it."""
    queue = str(uuid.uuid4())
    undeclared.add(queue)
    # In the sandbox each run would have this module, and what is missing, for itself.
    async with worker(client, queue, workflow_runner=UnsandboxedWorkflowRunner()):
        handle = await client.start_workflow(Unfit.run, Trip(queue), id=queue, task_queue=queue)
        assert await handle.result() == "away"

    assert queue not in undeclared
    assert await steps(handle) == []


async def test_what_can_be_undone_is_shown(client: Client) -> None:
    """The current details tell what would be undone, and while it is undone what is left."""
    queue = str(uuid.uuid4())
    trip = Trip(queue, refuse=("depart",), hold="repay 5")
    async with worker(client, queue):
        held = await client.start_workflow(Travel.run, Trip(queue, hold="depart"), id=f"{queue}-1", task_queue=queue)
        await until_held(held, "depart-1")
        before = await details(held)
        await held.terminate()
        handle = await client.start_workflow(Travel.run, trip, id=queue, task_queue=queue)
        while ("repay-1", f"undo {queue}") not in await steps(handle):
            await asyncio.sleep(0.02)
        during = await details(handle)
        released.add(queue)
        await failure(handle)

    assert before == [
        f"| ⏳ | repay • {queue}, if trip fails | | |",
        f"| ⏳ | unbook_part • {queue}, flight, if trip fails | | |",
        f"| ⏳ | unbook_part • {queue}, hotel, if trip fails | | |",
    ]
    assert during == [
        f"| ⏳ | unbook_part • {queue}, flight, to undo trip | | |",
        f"| ⏳ | unbook_part • {queue}, hotel, to undo trip | | |",
    ]


async def details(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """What the current details say is still to come."""
    metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return [line for line in metadata.current_details.split("\n") if line.startswith("| ⏳")]


async def test_recorded_sagas_replay() -> None:
    """Histories recorded with earlier versions replay with this one, whole and cut after each task.

    In `forgotten` and `left` a step under way was forgotten, where this version waits for it and undoes it.
    """
    whole = recorded("saga")
    cut = beginnings(whole)
    assert [one.workflow_id for one in whole] == [
        "saga_cancelled",
        "saga_completed",
        "saga_deadline",
        "saga_failed",
        "saga_forgotten",
        "saga_gathered",
        "saga_left",
        "saga_mixed",
        "saga_not_undone",
    ]
    replayed = await replay([*whole, *cut], WORKFLOWS, SeguePlugin(settings=Settings()))
    assert replayed == len(whole) + len(cut)
