"""What the server says of runs, asked in its own records: the SDK's refuse a paused run, whose status they lack."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    ListWorkflowExecutionsRequest,
)
from temporalio.client import Client

__all__ = ["describe", "pages"]

_PAGE: Final = 500


async def describe(client: Client, workflow_id: str, run_id: str | None = None) -> DescribeWorkflowExecutionResponse:
    """Return what the server says of a run, by default of the latest of its workflow.

    Raises:
        RPCError: The server does not know the workflow, or cannot be reached.
    """
    return await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(
            namespace=client.namespace,
            execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id or ""),
        ),
        retry=True,
    )


async def pages(client: Client, query: str, size: int = _PAGE) -> AsyncGenerator[list[WorkflowExecutionInfo]]:
    """Yield the runs that a list filter finds, the latest first, as many at a time as the server sends.

    Raises:
        RPCError: The filter is wrong, or the server cannot be reached.
    """
    token = b""
    while True:
        page = await client.workflow_service.list_workflow_executions(
            ListWorkflowExecutionsRequest(
                namespace=client.namespace, page_size=size, next_page_token=token, query=query
            ),
            retry=True,
        )
        yield list(page.executions)
        if not (token := page.next_page_token):
            return
