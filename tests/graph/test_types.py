"""What type checkers know of a graph: the type of each step's result. Both check this file; it also runs."""

from __future__ import annotations

from typing import assert_type

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from segue.workflows import Graph, Outcome, Step
    from segue.workflows.graph import GraphResult


@activity.defn
async def extract(source: str) -> list[int]:
    return [len(source)]


@activity.defn
def count(rows: list[int]) -> int:
    return len(rows)


@workflow.defn
class Audit:
    @workflow.run
    async def run(self, rows: int) -> str:
        return str(rows)


def read(result: GraphResult, step: Step[int]) -> None:
    """What a result gives for a step is what the step returns."""
    assert_type(result[step], int)
    assert_type(result.outcome(step), Outcome[int])


def test_a_step_has_the_type_of_what_it_returns() -> None:
    """Async and sync activities, children, maps and branches each give a step of their result's type."""
    graph = Graph()
    rows = graph.step(extract, "source")
    counted = graph.step(count, rows)

    assert_type(rows, Step[list[int]])
    assert_type(counted, Step[int])
    assert_type(graph.step(Audit.run, counted), Step[str])
    assert_type(graph.map(count, [[1], [2]]), Step[list[int]])
    assert_type(graph.map(extract, ["a"]), Step[list[list[int]]])
    chosen = graph.branch(lambda counted: "Audit" if counted > 2 else None, counted)
    assert_type(chosen, Step[tuple[str, ...]])
    wide: Step[int | None] = counted  # a step of a narrower type is one of a wider
    assert wide is counted
