"""Whether an attempt of an at-most-once step may follow others: only where the server knows that those did nothing.

The workflow that starts such a step has the server try it once, where its process knows the declaration. One that calls
it by name does not, nor does whoever starts it as an activity of its own, and then the server tries it again. So the
worker holds to it too:

    await none_before(client)      # Ambiguous, unless all earlier attempts are known to have done nothing

By induction: this is asked before each attempt, so the last one, if it said that nothing had happened, followed none
that may have done something.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.failure.v1 import Failure
from temporalio.api.workflowservice.v1 import DescribeActivityExecutionRequest, DescribeWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.service import RPCError

from segue.activities.errors import NOT_DONE, Ambiguous

__all__ = ["NOT_CALLED", "none_before"]

NOT_CALLED: Final = ("Activity function ", "Failed decoding arguments")
"""How the messages of the SDK's errors begin that come before it has called an activity's code."""

_TIMEOUT: Final = timedelta(seconds=5)


async def none_before(client: Client | None) -> None:
    """Do nothing if no attempt of this step before this one may have taken effect.

    Args:
        client: The worker's client; None if it is not known, and then nothing is known of other attempts.

    Raises:
        Ambiguous: One may have.
    """
    info = activity.info()
    if info.attempt == 1:
        return
    last = await _last_failure(client, info) if client is not None else None
    if last is not None and _did_nothing(last, info.attempt):
        return
    raise Ambiguous(
        f"Nobody knows whether it happened: {info.activity_type!r} is at-most-once, and this would be attempt "
        f"{info.attempt}. Import its declaration in the process that starts it, or give it a retry_policy with "
        "maximum_attempts=1"
    )


def _did_nothing(last: Failure, attempt: int) -> bool:
    if not last.HasField("application_failure_info"):
        return False  # a timeout
    if last.application_failure_info.type == NOT_DONE:
        return True
    # What the SDK says by itself says nothing of the attempts before that one.
    return attempt == 2 and not last.application_failure_info.non_retryable and last.message.startswith(NOT_CALLED)


async def _last_failure(client: Client, info: activity.Info) -> Failure | None:
    """Return why the attempt before this one failed, as the server has it; None if it does not say."""
    try:
        if info.workflow_id is None:
            alone = await client.workflow_service.describe_activity_execution(
                DescribeActivityExecutionRequest(
                    namespace=info.namespace,
                    activity_id=info.activity_id,
                    run_id=info.activity_run_id or "",
                    include_last_failure=True,
                ),
                retry=True,
                timeout=_TIMEOUT,
            )
            return alone.info.last_failure if alone.info.attempt == info.attempt else None
        run = WorkflowExecution(workflow_id=info.workflow_id, run_id=info.workflow_run_id or "")
        described = await client.workflow_service.describe_workflow_execution(
            DescribeWorkflowExecutionRequest(namespace=info.namespace, execution=run), retry=True, timeout=_TIMEOUT
        )
    except RPCError:
        return None
    for one in described.pending_activities:
        if (one.activity_id, one.attempt) == (info.activity_id, info.attempt):
            return one.last_failure
    return None
