"""The pauses of a run as its history has them, which is so before any worker has heard of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import pydantic
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHandle, WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.service import RPCError

from segue.client._events import utc
from segue.client._failures import Decoded
from segue.client._history import History
from segue.client._parked import typed
from segue.client.records import Step
from segue.client.wording import time
from segue.workflows.features import Feature
from segue.workflows.pausing.pause import HEADER, PAUSE, QUERY, RESUME, Pause, Paused, Pauses, Request, begun, heed

__all__ = ["PauseHistory", "held_in", "held_steps", "pause_steps"]

# What a run may be asked for the feature for: its first step.
_STEPS: Final = frozenset(
    {
        EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
        EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED,
        EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
    }
)
_LOCAL_ACTIVITY: Final = "core_local_activity"
_PATCH: Final = "core_patch"
_UNREADABLE: Final = "(cannot be decoded here)"
_REQUEST: Final = pydantic.TypeAdapter(Request)


class PauseHistory:
    """The events of one run, fed in order.

    Attributes:
        supported: Whether the run's steps can be held; None while it has made none, for then it depends on the worker
            that makes the first.
    """

    def __init__(self) -> None:
        self.supported: bool | None = None
        self._header: bytes | None = None
        self._signals: list[HistoryEvent] = []

    def feed(self, event: HistoryEvent) -> None:
        """Take the next event."""
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
                fields = event.workflow_execution_started_event_attributes.header.fields
                self._header = fields[HEADER].data if HEADER in fields else None
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
                if event.workflow_execution_signaled_event_attributes.signal_name in (PAUSE, RESUME):
                    self._signals.append(event)
            case EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                flags = event.workflow_task_completed_event_attributes.sdk_metadata.lang_used_flags
                if self.supported is None and Feature.CARRIED_STEPS in flags:
                    self.supported = True
            case EventType.EVENT_TYPE_MARKER_RECORDED:
                marker = event.marker_recorded_event_attributes
                patch = b"".join(payload.data for part in marker.details.values() for payload in part.payloads)
                if self.supported is None and marker.marker_name == _PATCH:
                    self.supported = True if Feature.CARRIED_STEPS.patch.encode() in patch else None
                elif self.supported is None and marker.marker_name == _LOCAL_ACTIVITY:
                    self.supported = False
            case kind if kind in _STEPS and self.supported is None:
                self.supported = False
            case _:
                pass

    def payloads(self) -> Iterator[Payload]:
        """Yield what must be decoded to know the pauses."""
        for event in self._signals:
            yield from event.workflow_execution_signaled_event_attributes.input.payloads[:1]

    def summaries(self, decoded: Decoded) -> dict[int, str]:
        """Return who paused and resumed what and why, by the events of their signals, as far as it can be decoded."""
        found: dict[int, str] = {}
        for event in self._signals:
            payloads = event.workflow_execution_signaled_event_attributes.input.payloads
            try:
                asked = _REQUEST.validate_python(decoded(payloads[0])) if payloads else Request()
            except ValueError:
                continue
            system = f"{asked.system} " if asked.system is not None else ""
            found[event.event_id] = f"{system}by {asked.by}" + (f": {asked.reason}" if asked.reason else "")
        return found

    def pauses(self, decoded: Decoded) -> Pauses:
        """Return the pauses that hold now; none in a run whose steps cannot be held."""
        if self.supported is False:
            return {}
        pauses = begun(self._header)
        for event in self._signals:
            signal = event.workflow_execution_signaled_event_attributes
            payload = signal.input.payloads[0] if signal.input.payloads else None
            given = decoded(payload) if payload is not None else None
            if given is None and payload is not None and payload.data not in (b"", b"null"):
                given = {"by": signal.identity, "reason": _UNREADABLE}
            try:
                heed(pauses, signal.signal_name, given, utc(event.event_time))
            except ValueError:  # the run does not heed it either
                continue
        return pauses


def pause_steps(
    history: History, before: int, pauses: Iterable[Pause], held: int | None, now: datetime, workflow_id: str
) -> Iterator[Step]:
    """Yield a step for each pause that holds in an open run. No event is its own, so they stand behind the last.

    Args:
        history: The run's history.
        before: How many steps stand behind its last event already, at most.
        pauses: The pauses.
        held: How many steps wait for them; None if no worker told.
        now: The time of the look.
        workflow_id: Id of the run's workflow.
    """
    for number, pause in enumerate(pauses, 1):
        name = "paused" if pause.system is None else f"paused:{pause.system}"
        yield Step(
            id=name,
            kind="wait",
            name=name,
            summary=None,
            state="paused",
            scheduled_time=pause.since,
            duration=max(now - pause.since, timedelta()),
            scheduled_event_id=history.length + before + number,
            scheduled_task=history.last_task.event_id if history.last_task is not None else None,
            waiting_for=pause.waits_for(held),
            commands=(typed("resume", workflow_id, *(("--system", pause.system) if pause.system is not None else ())),),
        )


def held_steps(history: History, before: int, told: Paused, now: datetime) -> Iterator[Step]:
    """Yield a step for each activity that is held back, of which no event tells yet: they stand behind the last.

    Args:
        history: The run's history.
        before: How many steps stand behind its last event already, at most.
        told: What is held, as its worker says.
        now: The time of the look.
    """
    more = f"{told.turns:,} {'step waits' if told.turns == 1 else 'steps wait'} for a turn"
    for number, held in enumerate(told.steps, 1):
        yield Step(
            id=held.id or f"held-{number}",
            kind=held.kind,
            name=held.name,
            summary=None,
            state="paused" if held.paused else "scheduled",
            scheduled_time=held.since,
            duration=max(now - held.since, timedelta()),
            scheduled_event_id=history.length + before + number,
            scheduled_task=history.last_task.event_id if history.last_task is not None else None,
            waiting_for=f"{'an operator to resume it' if held.paused else more}, held back since {time(held.since)}",
        )


async def held_in(handle: WorkflowHandle[Any, Any], timeout: timedelta) -> Paused | None:
    """Return how a run is paused and what is held back in it; None if no worker says so in time."""
    try:
        told: Paused = await handle.query(QUERY, result_type=Paused, rpc_timeout=timeout)
    except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
        return None
    return told
