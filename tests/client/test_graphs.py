"""Graphs of real runs: what is still to come, and how a run is drawn with what it declared."""

from __future__ import annotations

import asyncio
import dataclasses
import time
import uuid
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from segue.activities import Policy, System
    from segue.client._drawn import drawn
    from segue.client.graphs import graphs_of, pending_in
    from segue.client.inspect import run
    from segue.client.records import PendingStep, Run
    from segue.workflows import ONE_SUCCEEDED, Graph

depot = System("graphs-test-depot", policy=Policy(heartbeat_timeout=None))
opened: dict[str, asyncio.Event] = {}


@depot.activity
async def weigh_parcel(parcel: str) -> int:
    return len(parcel)


@depot.activity
async def sort_parcels(parcel: str) -> list[int]:
    await opened[parcel].wait()
    return [1, 2, 3, 4, 5]


@depot.activity
async def stamp_parcel(number: int) -> int:
    return number


@depot.activity
async def dispatch_parcels(numbers: list[int]) -> str:
    return f"{len(numbers)} sent"


@workflow.defn
class Courier:
    @workflow.run
    async def run(self, numbers: list[int]) -> str:
        return "delivered"


@workflow.defn
class Parcels:
    """A step, a graph, a step, and a second graph with steps of the same names as the first."""

    @workflow.run
    async def run(self, parcel: str) -> None:
        await workflow.execute_activity(weigh_parcel, parcel)
        graph = Graph()
        numbers = graph.step(sort_parcels, parcel)
        stamped = graph.map(stamp_parcel, numbers, concurrency=2)
        way = graph.branch(lambda numbers: "dispatch_parcels", stamped, name="way")
        graph.step(dispatch_parcels, stamped, after=way)
        graph.step(dispatch_parcels, stamped, after=way, name="other")
        await graph.run()
        await workflow.execute_activity(weigh_parcel, parcel)
        again = Graph()
        stamped = again.map(stamp_parcel, [7])
        again.step(Courier.run, stamped, name="courier")
        again.step(dispatch_parcels, stamped, activity_id="own", when=ONE_SUCCEEDED)
        await again.run()


@workflow.defn
class Weighing:
    @workflow.run
    async def run(self, parcel: str) -> int:
        return await workflow.execute_activity(weigh_parcel, parcel)


def worker(client: Client, queue: str) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        workflows=[Parcels, Courier, Weighing],
        activities=[weigh_parcel, sort_parcels, stamp_parcel, dispatch_parcels],
    )


async def until_sorting(handle: WorkflowHandle[Any, Any]) -> Run:
    deadline = time.monotonic() + 60
    while True:
        found = await run(handle)
        if any(step.name == "sort_parcels" and step.state == "running" for step in found.steps):
            return found
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def boxes(found: Run) -> dict[str, str]:
    """The state of each box of a drawing, by its words; names that occur twice are told apart by their number."""
    labels = drawn(found).labels
    return {f"{n} {words.name}": words.step.state for n, words in enumerate(labels)}


def arrows(found: Run) -> list[str]:
    """What leads to what, dotted where nothing has gone so far."""
    shown = drawn(found)
    return [f"{u} {'..>' if (u, v) in shown.faint else '-->'} {v} {shown.labels[v].name}" for u, v in shown.order.edges]


async def test_a_run_with_graphs(client: Client) -> None:
    """An open run tells what is to come, and each step of its graphs is drawn as declared, from the first to the end.

    Without a worker there is what was observed, and nothing else.
    """
    queue = str(uuid.uuid4())
    opened[queue] = asyncio.Event()
    async with worker(client, queue):
        handle = await client.start_workflow(Parcels.run, queue, id=queue, task_queue=queue)
        found = await until_sorting(handle)
        assert found.pending == (
            PendingStep(
                name="stamp_parcel", kind="activity", after=("sort_parcels",), waiting_for="after sort_parcels"
            ),
            PendingStep(name="way", kind="branch", after=("stamp_parcel",), waiting_for="after stamp_parcel"),
            PendingStep(
                name="dispatch_parcels",
                kind="activity",
                after=("stamp_parcel", "way"),
                waiting_for="after stamp_parcel, way",
            ),
            PendingStep(
                name="other", kind="activity", after=("stamp_parcel", "way"), waiting_for="after stamp_parcel, way"
            ),
        )
        assert boxes(found) == {
            "0 weigh_parcel": "completed",
            "1 sort_parcels": "running",
            "2 stamp_parcel": "pending",
            "3 way": "pending",
            "4 dispatch_parcels": "pending",
            "5 other": "pending",
        }
        assert arrows(found) == [
            "0 --> 1 sort_parcels",
            "1 ..> 2 stamp_parcel",
            "2 ..> 3 way",
            "2 ..> 4 dispatch_parcels",
            "2 ..> 5 other",
            "3 ..> 4 dispatch_parcels",
            "3 ..> 5 other",
        ]
        unasked = await run(handle, query_timeout=None)
        assert (unasked.graphs, unasked.pending, len(unasked.steps)) == ((), (), 2)

        opened[queue].set()
        await handle.result()
        closed = await run(handle)
        assert (closed.graphs, closed.pending) == ((), ())
        graphs = await graphs_of(handle, task_queue=queue)
        assert graphs is not None
        assert pending_in(graphs) == ()
        # Another run's worker is asked in the same way, and knows of no graph.
        other = await client.start_workflow(Weighing.run, "a", id=f"{queue}-w", task_queue=queue)
        assert await other.result() == 1
        assert await graphs_of(other, task_queue=queue) == ()
    whole = dataclasses.replace(closed, graphs=graphs)
    assert boxes(whole) == {
        "0 weigh_parcel": "completed",
        "1 sort_parcels": "completed",
        "2 stamp_parcel × 5": "completed",
        "3 way": "completed",
        "4 dispatch_parcels": "completed",
        "5 other": "skipped",
        "6 weigh_parcel": "completed",
        "7 stamp_parcel": "completed",
        "8 courier": "completed",
        "9 dispatch_parcels": "completed",
    }
    assert arrows(whole) == [
        "0 --> 1 sort_parcels",
        "1 --> 2 stamp_parcel × 5",
        "2 --> 3 way",
        "2 --> 4 dispatch_parcels",
        "2 ..> 5 other",
        "3 --> 4 dispatch_parcels",
        "3 ..> 5 other",
        "4 --> 6 weigh_parcel",
        "5 ..> 6 weigh_parcel",
        "6 --> 7 stamp_parcel",
        "7 --> 8 courier",
        "7 --> 9 dispatch_parcels",
    ]
    said = [words.said for words in drawn(whole).labels]
    assert said[2] == "for each item"
    assert said[8].startswith("Courier · child")
    assert said[9].endswith("ONE_SUCCEEDED")
    assert [label.step.id for label in drawn(whole).labels][9] == "own"
    assert await graphs_of(handle, task_queue=queue, timeout=timedelta(seconds=1)) is None
