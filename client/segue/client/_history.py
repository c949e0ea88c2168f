"""The events of a run, folded in one pass into a draft of each step.

    history = History()
    async for event in handle.fetch_history_events():
        history.feed(event)

Nothing is decoded here and no time is looked at: `segue.client._events` makes records of the drafts, and what no event
tells, such as the attempts of an open activity, `segue.client.inspect` adds.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType, TimeoutType, WorkflowTaskFailedCause
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent

from segue.client.records import Kind, State, Status

__all__ = ["Draft", "History", "attributes", "update_answer"]


def attributes(event: HistoryEvent) -> Any:
    """Return what an event says, by its type."""
    return getattr(event, event.WhichOneof("attributes") or "")


@dataclasses.dataclass(slots=True)
class Draft:
    """A step in the making: its events so far.

    Attributes:
        kind: What the step is.
        opened: Its first event.
        state: Where it is by its events.
        scheduled_task: Completed workflow task that asked for it, by event id.
        started: Event of its start, where there is one.
        closed: Event of its end.
        observed_task: Completed workflow task that first knew of its end, by event id.
        parent: Draft of the signal or update whose handler asked for it.
        local: Of a local activity, what the SDK's core wrote into its newest marker.
        timer: Of a local activity, the timer until its next attempt.
        task_started: Of a local activity, the start of the workflow task that its newest marker is of.
    """

    kind: Kind
    opened: HistoryEvent
    state: State
    scheduled_task: int | None = None
    started: HistoryEvent | None = None
    closed: HistoryEvent | None = None
    observed_task: int | None = None
    parent: Draft | None = None
    local: dict[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    timer: HistoryEvent | None = None
    task_started: HistoryEvent | None = None


def update_answer(draft: Draft, name: str) -> Payload | None:
    """Return what an update of a name returned; None for any other step, and for one that has returned nothing."""
    if draft.kind != "update" or draft.closed is None or draft.state != "completed":
        return None
    said = attributes(draft.started or draft.opened)
    accepted = "accepted_request" in said.DESCRIPTOR.fields_by_name
    request = said.accepted_request if accepted else said.request
    payloads: Sequence[Payload] = attributes(draft.closed).outcome.success.payloads
    return payloads[0] if request.input.name == name and payloads else None


class History:
    """The events of one run, fed in order.

    Attributes:
        drafts: Its steps, by the id of their first event and in that order.
        started: The run's first event.
        closed: The event that closed it, None while it is open.
        status: Its status by its events.
        task: The event of the workflow task that is due or under way, None if there is none.
        task_failure: The event of its failed workflow task, None once a workflow task has completed.
        last_task: The event of its last completed workflow task.
        paused: The event that paused it, None if it is not paused.
        length: Number of events.
    """

    def __init__(self) -> None:
        self.drafts: dict[int, Draft] = {}
        self.started: HistoryEvent | None = None
        self.closed: HistoryEvent | None = None
        self.status: Status = "running"
        self.task: HistoryEvent | None = None
        self.task_failure: HistoryEvent | None = None
        self.last_task: HistoryEvent | None = None
        self.paused: HistoryEvent | None = None
        self.length = 0
        self._updates: dict[str, Draft] = {}
        # Local activities that are backing off, by their type and first schedule: each attempt has another id.
        self._backing_off: dict[tuple[Any, ...], Draft] = {}
        # Closed steps that no workflow task has seen yet, and how many of them the task under way sees.
        self._unseen: list[Draft] = []
        self._taken = 0
        self._task_started_event: HistoryEvent | None = None

    def feed(self, event: HistoryEvent) -> None:
        """Take the next event."""
        self.length += 1
        kind = event.event_type
        if opening := _OPENINGS.get(kind):
            self._open(event, *opening)
        elif closing := _CLOSINGS.get(kind):
            reference, state = closing
            self._close(self.drafts.get(getattr(attributes(event), reference)), event, state)
        elif progress := _PROGRESS.get(kind):
            reference, state = progress
            if draft := self.drafts.get(getattr(attributes(event), reference)):
                draft.state = state
                if state == "running":
                    draft.started = event
        elif status := _STATUSES.get(kind):
            self.closed, self.status = event, status
        elif handler := self._HANDLERS.get(kind):
            handler(self, event)

    def _open(self, event: HistoryEvent, kind: Kind, state: State) -> Draft:
        draft = Draft(kind, event, state, getattr(attributes(event), "workflow_task_completed_event_id", None))
        self.drafts[event.event_id] = draft
        for marker in event.event_group_markers:
            if marker.HasField("inbound_event"):
                draft.parent = self.drafts.get(marker.inbound_event.inbound_event_id)
            elif marker.HasField("inbound_update"):
                draft.parent = self._updates.get(marker.inbound_update.inbound_update_id)
        return draft

    def _close(self, draft: Draft | None, event: HistoryEvent, state: State) -> None:
        if draft is not None:
            draft.closed, draft.state = event, state
            self._unseen.append(draft)

    def _run_started(self, event: HistoryEvent) -> None:
        self.started = event

    def _run_paused(self, event: HistoryEvent) -> None:
        self.paused, self.status = event, "paused"

    def _run_unpaused(self, event: HistoryEvent) -> None:
        self.paused, self.status = None, "running"

    def _task_scheduled(self, event: HistoryEvent) -> None:
        self.task = event

    def _task_started(self, event: HistoryEvent) -> None:
        # What closes while the task is under way is written after it, and the next task sees it.
        self._taken, self._task_started_event = len(self._unseen), event

    def _task_completed(self, event: HistoryEvent) -> None:
        for draft in self._unseen[: self._taken]:
            draft.observed_task = event.event_id
        del self._unseen[: self._taken]
        self._taken = 0
        self.last_task, self.task, self.task_failure = event, None, None

    def _task_failed(self, event: HistoryEvent) -> None:
        if event.workflow_task_failed_event_attributes.cause not in _HARMLESS:
            self.task_failure = event

    def _task_timed_out(self, event: HistoryEvent) -> None:
        # A sticky queue's schedule-to-start timeout only sends the task to another worker.
        kind = event.workflow_task_timed_out_event_attributes.timeout_type
        if kind == TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE:
            self.task_failure = event

    def _timer_started(self, event: HistoryEvent) -> None:
        delay = event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
        for draft in self._backing_off.values():
            # The SDK's own timer between two attempts of a local activity is part of that step.
            if draft.timer is None and _backoff(draft) == delay:
                draft.timer = event
                return
        self._open(event, "timer", "waiting")

    def _timer_cancelled(self, event: HistoryEvent) -> None:
        cancelled = event.timer_canceled_event_attributes
        if draft := self.drafts.get(cancelled.started_event_id):
            # The workflow's own doing, so the task that did it knows.
            draft.closed, draft.state = event, "cancelled"
            draft.observed_task = cancelled.workflow_task_completed_event_id

    def _signaled(self, event: HistoryEvent) -> None:
        self._close(self._open(event, "signal", "completed"), event, "completed")

    def _update_admitted(self, event: HistoryEvent) -> None:
        update_id = event.workflow_execution_update_admitted_event_attributes.request.meta.update_id
        self._updates[update_id] = self._open(event, "update", "scheduled")

    def _update_accepted(self, event: HistoryEvent) -> None:
        update_id = event.workflow_execution_update_accepted_event_attributes.protocol_instance_id
        draft = self._updates.get(update_id) or self._open(event, "update", "running")
        draft.state, draft.started = "running", event
        # What follows from an update follows from its acceptance; its completion is the workflow's own doing.
        draft.observed_task = self.last_task.event_id if self.last_task is not None else None
        self._updates[update_id] = draft

    def _update_completed(self, event: HistoryEvent) -> None:
        completed = event.workflow_execution_update_completed_event_attributes
        if draft := self._updates.get(completed.meta.update_id):
            draft.closed, draft.state = event, "failed" if completed.outcome.HasField("failure") else "completed"

    def _marker(self, event: HistoryEvent) -> None:
        marker = event.marker_recorded_event_attributes
        if marker.marker_name != "core_local_activity":
            return
        local = _local_data(marker)
        key = (local.get("activity_type"), str(local.get("original_schedule_time")))
        draft = self._backing_off.pop(key, None) or self._open(event, "local_activity", "completed")
        draft.local, draft.task_started, draft.timer = local, self._task_started_event, None
        if local.get("backoff") is not None:
            draft.state, draft.started, self._backing_off[key] = "backing_off", event, draft
            return
        draft.closed, draft.observed_task = event, marker.workflow_task_completed_event_id
        draft.state = _failed_state(marker.failure) if marker.HasField("failure") else "completed"

    _HANDLERS: ClassVar[dict[int, Callable[[History, HistoryEvent], None]]] = {
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: _run_started,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED: _run_paused,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED: _run_unpaused,
        EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED: _task_scheduled,
        EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED: _task_started,
        EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED: _task_completed,
        EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED: _task_failed,
        EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT: _task_timed_out,
        EventType.EVENT_TYPE_TIMER_STARTED: _timer_started,
        EventType.EVENT_TYPE_TIMER_CANCELED: _timer_cancelled,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: _signaled,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED: _update_admitted,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: _update_accepted,
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED: _update_completed,
        EventType.EVENT_TYPE_MARKER_RECORDED: _marker,
    }


# Events that open a step: its kind and its first state.
_OPENINGS: Final[dict[int, tuple[Kind, State]]] = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: ("activity", "scheduled"),
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: ("child_workflow", "scheduled"),
    EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: ("external_signal", "scheduled"),
    EventType.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: ("external_cancel", "scheduled"),
    EventType.EVENT_TYPE_NEXUS_OPERATION_SCHEDULED: ("nexus_operation", "scheduled"),
}

# Events that move an open step on: the field that names its first event, and its state from then on.
_PROGRESS: Final[dict[int, tuple[str, State]]] = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED: ("scheduled_event_id", "running"),
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED: ("scheduled_event_id", "cancel_requested"),
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED: ("initiated_event_id", "running"),
    EventType.EVENT_TYPE_NEXUS_OPERATION_STARTED: ("scheduled_event_id", "running"),
    EventType.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUESTED: ("scheduled_event_id", "cancel_requested"),
}

# Events that close a step: the field that names its first event, and its last state.
_CLOSINGS: Final[dict[int, tuple[str, State]]] = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: ("scheduled_event_id", "completed"),
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: ("scheduled_event_id", "failed"),
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: ("scheduled_event_id", "timed_out"),
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED: ("scheduled_event_id", "cancelled"),
    EventType.EVENT_TYPE_TIMER_FIRED: ("started_event_id", "completed"),
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED: ("initiated_event_id", "failed"),
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED: ("initiated_event_id", "completed"),
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED: ("initiated_event_id", "failed"),
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED: ("initiated_event_id", "cancelled"),
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT: ("initiated_event_id", "timed_out"),
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED: ("initiated_event_id", "terminated"),
    EventType.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED: ("initiated_event_id", "completed"),
    EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED: ("initiated_event_id", "failed"),
    EventType.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED: ("initiated_event_id", "completed"),
    EventType.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED: ("initiated_event_id", "failed"),
    EventType.EVENT_TYPE_NEXUS_OPERATION_COMPLETED: ("scheduled_event_id", "completed"),
    EventType.EVENT_TYPE_NEXUS_OPERATION_FAILED: ("scheduled_event_id", "failed"),
    EventType.EVENT_TYPE_NEXUS_OPERATION_CANCELED: ("scheduled_event_id", "cancelled"),
    EventType.EVENT_TYPE_NEXUS_OPERATION_TIMED_OUT: ("scheduled_event_id", "timed_out"),
}

# Events that close the run.
_STATUSES: Final[dict[int, Status]] = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: "completed",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: "failed",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: "timed_out",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: "cancelled",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: "terminated",
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: "continued_as_new",
}

# Workflow tasks that the server itself gave up, in the ordinary course of things.
_HARMLESS: Final = frozenset(
    {
        WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
        WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_UPDATE,
        WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_STICKY_TASK_QUEUE,
        WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW,
        WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
        WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FAILOVER_CLOSE_COMMAND,
        WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_PAUSE_REQUESTED_BEFORE_TASK_STARTED,
    }
)


def _local_data(marker: Any) -> dict[str, Any]:
    """Return what the SDK's core wrote of a local activity: JSON of its own, past every converter and codec."""
    for payload in marker.details["data"].payloads if "data" in marker.details else ():
        try:
            data: Any = json.loads(payload.data)
        except ValueError:
            continue
        if isinstance(data, dict):
            return data  # pyright: ignore[reportUnknownVariableType]
    return {}


def _backoff(draft: Draft) -> timedelta:
    backoff = draft.local["backoff"]
    return timedelta(seconds=backoff.get("seconds", 0), microseconds=backoff.get("nanos", 0) // 1000)


def _failed_state(failure: Failure) -> State:
    inner = failure.cause if failure.HasField("activity_failure_info") and failure.HasField("cause") else failure
    if inner.HasField("canceled_failure_info"):
        return "cancelled"
    return "timed_out" if inner.HasField("timeout_failure_info") else "failed"
