"""The graph of a workflow before it runs: its code outside of Temporal, as far as `Graph.run`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from temporalio import workflow
from tests.graph.pipeline import Pipeline, Source, drop, extract, provision, report

from segue.client.declared import NoGraph, declared
from segue.client.draw import declared_svg
from segue.workflows import Graph, GraphFailed

HERE = Path(__file__).name
SOURCE = Source("a", [1])
ended: list[str] = []


@workflow.defn
class Beside:
    """Two graphs that run beside each other, in tasks of their own, under a timeout and an `except`."""

    @workflow.init
    def __init__(self, second: bool) -> None:
        self.second = second

    @workflow.run
    async def run(self, second: bool) -> None:
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(1):
                await asyncio.gather(*(self.one() for _ in range(1 + self.second)))
        except Exception:
            ended.append("an error")
            raise

    async def one(self) -> None:
        graph = Graph()
        cluster = graph.step(provision, SOURCE)
        rows = graph.step(extract, cluster, SOURCE)
        graph.step(drop, cluster, teardown_of=cluster, after=rows)
        try:
            await graph.run()
            ended.append("ran")
        except GraphFailed:
            ended.append("failed")


@workflow.defn
class Named:
    @workflow.run
    async def run(self) -> None:
        graph = Graph()
        graph.step(report, workflow.info().workflow_id, None)
        await graph.run()


@workflow.defn
class Timed:
    @workflow.run
    async def run(self) -> None:
        await self.wait()
        await Graph().run()

    async def wait(self) -> None:
        await asyncio.sleep(0.001)


@workflow.defn
class Bare:
    @workflow.run
    async def run(self) -> str:
        return "done"


@workflow.defn
class Broken:
    @workflow.run
    async def run(self) -> None:
        raise ValueError("no luck")


async def test_a_workflow_says_its_graph_before_it_runs() -> None:
    """The graph is what the code declares for an input; nothing of the code runs on past it, not even its `except`."""
    graph = await declared(Pipeline, SOURCE)
    assert [step.name for step in graph.steps] == [
        "provision", "extract", "square", "size", "small", "large", "report", "alarm", "audit", "drop",
    ]  # fmt: skip
    graph.check()
    quiet = await declared(Pipeline, Source("a", [1], quiet=True))
    assert len(quiet.steps) == 8
    for second in (False, True):
        beside = await declared(Beside, second)
        assert beside.mermaid() == (
            'flowchart TD\n    s0["provision"]\n    s1["extract"]\n    s2["drop<br/>teardown of provision"]\n'
            "    s0 --> s1\n    s1 -.-> s2\n"
        )
    assert ended == []


async def test_a_declared_graph_is_drawn_without_states() -> None:
    """The SVG of a graph that has not run shows names, rules and kinds, with no sign of a state."""
    graph = await declared(Beside, False)
    text = declared_svg([graph.declared()], "Beside", "3 steps as declared")
    assert text.count('class="sign"') == 0
    assert text.count('class="edge"') == 1
    assert text.count('class="edge faint-edge"') == 1
    assert "<title>drop\nactivity drop\nteardown of provision</title>" in text
    assert declared_svg([graph.declared()], "").count("<title>") == 1 + 3
    assert declared_svg([], "None").startswith("<svg ")


@pytest.mark.parametrize(
    ("cls", "message", "needs_run"),
    [
        (
            Named,
            f"Named asks Temporal for something before its graph ({HERE}:56: "
            "graph.step(report, workflow.info().workflow_id, None))",
            True,
        ),
        (Timed, f"Timed waits for something before its graph ({HERE}:68: await asyncio.sleep(0.001))", True),
        (Bare, "Bare came to its end without a graph", False),
        (
            Broken,
            f'Broken raises ValueError before its graph ({HERE}:82: raise ValueError("no luck")): no luck',
            False,
        ),
    ],
)
async def test_code_that_comes_to_no_graph(cls: type, message: str, needs_run: bool) -> None:
    """What asks Temporal, waits, ends or fails before its graph says so, with the line."""
    with pytest.raises(NoGraph) as refused:
        await declared(cls)
    assert (str(refused.value), refused.value.needs_run) == (message, needs_run)
