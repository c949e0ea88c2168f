"""The workflows that the server lists, as its own records: the SDK's refuse a paused run, whose status they lack."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from temporalio.api.workflow.v1 import WorkflowExecutionInfo
    from temporalio.client import Client, WorkflowHistory

_PAGE: Final = 200

STATUSES: Final = {
    "running": "Running",
    "paused": "Paused",
    "completed": "Completed",
    "failed": "Failed",
    "cancelled": "Canceled",
    "terminated": "Terminated",
    "timed_out": "TimedOut",
    "continued_as_new": "ContinuedAsNew",
}
"""Status, as Segue says it, and as a list filter says it."""

_BY_NUMBER: Final = {
    1: "running",
    2: "completed",
    3: "failed",
    4: "cancelled",
    5: "terminated",
    6: "continued_as_new",
    7: "timed_out",
    8: "paused",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Execution:
    """One run as a list shows it.

    Attributes:
        workflow_id: Id of its workflow.
        run_id: Its id.
        type: Type of the workflow.
        status: As in `segue.client.Run`.
        task_queue: Queue of its workflow tasks.
        start_time: When it started, UTC.
        close_time: When it closed; None while it is open.
        duration: From start to close, or until now.
    """

    workflow_id: str
    run_id: str
    type: str
    status: str
    task_queue: str
    start_time: datetime
    close_time: datetime | None
    duration: timedelta


async def executions(client: Client, query: str) -> AsyncIterator[Execution]:
    """Yield the runs that a list filter finds, as the server lists them: the open ones, then the last to have closed.

    Raises:
        RPCError: The filter is wrong, or the server cannot be reached.
    """
    from segue.client._server import pages

    async for page in pages(client, query, _PAGE):
        for info in page:
            found = execution(info)
            held = found.status == "running" and await _is_held(client, info)
            yield dataclasses.replace(found, status="paused") if held else found


async def with_status(client: Client, status: str) -> str:
    """Return a list filter that finds the runs with a status, and others: whose status it is, `executions` tells."""
    from segue.client.waiting import has_attribute
    from segue.workflows.waiting import ATTRIBUTE

    wanted = f'ExecutionStatus = "{STATUSES[status]}"'
    if status != "paused":
        return wanted
    # To the server a run that `segue pause` holds is a running one.
    held = 'ExecutionStatus = "Running"'
    if await has_attribute(client):
        held += f' AND {ATTRIBUTE.name} = "paused"'
    return f"{wanted} OR ({held})"


async def _is_held(client: Client, info: WorkflowExecutionInfo) -> bool:
    """Return whether `segue pause` holds a run as a whole, and not only the steps of systems."""
    from segue.client.waiting import entries
    from segue.workflows.waiting import MEMO

    if MEMO["paused"] not in info.memo.fields:
        return False
    told = await entries(client, "paused", info.execution.workflow_id, info.memo.fields)
    return any(entry.get("system") is None for entry in told or ())


async def histories(client: Client, query: str) -> AsyncIterator[WorkflowHistory]:
    """Yield the histories of the runs that a list filter finds."""
    async for found in executions(client, query):
        yield await client.get_workflow_handle(found.workflow_id, run_id=found.run_id).fetch_history()


def execution(info: WorkflowExecutionInfo) -> Execution:
    """Return a run from the server's record of it."""
    start_time = info.start_time.ToDatetime(UTC)
    close_time = info.close_time.ToDatetime(UTC) if info.HasField("close_time") else None
    return Execution(
        workflow_id=info.execution.workflow_id,
        run_id=info.execution.run_id,
        type=info.type.name,
        status=_BY_NUMBER.get(info.status, "unknown"),
        task_queue=info.task_queue,
        start_time=start_time,
        close_time=close_time,
        duration=max((close_time or datetime.now(UTC)) - start_time, timedelta()),
    )


def ended(status: str) -> str:
    """Return a closed run's status as what became of it: `completed`, `was cancelled`."""
    words = {"timed_out": "timed out", "continued_as_new": "continued as new"}.get(status, status)
    return f"was {words}" if status in ("cancelled", "terminated") else words
