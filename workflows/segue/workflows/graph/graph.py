"""A dependency graph, declared before it runs: deterministic workflow code.

    graph = Graph()
    rows = graph.step(extract, source)                 # an activity, or a child workflow's run method
    clean = graph.step(transform, rows)                # runs after `rows`, and receives its result
    stored = graph.step(load, clean, when=ALL_DONE)    # whatever became of `clean`
    graph.step(notify, after=stored)                   # an edge without data
    result = await graph.run()
    result[clean]                                      # typed as what `transform` returns

The graph is checked as a whole before anything starts. Independent steps run at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, NoReturn, TypeVar, Unpack, cast, overload

from temporalio import workflow

from segue.workflows.features import Feature, has
from segue.workflows.graph.check import problems, problems_missed_before
from segue.workflows.graph.drawing import mermaid
from segue.workflows.graph.errors import GraphFailed, InvalidGraph, NoResult
from segue.workflows.graph.execution import Execution, call
from segue.workflows.graph.handover import handed_over
from segue.workflows.graph.plan import Plan
from segue.workflows.graph.rules import Rule
from segue.workflows.graph.shown import DeclaredStep, declared, show
from segue.workflows.graph.step import Declaration, Kind, Outcome, State, Step, StepOptions
from segue.workflows.interruption import is_evicted

__all__ = ["MAP_CONCURRENCY", "Graph", "GraphResult"]

A = TypeVar("A")
B = TypeVar("B")
R = TypeVar("R")

MAP_CONCURRENCY: Final = 100
"""How many items of a mapped step run at once unless the call says otherwise."""

Steps = Step[Any] | Sequence[Step[Any]]


class GraphResult:
    """What became of a graph's steps.

    Attributes:
        states: What became of each step, by its name, in the order of declaration.
        failed: Names of the steps that ran and failed, the first to fail first; teardowns included.
        is_failed: Whether the graph failed, which is another question: see `Graph.run`.
    """

    def __init__(self, execution: Execution) -> None:
        steps = execution.plan.steps
        self._execution = execution
        self._graph = steps[0].graph if steps else None
        self.states: dict[str, State] = {step.name: execution.states[step.index] for step in steps}
        self.failed = tuple(steps[index].name for index in execution.failures)
        self.is_failed = _is_failed(execution)

    def __getitem__(self, step: Step[R]) -> R:
        """Return what a step returned.

        Raises:
            NoResult: It did not complete. The cause is its error.
        """
        index = self._index(step)
        if (state := self._execution.states[index]) != "completed":
            error = self._execution.errors[index]
            raise NoResult(step.name, state, error) from error
        return cast("R", self._execution.results[index])

    def state(self, step: Step[Any]) -> State:
        """Return what became of a step."""
        return self._execution.states[self._index(step)]

    def outcome(self, step: Step[R]) -> Outcome[R]:
        """Return what became of a step, with its result or why it failed."""
        return self._execution.outcome(self._index(step))

    def error(self, step: Step[Any]) -> BaseException | None:
        """Return the error of a step that failed, None for any other."""
        return self._execution.errors[self._index(step)]

    def _index(self, step: Step[Any]) -> int:
        if step.declaration.graph is not self._graph:
            raise KeyError(f"Step {step.name!r} is not in the graph")
        return step.declaration.index


class Graph:
    """Steps and the order between them, declared first and then run, once."""

    def __init__(self) -> None:
        self._steps: list[Step[Any]] = []
        self._names: dict[str, None] = {}
        self._counts: dict[str, int] = {}
        self._plan: Plan | None = None
        self._ran = False

    @property
    def steps(self) -> tuple[Step[Any], ...]:
        """The steps, in the order of their declaration."""
        return tuple(self._steps)

    @overload
    def step(
        self,
        fn: Callable[..., Awaitable[R]],
        /,
        *args: Any,
        after: Steps = (),
        when: Rule = Rule.ALL_SUCCEEDED,
        teardown_of: Steps = (),
        name: str | None = None,
        **options: Unpack[StepOptions],
    ) -> Step[R]: ...

    @overload
    def step(
        self,
        fn: Callable[..., R],
        /,
        *args: Any,
        after: Steps = (),
        when: Rule = Rule.ALL_SUCCEEDED,
        teardown_of: Steps = (),
        name: str | None = None,
        **options: Unpack[StepOptions],
    ) -> Step[R]: ...

    def step(
        self,
        fn: Callable[..., Any],
        /,
        *args: Any,
        after: Steps = (),
        when: Rule = Rule.ALL_SUCCEEDED,
        teardown_of: Steps = (),
        name: str | None = None,
        **options: Unpack[StepOptions],
    ) -> Step[Any]:
        """Declare a step, and return what stands for it.

        Args:
            fn: An activity, or the run method of a workflow, which is run as a child.
            args: Its arguments. A step among them is an edge: its result is passed, or None if it has none by the
                time this one runs. `step.outcome` passes an `Outcome` instead. A list may hold steps too.
            after: Steps to stand after without taking their results.
            when: What must have become of the steps before it.
            teardown_of: Makes it a teardown of these setups. It runs once all that follows from them has ended, if
                one of them completed, also when the run is cancelled, and does not count for whether the graph failed.
                Of a mapped setup that did not complete it gets the results of the items that did, if any did.
            name: Its name in this graph, which is its activity's id; by default the function's, with -2 for a second.
            options: Those of `workflow.start_activity`, or of `workflow.start_child_workflow` for a child.

        Raises:
            InvalidGraph: The graph has been run. Whatever else is wrong, `check` tells.
        """
        return self._declare(fn, args, after, when, teardown_of, name, options)

    @overload
    def branch(
        self,
        choose: Callable[[A], Any],
        first: Step[A],
        /,
        *,
        after: Steps = (),
        when: Rule = Rule.ALL_SUCCEEDED,
        name: str | None = None,
        **options: Unpack[StepOptions],
    ) -> Step[tuple[str, ...]]: ...

    @overload
    def branch(
        self,
        choose: Callable[[A, B], Any],
        first: Step[A],
        second: Step[B],
        /,
        *,
        after: Steps = (),
        when: Rule = Rule.ALL_SUCCEEDED,
        name: str | None = None,
        **options: Unpack[StepOptions],
    ) -> Step[tuple[str, ...]]: ...

    @overload
    def branch(
        self,
        choose: Callable[..., Any],
        /,
        *args: Any,
        after: Steps = (),
        when: Rule = Rule.ALL_SUCCEEDED,
        name: str | None = None,
        **options: Unpack[StepOptions],
    ) -> Step[tuple[str, ...]]: ...

    def branch(
        self,
        choose: Callable[..., Any],
        /,
        *args: Any,
        after: Steps = (),
        when: Rule = Rule.ALL_SUCCEEDED,
        name: str | None = None,
        **options: Unpack[StepOptions],
    ) -> Step[tuple[str, ...]]:
        """Declare a step that chooses which of the steps after it run; the others are skipped, whatever their rule.

        A step that also follows from a chosen one is not skipped. The branch's own result is the chosen names.

        Args:
            choose: Returns the chosen steps or their names, one or a list; None for none of them. It may be plain
                code, which runs in the workflow and must be deterministic, or what a step may be.
            args: As in `step`.
            after: As in `step`.
            when: As in `step`.
            name: As in `step`.
            options: As in `step`; plain code takes none.
        """
        return self._declare(choose, args, after, when, (), name, options, branch=True)

    @overload
    def map(
        self,
        fn: Callable[..., Awaitable[R]],
        items: Step[Sequence[Any]] | Sequence[Any],
        /,
        *args: Any,
        concurrency: int = MAP_CONCURRENCY,
        after: Steps = (),
        when: Rule = Rule.ALL_SUCCEEDED,
        name: str | None = None,
        **options: Unpack[StepOptions],
    ) -> Step[list[R]]: ...

    @overload
    def map(
        self,
        fn: Callable[..., R],
        items: Step[Sequence[Any]] | Sequence[Any],
        /,
        *args: Any,
        concurrency: int = MAP_CONCURRENCY,
        after: Steps = (),
        when: Rule = Rule.ALL_SUCCEEDED,
        name: str | None = None,
        **options: Unpack[StepOptions],
    ) -> Step[list[R]]: ...

    def map(
        self,
        fn: Callable[..., Any],
        items: Step[Sequence[Any]] | Sequence[Any],
        /,
        *args: Any,
        concurrency: int = MAP_CONCURRENCY,
        after: Steps = (),
        when: Rule = Rule.ALL_SUCCEEDED,
        name: str | None = None,
        **options: Unpack[StepOptions],
    ) -> Step[list[Any]]:
        """Declare a step that runs `fn` for each item of a list, and whose result is the results in the items' order.

        An item that fails fails the step: no further item is started, those that run are let run.

        Args:
            fn: As in `step`; its first argument is the item.
            items: A list, or a step whose result is one. Each item is an activity, and a run's history has its limits.
            args: Further arguments, the same for every item.
            concurrency: How many items run at once.
            after: As in `step`.
            when: As in `step`.
            name: As in `step`; the activity of an item has the id `name[0]`.
            options: As in `step`, the same for every item.
        """
        return self._declare(fn, (items, *args), after, when, (), name, options, mapped=True, concurrency=concurrency)

    def check(self) -> None:
        """Do nothing if the graph can run; `run` asks this first.

        Raises:
            InvalidGraph: It cannot. The message names everything that is wrong.
        """
        plan = self._compiled()
        found = list(problems(self._steps, plan))
        missed = list(problems_missed_before(self._steps, plan))
        # A run that was let pass goes on as it began.
        if missed and (not workflow.in_workflow() or has(Feature.REFUSED_EARLY)):
            found.extend(missed)
        if found:
            raise InvalidGraph(found)

    def declared(self) -> list[DeclaredStep]:
        """Return the steps as declared: plain values, for whoever draws or lists them."""
        return declared(self._compiled())

    def mermaid(self) -> str:
        """Return the graph as declared, as a Mermaid flowchart."""
        return mermaid([self.declared()])

    async def run(self, *, raise_on_failure: bool = True) -> GraphResult:
        """Run the graph, and return what became of its steps when all have ended.

        It failed if a step after which there is none but teardowns failed, or did not start because another failed. A
        failure is made up for by a step after it that runs nevertheless, by its rule, and completes.

        Args:
            raise_on_failure: False returns the states of a graph that failed too.

        Raises:
            InvalidGraph: The graph cannot run, or has been run. Nothing was started.
            GraphFailed: It failed. The cause is the error of the first step that failed.
        """
        await handed_over(self)
        if self._ran:
            raise InvalidGraph(["The graph has been run: declare another"])
        self.check()
        self._ran = True
        plan = self._compiled()

        def start(step: Declaration, args: Sequence[Any], item: int | None) -> Awaitable[Any]:
            return _start(step, args, item, ids[step.index], plan)

        execution = Execution(plan, start, _is_whole)
        ids = show(execution)
        await execution.run()
        if raise_on_failure and _is_failed(execution):
            _raise_failure(execution)
        return GraphResult(execution)

    def _declare(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        after: Steps,
        when: Rule,
        teardown_of: Steps,
        name: str | None,
        options: StepOptions,
        *,
        branch: bool = False,
        mapped: bool = False,
        concurrency: int = MAP_CONCURRENCY,
    ) -> Step[Any]:
        if self._ran:
            raise InvalidGraph([f"Step {name or _name_of(fn)!r} is declared after the graph was run"])
        step: Step[Any] = Step(
            Declaration(
                graph=self,
                index=len(self._steps),
                name=name if name is not None else self._free(_name_of(fn)),
                kind=_kind(fn, branch=branch),
                fn=fn,
                args=args,
                after=_listed(after),
                when=when,
                teardown_of=tuple(_listed(teardown_of)),
                branch=branch,
                mapped=mapped,
                concurrency=concurrency,
                options=options,
            )
        )
        self._steps.append(step)
        self._names[step.name] = None
        self._plan = None
        return step

    def _compiled(self) -> Plan:
        # Edges may still be added by `Step.after`, so a plan is final only once the graph runs.
        if self._plan is None or not self._ran:
            self._plan = Plan(self._steps)
        return self._plan

    def _free(self, name: str) -> str:
        while True:
            # The count is kept, for a thousand steps may be of one name.
            count = self._counts[name] = self._counts.get(name, 0) + 1
            candidate = name if count == 1 else f"{name}-{count}"
            if candidate not in self._names:
                return candidate


def _start(step: Declaration, args: Sequence[Any], item: int | None, id: str, plan: Plan) -> Awaitable[Any]:
    """Start a step in this workflow."""
    if item is not None:
        id = f"{id}[{item}]"
    options = cast("dict[str, Any]", dict(step.options))
    if step.kind == "function":
        return call(step.fn, args)
    if step.kind == "child_workflow":
        # Unlike an activity's, a child's id is one of the namespace, where the run before this one may still hold it.
        options.setdefault("id", f"{workflow.info().workflow_id}/{id}/{str(workflow.uuid4())[:8]}")
        return workflow.execute_child_workflow(cast("Any", step.fn), args=args, **options)
    options.setdefault("activity_id", id)
    if plan.is_setup(step.index):
        # Whether there is anything to tear down is known only once the setup has ended, cancelled or not.
        options.setdefault("cancellation_type", workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED)
    return workflow.start_activity(cast("Any", step.fn), args=args, **options)


def _is_whole() -> bool:
    """Return whether this run tears down all that came up. One that is put out of memory does not ask."""
    return not is_evicted() and has(Feature.WHOLE_TEARDOWNS)


def _is_failed(execution: Execution) -> bool:
    return any(execution.states[leaf] in ("failed", "upstream_failed") for leaf in execution.plan.leaves)


def _raise_failure(execution: Execution) -> NoReturn:
    steps, states = execution.plan.steps, execution.states
    failed = [
        (steps[index].name, error)
        for index in execution.failures
        if not steps[index].teardown_of and (error := execution.errors[index]) is not None
    ]
    not_started = [step.name for step in steps if states[step.index] == "upstream_failed" and not step.teardown_of]
    raise GraphFailed(failed, not_started) from (failed[0][1] if failed else None)


def _kind(fn: Any, *, branch: bool) -> Kind | None:
    # Temporal's decorators leave their definitions here; there is no public way to ask for them.
    if hasattr(fn, "__temporal_activity_definition"):
        return "activity"
    if hasattr(fn, "__temporal_workflow_run") and hasattr(fn, "__temporal_workflow_definition"):
        return "child_workflow"
    return "function" if branch and callable(fn) else None


def _name_of(fn: Any) -> str:
    definition = getattr(fn, "__temporal_workflow_definition", None)
    name = definition.name if definition is not None else getattr(fn, "__name__", type(fn).__name__)
    return "branch" if name == "<lambda>" else str(name)


def _listed(steps: Any) -> list[Step[Any]]:
    # What is no step among them, `check` names.
    return list(steps) if _are_several(steps) else [steps]


def _are_several(steps: Any) -> bool:
    return isinstance(steps, Iterable) and not isinstance(steps, str)
