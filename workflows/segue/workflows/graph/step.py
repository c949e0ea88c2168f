"""A declared step, and how it ended."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Generic, Literal, TypedDict, TypeGuard, TypeVar

import pydantic
from temporalio import workflow
from temporalio.common import (
    Priority,
    RetryPolicy,
    SearchAttributes,
    TypedSearchAttributes,
    WorkflowIDReusePolicy,
)

from segue.workflows.graph.rules import Rule

__all__ = [
    "Declaration",
    "Kind",
    "Outcome",
    "OutcomeOf",
    "State",
    "Step",
    "StepOptions",
    "hidden",
    "is_listed",
    "is_outcome",
    "is_step",
    "references",
]

Kind = Literal["activity", "child_workflow", "function"]
"""What a step runs. `function` is plain workflow code, which only a branch may be."""

State = Literal["pending", "running", "completed", "failed", "upstream_failed", "skipped", "cancelled"]
"""What became of a step. `upstream_failed` did not start because of a step before it."""

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class StepOptions(TypedDict, total=False):
    """Options of a step: those of `workflow.start_activity`, or of `workflow.start_child_workflow` for a child."""

    # Both
    task_queue: str | None
    retry_policy: RetryPolicy | None
    cancellation_type: workflow.ActivityCancellationType | workflow.ChildWorkflowCancellationType
    priority: Priority
    # Activities
    schedule_to_close_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    start_to_close_timeout: timedelta | None
    heartbeat_timeout: timedelta | None
    activity_id: str | None
    summary: str | None
    # Child workflows
    id: str | None
    parent_close_policy: workflow.ParentClosePolicy
    execution_timeout: timedelta | None
    run_timeout: timedelta | None
    task_timeout: timedelta | None
    id_reuse_policy: WorkflowIDReusePolicy
    memo: Mapping[str, Any] | None
    search_attributes: SearchAttributes | TypedSearchAttributes | None
    static_summary: str | None
    static_details: str | None


@dataclasses.dataclass(frozen=True)
class Outcome(Generic[R]):
    """How a step ended, as `step.outcome` gives it to a step after it.

    Attributes:
        state: What became of it; `pending` or `running` if the receiver did not wait for it.
        result: What it returned; None if it has no result.
        error: Why it failed, on one line; None if it did not.
    """

    state: State
    result: R | None = None
    error: str | None = None


@dataclasses.dataclass(kw_only=True, eq=False, slots=True)
class Declaration:
    """All that was said of a step when it was declared. The graph's own; users see `Step`."""

    graph: object
    index: int
    name: str
    kind: Kind | None
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    after: list[Step[Any]]
    when: Rule
    teardown_of: tuple[Step[Any], ...]
    branch: bool
    mapped: bool
    concurrency: int
    options: StepOptions


class Step(Generic[R_co]):
    """A step of a graph, whose type parameter is the type of its result.

    Pass it to another step as an argument to give that step its result, or its `outcome` to give it more.
    """

    __slots__ = ("declaration",)

    def __init__(self, declaration: Declaration) -> None:
        self.declaration = declaration

    def __repr__(self) -> str:
        return f"Step({self.name!r})"

    @property
    def name(self) -> str:
        """Its name, one of its kind in its graph."""
        return self.declaration.name

    @property
    def outcome(self) -> OutcomeOf[R_co]:
        """Stands for how the step ended, where it is passed as an argument: the receiver gets an `Outcome`."""
        return OutcomeOf(self)

    def after(self, *steps: Step[Any]) -> None:
        """Let the step stand after others too, without their results: for an edge that is known only later."""
        self.declaration.after.extend(steps)


class OutcomeOf(Generic[R_co]):
    """Stands for the `Outcome` of a step among the arguments of another."""

    __slots__ = ("step",)

    def __init__(self, step: Step[R_co]) -> None:
        self.step = step

    def __repr__(self) -> str:
        return f"{self.step!r}.outcome"


def references(args: Sequence[Any]) -> Iterator[Step[Any]]:
    """Yield the steps that arguments refer to, those in a list or tuple among the arguments included."""
    for arg in args:
        if is_step(arg):
            yield arg
        elif is_outcome(arg):
            yield arg.step
        elif is_listed(arg):
            yield from references(arg)


def hidden(args: Sequence[Any]) -> Iterator[tuple[Step[Any], str]]:
    """Yield the steps in arguments that `references` does not find, each with the kind of what holds it.

    They are in a dict, a set, or an object with fields, where nothing puts a step's result in its place.
    """
    for arg in args:
        if is_listed(arg):
            yield from hidden(arg)
        elif not is_step(arg) and not is_outcome(arg):
            kind = type(arg).__name__
            yield from ((step, kind) for step in _within(arg, set()))


def _within(value: Any, seen: set[int]) -> Iterator[Step[Any]]:
    """Yield the steps that a value refers to, anywhere in it."""
    if is_step(value):
        yield value
    elif is_outcome(value):
        yield value.step
    elif id(value) not in seen:
        seen.add(id(value))
        for part in _parts(value):
            yield from _within(part, seen)


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if isinstance(value, (list, tuple, set, frozenset)):
        return value  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, pydantic.BaseModel):
        return [*vars(value).values(), *(value.model_extra or {}).values()]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name, None) for field in dataclasses.fields(value)]
    return ()


def is_step(value: Any) -> TypeGuard[Step[Any]]:
    """Return whether a value stands for a step's result."""
    return isinstance(value, Step)


def is_outcome(value: Any) -> TypeGuard[OutcomeOf[Any]]:
    """Return whether a value stands for a step's outcome."""
    return isinstance(value, OutcomeOf)


def is_listed(value: Any) -> TypeGuard[Sequence[Any]]:
    """Return whether a value is a list or tuple, among whose items steps are looked for."""
    return isinstance(value, (list, tuple))
