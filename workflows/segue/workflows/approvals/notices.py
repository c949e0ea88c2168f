"""Who is told of an approval, and when: at once, by reminders, and by escalation, all under the run's own time."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Final, Literal

from temporalio import workflow
from temporalio.exceptions import ActivityError

from segue.workflows.approvals.decision import Escalation, Notice
from segue.workflows.approvals.errors import InvalidApproval
from segue.workflows.approvals.register import Entry, Register

__all__ = ["Notices"]

Notify = Callable[[Notice], Any]

# A reminder is about a dozen events of the run's history.
_REMINDERS: Final = 100


@dataclasses.dataclass(frozen=True)
class Notices:
    """What is to be told of an approval.

    Attributes:
        notify: The activity that tells.
        remind: Every so often, or after each of several durations.
        escalations: To whom else it goes, the first first.
    """

    notify: Notify | None
    remind: timedelta | Sequence[timedelta] | None
    escalations: Sequence[Escalation]

    @classmethod
    def of(
        cls,
        notify: Notify | None,
        remind: timedelta | Sequence[timedelta] | None,
        escalate: Escalation | Sequence[Escalation] | None,
        allowed: object,
    ) -> Notices:
        """Return what an author gives.

        Raises:
            InvalidApproval: It could tell nobody, or the times are none.
        """
        escalations = [escalate] if isinstance(escalate, Escalation) else sorted(escalate or (), key=_after)
        times = [remind] if isinstance(remind, timedelta) else list(remind or ())
        if any(after <= timedelta(0) for after in (*times, *map(_after, escalations))):
            raise InvalidApproval("The times of reminders and escalations must be longer than nothing")
        if times and notify is None:
            raise InvalidApproval("A reminder tells nobody without an activity: give notify=")
        for activity in (notify, *(escalation.notify for escalation in escalations)):
            if activity is not None and not hasattr(activity, "__temporal_activity_definition"):
                raise InvalidApproval(f"notify={activity!r} is no activity: declare it with @system.activity")
        for escalation in escalations:
            if not escalation.names or not all(escalation.names):
                raise InvalidApproval(f"{escalation!r} is to nobody")
            if escalation.notify is None and notify is None and allowed is None:
                raise InvalidApproval(
                    f"The escalation to {', '.join(map(repr, escalation.names))} tells nobody and allows nobody more: "
                    "give notify= or allowed="
                )
        return cls(notify, remind, escalations)

    def begin(self, register: Register, entry: Entry) -> list[asyncio.Task[None]]:
        """Tell of an approval from now on, in tasks which end with it, and return these."""
        works: list[Coroutine[Any, Any, None]] = []
        if self.notify is not None:
            works.append(_tell(entry, self.notify, "asked", 1, entry.allowed or ()))
            if self.remind is not None:
                works.append(_remind(entry, self.notify, _times(self.remind)))
        for number, escalation in enumerate(self.escalations, 1):
            works.append(_escalate(register, entry, escalation, escalation.notify or self.notify, number))
        return [_begun(entry, work) for work in works]


async def _remind(entry: Entry, notify: Notify, times: Iterable[timedelta]) -> None:
    for number, after in enumerate(times, 1):
        await _until(entry, after, f"reminder of {entry.id}")
        await _tell(entry, notify, "reminder", number, (*(entry.allowed or ()), *_new(entry)))


async def _escalate(
    register: Register, entry: Entry, escalation: Escalation, notify: Notify | None, number: int
) -> None:
    await _until(entry, escalation.after, f"escalation of {entry.id}")
    entry.escalated_to = (*entry.escalated_to, *escalation.names)
    if entry.allowed is not None:
        entry.allowed = tuple(dict.fromkeys((*entry.allowed, *escalation.names)))
    register.show()
    if notify is not None:
        await _tell(entry, notify, "escalation", number, escalation.names)


async def _tell(
    entry: Entry,
    notify: Notify,
    reason: Literal["asked", "reminder", "escalation"],
    number: int,
    to: tuple[str, ...],
) -> None:
    info = workflow.info()
    notice = Notice(
        reason=reason,
        workflow_id=info.workflow_id,
        run_id=info.run_id,
        approval=entry.id,
        question=entry.question,
        choices=tuple(entry.choices.values),
        to=to,
        since=entry.since,
        until=entry.until,
        details=entry.details,
        number=number,
    )
    try:
        await workflow.execute_activity(notify, notice, summary=f"{reason}: {entry.id}")
    except ActivityError as error:
        # The cancellation of a task arrives as the failure of its activity.
        if not entry.is_pending:
            raise asyncio.CancelledError from None
        # It is a failed step, which operators see. The decision may still come, and must find the approval open.
        workflow.logger.warning("Nobody could be told of approval %r: %s", entry.id, error.__cause__ or error)


def _begun(entry: Entry, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    def ended(task: asyncio.Task[None]) -> None:
        # Only a mistake of the code arrives here, such as an activity that no system declares. It is the author's.
        if not task.cancelled() and (error := task.exception()) is not None:
            entry.broken = error

    task = asyncio.create_task(work)
    task.add_done_callback(ended)
    return task


async def _until(entry: Entry, after: timedelta, summary: str) -> None:
    """Sleep until so long after the approval was asked for."""
    left = entry.since + after - workflow.now()
    if left > timedelta(0):
        await workflow.sleep(left, summary=summary)


def _times(remind: timedelta | Sequence[timedelta]) -> Iterator[timedelta]:
    if isinstance(remind, timedelta):
        yield from (number * remind for number in range(1, _REMINDERS + 1))
    else:
        yield from sorted(remind)[:_REMINDERS]


def _new(entry: Entry) -> tuple[str, ...]:
    """Return to whom the approval was escalated, without those who could decide it anyway."""
    return tuple(name for name in entry.escalated_to if name not in (entry.allowed or ()))


def _after(escalation: Escalation) -> timedelta:
    return escalation.after
