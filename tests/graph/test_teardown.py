"""What is torn down when a setup ends as the run is cancelled, or comes up in part, on a real server."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import CancelledError
from temporalio.worker import Worker
from tests.graph.clusters import ACTIVITIES, WORKFLOWS, Cluster, Fleet, effects, released
from tests.recorded import beginnings, recorded

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.replay import replay


def worker(client: Client, queue: str, activities: list[Callable[..., Any]], workflows: list[type]) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        activities=activities,
        workflows=workflows,
        max_cached_workflows=0,
        # A cancellation comes with the answer to a heartbeat.
        max_heartbeat_throttle_interval=timedelta(milliseconds=50),
    )


async def until_beating(handle: WorkflowHandle[Any, Any], id: str) -> None:
    while not any(
        pending.activity_id == id and pending.HasField("last_heartbeat_time")
        for pending in (await handle.describe()).raw_description.pending_activities
    ):
        await asyncio.sleep(0.02)


async def until_completed(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until an activity has completed, whether or not a worker of the run takes notice."""
    while not any(
        [event.HasField("activity_task_completed_event_attributes") async for event in handle.fetch_history_events()]
    ):
        await asyncio.sleep(0.02)


async def cancelled(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """Wait for a run to end cancelled, check that its history replays, and return its effects."""
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    assert isinstance(failed.value.cause, CancelledError)
    assert await replay([await handle.fetch_history()], WORKFLOWS, SeguePlugin(settings=Settings())) == 1
    return effects[handle.id]


async def test_a_setup_that_completed_with_the_cancellation_is_torn_down(client: Client) -> None:
    """The setup's result and the cancellation come in one workflow task: what was put up is dropped."""
    queue = str(uuid.uuid4())
    handle = await client.start_workflow(Cluster.run, "held", id=queue, task_queue=queue)
    async with worker(client, queue, ACTIVITIES, []):
        async with worker(client, queue, [], WORKFLOWS):
            await until_beating(handle, "raise_cluster")
        released.add(queue)
        await until_completed(handle)
        await handle.cancel()
        async with worker(client, queue, [], WORKFLOWS):
            assert await cancelled(handle) == ["boot held", "held is up", "drop held"]


@pytest.mark.parametrize(
    ("names", "concurrency", "came_up", "told"),
    [
        # All were begun before one failed.
        (["a", "bad", "b"], 3, ["a", "b"], "item 1 of 3 failed: Terminal: no capacity"),
        # No further item is begun.
        (["a", "bad", "b"], 1, ["a"], "item 1 of 3 failed: Terminal: no capacity"),
        (["bad", "bad"], 2, [], ""),
    ],
)
async def test_the_part_of_a_setup_that_came_up_is_torn_down(
    client: Client, names: list[str], concurrency: int, came_up: list[str], told: str
) -> None:
    """A mapped setup failed: its teardown runs if any of its items completed, and gets the results of those."""
    queue = str(uuid.uuid4())
    async with worker(client, queue, ACTIVITIES, WORKFLOWS):
        handle = await client.start_workflow(Fleet.run, args=[names, concurrency], id=queue, task_queue=queue)
        states = await handle.result()

    assert states == {
        "raise_cluster": "failed",
        "use_clusters": "upstream_failed",
        "drop_whole_fleet": "completed" if came_up else "upstream_failed",
    }
    dropped = [effect for effect in effects[queue] if effect.startswith("drop")]
    assert dropped == ([f"drop {', '.join(came_up)}; failed: {came_up}: ItemsFailed: {told}"] if came_up else [])
    assert await replay([await handle.fetch_history()], WORKFLOWS, SeguePlugin(settings=Settings())) == 1


@pytest.mark.parametrize(
    ("names", "concurrency", "beating", "done"),
    [
        # The second comes up although it was cancelled; the third is not begun.
        (["a", "deaf", "b"], 1, 1, ["boot a", "a is up", "boot deaf", "deaf is up", "drop a, deaf"]),
        # The first confirms that it was cancelled, and the second is waited for nevertheless.
        (["slow", "deaf", "b"], 2, 1, ["boot slow", "boot deaf", "deaf is up", "drop deaf"]),
        (["a", "slow", "b"], 1, 1, ["boot a", "a is up", "boot slow", "drop a"]),
        (["slow", "b"], 1, 0, ["boot slow"]),
    ],
)
async def test_what_came_up_of_a_cancelled_setup_is_torn_down(
    client: Client, names: list[str], concurrency: int, beating: int, done: list[str]
) -> None:
    """A run is cancelled while its mapped setup is under way: no further item is begun, and what came up is dropped."""
    queue = str(uuid.uuid4())
    async with worker(client, queue, ACTIVITIES, WORKFLOWS):
        handle = await client.start_workflow(Fleet.run, args=[names, concurrency], id=queue, task_queue=queue)
        for item in range(max(beating + 1 - concurrency, 0), beating + 1):
            await until_beating(handle, f"raise_cluster[{item}]")
        await handle.cancel()
        happened = [effect.partition(";")[0] for effect in await cancelled(handle)]

    assert sorted(happened[:-1]) == sorted(done[:-1])
    assert happened[-1] == done[-1]


async def test_what_was_left_up_before_replays() -> None:
    """Histories of the version that left some setups up replay with this one, whole and cut after each task."""
    whole = [one for name in ("cluster", "fleet") for one in recorded(f"older_graph_{name}")]
    cut = beginnings(whole)
    assert [one.workflow_id.removeprefix("older_graph_") for one in whole] == [
        "cluster_cancelled",
        "fleet_cancelled",
        "fleet_failed",
    ]
    assert await replay([*whole, *cut], WORKFLOWS, SeguePlugin(settings=Settings())) == len(whole) + len(cut)
