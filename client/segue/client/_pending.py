"""What the server knows of open steps beyond their events: attempts, last failure, next attempt, worker, heartbeat."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import datetime, timedelta

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import PendingActivityState, PendingNexusOperationState, TimeoutType
from temporalio.api.workflow.v1 import PendingActivityInfo, PendingNexusOperationInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from segue.client._events import utc
from segue.client._failures import Decoded, error_of, payloads_of
from segue.client.records import Step
from segue.client.wording import one_line

__all__ = ["joined", "pending_payloads"]


def pending_payloads(described: DescribeWorkflowExecutionResponse) -> Iterator[Payload]:
    """Yield what must be decoded to read a description: progress, and failures that are encoded."""
    for pending in described.pending_activities:
        yield from payloads_of(pending.last_failure)
        yield from pending.heartbeat_details.payloads
    for operation in described.pending_nexus_operations:
        yield from payloads_of(operation.last_attempt_failure)


def joined(
    steps: list[Step], described: DescribeWorkflowExecutionResponse, decoded: Decoded, now: datetime
) -> list[Step]:
    """Return the steps, the open ones with what the server knows of them beyond their events."""
    activities = {pending.activity_id: pending for pending in described.pending_activities}
    operations = {pending.scheduled_event_id: pending for pending in described.pending_nexus_operations}
    found: list[Step] = []
    for step in steps:
        if step.is_open and step.kind == "activity" and (activity := activities.get(step.id)):
            step = _activity(step, activity, decoded, now)
        elif step.is_open and (operation := operations.get(step.scheduled_event_id)):
            step = _operation(step, operation, decoded)
        found.append(step)
    return found


def _activity(step: Step, pending: PendingActivityInfo, decoded: Decoded, now: datetime) -> Step:
    step = dataclasses.replace(
        step,
        # The server counts the attempt that is due; a step counts those that were made.
        attempts=pending.attempt - 1 if pending.state in _BETWEEN_ATTEMPTS else pending.attempt,
        maximum_attempts=pending.maximum_attempts,
        task_queue=pending.activity_options.task_queue.name or step.task_queue,
        identity=pending.last_worker_identity or None,
        started_time=utc(pending.last_started_time) if pending.HasField("last_started_time") else None,
        error=error_of(pending.last_failure, decoded, _limit(pending)),
    )
    if pending.HasField("last_heartbeat_time"):
        details = [decoded(payload) for payload in pending.heartbeat_details.payloads]
        step = dataclasses.replace(
            step,
            last_heartbeat_time=utc(pending.last_heartbeat_time),
            heartbeat_details=tuple(detail for detail in details if detail is not None),
        )
    match pending.state:
        case PendingActivityState.PENDING_ACTIVITY_STATE_STARTED:
            waited = step.started_time - utc(pending.scheduled_time) if step.started_time is not None else None
            return dataclasses.replace(
                step, state="running", queue_delay=None if waited is None else max(waited, timedelta())
            )
        case PendingActivityState.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED:
            waiting_for = f"attempt {pending.attempt} on {step.identity} to end, and is then paused"
            return dataclasses.replace(step, state="running", waiting_for=waiting_for)
        case PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED:
            return dataclasses.replace(step, state="cancel_requested")
        case PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED:
            return dataclasses.replace(step, state="paused", waiting_for=_unpausing(pending))
        case _:
            due = utc(pending.next_attempt_schedule_time) if pending.HasField("next_attempt_schedule_time") else now
            # Once its time has come, it waits for a worker as a first attempt does.
            return step if due <= now else dataclasses.replace(step, state="backing_off", next_attempt_time=due)


_BETWEEN_ATTEMPTS = (
    PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED,
    PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED,
)


def _limit(pending: PendingActivityInfo) -> timedelta | None:
    """Return the timeout that the last attempt exceeded."""
    exceeded = pending.last_failure.timeout_failure_info.timeout_type
    if exceeded == TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE:
        return pending.activity_options.start_to_close_timeout.ToTimedelta()
    if exceeded == TimeoutType.TIMEOUT_TYPE_HEARTBEAT:
        return pending.activity_options.heartbeat_timeout.ToTimedelta()
    return None


def _unpausing(pending: PendingActivityInfo) -> str:
    manual = pending.pause_info.manual
    if not manual.identity:
        return "an operator to unpause it"
    reason = f": {one_line(manual.reason)}" if manual.reason else ""
    return f"an operator to unpause it (paused by {manual.identity}{reason})"


def _operation(step: Step, pending: PendingNexusOperationInfo, decoded: Decoded) -> Step:
    step = dataclasses.replace(step, attempts=pending.attempt, error=error_of(pending.last_attempt_failure, decoded))
    if pending.state == PendingNexusOperationState.PENDING_NEXUS_OPERATION_STATE_BACKING_OFF:
        return dataclasses.replace(step, state="backing_off", next_attempt_time=utc(pending.next_attempt_schedule_time))
    if pending.state == PendingNexusOperationState.PENDING_NEXUS_OPERATION_STATE_BLOCKED:
        return dataclasses.replace(step, waiting_for=one_line(pending.blocked_reason) or "its endpoint")
    return step
