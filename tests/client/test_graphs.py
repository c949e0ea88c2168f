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
async def sorted_out(parcel: str) -> list[int]:
    await opened[parcel].wait()
    return [1, 2, 3, 4, 5]


@depot.activity
async def frank(number: int) -> int:
    return number


@depot.activity
async def hand_over(numbers: list[int]) -> str:
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
        numbers = graph.step(sorted_out, parcel)
        stamped = graph.map(frank, numbers, concurrency=2)
        way = graph.branch(lambda numbers: "hand_over", stamped, name="way")
        graph.step(hand_over, stamped, after=way)
        graph.step(hand_over, stamped, after=way, name="other")
        await graph.run()
        await workflow.execute_activity(weigh_parcel, parcel)
        again = Graph()
        stamped = again.map(frank, [7])
        again.step(Courier.run, stamped, name="courier")
        again.step(hand_over, stamped, activity_id="own", when=ONE_SUCCEEDED)
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
        activities=[weigh_parcel, sorted_out, frank, hand_over],
    )


async def until_sorting(handle: WorkflowHandle[Any, Any]) -> Run:
    deadline = time.monotonic() + 60
    while True:
        found = await run(handle)
        if any(step.name == "sorted_out" and step.state == "running" for step in found.steps):
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
            PendingStep(name="frank", kind="activity", after=("sorted_out",), waiting_for="after sorted_out"),
            PendingStep(name="way", kind="branch", after=("frank",), waiting_for="after frank"),
            PendingStep(
                name="hand_over",
                kind="activity",
                after=("frank", "way"),
                waiting_for="after frank, way",
            ),
            PendingStep(name="other", kind="activity", after=("frank", "way"), waiting_for="after frank, way"),
        )
        assert boxes(found) == {
            "0 weigh_parcel": "completed",
            "1 sorted_out": "running",
            "2 frank": "pending",
            "3 way": "pending",
            "4 hand_over": "pending",
            "5 other": "pending",
        }
        assert arrows(found) == [
            "0 --> 1 sorted_out",
            "1 ..> 2 frank",
            "2 ..> 3 way",
            "2 ..> 4 hand_over",
            "2 ..> 5 other",
            "3 ..> 4 hand_over",
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
        "1 sorted_out": "completed",
        "2 frank × 5": "completed",
        "3 way": "completed",
        "4 hand_over": "completed",
        "5 other": "skipped",
        "6 weigh_parcel": "completed",
        "7 frank": "completed",
        "8 courier": "completed",
        "9 hand_over": "completed",
    }
    assert arrows(whole) == [
        "0 --> 1 sorted_out",
        "1 --> 2 frank × 5",
        "2 --> 3 way",
        "2 --> 4 hand_over",
        "2 ..> 5 other",
        "3 --> 4 hand_over",
        "3 ..> 5 other",
        "4 --> 6 weigh_parcel",
        "5 ..> 6 weigh_parcel",
        "6 --> 7 frank",
        "7 --> 8 courier",
        "7 --> 9 hand_over",
    ]
    said = [words.said for words in drawn(whole).labels]
    assert said[2] == "for each item"
    assert said[8].startswith("Courier · child")
    assert said[9].endswith("ONE_SUCCEEDED")
    assert [label.step.id for label in drawn(whole).labels][9] == "own"
    assert await graphs_of(handle, task_queue=queue, timeout=timedelta(seconds=1)) is None
