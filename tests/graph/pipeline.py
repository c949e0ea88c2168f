"""The workflows and activities of the graph tests: one pipeline that can be made to go every way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from segue.activities import Policy, System, Terminal
    from segue.workflows import ALL_DONE, NONE_FAILED_MIN_ONE_SUCCEEDED, ONE_FAILED, Graph, GraphFailed, Outcome

lake = System(
    "graph-test-lake",
    policy=Policy(initial_interval=timedelta(milliseconds=50), heartbeat_timeout=timedelta(seconds=5)),
)

# What the activities did, by source and step, and the sources that hold no longer.
runs: Counter[tuple[str, str]] = Counter()
released: set[str] = set()


@dataclass
class Source:
    name: str
    rows: list[int]
    refuse: str = ""
    hold: bool = False
    quiet: bool = False


@lake.activity
async def provision(source: Source) -> str:
    runs[source.name, "provision"] += 1
    if source.refuse == "provision":
        raise Terminal("no capacity")
    return f"cluster-{source.name}"


@lake.activity
async def extract(cluster: str, source: Source) -> list[int]:
    while source.hold and source.name not in released:
        activity.heartbeat()
        await asyncio.sleep(0.05)
    if source.refuse == "extract":
        raise Terminal("source is empty")
    return source.rows


@lake.activity
async def square(row: int, source: Source) -> int:
    if source.refuse == f"square {row}":
        raise Terminal(f"cannot square {row}")
    return row * row


@lake.activity
async def load_small(squares: list[int]) -> str:
    return f"small {squares}"


@lake.activity
async def load_large(squares: list[int]) -> str:
    return f"large {squares}"


@lake.activity
async def report(small: str | None, large: str | None) -> str:
    return f"loaded {small or large}"


@lake.activity
async def alarm(squares: Outcome[list[int]]) -> str:
    return f"{squares.state}: {squares.error}"


@lake.activity
async def drop(cluster: str) -> str:
    return f"dropped {cluster}"


@workflow.defn
class Audit:
    @workflow.run
    async def run(self, said: str | None) -> str:
        return f"audited {said}"


@dataclass
class Ended:
    states: dict[str, str]
    results: dict[str, Any]
    error: str = ""
    cause: str = ""


@workflow.defn
class Pipeline:
    """A setup with its teardown, a map, a branch that joins again, an alarm, and a child workflow after all of it."""

    @workflow.run
    async def run(self, source: Source) -> Ended:
        graph = Graph()
        cluster = graph.step(provision, source)
        rows = graph.step(extract, cluster, source, summary="all rows")
        squares = graph.map(square, rows, source, concurrency=2)
        size = graph.branch(lambda squares: "small" if len(squares) < 3 else "large", squares, name="size")
        small = graph.step(load_small, squares, after=size, name="small")
        large = graph.step(load_large, squares, after=size, name="large")
        told = graph.step(report, small, large, when=NONE_FAILED_MIN_ONE_SUCCEEDED)
        if not source.quiet:  # these make up for any failure
            graph.step(alarm, squares.outcome, when=ONE_FAILED)
            graph.step(Audit.run, told, when=ALL_DONE, name="audit")
        graph.step(drop, cluster, teardown_of=cluster)
        try:
            result = await graph.run()
        except GraphFailed as error:
            cause = error.__cause__
            assert isinstance(cause, ActivityError)
            return Ended({}, {}, error.message, str(cause.cause))
        steps = [step for step in graph.steps if result.state(step) == "completed"]
        return Ended({**result.states}, {step.name: result[step] for step in steps})


WORKFLOWS: list[type] = [Pipeline, Audit]
ACTIVITIES: list[Callable[..., Any]] = [provision, extract, square, load_small, load_large, report, alarm, drop]
