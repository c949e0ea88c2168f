"""The approvals of a run as its history has them: what was asked, and what came of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import pydantic
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from segue.client._events import utc
from segue.client._failures import Decoded
from segue.client._history import Draft, History, attributes, update_answer
from segue.client._parked import typed
from segue.client.approvals import from_memo
from segue.client.records import State, Step
from segue.client.wording import one_line
from segue.workflows.approvals import Approval
from segue.workflows.approvals.decision import UPDATE, Decided, outcome
from segue.workflows.waiting import MEMO

__all__ = ["ApprovalHistory", "commands"]

_DECIDED: Final = pydantic.TypeAdapter(Decided)
# So many choices of one kind have a command each.
_CHOICES: Final = 3


@dataclasses.dataclass(kw_only=True)
class _Asked:
    """An approval, its first and its last event."""

    approval: Approval
    opened: HistoryEvent
    closed: HistoryEvent | None = None


class ApprovalHistory:
    """The events of one run that tell of approvals: what waits stands in its memo, and each change of that is one."""

    def __init__(self) -> None:
        self._changes: list[HistoryEvent] = []

    def feed(self, event: HistoryEvent) -> None:
        """Take the next event."""
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED and _memo(event) is not None:
            self._changes.append(event)

    def payloads(self, history: History) -> Iterator[Payload]:
        """Yield what must be decoded to know the approvals."""
        for event in self._changes:
            if (payload := _memo(event)) is not None:
                yield payload
        for draft in history.drafts.values():
            if (payload := update_answer(draft, UPDATE)) is not None:
                yield payload

    def told(
        self, steps: list[Step], history: History, decoded: Decoded, now: datetime, workflow_id: str, *, waits: bool
    ) -> list[Step]:
        """Return the steps with one for each approval, of which its timers and its decision are part.

        Args:
            steps: The steps.
            history: The run's history.
            decoded: Gives what `payloads` yielded.
            now: The time of the look.
            workflow_id: Id of the run's workflow.
            waits: Whether the run waits for a decision, as the server has it: what cannot be decoded is told too.
        """
        asked = self._asked(history, decoded, waits)
        decisions = {decided.approval: number for number, decided in _decisions(history, decoded)}
        told = dict(_decisions(history, decoded))
        taken = {number for id, number in decisions.items() if id in asked}
        timers = {f"{what} of {id}" for id in asked for what in ("deadline", "reminder", "escalation")}
        kept = [
            step
            for step in steps
            if not (step.kind == "timer" and step.name in timers) and step.scheduled_event_id not in taken
        ]
        used = set(history.drafts)
        for id, one in asked.items():
            # Of several that came to be shown with one event all but the first stand behind the last event.
            event_id = one.opened.event_id
            while event_id in used:
                event_id = max(history.length, event_id) + 1
            used.add(event_id)
            number = decisions.get(id)
            came = _came_to(one, history, None if number is None else (history.drafts[number], told[number]))
            kept.append(_step(one, event_id, came, now, workflow_id))
        return sorted(kept, key=lambda step: step.scheduled_event_id)

    def _asked(self, history: History, decoded: Decoded, waits: bool) -> dict[str, _Asked]:
        found: dict[str, _Asked] = {}
        for event in self._changes:
            payload = _memo(event)
            told: Any = decoded(payload) if payload is not None else None
            # What cannot be decoded looks as what is empty does, but the last of them is there yet.
            if told is None and not (waits and event is self._changes[-1] and not _is_null(payload)):
                told = []
            try:
                shown = from_memo(told, utc((history.started or event).event_time))
            except pydantic.ValidationError:  # of another version
                continue
            for approval in shown:
                if (known := found.get(approval.id)) is None or known.closed is not None:
                    found[approval.id] = _Asked(approval=approval, opened=event)
                else:
                    known.approval = approval
            ids = {approval.id for approval in shown}
            for id, known in found.items():
                if id not in ids and known.closed is None:
                    known.closed = event
        return found


@dataclasses.dataclass(frozen=True, kw_only=True)
class _End:
    """How an approval ended.

    Attributes:
        state: In which state.
        said: What was decided, and by whom.
        at: When.
        event_id: With which event.
        observed_task: Which workflow task knew of it first.
    """

    state: State
    said: str
    at: datetime
    event_id: int
    observed_task: int | None


def _came_to(one: _Asked, history: History, decision: tuple[Draft, Decided] | None) -> _End | None:
    """Return how an approval ended; None while it waits."""
    approval, closed = one.approval, one.closed
    if decision is not None and decision[0].closed is not None:
        draft, decided = decision[0], decision[1]
        assert draft.closed is not None
        comment = f": {one_line(decided.comment, 200)}" if decided.comment else ""
        said = f"{one_line(outcome(decided.choice), 80)} by {one_line(decided.by or 'its deadline', 80)}{comment}"
        return _End(
            state="completed",
            said=said,
            at=decided.at,
            event_id=draft.closed.event_id,
            observed_task=draft.observed_task,
        )
    if closed is None:
        if history.closed is None:
            return None
        at = utc(history.closed.event_time)
        return _End(state="abandoned", said="", at=at, event_id=history.closed.event_id, observed_task=None)
    at, task = utc(closed.event_time), attributes(closed).workflow_task_completed_event_id
    state: State = "cancelled"
    said = ""
    if approval.until is not None and at >= approval.until:
        state = "timed_out" if approval.on_deadline is None else "completed"
        said = "nobody decided by its deadline" + (
            f", and so it is {one_line(outcome(approval.on_deadline), 80)}" if approval.on_deadline is not None else ""
        )
    return _End(state=state, said=said, at=at, event_id=closed.event_id, observed_task=task)


def _step(one: _Asked, event_id: int, end: _End | None, now: datetime, workflow_id: str) -> Step:
    approval = one.approval
    return Step(
        id=approval.id,
        kind="wait",
        name=approval.id,
        summary=one_line(approval.question, 200),
        state="waiting" if end is None else end.state,
        scheduled_time=approval.since,
        duration=max((now if end is None else end.at) - approval.since, timedelta()),
        scheduled_event_id=event_id,
        scheduled_task=attributes(one.opened).workflow_task_completed_event_id,
        closed_time=end.at if end is not None else None,
        closed_event_id=end.event_id if end is not None else None,
        observed_task=end.observed_task if end is not None else None,
        waiting_for=approval.waits_for() if end is None else None,
        outcome=end.said or None if end is not None else None,
        commands=commands(workflow_id, approval) if end is None else (),
    )


def commands(workflow_id: str, approval: Approval) -> tuple[str, ...]:
    """Return the commands by which somebody decides, each as it can be typed; none for what cannot be decoded here."""
    approving = [choice for choice in approval.choices if choice in approval.approving]
    others = [choice for choice in approval.choices if choice not in approval.approving]
    role = ("--role", approval.allowed[0]) if approval.allowed else ()
    found: list[str] = []
    for command, choices in (("approve", approving), ("reject", others)):
        # The form of an approval is read from standard input; who does not approve may leave it out.
        form = ("--input", "-") if approval.form is not None and command == "approve" else ()
        for choice in choices[:_CHOICES]:
            which = ("--choice", choice) if len(choices) > 1 else ()
            found.append(typed(command, workflow_id, approval.id, *which, *role, *form))
    return tuple(found)


def _decisions(history: History, decoded: Decoded) -> Iterator[tuple[int, Decided]]:
    """Yield the decisions that can be decoded, with the events of their updates."""
    for number, draft in history.drafts.items():
        if (payload := update_answer(draft, UPDATE)) is not None:
            try:
                yield number, _DECIDED.validate_python(decoded(payload))
            except pydantic.ValidationError:  # of another version, or it cannot be decoded here
                continue


def _memo(event: HistoryEvent) -> Payload | None:
    """Return what an event says that a run waits for; None if it says nothing of that."""
    return event.workflow_properties_modified_event_attributes.upserted_memo.fields.get(MEMO["approval"])


def _is_null(payload: Payload | None) -> bool:
    return payload is None or payload.metadata.get("encoding") == b"binary/null"
