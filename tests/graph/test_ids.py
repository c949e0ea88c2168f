"""Which ids the steps of a graph have beside the other activities of its run, and that no two steps share a key."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker
from tests.graph.clusters import ACTIVITIES, WORKFLOWS, Alike, AlikeTwice
from tests.recorded import beginnings, recorded

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.replay import replay
from segue.workflows.features import Feature


def worker(client: Client, queue: str) -> Worker:
    # Without a cache each workflow task replays the run from its beginning.
    return Worker(client, task_queue=queue, workflows=WORKFLOWS, activities=ACTIVITIES, max_cached_workflows=0)


@pytest.mark.parametrize(
    ("case", "ids"),
    [
        ("before", ["bill_cents-1", "bill_cents-2", "bill_cents", "bill_cents-2-2"]),
        ("beside", ["bill_cents-1", "bill_cents-2", "bill_cents", "bill_cents-2-2"]),
        ("after", ["bill_cents", "bill_cents-2", "bill_cents-1", "bill_cents-3"]),
        (
            "given",
            [
                "bill_cents-1",
                "bill_cents-1",
                "bill_cents-1",
                "bill_cents-1",
                "bill_cents-3",
                "bill_cents-2",
                "bill_cents-4",
            ],
        ),
    ],
)
async def test_no_two_steps_share_a_key(client: Client, case: Any, ids: list[str]) -> None:
    """A graph's ids are nobody else's, an id that is given once more is another step, and each step has its own key."""
    queue = str(uuid.uuid4())
    async with worker(client, queue):
        handle = await client.start_workflow(Alike.run, case, id=queue, task_queue=queue)
        steps = await handle.result()

    assert [id for id, _ in steps] == ids
    assert len({key for _, key in steps}) == len(steps)
    history = await handle.fetch_history()
    assert await replay([history], WORKFLOWS, SeguePlugin(settings=Settings())) == 1


async def test_the_shown_ids_are_those_of_the_activities(client: Client) -> None:
    """The query that tells a run's graphs tells the ids that the steps have in its history."""
    queue = str(uuid.uuid4())
    async with worker(client, queue):
        handle = await client.start_workflow("Alike", "before", id=queue, task_queue=queue)
        await handle.result()
        [graph] = await handle.query("segue_graph")

    assert {step["name"]: step["id"] for step in graph} == {
        "bill_cents": "bill_cents",
        "bill_cents-2": "bill_cents-2-2",
    }


async def test_a_run_goes_on_as_it_began(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run whose ids met under a version that let them has such ids to its end, where they meet again too."""
    queue = str(uuid.uuid4())
    handle = await client.start_workflow(AlikeTwice.run, id=queue, task_queue=queue)

    def older_version(feature: Feature) -> bool:
        return False

    with monkeypatch.context() as older:
        older.setattr("segue.workflows.ids.has", older_version)
        async with worker(client, queue):
            await completed(handle, 4)
    await handle.signal(AlikeTwice.go_on)
    async with worker(client, queue):
        steps = await handle.result()

    assert [id for id, _ in steps] == [
        "bill_cents-1",
        "bill_cents-2",
        "bill_cents",
        "bill_cents-2",
        "bill_cents-3",
        "bill_cents-3",
        "bill_cents-2-2",
    ]
    history = await handle.fetch_history()
    assert await replay([history], WORKFLOWS, SeguePlugin(settings=Settings())) == 1


async def completed(handle: WorkflowHandle[Any, Any], count: int) -> None:
    """Wait until so many activities have completed, and the run has taken notice."""
    while True:
        history = await handle.fetch_history()
        done = [event.HasField("activity_task_completed_event_attributes") for event in history.events]
        if sum(done) == count and history.events[-1].HasField("workflow_task_completed_event_attributes"):
            return
        await asyncio.sleep(0.02)


async def test_ids_that_met_before_are_kept() -> None:
    """Histories of the version in which ids could meet replay with this one, whole and cut after each task."""
    whole = recorded("older_graph_alike")
    cut = beginnings(whole)
    assert [one.workflow_id.rpartition("_")[2] for one in whole] == ["after", "before", "beside", "given"]
    assert await replay([*whole, *cut], WORKFLOWS, SeguePlugin(settings=Settings())) == len(whole) + len(cut)
