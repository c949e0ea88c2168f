"""Random graphs as Temporal code: the activities that their steps run, and the graph made of a specification."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from tests.graph.model import Spec

    from segue.workflows.graph import Graph, Outcome, Step


@dataclass
class Work:
    number: int
    fails: bool
    chooses: list[str]
    spared: int = 0


@activity.defn
async def do(work: Work, inputs: list[Any]) -> dict[str, Any]:
    return done(work, inputs)


@activity.defn
async def do_item(item: int, work: Work, inputs: list[Any]) -> dict[str, Any]:
    return {**done(work, inputs, item), "item": item}


@activity.defn
async def choose(work: Work, inputs: list[Any]) -> list[str]:
    done(work, inputs)
    return work.chooses


def done(work: Work, inputs: Sequence[Any], item: int | None = None) -> dict[str, Any]:
    """What a step, or an item of one, returns: its number, and whose results it got."""
    if work.fails and (item is None or item >= work.spared):
        raise ApplicationError(f"{work.number} failed", non_retryable=True)
    return {"number": work.number, "got": [_known(one) for one in inputs]}


def _known(value: Any) -> Any:
    """What tells of an input: whose result it is, what a branch chose, or the state of an outcome."""
    if isinstance(value, Outcome):
        return value.state  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if isinstance(value, (list, tuple)):
        several: list[Any] = list(value)  # pyright: ignore[reportUnknownArgumentType]
        return _known(several[0]) if several and isinstance(several[0], dict) else ",".join(several)
    if isinstance(value, dict):
        found: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType]
        return found.get("state", found.get("number"))
    return value


ACTIVITIES: list[Callable[..., Any]] = [do, do_item, choose]


def build(specs: list[Spec], **options: Any) -> tuple[Graph, list[Step[Any]]]:
    """The graph of a specification."""
    graph = Graph()
    steps: list[Step[Any]] = []
    for spec in specs:
        work = Work(spec.number, spec.fails, [f"s{number}" for number in spec.chooses or []], spec.spared)
        inputs = [*(steps[number] for number in spec.takes), *(steps[number].outcome for number in spec.takes_outcome)]
        after = [steps[number] for number in spec.after]
        common: dict[str, Any] = {"after": after, "name": spec.name, **options}
        if spec.teardown_of:
            setups = [steps[number] for number in spec.teardown_of]
            steps.append(graph.step(do, work, inputs, teardown_of=setups, **common))
        elif spec.chooses is not None:
            steps.append(graph.branch(choose, work, inputs, when=spec.when, **common))
        elif spec.items is not None:
            items = list(range(spec.items))
            steps.append(graph.map(do_item, items, work, inputs, when=spec.when, **common))
        else:
            steps.append(graph.step(do, work, inputs, when=spec.when, **common))
    return graph, steps


@dataclass
class Outcomes:
    states: dict[str, str]
    results: dict[str, Any]
    failed: bool


@workflow.defn
class RandomGraph:
    @workflow.run
    async def run(self, specs: list[Spec]) -> Outcomes:
        graph, steps = build(specs, start_to_close_timeout=timedelta(seconds=30))
        result = await graph.run(raise_on_failure=False)
        completed = [step for step in steps if result.state(step) == "completed"]
        return Outcomes(
            states={**result.states},
            results={step.name: result[step] for step in completed},
            failed=result.is_failed,
        )
