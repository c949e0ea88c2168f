"""Approvals: what waits for a decision, in one run or in all, and the decision itself.

    for pending in await pending_approvals(client):
        print(pending.workflow_id, pending.approval.id, pending.approval.question)

    decided = await decide(client.get_workflow_handle("order-17"), approve=True, comment="as agreed")

What waits is told by the server, whether or not a worker is alive. A decision needs a worker, which checks it before it
is taken, so whoever decides is told at once whether it was.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pydantic
from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from segue.client._updates import RunEnded, send_update
from segue.client.waiting import entries, waiting
from segue.workflows.approvals import (
    AlreadyDecided,
    AmbiguousApproval,
    Approval,
    Decided,
    DecisionNotAllowed,
    DecisionRefused,
    InvalidDecision,
    NoSuchApproval,
)
from segue.workflows.approvals.decision import QUERY, UPDATE, Request

__all__ = ["Pending", "approvals_in", "approvals_of", "decide", "pending_approvals", "from_memo"]

_REFUSALS: Final[Mapping[str, type[DecisionRefused]]] = {
    cls.__name__: cls
    for cls in (AlreadyDecided, AmbiguousApproval, DecisionNotAllowed, InvalidDecision, NoSuchApproval)
}
_APPROVAL: Final = pydantic.TypeAdapter(Approval)
_PATIENCE: Final = timedelta(seconds=5)
_UNREADABLE: Final = "(cannot be decoded here)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pending:
    """An approval that waits for a decision, and where.

    Attributes:
        workflow_id: Id of the workflow.
        run_id: Id of the run.
        workflow_type: Type of the workflow.
        approval: The approval, in short: without its details and its form's schema, which `approvals_of` tells.
    """

    workflow_id: str
    run_id: str
    workflow_type: str
    approval: Approval


async def pending_approvals(client: Client, *, scan: bool = False) -> list[Pending]:
    """Return what waits for a decision in all open runs of the client's namespace, the oldest first.

    An approval shows up about a second after the run asked for it. At most 20 of a run are told.

    Args:
        client: A client, with the data converter that the runs' payloads need.
        scan: Whether to read through all open runs, see `segue.client.waiting`.

    Raises:
        RPCError: The server cannot be reached, or refuses.
    """
    found = [
        Pending(
            workflow_id=info.execution.workflow_id,
            run_id=info.execution.run_id,
            workflow_type=info.type.name,
            approval=approval,
        )
        async for info in waiting(client, "approval", scan=scan)
        for approval in await approvals_in(client, info.execution.workflow_id, info.memo.fields, info.start_time)
    ]
    return sorted(found, key=lambda pending: pending.approval.since)


async def approvals_in(client: Client, workflow_id: str, memo: Mapping[str, Any], start_time: Any) -> list[Approval]:
    """Return what waits for a decision in a run, from the fields of its memo.

    What cannot be decoded here is told as one approval that says so: it began at the run's start, or later.
    """
    return from_memo(await entries(client, "approval", workflow_id, memo), start_time.ToDatetime(UTC))


def from_memo(told: list[Any] | None, start_time: datetime) -> list[Approval]:
    """Return the approvals that a decoded memo tells of, None standing for one that cannot be decoded."""
    if told is not None:
        return [_APPROVAL.validate_python(entry) for entry in told]
    return [Approval(id="?", question=_UNREADABLE, choices=(), approving=(), since=start_time)]


async def approvals_of(handle: WorkflowHandle[Any, Any], *, timeout: timedelta = _PATIENCE) -> list[Approval]:
    """Return every approval of a run, decided ones too, with details and forms: asked of its worker.

    Raises:
        WorkflowQueryFailedError: The run has asked for no approval yet.
        RPCError: No worker answers in time, or the server does not know the workflow, or cannot be reached.
    """
    found: list[Approval] = await handle.query(QUERY, result_type=list[Approval], rpc_timeout=timeout)
    return found


async def decide(
    handle: WorkflowHandle[Any, Any],
    approval: str | None = None,
    *,
    approve: bool | None = None,
    choice: str | None = None,
    comment: str | None = None,
    input: Any = None,
    by: str | None = None,
    roles: Collection[str] = (),
) -> Decided:
    """Decide an approval of a run, and return the decision as it was recorded, once a worker has taken it.

    Bound the wait for a worker with `asyncio.timeout`; a decision that was sent may still be taken after that.

    Args:
        handle: The workflow.
        approval: Id of the approval; by default the only one that is open.
        approve: Whether to approve, where that says which choice is meant.
        choice: The choice, where it does not.
        comment: Why.
        input: The value of the approval's form, or JSON that is one.
        by: Who decides; by default the identity of the client, which the history keeps in any case.
        roles: Further names that stand for who decides, such as their groups.

    Raises:
        DecisionRefused: The decision was not taken, and nothing has changed: one of `NoSuchApproval`,
            `AlreadyDecided`, `AmbiguousApproval`, `InvalidDecision` and `DecisionNotAllowed`.
        TimeoutError: The server gave up waiting for a worker. The decision may still be taken.
        RPCError: The server does not know the workflow, or it has ended, or the server cannot be reached.
    """
    request = Request(
        approval=approval, choice=choice, approve=approve, comment=comment, input=input, by=by, roles=tuple(roles)
    )
    try:
        return await send_update(handle, UPDATE, [request.model_dump(mode="json", exclude_defaults=True)], Decided)
    except WorkflowUpdateFailedError as error:
        raise _refusal(error) from None
    except RunEnded as error:
        # Often a run ends with the decision, and who comes second is to hear of that.
        raise await _ended(handle, approval) or error from None


async def _ended(handle: WorkflowHandle[Any, Any], approval: str | None) -> Exception | None:
    """Return how an approval of a run that has ended was decided, or ended too; None if no worker tells."""
    try:
        told = await approvals_of(handle, timeout=_PATIENCE)
    except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
        return None
    # A run that was terminated leaves open ones, and of these there is nothing to tell.
    found = [one for one in told if approval in (None, one.id) and one.state != "pending"]
    return AlreadyDecided(f"The run has ended: {found[-1].ended()}") if found else None


def _refusal(error: WorkflowUpdateFailedError) -> Exception:
    cause = error.cause
    if isinstance(cause, ApplicationError):
        if (refusal := _REFUSALS.get(cause.type or "")) is not None:
            return refusal(cause.message)
        # A run that has asked for nothing yet has no handler.
        if f"'{UPDATE}' expected but not found" in cause.message:
            return NoSuchApproval("Nothing waits for a decision")
    return error
