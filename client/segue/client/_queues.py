"""The task queues that an open run depends on, and the workers that poll them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from temporalio.api.enums.v1 import PendingActivityState, TaskQueueType, WorkerStatus
from temporalio.api.taskqueue.v1 import TaskQueue as TaskQueueName
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkflowExecutionResponse,
    ListWorkersRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError

from segue.client._history import History, attributes
from segue.client._stopped import stopped_by
from segue.client.records import TaskQueue

__all__ = ["is_polled", "queues_of"]

# A worker asks again at the latest when its poll of a minute has ended; one that has not for longer is gone.
_POLL_AGE: Final = timedelta(seconds=75)

# Queues that are asked about for one run. Each costs two calls.
_LIMIT: Final = 20


async def queues_of(
    client: Client, history: History, described: DescribeWorkflowExecutionResponse
) -> tuple[TaskQueue, ...]:
    """Return the queues that an open run depends on: its own first, then those in which its activities wait."""
    waiting = dict.fromkeys(
        pending.activity_options.task_queue.name
        for pending in described.pending_activities
        if pending.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    )
    if not waiting:
        # Scheduled between the two looks at the run, or on a server that does not tell the options of an activity.
        for draft in history.drafts.values():
            if draft.kind == "activity" and draft.state == "scheduled":
                waiting.setdefault(attributes(draft.opened).task_queue.name)
    names = [name for name in waiting if name][:_LIMIT]
    return tuple(
        await asyncio.gather(
            _queue(client, described.workflow_execution_info.task_queue, "workflow"),
            *(_queue(client, name, "activity") for name in names),
        )
    )


async def is_polled(client: Client, task_queue: str) -> bool:
    """Return whether a worker polls a queue for workflow tasks."""
    return bool((await _queue(client, task_queue, "workflow")).pollers)


async def _queue(client: Client, name: str, type: Literal["workflow", "activity"]) -> TaskQueue:
    kind = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW if type == "workflow" else TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
    described, stopped = await asyncio.gather(
        client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=client.namespace,
                task_queue=TaskQueueName(name=name),
                task_queue_type=kind,
                report_stats=True,
                report_config=True,
            ),
            retry=True,
        ),
        _stopped(client, name),
    )
    now = datetime.now(UTC)
    polls = {poller.identity: poller.last_access_time.ToDatetime(tzinfo=UTC) for poller in described.pollers}
    return TaskQueue(
        name=name,
        type=type,
        pollers=tuple(
            identity for identity, polled in polls.items() if now - polled < _POLL_AGE and identity not in stopped
        ),
        last_poll_time=max(polls.values(), default=None),
        backlog=described.stats.approximate_backlog_count,
        rate_limited=described.stats.rate_limiting_active,
        stopped=stopped_by(described.config.queue_rate_limit),
    )


async def _stopped(client: Client, task_queue: str) -> set[str]:
    """Return the identities of workers that said that they stop; the queue goes on listing them for five minutes."""
    quoted = task_queue.replace("\\", "\\\\").replace("'", "\\'")
    try:
        listed = await client.workflow_service.list_workers(
            ListWorkersRequest(namespace=client.namespace, query=f"TaskQueue='{quoted}'", page_size=1000)
        )
    except RPCError:  # an older server does not keep track
        return set()
    statuses: dict[str, set[int]] = {}
    for worker in listed.workers_info:
        heartbeat = worker.worker_heartbeat
        statuses.setdefault(heartbeat.worker_identity, set()).add(heartbeat.status)
    return {identity for identity, seen in statuses.items() if WorkerStatus.WORKER_STATUS_RUNNING not in seen}
