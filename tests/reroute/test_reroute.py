"""Ways around a failure, on a real Temporal server: which step runs instead, and what becomes of those that lose."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, CancelledError, TimeoutError, TimeoutType
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from tests.conftest import temporal_binary
from tests.recorded import beginnings, recorded
from tests.reroute.couriers import (
    ACTIVITIES,
    WORKFLOWS,
    Cautious,
    Closed,
    Fallback,
    FirstSuccess,
    Hedge,
    HedgedWalk,
    NoRiders,
    Parcel,
    Plain,
    effects,
    released,
)

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.replay import replay
from segue.workflows.reroute import Reason
from segue.workflows.reroute.errors import Reasons


def worker(client: Client, queue: str, **options: Any) -> Worker:
    # A cancellation comes with the answer to a heartbeat.
    options = {"max_heartbeat_throttle_interval": timedelta(milliseconds=50), **options}
    return Worker(client, task_queue=queue, workflows=WORKFLOWS, activities=ACTIVITIES, **options)


async def run(client: Client, workflow: Any, parcel: Parcel, *args: Any) -> tuple[list[str], list[tuple[str, str]]]:
    """Run a workflow with a parcel, and return what it says and the steps that it took."""
    async with worker(client, parcel.id, max_cached_workflows=0):
        handle = await client.start_workflow(workflow, args=[parcel, *args], id=parcel.id, task_queue=parcel.id)
        result: list[str] = await handle.result()
    return result, await steps(handle)


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


def new(**does: str) -> Parcel:
    return Parcel(str(uuid.uuid4()), **does)


async def until_running(handle: WorkflowHandle[Any, Any], *ids: str) -> None:
    """Wait until steps run and beat."""
    while not set(ids) <= {
        pending.activity_id
        for pending in (await handle.describe()).raw_description.pending_activities
        if pending.HasField("last_heartbeat_time")
    }:
        await asyncio.sleep(0.02)


async def test_the_first_way_that_works_is_the_only_one(client: Client) -> None:
    """Without a failure nothing falls back."""
    parcel = new()

    assert await run(client, Fallback.run, parcel) == (["bike"], [("send_by_bike-1", parcel.id)])


async def test_an_error_that_is_named_leads_to_the_next_way(client: Client) -> None:
    """A way whose error is among those that reroute is followed by the next, whose summary says why."""
    parcel = new(bike="no riders", van="no riders")

    assert await run(client, Fallback.run, parcel) == (
        ["post"],
        [
            ("send_by_bike-1", parcel.id),
            ("send_by_van-1", f"{parcel.id}, in place of send_by_bike"),
            ("send_by_post-1", f"{parcel.id}, in place of send_by_bike"),
        ],
    )
    assert effects[parcel.id] == ["post"]


async def test_a_timeout_leads_to_the_next_way(client: Client) -> None:
    """A kind of timeout is a reason too."""
    parcel = new(bike="silent")

    assert (await run(client, Fallback.run, parcel))[0] == ["van"]


async def test_another_error_fails_at_once(client: Client) -> None:
    """An error that is not named is raised as it is, with a note of what had failed before."""
    parcel = new(bike="no riders", van="closed")

    assert (await run(client, Fallback.run, parcel))[0] == [
        "Closed: van is closed",
        f"send_by_bike • {parcel.id} had failed before",
    ]
    assert (await run(client, Cautious.run, new(bike="closed")))[0] == ["Closed: bike is closed"]
    assert (await run(client, Cautious.run, new(bike="no riders")))[0] == ["van"]


async def test_when_all_fail_the_error_names_all(client: Client) -> None:
    """Each way is named with its error; the cause is the last one's."""
    parcel = new(bike="no riders", van="no riders", post="no riders")

    assert (await run(client, Fallback.run, parcel))[0] == [
        f"fallback: all 3 failed: send_by_bike • {parcel.id}: NoRiders: bike has no riders; "
        f"send_by_van • {parcel.id}: NoRiders: van has no riders; "
        f"send_by_post • {parcel.id}: NoRiders: post has no riders",
        "NoRiders: post has no riders",
    ]


async def test_a_cancelled_fallback_does_not_fall_back(client: Client) -> None:
    """A cancellation is no failure: no other way is tried."""
    parcel = new(bike="no riders", van="slow")
    async with worker(client, parcel.id, max_cached_workflows=0):
        handle = await client.start_workflow(Fallback.run, parcel, id=parcel.id, task_queue=parcel.id)
        await until_running(handle, "send_by_van-1")
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()

    assert isinstance(failed.value.cause, CancelledError)
    assert [id for id, _ in await steps(handle)] == ["send_by_bike-1", "send_by_van-1"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    """A real server on which a run's time is skipped while it only waits."""
    async with await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=temporal_binary(),
        dev_server_extra_args=["--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"],
        plugins=[SeguePlugin(settings=Settings())],
    ) as environment:
        yield environment


@pytest.mark.asyncio(loop_scope="module")
async def test_a_slow_call_is_hedged(skipping: WorkflowEnvironment) -> None:
    """After a day without an answer the second call is made, and wins; the first, plain code, is cancelled."""
    parcel = new()
    result, taken = await run(skipping.client, HedgedWalk.run, parcel, False, 24 * 3600)
    history = await skipping.client.get_workflow_handle(parcel.id).fetch_history()

    assert result == ["van"]
    assert taken == [("send_by_van-1", f"{parcel.id}, in place of stroll")]
    timers = {
        event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta(): event.user_metadata.summary.data
        for event in history.events
        if event.HasField("timer_started_event_attributes")
    }
    assert timers == {timedelta(days=10): b"", timedelta(days=1): b'"hedge with send_by_van"'}
    assert sum(event.HasField("timer_canceled_event_attributes") for event in history.events) == 1


async def test_a_child_that_loses_is_cancelled_and_waited_for(client: Client) -> None:
    """A child has ended when the winner's result is there: what it undoes itself is undone."""
    parcel = new()
    result, _ = await run(client, HedgedWalk.run, parcel, True, 0.2)
    walk = await client.get_workflow_handle(f"{parcel.id}/walk").describe()

    assert result == ["van"]
    assert walk.status is WorkflowExecutionStatus.CANCELED


async def test_a_quick_call_is_not_hedged(client: Client) -> None:
    """A call that answers in time has no second beside it."""
    parcel = new()

    assert await run(client, Hedge.run, parcel, False, 3600) == (["bike"], [("send_by_bike-1", parcel.id)])


async def test_a_failed_call_is_followed_at_once(client: Client) -> None:
    """A call that fails is not waited for: the second is made at once."""
    parcel = new(bike="no riders")

    assert (await run(client, Hedge.run, parcel, False, 3600))[0] == ["van"]


async def test_a_loser_that_succeeded_nevertheless_is_undone(client: Client) -> None:
    """A loser with `undo` is waited for, and what it did although it was cancelled is undone before it goes on."""
    parcel = new(bike="deaf")

    assert await run(client, Hedge.run, parcel, True, 0.2) == (
        ["van"],
        [
            ("send_by_bike-1", parcel.id),
            ("send_by_van-1", f"{parcel.id}, in place of send_by_bike"),
            ("recall_courier-1", "undo bike"),
        ],
    )
    assert effects[parcel.id] == ["van", "bike cancelled", "bike", "bike recalled"]


async def test_a_loser_that_was_cancelled_has_nothing_to_undo(client: Client) -> None:
    """A loser that confirms its cancellation did nothing."""
    parcel = new(bike="slow")

    assert (await run(client, Hedge.run, parcel, True, 0.2))[0] == ["van"]
    assert effects[parcel.id] == ["van", "bike cancelled"]


async def test_a_loser_without_undo_is_not_waited_for(client: Client) -> None:
    """The result of a hedge whose calls do no harm is there at once, while the loser still runs."""
    parcel = new(bike="held")
    async with worker(client, parcel.id):
        handle = await client.start_workflow(Hedge.run, args=[parcel, False, 0.2], id=parcel.id, task_queue=parcel.id)
        assert await handle.result() == ["van"]
        assert effects[parcel.id][0] == "van"
        released.add(parcel.id)

    cancelled = [
        event.activity_task_cancel_requested_event_attributes.scheduled_event_id
        for event in (await handle.fetch_history()).events
        if event.HasField("activity_task_cancel_requested_event_attributes")
    ]
    assert len(cancelled) == 1


async def test_the_first_success_wins(client: Client) -> None:
    """Of calls made at once the first success is the result; failures are passed over, the rest is cancelled."""
    parcel = new(bike="no riders", van="slow")

    assert await run(client, FirstSuccess.run, parcel, True) == (
        ["post"],
        [("send_by_bike-1", parcel.id), ("send_by_van-1", parcel.id), ("send_by_post-1", parcel.id)],
    )
    assert effects[parcel.id] == ["post", "van cancelled"]


async def test_when_none_succeeds_the_error_names_all(client: Client) -> None:
    """The error of a lost race names each call with its own error."""
    parcel = new(bike="no riders", van="no riders", post="no riders")

    [message, _] = (await run(client, FirstSuccess.run, parcel, False))[0]
    assert message == (
        f"first_success: all 3 failed: send_by_bike • {parcel.id}: NoRiders: bike has no riders; "
        f"send_by_van • {parcel.id}: NoRiders: van has no riders; "
        f"send_by_post • {parcel.id}: NoRiders: post has no riders"
    )


async def test_some_errors_end_the_race(client: Client) -> None:
    """An error that leads nowhere else is raised at once; the others are cancelled, and undone where they succeed."""
    parcel = new(bike="deaf", van="closed", post="slow")

    assert (await run(client, FirstSuccess.run, parcel, True))[0] == ["Closed: van is closed"]
    assert sorted(effects[parcel.id]) == ["bike", "bike cancelled", "bike recalled", "post cancelled"]


async def test_a_loser_that_cannot_be_undone_is_an_error(client: Client) -> None:
    """What a loser left behind is told, and the winner, whose result is not returned then, is undone as well."""
    parcel = new(bike="slow", post="deaf")

    assert (await run(client, FirstSuccess.run, parcel, True))[0] == [
        "first_success: 1 of 2 compensations failed: recall_courier • post: Terminal: the post returns nothing. "
        "Done: 'recall_courier • van'",
        "None",
    ]


async def test_a_cancelled_race_has_only_losers(client: Client) -> None:
    """A run that is cancelled cancels every call, waits for it, and undoes what succeeded; then it is cancelled."""
    parcel = new(bike="deaf", van="slow", post="slow")
    async with worker(client, parcel.id, max_cached_workflows=0):
        handle = await client.start_workflow(FirstSuccess.run, args=[parcel, True], id=parcel.id, task_queue=parcel.id)
        await until_running(handle, "send_by_bike-1", "send_by_van-1", "send_by_post-1")
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()

    assert isinstance(failed.value.cause, CancelledError)
    assert sorted(effects[parcel.id]) == [
        "bike",
        "bike cancelled",
        "bike recalled",
        "post cancelled",
        "van cancelled",
    ]


@pytest.mark.parametrize(
    ("case", "told"),
    [
        ("tie", ["one", "two"]),
        ("alone", ["first_success() has one call, which needs no race: give a second"]),
        ("nothing", ["fallback() has nothing to fall back to: give a second call"]),
        ("at once", ["hedge(after=0:00:00): it must be a timedelta longer than zero"]),
        (
            "reason",
            [
                "on=7 is nothing that an error is known by: give exception classes, their names, or members of "
                "temporalio.exceptions.TimeoutType"
            ],
        ),
    ],
)
async def test_plain_code_and_what_is_refused(client: Client, case: Any, told: list[str]) -> None:
    """Of two that succeed in the same moment the first given wins and the other is undone; nonsense is refused."""
    queue = str(uuid.uuid4())
    async with worker(client, queue):
        assert await client.execute_workflow(Plain.run, case, id=queue, task_queue=queue) == told


async def test_a_call_that_cannot_be_made_is_refused_when_it_is_written_down(client: Client) -> None:
    """All that is wrong with a call is named at once, before anything starts."""
    queue = str(uuid.uuid4())
    async with worker(client, queue):
        handle = await client.start_workflow("Plain", "arguments", id=queue, task_queue=queue)
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()

    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.type == "InvalidCall"
    assert failed.value.cause.message == (
        "The call of send_by_bike cannot be made: it is an activity, which takes no start_to_close; it is given 2 "
        "arguments, but takes 1; argument 1 'parcel': Parcel is not valid: id: Field required; undo: send_by_van takes "
        "Parcel, but send_by_bike returns str"
    )


@pytest.mark.parametrize(
    ("on", "unless", "holds"),
    [
        (None, (), [True, True, True, True]),
        ("NoRiders", (), [True, False, False, False]),
        ((Closed, "Unknown"), (), [False, True, False, False]),
        ((TimeoutType.HEARTBEAT,), (), [False, False, True, False]),
        ((TimeoutType.SCHEDULE_TO_CLOSE,), (), [False, False, False, False]),
        ((TimeoutError,), (), [False, False, True, False]),
        (asyncio.TimeoutError, NoRiders, [False, False, True, False]),
        (None, (NoRiders, ValueError), [False, True, True, False]),
        ((ApplicationError, LookupError), "Closed", [True, False, False, False]),
        (Exception, (), [True, True, True, True]),
    ],
)
def test_errors_are_known_by_class_name_and_kind(
    on: tuple[Reason, ...] | Reason | None, unless: tuple[Reason, ...] | Reason, holds: list[bool]
) -> None:
    """An error of an activity is known by the name of its class, a timeout by its kind, one of plain code by itself."""
    errors: list[BaseException] = [
        ApplicationError("none", type="NoRiders"),
        ApplicationError("shut", type="Closed"),
        TimeoutError("no beat", type=TimeoutType.HEARTBEAT, last_heartbeat_details=[]),
        ValueError("plain"),
    ]

    assert [Reasons(on, unless).hold(error) for error in errors] == holds


async def test_recorded_reroutes_replay() -> None:
    """Histories recorded with the first version replay with this one, whole and cut after each task."""
    whole = recorded("reroute")
    cut = beginnings(whole)
    assert [one.workflow_id for one in whole] == [
        "reroute_fallback",
        "reroute_first_success",
        "reroute_hedge",
        "reroute_race_cancelled",
    ]
    replayed = await replay([*whole, *cut], WORKFLOWS, SeguePlugin(settings=Settings()))
    assert replayed == len(whole) + len(cut)
