"""What was done about the steps of a run that had failed for good, as its history has it: one step for each.

Behind a step that was repaired stand several activities of one id, and the updates of those who repaired it; behind one
that has its effect at most once also what its run did of itself: timers until it was tried again, activities that asked
whether it had happened. Here they become one step again, which shows what it came to.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

import pydantic
from temporalio.api.common.v1 import Payload

from segue.client._failures import Decoded
from segue.client._history import History, attributes, update_answer
from segue.client.records import Repair, Step
from segue.workflows.repair.records import ASKED, FAILED, RETRIED, UPDATE, Repaired

__all__ = ["answers_in", "repaired", "repairs_in", "result_of"]

_REPAIRED: Final = pydantic.TypeAdapter(Repaired)
_ACTIVITIES: Final = ("activity", "local_activity")
_FAILED: Final = ("failed", "timed_out")


def repairs_in(history: History) -> Iterator[Payload]:
    """Yield what must be decoded to know the repairs of a run."""
    for draft in history.drafts.values():
        if (payload := update_answer(draft, UPDATE)) is not None:
            yield payload


def answers_in(history: History, steps: Iterable[Step]) -> Iterator[Payload]:
    """Yield what must be decoded to know what systems said that were asked about a step."""
    for step in steps:
        if _told(ASKED, step.summary) and (payload := result_of(history, step)) is not None:
            yield payload


def repaired(steps: Iterable[Step], history: History, decoded: Decoded, now: datetime) -> list[Step]:
    """Return the steps, those that are of one step as one, with what was done about it.

    Args:
        steps: The steps, in the order of their first events.
        history: The run's history.
        decoded: Gives what `repairs_in` and `answers_in` yielded. What it lacks is told as it stands in the history.
        now: The time of the look.
    """
    fold = _Fold(history, decoded, now)
    for step in steps:
        fold.take(step)
    return fold.steps()


class _Fold:
    """The steps so far.

    Args:
        history: The run's history.
        decoded: Gives what payloads hold.
        now: The time of the look.
    """

    def __init__(self, history: History, decoded: Decoded, now: datetime) -> None:
        self._history = history
        self._decoded = decoded
        self._until = now
        self._steps: list[Step] = []
        # Where the steps are that have an id, the latest last, and those of them that are to be tried again.
        self._of: dict[str, list[int]] = {}
        self._again: dict[str, list[int]] = {}

    def steps(self) -> list[Step]:
        """Return the steps."""
        return self._steps

    def take(self, step: Step) -> None:
        """Take the next step, or what it tells of an earlier one."""
        if step.kind == "update" and (told := self._repaired(step)) is not None:
            self._repair(step, told)
        elif step.kind == "timer" and (id := _told(RETRIED, step.name)) in self._of:
            self._retry(id, step)
        elif step.kind == "timer" and _told(FAILED, step.name) in self._of:
            pass  # it takes a moment, and nothing of it is the workflow's
        elif step.kind in _ACTIVITIES:
            self._activity(step)
        else:
            self._steps.append(step)

    def _activity(self, step: Step) -> None:
        numbers = self._again.get(step.id, [])
        for number in numbers:
            if (before := self._steps[number]).name == step.name and before.kind == step.kind:
                self._steps[number] = _joined(before, step)
                numbers.remove(number)
                return
        self._of.setdefault(step.id, []).append(len(self._steps))
        self._steps.append(step)
        asked = self._failed(_told(ASKED, step.summary) or "", step)
        if asked is not None and self._happened(step):
            by = Repair(action="reconcile", by=step.name, at=step.closed_time or self._until)
            self._mend(asked, step, by, completed=True)

    def _retry(self, id: str, timer: Step) -> None:
        if (number := self._failed(id, timer)) is None:
            return
        step = self._steps[number]
        if timer.is_open:
            self._steps[number] = dataclasses.replace(
                step,
                state="backing_off",
                closed_time=None,
                next_attempt_time=timer.fire_time,
                duration=max(self._until - step.scheduled_time, timedelta()),
            )
        elif timer.state == "completed":
            # How often it is tried is the run's to say, and in no event.
            self._steps[number] = dataclasses.replace(step, maximum_attempts=0)
            self._again.setdefault(id, []).append(number)

    def _repair(self, update: Step, told: Repaired) -> None:
        # A second that is parked under one id is told with a number behind it.
        id = told.step if told.step in self._of else told.step.rpartition("#")[0]
        if (number := self._failed(id, update, told.activity)) is None:
            self._steps.append(update)
            return
        by = Repair(action=told.action, by=told.by, at=told.at, reason=told.reason, identity=told.identity)
        match told.action:
            case "result" | "skip":
                self._mend(number, update, by, completed=True)
            case "fail":
                self._mend(number, update, by)
            case "retry" | "retry_with":
                step = self._steps[number]
                is_open = self._history.closed is None
                self._steps[number] = dataclasses.replace(
                    step,
                    state="scheduled" if is_open else "abandoned",
                    closed_time=None,
                    closed_event_id=None,
                    observed_task=None,
                    waiting_for="its turn to be tried again" if is_open else None,
                    duration=max(self._until - step.scheduled_time, timedelta()),
                    repairs=(*step.repairs, by),
                )
                self._again.setdefault(id, []).append(number)

    def _mend(self, number: int, by: Step, repair: Repair, *, completed: bool = False) -> None:
        """Let a step have ended with another, which made up for its failure."""
        step = self._steps[number]
        ended = by.closed_time or repair.at
        self._steps[number] = dataclasses.replace(
            step,
            state="completed" if completed else step.state,
            closed_time=ended,
            closed_event_id=by.closed_event_id,
            observed_task=by.observed_task,
            duration=max(ended - step.scheduled_time, timedelta()),
            repairs=(*step.repairs, repair),
        )

    def _failed(self, id: str, before: Step, name: str | None = None) -> int | None:
        """Return where the latest step with an id is that had failed before another began."""
        for number in reversed(self._of.get(id, ())):
            step = self._steps[number]
            ended = step.closed_event_id is not None and step.closed_event_id <= before.scheduled_event_id
            if ended and step.state in _FAILED and (name is None or step.name == name):
                return number
        return None

    def _repaired(self, update: Step) -> Repaired | None:
        """Return what an update did about a step; None if it is another, or cannot be decoded here."""
        payload = update_answer(self._history.drafts[update.scheduled_event_id], UPDATE)
        try:
            return _REPAIRED.validate_python(self._decoded(payload)) if payload is not None else None
        except pydantic.ValidationError:  # of another version
            return None

    def _happened(self, asked: Step) -> bool:
        """Whether the system of a step said that it had happened: what it returned then is the step's result."""
        payload = result_of(self._history, asked)
        return payload is not None and self._decoded(payload) not in (None, False)


def _joined(before: Step, step: Step) -> Step:
    """Return two tries of a step as one step."""
    return dataclasses.replace(
        step,
        attempts=before.attempts + step.attempts,
        maximum_attempts=before.attempts + step.maximum_attempts if before.maximum_attempts else 0,
        scheduled_time=before.scheduled_time,
        scheduled_event_id=before.scheduled_event_id,
        scheduled_task=before.scheduled_task,
        parent_event_id=before.parent_event_id,
        queue_delay=before.queue_delay,
        duration=max(step.scheduled_time + step.duration - before.scheduled_time, timedelta()),
        error=step.error or before.error,
        repairs=before.repairs,
    )


def _told(pattern: str, text: str | None) -> str | None:
    """Return the id of the step that a summary tells of; None if it tells of none."""
    before, after = pattern.split("{}")
    if text is None or not text.startswith(before) or not text.endswith(after):
        return None
    return text[len(before) : len(text) - len(after)]


def result_of(history: History, step: Step) -> Payload | None:
    """Return what an activity or a child workflow returned; None if it returned nothing, or has not."""
    draft = history.drafts.get(step.scheduled_event_id)
    if draft is None or draft.closed is None or draft.state != "completed":
        return None
    said = attributes(draft.closed)
    payloads: Sequence[Payload] = (
        said.details["result"].payloads if draft.kind == "local_activity" else said.result.payloads
    )
    return payloads[0] if payloads else None
