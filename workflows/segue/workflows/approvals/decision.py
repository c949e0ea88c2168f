"""What an approval is, what its decision is, and what those are told who are to decide."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, Literal, TypeVar

import pydantic

__all__ = [
    "QUERY",
    "UPDATE",
    "Approval",
    "Decided",
    "Decision",
    "Escalation",
    "Notice",
    "Request",
    "State",
    "alternatives",
    "outcome",
    "time",
]

UPDATE: Final = "segue_decide"
"""The update that decides an approval. It takes a `Request` and returns a `Decided`."""

QUERY: Final = "segue_approvals"
"""The query that returns the approvals of a run, in the order in which they were asked for, each an `Approval`."""

State = Literal["pending", "decided", "expired", "cancelled"]
"""Where an approval is. `expired` is one whose deadline came, and that says of no outcome for it."""

C = TypeVar("C")
F = TypeVar("F")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decision(Generic[C, F]):
    """How an approval was decided.

    Attributes:
        approval: Id of the approval.
        choice: What was chosen.
        approved: Whether that approves.
        by: Who decided, as they say; None if it was the deadline.
        at: When, UTC.
        comment: Why, as they say.
        form: The value of the form; None without one, and where a refusal came without.
        from_deadline: Whether nobody decided in time, and the choice is what the approval says for that.
        identity: The client that sent the decision, as the run's history has it; None if the worker cannot tell.
    """

    approval: str
    choice: C
    approved: bool
    by: str | None
    at: datetime
    comment: str | None = None
    form: F | None = None
    from_deadline: bool = False
    identity: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Decided:
    """A decision as it is told to whoever asks: without the form's value, and with its choice as text.

    Attributes:
        approval: Id of the approval.
        choice: What was chosen.
        approved: Whether that approves.
        by: Who decided; None if it was the deadline.
        at: When, UTC.
        comment: Why.
        from_deadline: Whether it was the deadline.
        identity: The client that sent it.
    """

    approval: str
    choice: str
    approved: bool
    by: str | None
    at: datetime
    comment: str | None = None
    from_deadline: bool = False
    identity: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Approval:
    """An approval as it is told to whoever asks.

    Attributes:
        id: Its id, which is unique in its run.
        question: What is asked.
        choices: What can be chosen.
        approving: Those of them that approve.
        since: When it was asked for, UTC.
        until: Its deadline; None for none.
        on_deadline: What is chosen at the deadline; None if the approval fails then.
        allowed: Names of who may decide; None for anybody.
        escalated_to: Names to whom it was escalated.
        form: Name of the form's type; None without a form.
        schema: JSON schema of the form; None without a form, and where no worker was asked.
        details: What more there is to know, as Markdown; None also where no worker was asked.
        state: Where it is.
        closed: When it was decided, or ended without a decision.
        decision: How it was decided, if it was.
    """

    id: str
    question: str
    choices: tuple[str, ...]
    approving: tuple[str, ...]
    since: datetime
    until: datetime | None = None
    on_deadline: str | None = None
    allowed: tuple[str, ...] | None = None
    escalated_to: tuple[str, ...] = ()
    form: str | None = None
    schema: dict[str, Any] | None = None
    details: str | None = None
    state: State = "pending"
    closed: datetime | None = None
    decision: Decided | None = None

    def waits_for(self) -> str:
        """Return what its run waits for: `a decision of finance or cfo until 2026-11-23 18:00:00 UTC: Pay 12 EUR?`."""
        of = f" of {alternatives(self.allowed)}" if self.allowed else ""
        until = f" until {time(self.until)}" if self.until is not None else ""
        return f"a decision{of}{until}: {self.question}"

    def ended(self) -> str:
        """Return why it can be decided no longer: `'approval-1' was decided by ann at ...: approved`."""
        if self.decision is not None:
            by = "its deadline" if self.decision.from_deadline else self.decision.by
            return f"{self.id!r} was decided by {by} at {time(self.decision.at)}: {outcome(self.decision.choice)}"
        how = "ended undecided at its deadline" if self.state == "expired" else "was cancelled"
        return f"{self.id!r} {how} at {time(self.closed or self.since)}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Notice:
    """What the author's activity is told, to pass it on to those who are to decide: by mail, in a chat, as a ticket.

    Attributes:
        reason: Why it is told: somebody is asked, asked again, or the approval is escalated.
        workflow_id: The run's workflow.
        run_id: The run.
        approval: Id of the approval: `segue approve WORKFLOW_ID APPROVAL` decides it.
        question: What is asked.
        choices: What can be chosen.
        to: Whom to tell: the names that may decide, or to whom it is escalated; empty if the approval names nobody.
        since: When it was asked for first.
        until: The deadline; None for none.
        details: What more there is to know, as Markdown.
        number: The how many-th notice of this reason it is, from 1.
    """

    reason: Literal["asked", "reminder", "escalation"]
    workflow_id: str
    run_id: str
    approval: str
    question: str
    choices: tuple[str, ...]
    to: tuple[str, ...]
    since: datetime
    until: datetime | None = None
    details: str | None = None
    number: int = 1


@dataclasses.dataclass(frozen=True)
class Escalation:
    """To whom an approval goes that nobody has decided for some time.

    Attributes:
        after: How long after it was asked for.
        to: A name or names: of people, groups, addresses, as the activity that tells them knows them. Where the
            approval says who may decide, these may from then on too.
        notify: The activity that tells them; by default the approval's own.
    """

    after: timedelta
    to: str | Sequence[str]
    notify: Callable[[Notice], Any] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names to whom it goes."""
        return (self.to,) if isinstance(self.to, str) else tuple(self.to)


class Request(pydantic.BaseModel):
    """What a decider sends.

    Attributes:
        approval: Id of the approval; None for the only one that is open.
        choice: What is chosen; None for the only choice that approves, or does not, as `approve` says.
        approve: Whether to approve, in place of a choice.
        comment: Why.
        input: The value of the approval's form, as JSON.
        by: Who decides; None for the client's identity.
        roles: Further names that stand for who decides, such as their groups.
    """

    model_config = pydantic.ConfigDict(title="The decision", extra="forbid")

    approval: str | None = None
    choice: str | None = None
    approve: bool | None = None
    comment: str | None = None
    input: Any = None
    by: str | None = None
    roles: tuple[str, ...] = ()


def alternatives(names: Sequence[str]) -> str:
    """Return names of which one is enough: `finance, cfo or ann`."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def outcome(choice: str) -> str:
    """Return what a choice makes of an approval: `approved`; the choice itself, if it is an author's own."""
    return {"approve": "approved", "reject": "rejected"}.get(choice, choice)


def time(value: datetime) -> str:
    """Return a time to the second, in UTC: `2026-11-23 18:00:00 UTC`."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
