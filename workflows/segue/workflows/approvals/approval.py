"""Wait for a person's decision.

    decision = await approval("Pay 12,000 EUR?", by=timedelta(days=2), on_deadline="reject")
    if decision.approved:
        ...

The decision arrives as an update of the run: `segue approve ID`, `segue.client.decide`, or any client of Temporal.
Everything else is timers and activities of the run itself, so a wait of weeks needs no worker to stay alive.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypedDict, Unpack, overload

from temporalio import workflow
from typing_extensions import TypeVar

from segue.workflows.approvals.choices import Choices
from segue.workflows.approvals.decision import Decision, Escalation, Notice
from segue.workflows.approvals.errors import ApprovalExpired, InvalidApproval, InvalidDecision
from segue.workflows.approvals.form import Form
from segue.workflows.approvals.notices import Notices
from segue.workflows.approvals.register import Entry, Register

__all__ = ["ApprovalOptions", "Verdict", "approval"]

Verdict = Literal["approve", "reject"]
"""The choices of an approval that names none."""

E = TypeVar("E", bound=enum.Enum)
F = TypeVar("F", default=None)


class ApprovalOptions(TypedDict, total=False):
    """Options of an approval that do not depend on its choices."""

    name: str
    id: str | None
    details: str | None
    by: timedelta | datetime | None
    notify: Callable[[Notice], Any] | None
    remind: timedelta | Sequence[timedelta] | None
    escalate: Escalation | Sequence[Escalation] | None
    allowed: Collection[str] | None


@overload
async def approval(
    question: str,
    *,
    form: type[F] | None = None,
    on_deadline: Verdict | None = None,
    **options: Unpack[ApprovalOptions],
) -> Decision[Verdict, F | None]: ...


@overload
async def approval(
    question: str,
    *,
    choices: type[E],
    approving: Collection[E] | None = None,
    form: type[F] | None = None,
    on_deadline: E | None = None,
    **options: Unpack[ApprovalOptions],
) -> Decision[E, F | None]: ...


@overload
async def approval(
    question: str,
    *,
    choices: Sequence[str],
    approving: Collection[str] | None = None,
    form: type[F] | None = None,
    on_deadline: str | None = None,
    **options: Unpack[ApprovalOptions],
) -> Decision[str, F | None]: ...


@overload
async def approval(
    question: str,
    *,
    choices: object,
    approving: Collection[str] | None = None,
    form: type[F] | None = None,
    on_deadline: str | None = None,
    **options: Unpack[ApprovalOptions],
) -> Decision[Any, F | None]: ...


async def approval(
    question: str,
    *,
    choices: Any = None,
    approving: Collection[Any] | None = None,
    form: type[Any] | None = None,
    on_deadline: Any = None,
    name: str = "approval",
    id: str | None = None,
    details: str | None = None,
    by: timedelta | datetime | None = None,
    notify: Callable[[Notice], Any] | None = None,
    remind: timedelta | Sequence[timedelta] | None = None,
    escalate: Escalation | Sequence[Escalation] | None = None,
    allowed: Collection[str] | None = None,
) -> Decision[Any, Any]:
    """Return the decision of a person, once there is one.

    Args:
        question: What is asked, on one line.
        choices: What can be chosen: an enum, a `Literal` of texts, or a list of texts; by default approve and reject.
        approving: Those of the choices that approve; by default the first.
        form: A type, such as a pydantic model, of what the decider is to send along. It is validated before the
            decision is taken. A choice that does not approve may come without.
        on_deadline: The choice that is made if nobody decides in time; by default the approval fails then.
        name: What the approval is called: its id is `name-n`, the nth of the name in the run.
        id: Its id, in place of that.
        details: What more the deciders should know, as Markdown.
        by: The deadline: how long from now, or when.
        notify: An activity that tells the deciders: at once, for each reminder, and for escalations. If it fails, the
            approval waits on.
        remind: When to remind them: every so often, or after each of several durations; 100 times at most.
        escalate: To whom else to go, and after how long.
        allowed: Names of who may decide: who decides must say to be one of them, or to have one as a role. Whoever can
            reach the server can say so: this prevents mistakes, not attacks.

    Raises:
        InvalidApproval: It is asked for so that it cannot be decided. Nobody was asked.
        ApprovalExpired: Nobody decided in time.
    """
    register = Register.of_this_run()
    if not question.strip():
        raise InvalidApproval("An approval needs a question")
    if isinstance(allowed, str):
        raise InvalidApproval(f"allowed={allowed!r} must be a collection of names, not a text")
    offered, since = Choices.of(choices, approving), workflow.now()
    notices = Notices.of(notify, remind, escalate, allowed)
    entry = Entry(
        id="",
        question=" ".join(question.split()),
        details=details,
        choices=offered,
        form=Form(form) if form is not None else None,
        since=since,
        until=_deadline(by, since),
        on_deadline=_on_deadline(on_deadline, offered, by),
        # Names in no order, as of a set, must not make a replay differ.
        allowed=tuple(sorted(allowed)) if allowed is not None else None,
    )
    at_deadline = _at_deadline(entry)
    # Only what is asked takes a number.
    entry.id = register.claim(name, id or None)
    register.open(entry)
    tasks = notices.begin(register, entry)
    try:
        await workflow.wait_condition(
            lambda: not entry.is_pending or entry.broken is not None,
            timeout=max(entry.until - since, timedelta(0)) if entry.until is not None else None,
            timeout_summary=f"deadline of {entry.id}",
        )
    except TimeoutError:
        # Who decided in the same moment was told that it is decided, and so it is.
        if entry.is_pending:
            register.expire(entry, at_deadline)
    except asyncio.CancelledError:
        # Not `finally`: a run that a worker drops from memory ends there too, outside of its event loop.
        if entry.is_pending:
            register.close(entry, "cancelled")
        await _end(tasks)
        raise
    broken = entry.broken if entry.is_pending else None
    if broken is not None:
        register.close(entry, "cancelled")
    await _end(tasks)
    if broken is not None:
        raise broken
    if entry.decision is None:
        assert entry.until is not None  # only a deadline ends an approval without a decision
        raise ApprovalExpired(entry.id, entry.question, entry.until)
    return entry.decision


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks, and return once they have ended, which is at once.

    The server refuses a workflow task for ever whose commands go on after the run's end, as a timer's or a
    cancellation's would if the run ended first.
    """
    for task in tasks:
        task.cancel()
    if tasks:
        await workflow.wait(tasks)


def _deadline(by: timedelta | datetime | None, since: datetime) -> datetime | None:
    if isinstance(by, datetime):
        if by.tzinfo is None:
            raise InvalidApproval(f"by={by!r} has no time zone: give it one, such as datetime.UTC")
        return by.astimezone(UTC)
    if by is not None and by <= timedelta(0):
        raise InvalidApproval(f"by={by!r} must be longer than nothing")
    return since + by if by is not None else None


def _on_deadline(given: Any, choices: Choices, by: object) -> str | None:
    if given is None:
        return None
    if by is None:
        raise InvalidApproval(f"on_deadline={given!r} never comes without a deadline: give by=")
    if (text := choices.text(given)) is None:
        raise InvalidApproval(f"on_deadline={given!r} is none of the choices {choices.told()}")
    return text


def _at_deadline(entry: Entry) -> Decision[Any, Any] | None:
    """Return what is decided if nobody decides; None if the approval fails then."""
    if (choice := entry.on_deadline) is None:
        return None
    approved = choice in entry.choices.approving
    try:
        value = entry.form.value(choice, None, needed=approved) if entry.form is not None else None
    except InvalidDecision as error:
        raise InvalidApproval(f"on_deadline={choice!r} cannot be chosen without a person: {error.message}") from None
    return Decision(
        approval=entry.id,
        choice=entry.choices.values[choice],
        approved=approved,
        by=None,
        at=entry.since,
        form=value,
        from_deadline=True,
    )
