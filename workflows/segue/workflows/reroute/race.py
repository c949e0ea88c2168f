"""Several ways at once: the first that succeeds wins, the others are cancelled, and what they did is undone.

    quote = await first_success(call(ask_north, order), call(ask_south, order))
    answer = await hedge(call(ask, question), call(ask_other, question), after=timedelta(seconds=2))

A call that loses may take effect all the same: before the cancellation reaches it, or because nothing reaches it. So
either its effect does no harm, or the call says what undoes it: `call(book, trip, undo=cancel_booking)`. Such a call
is waited for when it has lost, and where it succeeded nevertheless its `undo` runs, before the winner's result is
returned. An at-most-once call of which nobody knows whether it took effect is waited for until somebody does.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, Generic, TypeVar

from temporalio import workflow
from temporalio.workflow import ActivityCancellationType

from segue.activities.errors import Terminal
from segue.workflows.calls import Call, InvalidCall, execute, given_id, is_at_most_once, no_calls, written
from segue.workflows.features import Feature, has
from segue.workflows.interruption import ENDS, begin, is_evicted, is_of_the_worker, settle, shielded
from segue.workflows.repair.rule import accounted, on_exhausted
from segue.workflows.reroute.errors import AllFailed, Reason, Reasons
from segue.workflows.reroute.fallback import in_place_of
from segue.workflows.saga.compensation import Compensation
from segue.workflows.saga.errors import CompensationFailed

__all__ = ["first_success", "hedge"]

R = TypeVar("R")


async def hedge(
    first: Call[R],
    /,
    *others: Call[R],
    after: timedelta,
    on: Sequence[Reason] | Reason | None = None,
    unless: Sequence[Reason] | Reason = (),
) -> R:
    """Return the result of whichever call succeeds first, where the next is made only if the others are slow.

    Args:
        first: The call to be made.
        others: Those to be made beside it, in this order; the same once more if there is none.
        after: How long to wait before the next. One that fails is followed by the next at once.
        on: Which errors lead on to the others: classes, their names, kinds of timeouts; None for all. Any other ends
            the race.
        unless: Which do not, of those.

    Raises:
        InvalidCall: The calls cannot be made side by side. Nothing was started.
        AllFailed: All have failed.
        ActivityError: One has failed with an error that ends the race. Likewise `ChildWorkflowError`.
        CompensationFailed: What a loser did could not be undone.
    """
    given: Any = after
    if not isinstance(given, timedelta) or given <= timedelta(0):
        raise Terminal(f"hedge(after={given}): it must be a timedelta longer than zero", type="InvalidCall")
    return await _Race("hedge", (first, *(others or (first,))), Reasons(on, unless), after).run()


async def first_success(
    first: Call[R],
    /,
    *others: Call[R],
    on: Sequence[Reason] | Reason | None = None,
    unless: Sequence[Reason] | Reason = (),
) -> R:
    """Return the result of whichever call succeeds first, where all are made at once.

    Args:
        first: A call.
        others: The others.
        on: Which errors leave it to the others: classes, their names, kinds of timeouts; None for all. Any other ends
            the race.
        unless: Which do not, of those.

    Raises:
        InvalidCall: The calls cannot be made side by side. Nothing was started.
        AllFailed: All have failed.
        ActivityError: One has failed with an error that ends the race. Likewise `ChildWorkflowError`.
        CompensationFailed: What a loser did could not be undone.
    """
    if not others:
        raise Terminal("first_success() has one call, which needs no race: give a second", type="InvalidCall")
    return await _Race("first_success", (first, *others), Reasons(on, unless), None).run()


class _Race(Generic[R]):
    def __init__(self, what: str, calls: Sequence[Call[R]], reasons: Reasons, delay: timedelta | None) -> None:
        self._what = what
        self._calls = calls
        self._reasons = reasons
        self._delay = delay
        self._tasks: list[asyncio.Task[R]] = []
        self._timer: asyncio.Task[None] | None = None
        self._failed: list[int] = []
        self._undone: dict[int, Compensation] = {}

    async def run(self) -> R:
        if (found := no_calls(self._calls) or list(_problems(self._calls))) and has(Feature.REFUSED_EARLY):
            raise InvalidCall(f"{self._what}() cannot be made: {'; '.join(found)}")
        try:
            winner = await self._first()
        except ENDS as error:
            if not is_evicted() and not is_of_the_worker(error):
                await self._account(None, error)
            raise
        await self._account(winner, None)
        return self._tasks[winner].result()

    async def _first(self) -> int:
        """Return which call succeeded first, by its place; of those that did so at once, the first that was given."""
        self._start()
        while self._delay is None and len(self._tasks) < len(self._calls):
            self._start()
        while True:
            await self._something()
            for index, task in enumerate(self._tasks):
                if not task.done() or index in self._failed:
                    continue
                error = asyncio.CancelledError() if task.cancelled() else task.exception()
                if error is None:
                    return index
                self._failed.append(index)
                if not isinstance(error, Exception) or is_of_the_worker(error) or not self._reasons.hold(error):
                    raise error
                if len(self._failed) == len(self._calls):
                    raise AllFailed(self._what, self._errors()) from error
            if len(self._tasks) < len(self._calls) and (
                len(self._failed) == len(self._tasks) or (self._timer is not None and self._timer.done())
            ):
                self._start()

    async def _something(self) -> None:
        """Return when a call has ended, or when it is time for the next."""
        running: list[asyncio.Task[Any]] = [task for task in self._tasks if not task.done()]
        if self._delay is not None and len(self._tasks) < len(self._calls):
            if self._timer is None:
                following = self._calls[len(self._tasks)].name
                self._timer = begin(workflow.sleep(self._delay, summary=f"hedge with {following}"))
            running.append(self._timer)
        await workflow.wait(running, return_when=asyncio.FIRST_COMPLETED)

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        call = self._calls[len(self._tasks)]
        defaults = in_place_of(self._calls[0], call) if self._tasks and self._delay is not None else {}
        if is_undone := call.undo is not None and call.kind == "activity":
            defaults["cancellation_type"] = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
        # What fails is left to the others, or ends the race: one that parked would keep it waiting for an operator.
        with on_exhausted("fail"), accounted() if is_undone else contextlib.nullcontext():
            self._tasks.append(begin(execute(call, **defaults)))

    async def _account(self, winner: int | None, error: BaseException | None) -> None:
        """Account for every call but the winner: cancel it, wait for it, and undo what it did without being wanted.

        Whatever keeps the winner's result from the caller makes a loser of it too.
        """
        if self._timer is not None:
            self._timer.cancel()
        try:
            await shielded(self._undo(winner))
        except asyncio.CancelledError:
            if not is_evicted():
                await shielded(self._undo(None))
                self._raise_failed(error)
            raise
        if winner is not None and any(one.state == "failed" for one in self._undone.values()):
            await shielded(self._undo(None))
        self._raise_failed(error)

    async def _undo(self, winner: int | None) -> None:
        losers = [index for index in range(len(self._tasks)) if index != winner]
        await settle([self._tasks[index] for index in losers])
        undo: list[Compensation] = []
        for index in losers:
            call, task = self._calls[index], self._tasks[index]
            if call.undo is None or index in self._undone or task.cancelled() or task.exception() is not None:
                continue
            try:
                self._undone[index] = Compensation(written("The compensation", call.undo, (task.result(),), {}))
            except InvalidCall:
                if task.result() is None:  # an operator has skipped it
                    continue
                raise
            undo.append(self._undone[index])
        await asyncio.gather(*(one.run() for one in undo))

    def _raise_failed(self, error: BaseException | None) -> None:
        failed = [failure for one in self._undone.values() if (failure := one.failure) is not None]
        if failed:
            done = [str(one) for one in self._undone.values() if one.state == "done"]
            raise CompensationFailed(self._what, failed, done) from error

    def _errors(self) -> list[tuple[str, BaseException]]:
        return [
            (str(call), error)
            for call, task in zip(self._calls, self._tasks, strict=True)
            if not task.cancelled() and (error := task.exception()) is not None
        ]


def _problems(calls: Sequence[Call[Any]]) -> Iterator[str]:
    """Yield what keeps calls from being made side by side."""
    for call in dict.fromkeys(calls):
        if call.undo is None and is_at_most_once(call):
            yield (
                f"{call.name} is at-most-once, and may take effect although another wins: say what undoes it, as in "
                f"call({call.name}, ..., undo=...), or try one after another with fallback()"
            )
    given = Counter((call.kind, id) for call in calls if (id := given_id(call)) is not None)
    for (_, id), count in given.items():
        if count > 1:
            yield f"{count} of its calls would have the id {id!r} at the same time: leave it out"
