"""A system's own task queue stopped, so that the steps of runs started meanwhile wait in it: its rate limit is zero.

The server keeps the limit until somebody sets another, across restarts of workers and of itself. The limit that was set
before is kept in the reason that the server stores with it.
"""

from __future__ import annotations

import asyncio
import re
from typing import Final

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import RateLimitConfig
from temporalio.api.taskqueue.v1 import TaskQueue as TaskQueueName
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, UpdateTaskQueueConfigRequest
from temporalio.client import Client

__all__ = ["is_stopped", "start", "stop", "stopped_by"]

_OURS: Final = "segue pause"
# A queue's parts learn of a new limit by polling its root: within milliseconds as a rule.
_SPREADS_S: Final = 5
_BEFORE: Final = re.compile(r" \(limit before: ([0-9.e+-]+)/s\)$")


async def is_stopped(client: Client, task_queue: str) -> bool:
    """Return whether a queue's rate limit lets no step start.

    Raises:
        RPCError: The server does not tell, or cannot be reached.
    """
    return _is_zero(await _limit(client, task_queue))


def stopped_by(limit: RateLimitConfig) -> str | None:
    """Return who stopped a queue and why, as `segue pause` has noted it; None if nobody did."""
    if not _is_zero(limit):
        return None
    return _BEFORE.sub("", limit.metadata.reason.removeprefix(f"{_OURS}: ")) or "somebody"


async def stop(client: Client, task_queue: str, why: str) -> bool:
    """Let no step of a queue start, and return whether any could before.

    Raises:
        RPCError: The server cannot do it, or refuses.
    """
    limit = await _limit(client, task_queue)
    if _is_zero(limit):
        return False
    before = f" (limit before: {limit.rate_limit.requests_per_second:g}/s)" if limit.HasField("rate_limit") else ""
    await _set(client, task_queue, 0.0, f"{_OURS}: {why}{before}")
    return True


async def start(client: Client, task_queue: str, why: str) -> bool:
    """Undo `stop`, and return whether there was anything to undo: not if the queue was stopped by other means.

    Raises:
        RPCError: The server cannot do it, or refuses.
    """
    limit = await _limit(client, task_queue)
    if not (_is_zero(limit) and limit.metadata.reason.startswith(_OURS)):
        return False
    before = _BEFORE.search(limit.metadata.reason)
    await _set(client, task_queue, float(before[1]) if before is not None else None, f"segue resume: {why}")
    return True


def _is_zero(limit: RateLimitConfig) -> bool:
    return limit.HasField("rate_limit") and limit.rate_limit.requests_per_second == 0


async def _limit(client: Client, task_queue: str) -> RateLimitConfig:
    described = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueueName(name=task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            report_config=True,
        ),
        retry=True,
    )
    return described.config.queue_rate_limit


async def _set(client: Client, task_queue: str, per_second: float | None, reason: str) -> None:
    update = UpdateTaskQueueConfigRequest.RateLimitUpdate(reason=reason)
    if per_second is not None:
        update.rate_limit.requests_per_second = per_second
    updated = await client.workflow_service.update_task_queue_config(
        UpdateTaskQueueConfigRequest(
            namespace=client.namespace,
            identity=client.identity,
            task_queue=task_queue,
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            update_queue_rate_limit=update,
        )
    )
    # The server answers before it tells the new limit when asked: whoever resumes at once would find nothing stopped.
    written = updated.config.queue_rate_limit.metadata.update_time.ToNanoseconds()
    try:
        async with asyncio.timeout(_SPREADS_S):
            while (await _limit(client, task_queue)).metadata.update_time.ToNanoseconds() < written:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    except TimeoutError:
        pass  # it is written, and is told late
