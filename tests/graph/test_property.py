"""Random graphs, with random failures and skips, come to what the model says: in plain asyncio and on a real server."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.client import Client
from temporalio.worker import Worker
from tests.graph.model import Cycle, Expected, Spec, expected, graph_fails, graphs
from tests.graph.random_graphs import ACTIVITIES, RandomGraph, Work, build, done

from segue.workflows.graph import InvalidGraph
from segue.workflows.graph.execution import Execution
from segue.workflows.graph.plan import Plan
from segue.workflows.graph.step import Declaration


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes at once: when nothing is ready, it is the time of the next timer."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        ready: Any = getattr(self, "_ready")  # noqa: B009
        timers: Any = getattr(self, "_scheduled")  # noqa: B009
        if not ready and timers:
            self.now = max(self.now, timers[0].when())
        getattr(super(), "_run_once")()  # noqa: B009


def run(specs: list[Spec], cancelled_at: float | None = None) -> tuple[Execution, bool]:
    """Run a graph in virtual time; return its execution, and whether it was cancelled."""
    graph, _ = build(specs)
    graph.check()
    runs: list[tuple[str, int | None]] = []

    async def start(step: Declaration, args: Sequence[Any], item: int | None) -> Any:
        runs.append((step.name, item))
        *items, work, inputs = args
        assert isinstance(work, Work)
        await asyncio.sleep(specs[step.index].duration)
        result = done(work, inputs, item)
        if step.branch:
            return work.chooses
        return {**result, "item": items[0]} if items else result

    async def main() -> tuple[Execution, bool]:
        execution = Execution(Plan(graph.steps), start)
        task = asyncio.ensure_future(execution.run())
        if cancelled_at is not None:
            asyncio.get_running_loop().call_at(cancelled_at, task.cancel)
        await asyncio.wait([task])
        assert len(runs) == len(set(runs))  # nothing ran twice
        return execution, task.cancelled()

    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()


def became(execution: Execution) -> dict[str, tuple[str, Any]]:
    return {step.name: (execution.states[step.index], execution.results[step.index]) for step in execution.plan.steps}


def wanted(found: dict[str, Expected]) -> dict[str, tuple[str, Any]]:
    return {name: (one.state, one.result) for name, one in found.items()}


def refused(specs: list[Spec]) -> bool:
    """Whether the graph has a cycle, of the only kind that random graphs have, and is refused for that."""
    try:
        expected(specs)
    except Cycle:
        with pytest.raises(InvalidGraph, match="Steps wait for each other in a cycle"):
            build(specs)[0].check()
        return True
    return False


@settings(max_examples=1500, deadline=None)
@given(specs=graphs())
def test_random_graphs_come_to_what_the_rules_say(specs: list[Spec]) -> None:
    """Whatever fails or is skipped, each step of a random graph gets the model's state and result."""
    if refused(specs):
        return
    execution, cancelled = run(specs)

    assert became(execution) == wanted(expected(specs))
    assert not cancelled


@settings(max_examples=800, deadline=None)
@given(specs=graphs(), at=st.floats(0, 1))
def test_a_cancelled_graph_runs_its_teardowns(specs: list[Spec], at: float) -> None:
    """Cancelled at any moment, what ended keeps its state, the rest is cancelled, and teardowns run as they should."""
    if refused(specs):
        return
    last = max(one.end for one in expected(specs).values())
    # Between two units of time, so that nothing ends in the moment of the cancellation.
    cancelled_at = int(at * last) + 0.5
    execution, cancelled = run(specs, cancelled_at)

    whole = wanted(expected(specs, cancelled_at))
    assert became(execution) == whole
    assert cancelled == (cancelled_at < last)


async def test_random_graphs_run_on_a_server(client: Client) -> None:
    """On a real server, evicted after each of its tasks, a random graph comes to the model's states and results."""
    drawn: list[list[Spec]] = []

    @settings(max_examples=25, deadline=None, database=None)
    @given(specs=graphs(maximum=7, timed=False))
    def draw(specs: list[Spec]) -> None:
        if not refused(specs):
            drawn.append(specs)

    draw()
    queue = str(uuid.uuid4())
    async with Worker(client, task_queue=queue, workflows=[RandomGraph], activities=ACTIVITIES, max_cached_workflows=0):
        for number, specs in enumerate(drawn):
            outcomes = await client.execute_workflow(RandomGraph.run, specs, id=f"{queue}-{number}", task_queue=queue)
            whole = expected(specs)
            assert outcomes.states == {name: one.state for name, one in whole.items()}, specs
            # A tuple arrives as a list.
            assert outcomes.results == {
                name: one.result if one.chosen is None else one.chosen
                for name, one in whole.items()
                if one.state == "completed"
            }, specs
            assert outcomes.failed == graph_fails(specs, whole), specs
