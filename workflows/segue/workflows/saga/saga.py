"""A block of steps that are undone, last first, when what follows them fails.

    async with Saga() as saga:
        stock = await workflow.execute_activity(reserve, order)
        saga.compensate(release, stock)
        receipt = await workflow.execute_activity(charge, order)

On an error that leaves the block, a cancellation of the run among them, the compensations run, and then the error goes
on. A step of the saga that is still under way then, beside the one that failed, is cancelled, waited for, and undone if
it succeeds all the same. A termination and a timeout of the run by the server run no code, and so no compensation:
bound the block with `Saga(deadline=...)` instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Any, Self, TypeVar, TypeVarTuple, Unpack, overload

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception
from temporalio.workflow import ActivityCancellationType, ContinueAsNewError

from segue.workflows.calls import Call, InvalidCall, execute, no_call, written
from segue.workflows.compensating import is_compensating
from segue.workflows.features import Feature, has
from segue.workflows.graph.step import StepOptions
from segue.workflows.interruption import ENDS, begin, is_evicted, is_of_the_worker, settle, shielded
from segue.workflows.saga.compensation import Compensation
from segue.workflows.saga.errors import CompensationFailed, DeadlineExceeded, InvalidSaga
from segue.workflows.saga.shown import SagaState, show

__all__ = ["Saga"]

R = TypeVar("R")
Ts = TypeVarTuple("Ts")


class Saga:
    """Steps that are undone when what follows them fails.

    Args:
        name: Its name, as operators see it; with `-2` for a second of the name in the run.
        deadline: How long the block may take. Then it is cancelled from within, undone, and `DeadlineExceeded` is
            raised. What undoes it takes as long as it takes.
        parallel: Whether the compensations run all at once, rather than one after another, last first.

    Attributes:
        name: Its name.
        state: Where it is.
        deadline: How long its block may take.
        compensations: What was registered, in that order.

    Raises:
        InvalidSaga: The deadline is none.
    """

    def __init__(self, name: str = "saga", *, deadline: timedelta | None = None, parallel: bool = False) -> None:
        given: Any = deadline
        if given is not None and not (isinstance(given, timedelta) and given > timedelta(0)):
            raise InvalidSaga(f"Saga {name!r} has a deadline of {given}: it must be a timedelta longer than zero")
        self.deadline = deadline
        self.state: SagaState = "running"
        self.compensations: list[Compensation] = []
        self._under_way: dict[asyncio.Task[Any], Call[Any]] = {}
        self._parallel = parallel
        self._owner: asyncio.Task[Any] | None = None
        self._cancelling = 0
        self._is_open = False
        self._expired = False
        self._watch: asyncio.Task[None] | None = None
        self.name = show(self, name)

    async def __aenter__(self) -> Self:
        if self._owner is not None:
            raise InvalidSaga(f"Saga {self.name!r} has been entered before: make another")
        self._owner = asyncio.current_task()
        assert self._owner is not None
        self._cancelling = self._owner.cancelling()
        if self.deadline is not None:
            self._refuse_too_late(self.deadline)
            self._watch = begin(self._expire(self._owner, self.deadline))
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None and (not isinstance(error, ENDS) or is_evicted() or is_of_the_worker(error)):
            return  # it is not the run's end: another worker goes on with it
        self._is_open = False
        if self._watch is not None:
            self._watch.cancel()
        raised = self._outcome(error)
        if raised is None:
            self.state = "completed"
            return
        self.state = "compensating"
        try:
            await shielded(self._end(raised))
        except asyncio.CancelledError as cancelled:
            if is_evicted():
                raise
            if not is_cancelled_exception(raised):
                # The run, or the task, was cancelled while this was undone: that goes above what was wrong before.
                raise cancelled from raised
        if raised is not error:
            raise raised from error

    @overload
    def compensate(self, fn: Callable[[*Ts], Any], /, *args: *Ts, **options: Unpack[StepOptions]) -> Compensation: ...

    # A workflow's run method is given unbound, so its first parameter takes nothing.
    @overload
    def compensate(
        self, fn: Callable[[Any, *Ts], Awaitable[Any]], /, *args: *Ts, **options: Unpack[StepOptions]
    ) -> Compensation: ...

    # mypy does not see that `*args: Any` takes what `*args: *Ts` does.
    def compensate(  # type: ignore[misc]
        self, fn: Callable[..., Any], /, *args: Any, **options: Unpack[StepOptions]
    ) -> Compensation:
        """Register what undoes a step, and return it; its `withdraw()` takes it back.

        Register it before the step where it needs nothing of the step's result, and does no harm if the step did
        nothing: then it also undoes a step of which nobody knows whether it was done, such as one that timed out.
        Register it after the step where it needs the result; `step` does so without a gap.

        Args:
            fn: An activity, the run method of a workflow, which is run as a child, or plain code of the workflow.
            args: Its arguments.
            options: Those of `workflow.start_activity`, or of `workflow.start_child_workflow` for a child. Without a
                `retry_policy` it does not give up, see `segue.workflows.saga.compensation`.

        Raises:
            InvalidCall: It could not be called so. The message says all that is wrong.
            InvalidSaga: The block has ended, and nothing would call it any more.
        """
        compensation = Compensation(written("The compensation", fn, args, options))
        if self._is_left and self.state != "compensating" and has(Feature.SETTLED_SAGAS):
            raise InvalidSaga(
                f"Saga {self.name!r} has ended, and would not run {str(compensation)!r}: register it within the block"
            )
        self.compensations.append(compensation)
        return compensation

    async def step(self, call: Call[R]) -> R:
        """Run a step, and register what undoes it, given its result, in the moment in which it has one.

        Where the block is cancelled meanwhile, it waits until the step has ended one way or the other: a step that is
        merely asked to end may still succeed after it was undone. So does a block that is left with an error.

        Args:
            call: The step, as `call(reserve, order, undo=release)`. Without `undo`, nothing is registered.

        Raises:
            InvalidCall: What is given is no call.
            InvalidSaga: The block has ended, and nothing would undo the step any more. It is not started.
        """
        if (given := no_call(call)) is not None:
            raise InvalidCall(f"Saga {self.name!r} cannot take a step: it is given {given}")
        # What undoes a step may be plain code that takes steps of its own.
        if self._is_left and not (self.state == "compensating" and is_compensating()) and has(Feature.SETTLED_SAGAS):
            how = "is being undone" if self.state == "compensating" else "has ended"
            raise InvalidSaga(f"Saga {self.name!r} {how}, and starts no step more: {str(call)!r}")
        defaults: dict[str, Any] = {}
        if call.kind == "activity":
            defaults["cancellation_type"] = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
        task = begin(execute(call, **defaults))
        self._under_way[task] = call
        try:
            await workflow.wait([task])
        except asyncio.CancelledError:
            if not is_evicted():
                try:
                    await shielded(settle([task]))
                finally:
                    self._completed(task)
            raise
        self._completed(task)
        return task.result()

    async def run_compensations(self) -> None:
        """Undo what is registered now, as leaving the block with an error does. What was undone is not undone again.

        Raises:
            CompensationFailed: Something could not be undone.
        """
        await shielded(self._undo(None))
        if self._is_open:
            self.state = "running"

    @property
    def _is_left(self) -> bool:
        """Whether the block was entered and has ended. A saga without a block is undone by hand."""
        return self._owner is not None and not self._is_open

    def _completed(self, task: asyncio.Task[Any]) -> None:
        """Register what undoes a step that has ended, unless it is accounted for already."""
        if (call := self._under_way.pop(task, None)) is not None:
            self._register(call, task)

    def _register(self, call: Call[Any], task: asyncio.Task[Any]) -> None:
        if call.undo is not None and task.done() and not task.cancelled() and task.exception() is None:
            self.compensations.append(Compensation(written("The compensation", call.undo, (task.result(),), {})))

    async def _end(self, error: BaseException) -> None:
        """Undo what the block has done, and what it is still doing, once that has ended."""
        unfit: list[tuple[str, BaseException]] = []
        if self._under_way and has(Feature.SETTLED_SAGAS):
            # Nobody may hear what `step` raises by now.
            under_way, self._under_way = self._under_way, {}
            await settle(list(under_way))
            for task, call in under_way.items():
                try:
                    self._register(call, task)
                except InvalidCall as invalid:
                    unfit.append((str(call), invalid))
        await self._undo(error, unfit)

    async def _undo(self, error: BaseException | None, unfit: Sequence[tuple[str, BaseException]] = ()) -> None:
        self.state = "compensating"
        begun: list[Compensation] = []
        # A compensation that is plain code may register another.
        while left := [one for one in reversed(self.compensations) if one.state == "registered"]:
            left = left if self._parallel else left[:1]
            begun.extend(left)
            await asyncio.gather(*(one.run() for one in left))
        failed = [*unfit, *(failure for one in begun if (failure := one.failure) is not None)]
        done = [str(one) for one in begun if one.state == "done"]
        self.state = "failed" if unfit or any(one.state == "failed" for one in self.compensations) else "compensated"
        if failed:
            raise CompensationFailed(f"Saga {self.name!r}", failed, done) from error
        if error is not None and done:
            error.add_note(f"Saga {self.name!r} has undone: {', '.join(done)}")

    def _outcome(self, error: BaseException | None) -> BaseException | None:
        """Return what the block is to end with: its error, or what stands above it; None if all is well."""
        if isinstance(error, ContinueAsNewError):
            if not any(one.state == "registered" for one in self.compensations) and not self._may_succeed():
                return None
            return InvalidSaga(
                f"Saga {self.name!r} is left by continue_as_new, and the run that follows could not undo what this one "
                "did: end the block first"
            )
        if self._expired and self.deadline is not None and self._owner is not None:
            others = self._owner.uncancel() > self._cancelling
            if not (others and error is not None and is_cancelled_exception(error)):
                return DeadlineExceeded(self.name, self.deadline)
        return error

    def _may_succeed(self) -> bool:
        """Whether a step is under way that would have to be undone."""
        undone = any(call.undo is not None for call in self._under_way.values())
        return undone and has(Feature.SETTLED_SAGAS)

    async def _expire(self, owner: asyncio.Task[Any], deadline: timedelta) -> None:
        await workflow.sleep(deadline, summary=f"deadline of {self.name}")
        self._expired = True
        owner.cancel(f"the deadline of {self.name} has passed")

    def _refuse_too_late(self, deadline: timedelta) -> None:
        """Refuse a deadline before which the server ends the run, which runs no code."""
        info = workflow.info()
        end = workflow.now() + deadline
        # The server makes of an execution timeout a run timeout too.
        for name, timeout in (("execution_timeout", info.execution_timeout), ("run_timeout", info.run_timeout)):
            if timeout and info.workflow_start_time + timeout <= end:
                raise InvalidSaga(
                    f"Saga {self.name!r} has a deadline of {deadline}, but by then the run's own {name} of {timeout} "
                    "has ended the run, without undoing anything: give the run a longer one, or none"
                )
