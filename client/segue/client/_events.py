"""What the events of a step say, as a record: one function for each kind of step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import (
    RetryState,
    SignalExternalWorkflowExecutionFailedCause,
    StartChildWorkflowExecutionFailedCause,
    TimeoutType,
)
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent

from segue.client._failures import Decoded, error_of, payloads_of
from segue.client._history import Draft, History, attributes
from segue.client.records import OPEN, Error, Kind, Step

__all__ = ["enum_words", "payloads_in", "run_error", "steps_of", "utc"]


def utc(timestamp: Timestamp) -> datetime:
    """Return a protobuf timestamp as a datetime in UTC."""
    return timestamp.ToDatetime(tzinfo=UTC)


def enum_words(enum: Any, value: int, prefix: str) -> str:
    """Return the name of a protobuf enum's value without its prefix, in lower case; its number if it is not known."""
    try:
        name: str = enum.Name(value)
    except ValueError:
        return str(value)
    return name.removeprefix(prefix).lower()


def payloads_in(history: History) -> Iterator[Payload]:
    """Yield what must be decoded to read a history: summaries, and failures that are encoded."""
    for draft in history.drafts.values():
        if draft.opened.user_metadata.HasField("summary"):
            yield draft.opened.user_metadata.summary
        yield from payloads_of(_failure(draft.closed or draft.started))
    yield from payloads_of(_failure(history.closed))
    yield from payloads_of(_failure(history.task_failure))


def steps_of(history: History, now: datetime, decoded: Decoded) -> list[Step]:
    """Return the steps that a history tells of, in the order of their first events."""
    until = utc(history.closed.event_time) if history.closed is not None else now
    ends = _local_ends(history)
    steps: list[Step] = []
    for event_id, draft in history.drafts.items():
        said = _SAYS[draft.kind](draft, decoded)
        event = draft.opened
        scheduled_time = said.pop("scheduled_time", None) or utc(event.event_time)
        closed_time = ends.get(event_id) or (utc(draft.closed.event_time) if draft.closed is not None else None)
        steps.append(
            Step(
                id=said.pop("id", None) or f"{draft.kind}-{event_id}",
                kind=draft.kind,
                summary=said.pop("summary", None) or _summary(event, decoded),
                state="abandoned" if history.closed is not None and draft.state in OPEN else draft.state,
                scheduled_time=scheduled_time,
                closed_time=closed_time,
                duration=max((closed_time or until) - scheduled_time, timedelta()),
                scheduled_event_id=event_id,
                closed_event_id=draft.closed.event_id if draft.closed is not None else None,
                scheduled_task=draft.scheduled_task,
                observed_task=draft.observed_task,
                parent_event_id=draft.parent.opened.event_id if draft.parent is not None else None,
                **said,
            )
        )
    return steps


def run_error(history: History, decoded: Decoded) -> Error | None:
    """Return why a run failed, None if it did not."""
    if history.status == "terminated":
        terminated = attributes(history.closed) if history.closed is not None else None
        reason = getattr(terminated, "reason", "") or "no reason given"
        return Error(
            type="TerminatedError", message=f"{reason} (by {getattr(terminated, 'identity', '') or 'the server'})"
        )
    if history.status == "timed_out":
        return Error(type="TimeoutError", message="the run took longer than its timeout")
    return error_of(_failure(history.closed), decoded)


def _summary(event: HistoryEvent, decoded: Decoded) -> str | None:
    summary = decoded(event.user_metadata.summary) if event.user_metadata.HasField("summary") else None
    return None if summary is None else str(summary)


def _failure(event: HistoryEvent | None) -> Failure | None:
    """Return the failure that an event carries, None if it carries none."""
    if event is None:
        return None
    said = attributes(event)
    if event.HasField("workflow_execution_update_completed_event_attributes"):
        said = said.outcome
    fields = said.DESCRIPTOR.fields_by_name
    return said.failure if "failure" in fields and said.HasField("failure") else None


def _size(event: HistoryEvent | None, field: str) -> int:
    said = attributes(event) if event is not None else None
    return getattr(said, field).ByteSize() if said is not None and field in said.DESCRIPTOR.fields_by_name else 0


def _activity(draft: Draft, decoded: Decoded) -> dict[str, Any]:
    scheduled = attributes(draft.opened)
    said: dict[str, Any] = {
        "id": scheduled.activity_id,
        "name": scheduled.activity_type.name,
        "maximum_attempts": scheduled.retry_policy.maximum_attempts,
        "task_queue": scheduled.task_queue.name,
        "input_bytes": scheduled.input.ByteSize(),
        "result_bytes": _size(draft.closed, "result"),
    }
    if draft.started is not None:
        started, time = attributes(draft.started), utc(draft.started.event_time)
        said |= {"attempts": started.attempt, "started_time": time, "identity": started.identity or None}
        if started.attempt == 1:
            said["queue_delay"] = max(time - utc(draft.opened.event_time), timedelta())
    failure = _failure(draft.closed)
    if failure is not None:
        said["error"] = error_of(failure, decoded, _limit(scheduled, failure))
        said["retry_state"] = enum_words(
            RetryState, attributes(draft.closed or draft.opened).retry_state, "RETRY_STATE_"
        )
    return said


def _limit(scheduled: Any, failure: Failure) -> timedelta | None:
    """Return the timeout that an activity exceeded."""
    if not failure.HasField("timeout_failure_info"):
        return None
    option = enum_words(TimeoutType, failure.timeout_failure_info.timeout_type, "TIMEOUT_TYPE_")
    option = "heartbeat_timeout" if option == "heartbeat" else f"{option}_timeout"
    return getattr(scheduled, option).ToTimedelta() if option in scheduled.DESCRIPTOR.fields_by_name else None


def _local_activity(draft: Draft, decoded: Decoded) -> dict[str, Any]:
    newest = draft.closed or draft.started or draft.opened
    details = attributes(newest).details
    said: dict[str, Any] = {
        "id": draft.local.get("activity_id"),
        "name": str(draft.local.get("activity_type") or "local activity"),
        "scheduled_time": _local_scheduled(draft),
        "attempts": int(draft.local.get("attempt") or 1),
        "error": error_of(_failure(newest), decoded),
        "result_bytes": details["result"].ByteSize() if "result" in details else 0,
    }
    if draft.timer is not None:
        said["next_attempt_time"] = (
            utc(draft.timer.event_time) + attributes(draft.timer).start_to_fire_timeout.ToTimedelta()
        )
    return said


def _local_time(draft: Draft, name: str) -> datetime | None:
    """Return a time from a local activity's marker, None if there is none of that name."""
    moment: Any = draft.local.get(name)
    try:
        return datetime.fromtimestamp(moment["seconds"], UTC) + timedelta(microseconds=moment["nanos"] // 1000)
    except (KeyError, TypeError):
        return None


def _local_scheduled(draft: Draft) -> datetime:
    recorded = utc(draft.opened.event_time)
    # The time is the worker's, whose clock may be ahead of the server's.
    return min(_local_time(draft, "original_schedule_time") or recorded, recorded)


def _local_ends(history: History) -> dict[int, datetime]:
    """Return about when each local activity ended, by the id of its first event.

    No marker says: all of a workflow task carry the time of that task, and their `complete_time` is on a clock of the
    workflow's own, which stands still while the workflow's code runs. But the time that passed on it between whatever
    ended last before an activity was scheduled and its own end is what the activity took, if it was tried once.
    """
    tasks: dict[int, list[Draft]] = {}
    for draft in history.drafts.values():
        if draft.kind == "local_activity" and draft.scheduled_task is not None:
            tasks.setdefault(draft.scheduled_task, []).append(draft)
    ends: dict[int, datetime] = {}
    for task, drafts in tasks.items():
        drafts.sort(key=_local_scheduled)
        for number, draft in enumerate(drafts):
            if draft.closed is None or draft.observed_task != task:
                continue
            scheduled, recorded = _local_scheduled(draft), utc(draft.closed.event_time)
            clock, earlier = _local_time(draft, "complete_time"), drafts[max(number - _LOOK_BACK, 0) : number]
            before = [d for d in earlier if ends.get(d.opened.event_id, recorded) <= scheduled]
            clocks = [time for d in before if (time := _local_time(d, "complete_time")) is not None]
            if draft.task_started is not None:
                clocks.append(utc(draft.task_started.event_time))
            if int(draft.local.get("attempt") or 1) > 1:
                # Its waits between attempts are on no clock; whatever was scheduled next was so when it had ended.
                later = (_local_scheduled(d) for d in drafts[number + 1 :][:_LOOK_BACK])
                end = min((time for time in later if time - scheduled > timedelta(milliseconds=1)), default=recorded)
            else:
                end = scheduled + max(clock - max(clocks), timedelta()) if clock is not None and clocks else recorded
            ends[draft.opened.event_id] = max(min(end, recorded), scheduled)
    return ends


# How many local activities around one are looked at to find when it ended.
_LOOK_BACK: Final = 100


def _timer(draft: Draft, decoded: Decoded) -> dict[str, Any]:
    started = attributes(draft.opened)
    return {
        "id": started.timer_id,
        "name": _summary(draft.opened, decoded) or "timer",
        "fire_time": utc(draft.opened.event_time) + started.start_to_fire_timeout.ToTimedelta(),
    }


def _child_workflow(draft: Draft, decoded: Decoded) -> dict[str, Any]:
    initiated = attributes(draft.opened)
    said: dict[str, Any] = {
        "id": initiated.workflow_id,
        "name": initiated.workflow_type.name,
        "task_queue": initiated.task_queue.name,
        "workflow_id": initiated.workflow_id,
        "input_bytes": initiated.input.ByteSize(),
        "result_bytes": _size(draft.closed, "result"),
        "error": error_of(_failure(draft.closed), decoded),
    }
    if (summary := _summary(draft.opened, decoded)) is not None:
        # The plugin's begins with the type, for the Web UI's sake.
        said["summary"] = summary.removeprefix(f"{said['name']} • ")
    if draft.started is not None:
        said["started_time"] = utc(draft.started.event_time)
        said["run_id"] = attributes(draft.started).workflow_execution.run_id
    if draft.closed is not None and draft.closed.HasField("start_child_workflow_execution_failed_event_attributes"):
        cause = enum_words(
            StartChildWorkflowExecutionFailedCause,
            attributes(draft.closed).cause,
            "START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_",
        )
        said["error"] = Error(type="StartChildWorkflowError", message=cause.replace("_", " "))
    return said


def _signal(draft: Draft, decoded: Decoded) -> dict[str, Any]:
    signaled = attributes(draft.opened)
    return {
        "name": signaled.signal_name,
        "identity": signaled.identity or None,
        "workflow_id": signaled.external_workflow_execution.workflow_id or None,
        "input_bytes": signaled.input.ByteSize(),
    }


def _update(draft: Draft, decoded: Decoded) -> dict[str, Any]:
    opened = attributes(draft.opened)
    request = (
        opened.request
        if draft.opened.HasField("workflow_execution_update_admitted_event_attributes")
        else opened.accepted_request
    )
    return {
        "id": request.meta.update_id,
        "name": request.input.name,
        "identity": request.meta.identity or None,
        "started_time": utc(draft.started.event_time) if draft.started is not None else None,
        "input_bytes": request.input.args.ByteSize(),
        "result_bytes": attributes(draft.closed).outcome.success.ByteSize() if draft.closed is not None else 0,
        "error": error_of(_failure(draft.closed), decoded),
    }


def _external(draft: Draft, decoded: Decoded) -> dict[str, Any]:
    initiated = attributes(draft.opened)
    target = initiated.workflow_execution
    said: dict[str, Any] = {
        "name": initiated.signal_name if draft.kind == "external_signal" else "cancel",
        "workflow_id": target.workflow_id,
        "run_id": target.run_id or None,
        "input_bytes": _size(draft.opened, "input"),
    }
    if draft.state == "failed" and draft.closed is not None:
        # Both kinds of events number their causes alike.
        cause = enum_words(
            SignalExternalWorkflowExecutionFailedCause,
            attributes(draft.closed).cause,
            "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_",
        )
        said["error"] = Error(
            type="ExternalWorkflowError", message=f"{cause.replace('_', ' ')}: {target.workflow_id!r}"
        )
    return said


def _nexus_operation(draft: Draft, decoded: Decoded) -> dict[str, Any]:
    scheduled = attributes(draft.opened)
    return {
        "id": attributes(draft.started).operation_token if draft.started is not None else None,
        "name": f"{scheduled.service}.{scheduled.operation}",
        "task_queue": None,
        "started_time": utc(draft.started.event_time) if draft.started is not None else None,
        "input_bytes": scheduled.input.ByteSize(),
        "result_bytes": _size(draft.closed, "result"),
        "error": error_of(_failure(draft.closed), decoded),
    }


_SAYS: Final[dict[Kind, Callable[[Draft, Decoded], dict[str, Any]]]] = {
    "activity": _activity,
    "local_activity": _local_activity,
    "timer": _timer,
    "child_workflow": _child_workflow,
    "signal": _signal,
    "update": _update,
    "external_signal": _external,
    "external_cancel": _external,
    "nexus_operation": _nexus_operation,
}
