"""The graphs of a run, for whoever looks: a query that tells them, and what of them is still to come."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

from segue.workflows.graph.execution import Execution
from segue.workflows.graph.plan import Plan
from segue.workflows.graph.rules import Rule
from segue.workflows.graph.step import Kind, State
from segue.workflows.ids import ids_of_this_run
from segue.workflows.queried import of_this_run, shared

__all__ = ["QUERY", "DeclaredStep", "Shown", "declared", "pending", "show"]

QUERY: Final = "segue_graph"
"""The query that returns the graphs of a run: for each, in the order of their start, a list of `DeclaredStep`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DeclaredStep:
    """A step of a graph as declared, and where it is.

    Attributes:
        name: Its name in the graph.
        id: Id of its activity, or start of the ids of its items' activities and of its child's workflow id.
        kind: What it runs.
        when: Its rule.
        state: What became of it so far.
        before: Names of the steps before it.
        teardown_of: Names of the setups that it clears up after.
        branch: Whether it chooses among the steps after it.
        mapped: Whether it runs once for each item of a list.
        error: Why it failed, on one line.
    """

    name: str
    id: str
    kind: Kind
    when: Rule
    state: State
    before: tuple[str, ...] = ()
    teardown_of: tuple[str, ...] = ()
    branch: bool = False
    mapped: bool = False
    error: str | None = None


class Shown:
    """The graphs of one run. It is the query's handler, and found through it."""

    def __init__(self) -> None:
        self.graphs: list[tuple[Execution, list[str]]] = []

    def add(self, execution: Execution) -> list[str]:
        """Show a graph from now on, and return the ids of its steps, which nothing else in the run has."""
        ids = [ids_of_this_run().kept(step.name) for step in execution.plan.steps]
        self.graphs.append((execution, ids))
        return ids

    def query(self) -> list[list[DeclaredStep]]:
        """Return every graph of the run, each step as declared and where it is."""
        return [
            [
                dataclasses.replace(step, state=execution.states[index], error=execution.outcome(index).error)
                for index, step in enumerate(declared(execution.plan, ids))
            ]
            for execution, ids in self.graphs
        ]

    def pending(self) -> list[str]:
        """Return what is still to come, with what each step waits for: `load after extract`."""
        return [
            f"{step.name} after {', '.join(waits)}"
            for execution, _ in self.graphs
            for index, step in enumerate(execution.plan.steps)
            if execution.states[index] == "pending"
            and (
                waits := [
                    execution.plan.steps[one].name
                    for one in execution.plan.before[index]
                    if execution.states[one] in ("pending", "running")
                ]
            )
        ]


def declared(plan: Plan, ids: Sequence[str] | None = None) -> list[DeclaredStep]:
    """Return the steps of a graph as declared, before anything has become of them.

    Args:
        plan: The graph.
        ids: What each step is called in its run; by default its name.
    """
    return [
        DeclaredStep(
            name=step.name,
            # An id of the author's own goes before that of the graph.
            id=step.options.get("activity_id") or step.options.get("id") or (ids[index] if ids else step.name),
            kind=step.kind or "function",
            when=step.when,
            state="pending",
            before=tuple(plan.steps[one].name for one in plan.before[index]),
            teardown_of=tuple(plan.steps[one].name for one in plan.setups[index]),
            branch=step.branch,
            mapped=step.mapped,
        )
        for index, step in enumerate(plan.steps)
    ]


def show(execution: Execution) -> list[str]:
    """Show a graph in the queries of this run, and return the ids of its steps."""
    return shared(QUERY, Shown).add(execution)


def pending() -> list[str]:
    """Return what is still to come in the graphs of this run."""
    shown = of_this_run(QUERY, Shown)
    return shown.pending() if shown is not None else []
