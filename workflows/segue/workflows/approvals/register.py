"""The approvals of a run: what is open and what was decided, and the query and the update that tell and decide.

The update's validator refuses what cannot be taken, so that a refused decision leaves nothing in the history. It and
the handler run one after the other without a pause, so of two deciders at once one is accepted, and the other is told.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Literal, cast

import pydantic
from temporalio import workflow

from segue.activities.errors import describe
from segue.workflows.approvals.choices import Choices
from segue.workflows.approvals.decision import (
    QUERY,
    UPDATE,
    Approval,
    Decided,
    Decision,
    Request,
    State,
    alternatives,
)
from segue.workflows.approvals.errors import (
    AlreadyDecided,
    AmbiguousApproval,
    DecisionNotAllowed,
    InvalidApproval,
    InvalidDecision,
    NoSuchApproval,
)
from segue.workflows.approvals.form import Form
from segue.workflows.queried import of_this_run
from segue.workflows.waiting import waiting_for

__all__ = ["IDENTITY_FUNCTION", "Entry", "Register", "pending"]

IDENTITY_FUNCTION: Final = "segue_update_identity"
"""External function by which the plugin's workflow runner tells which client sent an update, given the update's id."""

# Closed approvals that are kept, so that a long run's memory stays bounded.
_KEPT: Final = 100
_QUESTION: Final = 200
_ENTRY: Final = pydantic.TypeAdapter(Approval)


@dataclasses.dataclass(kw_only=True, eq=False)
class Entry:
    """One approval of a run.

    Attributes:
        broken: The error of the worker's code that ended what tells the deciders.
    """

    id: str
    question: str
    details: str | None
    choices: Choices
    form: Form | None
    since: datetime
    until: datetime | None
    on_deadline: str | None
    allowed: tuple[str, ...] | None
    escalated_to: tuple[str, ...] = ()
    state: State = "pending"
    closed: datetime | None = None
    decision: Decision[Any, Any] | None = None
    broken: BaseException | None = None

    @property
    def is_pending(self) -> bool:
        """Whether it can be decided."""
        return self.state == "pending"

    def told(self) -> Approval:
        """Return it as it is told in a list: short, and without what only its form's code knows."""
        question = self.question if len(self.question) <= _QUESTION else f"{self.question[: _QUESTION - 1]}…"
        return Approval(
            id=self.id,
            question=question,
            choices=tuple(self.choices.values),
            approving=self.choices.approving,
            since=self.since,
            until=self.until,
            on_deadline=self.on_deadline,
            allowed=self.allowed,
            escalated_to=self.escalated_to,
            form=self.form.name if self.form is not None else None,
            state=self.state,
            closed=self.closed,
            decision=self.decided(self.decision) if self.decision is not None else None,
        )

    def decided(self, decision: Decision[Any, Any]) -> Decided:
        """Return a decision as it is told."""
        return Decided(
            approval=self.id,
            choice=self.choices.text(decision.choice) or str(decision.choice),
            approved=decision.approved,
            by=decision.by,
            at=decision.at,
            comment=decision.comment,
            from_deadline=decision.from_deadline,
            identity=decision.identity,
        )

    def whole(self) -> Approval:
        """Return all that there is to tell of it."""
        schema = self.form.schema() if self.form is not None else None
        return dataclasses.replace(self.told(), question=self.question, details=self.details, schema=schema)


class Register:
    """The approvals of one run. It is the handler of the query and the update, and found through the query."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._counts: dict[str, int] = {}

    @classmethod
    def of_this_run(cls) -> Register:
        """Return the register of the run, made at its first approval."""
        register = of_this_run(QUERY, Register)
        if register is None:
            register = cls()
            workflow.set_query_handler(QUERY, register.query)  # pyright: ignore[reportUnknownMemberType]
            workflow.set_update_handler(UPDATE, register.decide, validator=register.validate)  # pyright: ignore[reportUnknownMemberType]
        return register

    def claim(self, name: str, given: str | None) -> str:
        """Return the id of a new approval: the given one, or `name-n`.

        Raises:
            InvalidApproval: The run has had the given one.
        """
        if given is not None:
            if given in self._entries:
                raise InvalidApproval(
                    f"This run has an approval {given!r} already: give each an id of its own, or none"
                )
            return given
        while True:
            count = self._counts[name] = self._counts.get(name, 0) + 1
            if (candidate := f"{name}-{count}") not in self._entries:
                return candidate

    def open(self, entry: Entry) -> None:
        """Let an approval be decided from now on."""
        self._entries[entry.id] = entry
        self.show()

    def close(
        self,
        entry: Entry,
        state: Literal["decided", "expired", "cancelled"],
        decision: Decision[Any, Any] | None = None,
    ) -> None:
        """Let it be decided no longer."""
        entry.state, entry.decision, entry.closed = state, decision, workflow.now()
        closed = [one for one in self._entries.values() if not one.is_pending]
        for old in closed[: -_KEPT or None]:
            del self._entries[old.id]
        self.show()

    def expire(self, entry: Entry, decision: Decision[Any, Any] | None) -> None:
        """Close it at its deadline, with what is decided then; None if nothing is."""
        if decision is None:
            self.close(entry, "expired")
        else:
            decided = dataclasses.replace(decision, approval=entry.id, at=workflow.now())
            self.close(entry, "decided", decided)

    def show(self) -> None:
        """Show the open approvals, as they are now, to whoever looks for runs that wait for a decision."""
        told = [_ENTRY.dump_python(entry.told(), mode="json", exclude_defaults=True) for entry in self._pending()]
        waiting_for("approval", told)

    def query(self) -> list[Approval]:
        """Return the approvals of the run, closed ones too, the last 100 of these."""
        return [entry.whole() for entry in self._entries.values()]

    def lines(self) -> list[str]:
        """Return what the run waits for, a line for each open approval."""
        return [f"{entry.id}: {entry.told().waits_for()}" for entry in self._pending()]

    # What arrives is any JSON: the SDK would fail the run's task for ever over an argument that it cannot convert.
    def validate(self, request: Any) -> None:
        """Refuse what cannot be taken."""
        self._taken(request)

    def decide(self, request: Any) -> Decided:
        """Take a decision, and return it as recorded."""
        entry, decision = self._taken(request)
        self.close(entry, "decided", decision)
        return entry.decided(decision)

    def _taken(self, request: Any) -> tuple[Entry, Decision[Any, Any]]:
        """Return the approval that is meant, and its decision.

        Raises:
            DecisionRefused: It cannot be taken.
        """
        try:
            sent = Request.model_validate(request)
        except pydantic.ValidationError as error:
            raise InvalidDecision(describe(error)) from None
        entry = self._meant(sent.approval)
        if not entry.is_pending:
            raise AlreadyDecided(entry.told().ended())
        identity = _identity()
        by = sent.by or identity or "somebody"
        if entry.allowed is not None and not {by, *sent.roles} & set(entry.allowed):
            raise DecisionNotAllowed(
                f"{by!r} may not decide {entry.id!r}: it is for {alternatives([*map(repr, entry.allowed)])} to decide, "
                "by name or in that role"
            )
        try:
            choice = _choice(sent, entry.choices)
            return entry, Decision(
                approval=entry.id,
                choice=entry.choices.values[choice],
                approved=choice in entry.choices.approving,
                by=by,
                at=workflow.now(),
                comment=sent.comment,
                form=_input(sent, choice, entry),
                identity=identity,
            )
        except InvalidDecision as error:
            raise InvalidDecision(f"{entry.id!r}: {error.message}") from None

    def _meant(self, id: str | None) -> Entry:
        pending = self._pending()
        if id is not None:
            if (entry := self._entries.get(id)) is not None:
                return entry
            wait = "waits" if len(pending) == 1 else "wait"
            known = f": {', '.join(repr(entry.id) for entry in pending)} {wait} for a decision" if pending else ""
            raise NoSuchApproval(f"There is no approval {id!r}{known or ', and none waits for a decision'}")
        if len(pending) == 1:
            return pending[0]
        if pending:
            raise AmbiguousApproval(
                f"{len(pending)} approvals wait for a decision, name one of them: "
                + "; ".join(f"{entry.id!r} ({entry.told().question})" for entry in pending[:10])
            )
        if not self._entries:
            raise NoSuchApproval("Nothing waits for a decision")
        last = list(self._entries.values())[-1]
        raise AlreadyDecided(f"Nothing waits for a decision: {last.told().ended()}")

    def _pending(self) -> list[Entry]:
        return [entry for entry in self._entries.values() if entry.is_pending]


def pending() -> list[str]:
    """Return what decisions this run waits for, a line each."""
    register = of_this_run(QUERY, Register)
    return register.lines() if register is not None else []


def _choice(sent: Request, choices: Choices) -> str:
    if sent.choice is not None:
        if sent.choice not in choices.values:
            raise InvalidDecision(f"{sent.choice!r} is none of its choices: {choices.told()}")
        if sent.approve is not None and sent.approve != (sent.choice in choices.approving):
            raise InvalidDecision(f"{sent.choice!r} {'does not approve' if sent.approve else 'approves'}")
        return sent.choice
    if sent.approve is None:
        raise InvalidDecision(f"a choice is missing: {choices.told()}")
    fitting = [choice for choice in choices.values if (choice in choices.approving) == sent.approve]
    if len(fitting) != 1:
        which = "approve" if sent.approve else "do not approve"
        raise InvalidDecision(f"{len(fitting)} of its choices {which}, name one: {choices.told()}")
    return fitting[0]


def _input(sent: Request, choice: str, entry: Entry) -> Any:
    if entry.form is not None:
        return entry.form.value(choice, sent.input, needed=choice in entry.choices.approving)
    if sent.input is not None:
        raise InvalidDecision("it takes no input")
    return None


def _identity() -> str | None:
    """Return the client that sent the update that is being handled, as the history has it."""
    external = cast("Mapping[str, Callable[[str], str | None]]", workflow.extern_functions())  # pyright: ignore[reportUnknownMemberType]
    update, identity = workflow.current_update_info(), external.get(IDENTITY_FUNCTION)
    return identity(update.id) if update is not None and identity is not None else None
