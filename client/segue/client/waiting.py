"""Runs that wait for somebody: found by the server's search attribute, or by their memos.

    async for info in waiting(client, "approval"):
        print(info.execution.workflow_id, info.memo)

Needs no worker: `segue.workflows.waiting` has told the server.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any, Final

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.client import Client
from temporalio.converter import WorkflowSerializationContext
from temporalio.service import RPCError

from segue.client._server import pages
from segue.workflows.waiting import ATTRIBUTE, MEMO, Kind

__all__ = ["entries", "has_attribute", "waiting"]

_TIMEOUT: Final = timedelta(seconds=5)


async def has_attribute(client: Client) -> bool:
    """Return whether the client's namespace has the search attribute `SegueWaitingFor`; False if it does not say."""
    request = ListSearchAttributesRequest(namespace=client.namespace)
    try:
        found = await client.operator_service.list_search_attributes(request, timeout=_TIMEOUT)
    except RPCError:  # it may be forbidden to ask, and a test server may not know the question
        return False
    return found.custom_attributes.get(ATTRIBUTE.name) == IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD_LIST


async def waiting(
    client: Client, kind: Kind, *, scan: bool = False, query: str | None = None
) -> AsyncGenerator[WorkflowExecutionInfo]:
    """Yield the open runs that wait for something of a kind, the latest first, as the server lists them.

    A run shows up about a second after it began to wait.

    Args:
        client: A client.
        kind: What they wait for.
        scan: Whether to read through all open runs in any case. Where the namespace lacks the search attribute that is
            done anyway; where it has, the runs are found only so which began to wait before their workers knew of it.
        query: A visibility query that they match too.

    Raises:
        RPCError: The server cannot be reached, or refuses.
    """
    listed = "ExecutionStatus = 'Running'" if query is None else f"ExecutionStatus = 'Running' AND ({query})"
    if not scan and await has_attribute(client):
        listed += f" AND {ATTRIBUTE.name} = '{kind}'"
    async for page in pages(client, listed):
        for info in page:
            # A run that continued as new has its predecessor's search attributes, but not its memo.
            if MEMO[kind] in info.memo.fields:
                yield info


async def entries(client: Client, kind: Kind, workflow_id: str, fields: Any) -> list[Any] | None:
    """Return what a run waits for, from its memo's fields; None if it cannot be decoded here."""
    payload: Payload | None = fields.get(MEMO[kind])
    if payload is None:
        return []
    context = WorkflowSerializationContext(namespace=client.namespace, workflow_id=workflow_id)
    try:
        decoded: list[Any] = await client.data_converter.with_context(context).decode([payload])
    except Exception:  # a codec may raise anything, and a list with a gap is better than none
        return None
    told: list[Any] | None = decoded[0] if isinstance(decoded[0], list) else None  # pyright: ignore[reportUnknownVariableType]
    return told
