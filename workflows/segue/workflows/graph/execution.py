"""Runs a checked graph: each step as soon as its rule lets it, on whatever `start` starts.

It knows nothing of Temporal. Everything happens in a fixed order, the order of declaration, when steps end in the same
order: no set is iterated, and no time is read. That is what makes it workflow code.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import inspect
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from temporalio.exceptions import is_cancelled_exception
from temporalio.workflow import NondeterminismError, ReadOnlyContextError, wait

from segue.activities.errors import Terminal
from segue.workflows.graph.errors import ItemsFailed, quoted, told
from segue.workflows.graph.plan import Plan
from segue.workflows.graph.rules import Upstream, Verdict, decide
from segue.workflows.graph.step import Declaration, Outcome, State, is_listed, is_outcome, is_step, references
from segue.workflows.interruption import arrivals

__all__ = ["Execution", "Start", "call"]

Start = Callable[[Declaration, Sequence[Any], int | None], Awaitable[Any]]
"""Starts a step with its arguments and, for one item of a mapped step, the item's place in the list."""

# Errors that tell of the worker's code rather than of the step.
_OF_THE_RUN: Final = (NondeterminismError, ReadOnlyContextError)


class Execution:
    """One run of a graph.

    Args:
        plan: The graph.
        start: Starts a step.
        is_whole: Says whether all that came up is torn down, where an earlier version left some of it: asked there.

    Attributes:
        states: What became of each step, by number.
        results: What each completed step returned.
        errors: Why each failed step failed.
        failures: The steps that ran and failed, in the order in which they did.
    """

    def __init__(self, plan: Plan, start: Start, is_whole: Callable[[], bool] = lambda: True) -> None:
        count = len(plan.steps)
        self.plan = plan
        self.states: list[State] = ["pending"] * count
        self.results: list[Any] = [None] * count
        self.errors: list[BaseException | None] = [None] * count
        self.failures: list[int] = []
        self._start = start
        self._is_whole = is_whole
        self._upstream = [Upstream(len(before)) for before in plan.before]
        # What each step waits for besides its rule: the choice of the branches before it.
        self._branches = [[one for one in before if plan.steps[one].branch] for before in plan.before]
        self._excluded = [False] * count
        self._left = count
        self._changed: deque[int] = deque()
        self._tasks: dict[int, asyncio.Task[Any]] = {}
        # Of each mapped step that has not completed, the results of the items that have, by their place.
        self._items: dict[int, dict[int, Any]] = {}
        self._finished: asyncio.Future[None] | None = None
        self._stopping = False
        self._halted = False
        self._broken: BaseException | None = None

    async def run(self) -> None:
        """Run every step that is to run, and return when all have ended, whatever became of them.

        When it is cancelled, running steps are cancelled, no others are started, and the teardowns of setups that
        completed still run; then it raises.
        """
        self._changed.extend(range(len(self.states)))
        self._proceed()
        try:
            await self._all_ended()
        except asyncio.CancelledError:
            await self._stop()
            while self._left and self._broken is None:
                try:
                    await self._all_ended()
                except asyncio.CancelledError:
                    # Who cancels again must wait for the teardowns, except where the whole run is put out of memory.
                    if self._evicted():
                        raise
            raise

    def outcome(self, index: int) -> Outcome[Any]:
        """Return how a step ended, or where it is."""
        error = self.errors[index]
        return Outcome(self.states[index], self.results[index], told(error) if error is not None else None)

    async def _all_ended(self) -> None:
        if self._broken is not None:
            raise self._broken
        if self._left:
            self._finished = asyncio.get_running_loop().create_future()
            await self._finished

    def _proceed(self) -> None:
        """Decide on every step before which something changed, until nothing changes."""
        while self._changed:
            index = self._changed.popleft()
            if self.states[index] == "pending":
                self._decide(index)
        if not self._left and self._finished is not None and not self._finished.done():
            self._finished.set_result(None)

    def _decide(self, index: int) -> None:
        match self._verdict(index):
            case Verdict.RUN:
                self._launch(index)
            case Verdict.SKIP:
                self._close(index, "skipped")
            case Verdict.FAIL:
                self._close(index, "upstream_failed")
            case Verdict.WAIT:
                pass

    def _verdict(self, index: int) -> Verdict:
        if setups := self.plan.setups[index]:
            if not self._upstream[index].done:
                return Verdict.WAIT
            states = [self.states[setup] for setup in setups]
            if "completed" in states or (any(self._items.get(setup) for setup in setups) and self._is_whole()):
                return Verdict.RUN
            return Verdict.SKIP if all(state == "skipped" for state in states) else Verdict.FAIL
        # A choice goes before every rule, so that it does not matter what ends first.
        if any(self.states[branch] in ("pending", "running") for branch in self._branches[index]):
            return Verdict.WAIT
        if self._excluded[index]:
            return Verdict.SKIP
        return decide(self.plan.steps[index].when, self._upstream[index])

    def _launch(self, index: int) -> None:
        step = self.plan.steps[index]
        # What a step gets is settled now: one that does not wait for all before it must get the same in a replay.
        args = [self._resolve(arg, index) for arg in step.args]
        self.states[index] = "running"
        task = asyncio.create_task(self._work(step, args), name=f"step: {step.name}")
        self._tasks[index] = task
        task.add_done_callback(lambda task: self._ended(index, task))

    async def _work(self, step: Declaration, args: list[Any]) -> Any:
        result = await (self._map(step, args) if step.mapped else self._start(step, args, None))
        return self._chosen(step, result) if step.branch else result

    def _ended(self, index: int, task: asyncio.Task[Any]) -> None:
        try:
            self._settle(index, task)
        except BaseException as error:
            # What a callback raises goes nowhere, and the run would wait for ever.
            self._broken = error
            if self._finished is not None and not self._finished.done():
                self._finished.set_exception(error)

    def _settle(self, index: int, task: asyncio.Task[Any]) -> None:
        del self._tasks[index]
        is_teardown = bool(self.plan.steps[index].teardown_of)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            self.results[index] = task.result()
            self._close(index, "completed")
        elif self._stopping and not is_teardown and is_cancelled_exception(error):
            self._close(index, "cancelled")
        elif isinstance(error, Exception) and not isinstance(error, _OF_THE_RUN):
            self.errors[index] = error
            self.failures.append(index)
            self._close(index, "failed")
        else:
            # It is not the step that ended: the run is to fail its task, to be evicted, or to continue as new.
            raise error
        self._proceed()

    def _close(self, index: int, state: State) -> None:
        self.states[index] = state
        self._left -= 1
        for after in self.plan.after[index]:
            upstream = self._upstream[after]
            if state == "completed":
                upstream.completed += 1
            elif state == "skipped":
                upstream.skipped += 1
            else:
                upstream.failed += 1
            self._changed.append(after)

    def _resolve(self, arg: Any, by: int) -> Any:
        """Return what a step gets for an argument."""
        if is_step(arg):
            return self._result(arg.declaration.index, by)
        if is_outcome(arg):
            index = arg.step.declaration.index
            return dataclasses.replace(self.outcome(index), result=self._result(index, by))
        if is_listed(arg) and any(True for _ in references(arg)):
            return [self._resolve(item, by) for item in arg]
        return arg

    def _result(self, index: int, by: int) -> Any:
        """Return what a step gets as another's result: a teardown of a setup that came up in part, that part."""
        items = self._items.get(index) if index in self.plan.setups[by] else None
        return [items[place] for place in sorted(items)] if items else self.results[index]

    async def _map(self, step: Declaration, args: list[Any]) -> list[Any]:
        """Run a step for each item, and return the results in the items' order.

        After a failure no further item is started; those that run are let run, for their effects may be under way.
        """
        items = args[0]
        if not is_listed(items):
            raise Terminal(f"Step {step.name!r} needs a list to map over, not a {type(items).__name__}")
        results = self._items[step.index] = {}
        errors: list[tuple[int, Exception]] = []
        waiting = iter(range(len(items)))

        async def work() -> None:
            while not errors and not self._halted and (index := next(waiting, None)) is not None:
                try:
                    results[index] = await self._start(step, [items[index], *args[1:]], index)
                except _OF_THE_RUN:
                    raise
                except Exception as error:
                    errors.append((index, error))

        working = [asyncio.ensure_future(work()) for _ in range(min(step.concurrency, len(items)))]
        try:
            await asyncio.gather(*working)
        except asyncio.CancelledError:
            # It comes with the first item that is cancelled, and others may still come up.
            if self._halted and (left := [one for one in working if not one.done()]):
                await wait(left)
            raise
        if errors:
            errors.sort(key=lambda failed: failed[0])
            raise ItemsFailed(errors, len(items)) from errors[0][1]
        if len(results) < len(items):
            raise asyncio.CancelledError
        del self._items[step.index]
        return [results[index] for index in range(len(items))]

    def _chosen(self, step: Declaration, choice: Any) -> tuple[str, ...]:
        """Exclude what a branch did not choose, and return the names that it chose.

        A step that also follows from a chosen one is not excluded: there the ways join again.
        """
        after = [index for index in self.plan.after[step.index] if not self.plan.steps[index].teardown_of]
        numbers = {self.plan.steps[index].name: index for index in after}
        given = choice if is_listed(choice) else [choice]
        names: list[str] = []
        for one in [] if choice is None else given:
            name = one.name if is_step(one) else one
            if not isinstance(name, str) or name not in numbers:
                raise Terminal(f"Branch {step.name!r} chose {name!r}, but after it stand {quoted(list(numbers))}")
            names.append(name)
        kept = [False] * len(self.states)
        chosen = [numbers[name] for name in names]
        for index in (*chosen, *self.plan.descendants(chosen)):
            kept[index] = True
        for index in after:
            self._excluded[index] = self._excluded[index] or not kept[index]
        return tuple(names)

    async def _stop(self) -> None:
        """Cancel what runs and what has not begun, all but the teardowns."""
        self._stopping = True
        for index, step in enumerate(self.plan.steps):
            if self.states[index] == "pending" and not step.teardown_of:
                self._close(index, "cancelled")
        self._halted = bool(self._tasks) and self._is_whole()
        if self._halted:
            # A setup whose result came with the cancellation is to be torn down.
            with contextlib.suppress(asyncio.CancelledError):
                await arrivals()
        for index, task in list(self._tasks.items()):
            if not self.plan.steps[index].teardown_of:
                task.cancel()
        self._proceed()

    def _evicted(self) -> bool:
        """Whether the tasks of teardowns were cancelled too: nobody here does that."""
        return any(
            task.cancelling()
            or (task.done() and (task.cancelled() or not isinstance(task.exception(), (Exception, type(None)))))
            for index, task in self._tasks.items()
            if self.plan.steps[index].teardown_of
        )


def call(fn: Callable[..., Any], args: Sequence[Any]) -> Awaitable[Any]:
    """Call plain code of the workflow as a step."""

    async def called() -> Any:
        result = fn(*args)
        return await result if inspect.isawaitable(result) else result

    return called()
