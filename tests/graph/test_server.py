"""A graph on a real Temporal server: its steps, branches, teardowns and failures, shown, interrupted and replayed."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import CancelledError
from temporalio.worker import Worker
from tests.graph.pipeline import ACTIVITIES, WORKFLOWS, Ended, Pipeline, Source, released, runs
from tests.recorded import beginnings, recorded

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.replay import replay

ALL_COMPLETED = {
    "provision": "completed",
    "extract": "completed",
    "square": "completed",
    "size": "completed",
    "small": "completed",
    "large": "skipped",
    "report": "completed",
    "alarm": "skipped",
    "audit": "completed",
    "drop": "completed",
}


def worker(client: Client, queue: str, **options: Any) -> Worker:
    return Worker(client, task_queue=queue, workflows=WORKFLOWS, activities=ACTIVITIES, **options)


async def run(client: Client, source: Source) -> Ended:
    queue = str(uuid.uuid4())
    async with worker(client, queue):
        return await client.execute_workflow(Pipeline.run, source, id=queue, task_queue=queue)


async def scheduled(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """The ids of the activities that were scheduled, in order."""
    return [
        event.activity_task_scheduled_event_attributes.activity_id
        async for event in handle.fetch_history_events()
        if event.HasField("activity_task_scheduled_event_attributes")
    ]


async def until_held(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until `extract` runs and beats."""
    while not any(
        pending.activity_id == "extract" and pending.HasField("last_heartbeat_time")
        for pending in (await handle.describe()).raw_description.pending_activities
    ):
        await asyncio.sleep(0.05)


async def test_a_graph_runs_its_steps(client: Client) -> None:
    """Results go along the edges, a branch skips what it did not choose, and a join after it runs."""
    assert await run(client, Source("a", [3, 1])) == Ended(
        ALL_COMPLETED,
        {
            "provision": "cluster-a",
            "extract": [3, 1],
            "square": [9, 1],
            "size": ["small"],
            "small": "small [9, 1]",
            "report": "loaded small [9, 1]",
            "audit": "audited loaded small [9, 1]",
            "drop": "dropped cluster-a",
        },
    )


async def test_a_failure_runs_what_waits_for_it_and_the_teardown(client: Client) -> None:
    """A failed item fails its step; the alarm gets its outcome, the audit runs without a result, the teardown runs.

    Both leaves completed, so the graph did not fail: they made up for it.
    """
    ended = await run(client, Source("a", [1, 2, 3], refuse="square 2"))

    assert ended == Ended(
        {
            **ALL_COMPLETED,
            "square": "failed",
            "size": "upstream_failed",
            "small": "upstream_failed",
            "large": "upstream_failed",
            "report": "upstream_failed",
            "alarm": "completed",
        },
        {
            "provision": "cluster-a",
            "extract": [1, 2, 3],
            "alarm": "failed: ItemsFailed: item 1 of 3 failed: Terminal: cannot square 2",
            "audit": "audited None",
            "drop": "dropped cluster-a",
        },
    )


async def test_a_graph_that_failed_names_its_steps(client: Client) -> None:
    """The error names what failed and what did not start; its cause is the first step's own error."""
    assert await run(client, Source("a", [1], refuse="extract", quiet=True)) == Ended(
        {},
        {},
        "The graph failed: step 'extract' failed: Terminal: source is empty; not started because of that: "
        "'square', 'size', 'small', 'large', 'report'",
        "Terminal: source is empty",
    )


async def test_nothing_is_torn_down_where_nothing_was_set_up(client: Client) -> None:
    """The teardown of a setup that failed does not run."""
    queue = str(uuid.uuid4())
    source = Source("a", [1], refuse="provision", quiet=True)
    async with worker(client, queue):
        handle = await client.start_workflow(Pipeline.run, source, id=queue, task_queue=queue)
        await handle.result()

    assert await scheduled(handle) == ["provision"]


async def test_a_cancelled_graph_is_torn_down(client: Client) -> None:
    """A run that is cancelled cancels the step under way, starts no other, drops what was set up, and is cancelled."""
    queue = str(uuid.uuid4())
    async with worker(client, queue, max_cached_workflows=0):
        handle = await client.start_workflow(Pipeline.run, Source("a", [1], hold=True), id=queue, task_queue=queue)
        await until_held(handle)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()

    assert isinstance(failed.value.cause, CancelledError)
    assert await scheduled(handle) == ["provision", "extract", "drop"]


async def test_a_graph_survives_its_worker(client: Client) -> None:
    """A worker is stopped with a step under way: the next goes on where it was, and does nothing done again."""
    queue = str(uuid.uuid4())
    async with worker(client, queue):
        handle = await client.start_workflow(Pipeline.run, Source(queue, [2, 3], hold=True), id=queue, task_queue=queue)
        await until_held(handle)
    released.add(queue)
    async with worker(client, queue):
        ended = await handle.result()

    assert ended.states == ALL_COMPLETED
    assert ended.results["report"] == "loaded small [4, 9]"
    assert runs[queue, "provision"] == 1
    assert await scheduled(handle) == [
        "provision", "extract", "square[0]", "square[1]", "small", "report", "drop",
    ]  # fmt: skip


async def test_what_is_still_to_come_is_shown(client: Client) -> None:
    """A query tells the declared graph with each step's state, and the current details list the pending steps."""
    queue = str(uuid.uuid4())
    async with worker(client, queue):
        handle = await client.start_workflow(Pipeline.run, Source("a", [1], hold=True), id=queue, task_queue=queue)
        await until_held(handle)
        [graph] = await handle.query("segue_graph")
        details = (await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)).current_details
        await handle.terminate()

    assert {step["name"]: (step["state"], step["before"]) for step in graph} == {
        "provision": ("completed", []),
        "extract": ("running", ["provision"]),
        "square": ("pending", ["extract"]),
        "size": ("pending", ["square"]),
        "small": ("pending", ["square", "size"]),
        "large": ("pending", ["square", "size"]),
        "report": ("pending", ["small", "large"]),
        "alarm": ("pending", ["square"]),
        "audit": ("pending", ["report"]),
        "drop": (
            "pending",
            ["provision", "extract", "square", "size", "small", "large", "alarm", "report", "audit"],
        ),
    }
    rows = [line for line in details.split("\n") if line.startswith("| ⏳")]
    assert rows[:3] == [
        "| ⏳ | square after extract | | |",
        "| ⏳ | size after square | | |",
        "| ⏳ | small after square, size | | |",
    ]
    assert len(rows) == 8


async def test_recorded_graphs_replay() -> None:
    """Histories recorded with the first version of the graph replay with this one, whole and cut after each task."""
    whole = recorded("graph")
    cut = beginnings(whole)
    assert len(whole) == 4
    assert await replay([*whole, *cut], WORKFLOWS, SeguePlugin(settings=Settings())) == len(whole) + len(cut)
