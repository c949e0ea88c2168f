"""What becomes of a step that has failed for good: its error is raised, or it is reconciled, tried again, or parks."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Generator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.common import RetryPolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    FailureError,
    TimeoutError,
    TimeoutType,
    is_cancelled_exception,
)

from segue.activities.earlier import NOT_CALLED
from segue.activities.effect import Effect
from segue.activities.errors import AMBIGUOUS, NOT_DONE, PAYLOAD
from segue.activities.policy import OnExhausted
from segue.workflows.features import Feature, has
from segue.workflows.interruption import is_evicted
from segue.workflows.repair.outcome import Outcome, decided
from segue.workflows.repair.records import RETRIED, ParkedStep, Reason
from segue.workflows.repair.register import Entry, Register
from segue.workflows.repair.rule import Rule, on_exhausted

__all__ = ["Again", "Cancellation", "FailedStep", "Recovery", "Settled", "at_most_once"]

Certainty = Literal["not yet", "not ever", "unknown"]

_LIMIT: Final = 300
_SHORTEST: Final = timedelta(milliseconds=1)


@dataclasses.dataclass(frozen=True)
class Settled:
    """The step has a result after all."""

    result: Any


@dataclasses.dataclass(frozen=True)
class Again:
    """The step is tried again.

    Attributes:
        args: Its new arguments; None for those it had.
        new_effect: Whether it has another effect than before.
        within: How long it may still take; None for as long as its call says.
    """

    args: Sequence[Any] | None = None
    new_effect: bool = False
    within: timedelta | None = None


class Cancellation:
    """What a cancellation does to a step: it ends it, or waits until it is known whether the step happened."""

    def __init__(self) -> None:
        self._has_come = False
        self._waits = False

    def comes(self) -> bool:
        """Take note of a cancellation, and return whether it waits."""
        self._has_come = True
        return self._waits and _is_running() and has(Feature.ACCOUNTED_LOSERS)

    @contextlib.contextmanager
    def waiting(self) -> Generator[None]:
        """Have cancellations wait within the block."""
        self._waits = True
        try:
            yield
        finally:
            self._waits = False

    def take_effect(self) -> None:
        """Do nothing where none has come.

        Raises:
            CancelledError: One has.
        """
        if self._has_come and has(Feature.ACCOUNTED_LOSERS):
            raise asyncio.CancelledError


@dataclasses.dataclass(kw_only=True)
class FailedStep:
    """A step, as far as it matters when it has failed.

    Attributes:
        number: Its number in the run, in the order in which steps were started.
        id: Its id, as operators know it.
        activity: Name of its activity.
        kind: What it is.
        system: Name of its system.
        summary: What tells it from others of its name.
        names: Names of its parameters.
        hints: Their types.
        returns: Type of its result.
        policy: What its system's policy says of one that failed; None if it says nothing.
        rule: What the code that started it says.
        undoes: Whether it undoes earlier work.
        effect: Its effect.
        retry_policy: How often an at-most-once step that has not happened is tried.
        within: How long all its attempts may take together.
        sent: Returns its arguments as they were sent.
        handle: Its handle.
        cancellation: Where it must be known whether it happened, what a cancellation does to it; else None.
        show: Shows that it is parked, and why; None if it is so no longer.
        reconcile: Asks the system what happened, and returns what it says.
    """

    number: int
    id: str
    activity: str
    kind: Literal["activity", "local_activity"]
    system: str | None
    summary: str | None
    names: tuple[str, ...]
    hints: Sequence[Any] | None
    returns: Any
    policy: OnExhausted | None
    rule: Rule | None
    undoes: bool
    effect: Effect
    retry_policy: RetryPolicy
    within: timedelta | None
    sent: Callable[[], Sequence[Payload]]
    handle: asyncio.Future[Any]
    cancellation: Cancellation | None
    show: Callable[[str | None], None]
    reconcile: Callable[[], Any]


class Recovery:
    """What becomes of one step each time it has failed.

    Args:
        step: The step.
        register: The parked steps of its run.
        began: When it was first tried.
    """

    def __init__(self, step: FailedStep, register: Register, began: datetime) -> None:
        self._step = step
        self._register = register
        self._began = began
        self._attempts = 0
        self._times = 0
        self._decisions = 0

    async def after(self, error: FailureError) -> Settled | Again:
        """Return how the step goes on after an error.

        Raises:
            FailureError: It does not: the error is the step's.
        """
        if is_cancelled_exception(error) and not self._was_under_way(error):
            raise error
        self._attempts += 1
        step = self._step
        certainty = _certainty(error) if step.effect.kind == "at_most_once" else "not ever"
        note: str | None = None
        # Once decided it is history that says what follows, whatever is declared by now.
        outcome = self._outcome(self._wanted(error, certainty, ask=step.effect.reconcile is not None))
        if outcome is Outcome.RECONCILE:
            with self._to_be_known():
                happened, note = await self._asked()
            if isinstance(happened, Settled):
                return happened
            certainty = "unknown" if happened is None else "not yet"
            outcome = self._outcome(self._wanted(error, certainty, ask=False))
        if outcome is Outcome.RETRY:
            self._if_wanted()
            await workflow.sleep(self._delay(error), summary=RETRIED.format(step.id))
            return Again(within=self._left())
        if outcome is Outcome.PARK:
            return await self._parked(error, "ambiguous" if certainty == "unknown" else _reason(error), note)
        raise _plain(error)

    def _outcome(self, wanted: Outcome) -> Outcome:
        self._decisions += 1
        return decided(self._step.number, self._decisions, wanted)

    def _wanted(self, error: FailureError, certainty: Certainty, *, ask: bool) -> Outcome:
        if certainty == "unknown":
            return Outcome.RECONCILE if ask else Outcome.PARK
        if certainty == "not yet" and self._may_retry(error):
            return Outcome.RETRY
        step = self._step
        said = step.rule(error) if step.rule is not None else None
        said = said or step.policy or ("park" if step.undoes else "fail")
        return Outcome.PARK if said == "park" else Outcome.FAIL

    def _may_retry(self, error: FailureError) -> bool:
        most, left = self._step.retry_policy.maximum_attempts, self._left()
        return not (most and self._attempts >= most) and (left is None or self._delay(error) < left)

    def _delay(self, error: FailureError) -> timedelta:
        cause, policy = error.cause, self._step.retry_policy
        if isinstance(cause, ApplicationError) and cause.next_retry_delay is not None:
            return max(cause.next_retry_delay, _SHORTEST)
        longest = policy.maximum_interval or 100 * policy.initial_interval
        exponent = min(self._attempts - 1, 60)
        seconds = policy.initial_interval.total_seconds() * policy.backoff_coefficient**exponent
        return max(timedelta(seconds=min(seconds, longest.total_seconds())), _SHORTEST)

    def _left(self) -> timedelta | None:
        """Return how long the step may still take; None for no bound."""
        if self._step.within is None:
            return None
        return max(self._began + self._step.within - workflow.now(), _SHORTEST)

    async def _asked(self) -> tuple[Settled | Literal[False] | None, str | None]:
        """Return the result of a step if it happened, False if it did not, None if nobody knows; and why nobody does.

        Raises:
            NondeterminismError: It was asked when this happened, and nothing is declared to ask by now.
        """
        effect = self._step.effect
        if effect.reconcile is None:
            raise workflow.NondeterminismError(
                f"Activity {self._step.activity!r} was reconciled in this run's history, and declares no reconcile= now"
            )
        try:
            with on_exhausted("fail"):
                answer = await self._step.reconcile()
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            if isinstance(error.cause, ApplicationError) and error.cause.type == NOT_DONE:
                return False, None
            return None, f"{effect.reconcile} failed: {_told(error)}"
        if effect.tells_whether:
            return (Settled(None) if answer else False), None
        return (False if answer is None else Settled(answer)), None

    async def _parked(self, error: FailureError, reason: Reason, note: str | None) -> Settled | Again:
        step, register = self._step, self._register
        self._times += 1
        parked = ParkedStep(
            step=step.id,
            activity=step.activity,
            kind=step.kind,
            reason=reason,
            error=_told(error),
            since=workflow.now(),
            system=step.system,
            summary=step.summary,
            times=self._times,
            note=note,
            undoes=step.undoes,
        )
        entry = Entry(
            parked=parked,
            names=step.names,
            hints=step.hints,
            returns=step.returns,
            sent=step.sent(),
            repair=asyncio.get_running_loop().create_future(),
        )
        register.park(entry)
        if step.handle not in register.mending:
            register.mending.add(step.handle)
            step.handle.add_done_callback(register.mending.discard)
        step.show(f"{reason}: {parked.error}")
        try:
            with self._to_be_known() if reason == "ambiguous" else contextlib.nullcontext():
                repair = await entry.repair
        except asyncio.CancelledError:
            if not is_evicted():
                register.drop(entry)
            raise
        step.show(None)
        match repair.action:
            case "fail":
                raise _plain(error)
            case "result" | "skip":
                return Settled(repair.result)
            case "retry" | "retry_with":
                self._if_wanted()
                self._attempts, self._began = 0, workflow.now()
                return Again(repair.args, repair.new_effect)

    def _was_under_way(self, error: FailureError) -> bool:
        """Whether a cancellation reached the step in the middle, and it must be known whether it happened."""
        step = self._step
        began = isinstance(error, ActivityError) and error.started_event_id != 0
        is_open = step.cancellation is not None and step.effect.kind == "at_most_once" and began
        return is_open and has(Feature.ACCOUNTED_LOSERS)

    def _to_be_known(self) -> contextlib.AbstractContextManager[None]:
        """Have a cancellation wait while nobody knows whether the step happened, where that must be known."""
        cancellation = self._step.cancellation
        return cancellation.waiting() if cancellation is not None else contextlib.nullcontext()

    def _if_wanted(self) -> None:
        """Have a cancellation that waited take effect, for the step has not happened, and need not any more."""
        if self._step.cancellation is not None:
            self._step.cancellation.take_effect()


def at_most_once(policy: RetryPolicy | None) -> RetryPolicy:
    """Return a retry policy under which the server does not retry, for it does not know whether a step happened."""
    return dataclasses.replace(policy or RetryPolicy(), maximum_attempts=1)


def _certainty(error: FailureError) -> Certainty:
    """Return what is known of an at-most-once step that failed. What its worker knew stands in the error's type."""
    cause = error.cause
    if isinstance(cause, TimeoutError):
        began = not isinstance(error, ActivityError) or error.started_event_id != 0
        never = cause.type is TimeoutType.SCHEDULE_TO_START or not began
        return "not ever" if never else "unknown"
    if not isinstance(cause, ApplicationError):
        return "unknown"
    if cause.type == NOT_DONE or (not cause.non_retryable and cause.message.startswith(NOT_CALLED)):
        return "not yet"
    return "not ever" if cause.non_retryable and cause.type not in (AMBIGUOUS, PAYLOAD) else "unknown"


def _reason(error: FailureError) -> Reason:
    cause = error.cause
    return "terminal" if isinstance(cause, ApplicationError) and cause.non_retryable else "exhausted"


def _plain(error: FailureError) -> FailureError:
    """Return a step's error as its activity raised it: without what said that it had not happened."""
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type == NOT_DONE and isinstance(cause.cause, ApplicationError):
        error.__cause__ = cause.cause
        if (failure := error.failure) is not None:
            # This is what is sent, where the run fails with the error.
            plain = Failure()
            plain.CopyFrom(failure.cause.cause)
            failure.cause.CopyFrom(plain)
    return error


def _told(error: FailureError) -> str:
    """Return an error on one line, with its type."""
    cause = _plain(error).cause or error
    kind = cause.type if isinstance(cause, ApplicationError) and cause.type else type(cause).__name__
    message = " ".join(str(cause.message if isinstance(cause, FailureError) else cause).split())
    if isinstance(cause, TimeoutError) and cause.type is not None:
        message = cause.type.name.lower().replace("_", "-")
    text = f"{kind}: {message}" if message and message != kind else kind
    return text if len(text) <= _LIMIT else f"{text[: _LIMIT - 1]}…"


def _is_running() -> bool:
    """Whether it is the run's code that cancels. A run that is put out of memory is cancelled from outside of it."""
    return workflow.in_workflow() and not is_evicted()
