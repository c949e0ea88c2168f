"""Park and repair: which steps wait for an operator, in one run or in all, and what is done about them.

    for one in await parked(client, system="payments"):
        print(one.workflow_id, one.step.step, one.step.error)

    await repair(client.get_workflow_handle("order-17"), "charge-1", "retry", reason="the bank is back")

What is parked is told by the server, whether or not a worker is alive. A repair needs a worker, which checks it before
it is taken, so whoever repairs is told at once whether it was.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from segue.client._parked import commands, parked_in
from segue.client._updates import RunEnded, send_update
from segue.client.waiting import entries, waiting
from segue.workflows.repair import InvalidRepair, NoSuchStep, NotParked, ParkedStep, Repaired, RepairRefused
from segue.workflows.repair.records import CHECK, QUERY, UPDATE, Action, Request
from segue.workflows.waiting import SHOWN

__all__ = [
    "Attempt",
    "Parked",
    "check_repair",
    "commands",
    "is_meant",
    "parked",
    "parked_in_memo",
    "parked_of",
    "repair",
    "repair_all",
]

_REFUSALS: Final[Mapping[str, type[RepairRefused]]] = {
    cls.__name__: cls for cls in (InvalidRepair, NoSuchStep, NotParked)
}
_PATIENCE: Final = timedelta(seconds=5)
_AT_ONCE: Final = 16
# The server lets a run have ten updates under way, and somebody else may have some.
_AT_ONCE_IN_A_RUN: Final = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parked:
    """A step that waits for an operator, and where.

    Attributes:
        workflow_id: Id of the workflow.
        run_id: Id of the run.
        workflow_type: Type of the workflow.
        step: The step, without its input and its types, which `parked_of` tells.
    """

    workflow_id: str
    run_id: str
    workflow_type: str
    step: ParkedStep


@dataclasses.dataclass(frozen=True, kw_only=True)
class Attempt:
    """What came of a repair, one of many.

    Attributes:
        parked: The step.
        repaired: What was done; None if nothing was, or if it was only checked.
        refused: Why nothing was; None if it was, or could be.
    """

    parked: Parked
    repaired: Repaired | None = None
    refused: str | None = None


async def parked(
    client: Client,
    query: str | None = None,
    *,
    system: str | None = None,
    step: str | None = None,
    scan: bool = False,
) -> list[Parked]:
    """Return what is parked in all open runs of the client's namespace, the oldest first.

    A step shows up about a second after it parked. Of a run with more than 20, a worker must be alive to tell all.

    Args:
        client: A client, with the data converter that the runs' payloads need.
        query: A visibility query that the runs match too, such as "WorkflowType = 'FulfilOrder'".
        system: Only the steps of this system.
        step: Only the steps of this activity, or with this id.
        scan: Whether to read through all open runs, see `segue.client.waiting`.

    Raises:
        RPCError: The server cannot be reached, or refuses.
    """
    found: list[Parked] = []
    async for info in waiting(client, "parked", scan=scan, query=query):
        workflow_id, run_id = info.execution.workflow_id, info.execution.run_id
        steps = await parked_in_memo(client, workflow_id, info.memo.fields)
        # A memo tells of no more; a worker tells of all.
        if len(steps) >= SHOWN:
            steps = await _all_of(client.get_workflow_handle(workflow_id, run_id=run_id), steps)
        found.extend(
            Parked(workflow_id=workflow_id, run_id=run_id, workflow_type=info.type.name, step=one)
            for one in steps
            if is_meant(one, system, step)
        )
    return sorted(found, key=lambda one: one.step.since)


def is_meant(parked: ParkedStep, system: str | None, step: str | None) -> bool:
    """Whether a parked step is of a system, and of an activity or with an id, where these are given."""
    return (system is None or parked.system == system) and (step is None or step in (parked.activity, parked.step))


async def parked_in_memo(client: Client, workflow_id: str, memo: Mapping[str, Any]) -> list[ParkedStep]:
    """Return the parked steps of a run, from the fields of its memo: the first 20, and none that cannot be decoded."""
    return parked_in(await entries(client, "parked", workflow_id, memo))


async def parked_of(handle: WorkflowHandle[Any, Any], *, timeout: timedelta = _PATIENCE) -> list[ParkedStep]:
    """Return the parked steps of a run with their inputs and types: asked of its worker.

    Raises:
        WorkflowQueryFailedError: No step of the run has parked yet.
        RPCError: No worker answers in time, or the server does not know the workflow, or cannot be reached.
    """
    found: list[ParkedStep] = await handle.query(QUERY, result_type=list[ParkedStep], rpc_timeout=timeout)
    return found


async def repair(
    handle: WorkflowHandle[Any, Any],
    step: str,
    action: Action,
    *,
    input: Any = None,
    result: Any = None,
    reason: str | None = None,
    by: str | None = None,
) -> Repaired:
    """Repair a parked step, and return what was done, once a worker has taken it.

    Bound the wait for a worker with `asyncio.timeout`; a repair that was sent may still be taken after that.

    Args:
        handle: The workflow.
        step: Id of the step.
        action: What to do. "retry" tries it again, with its input and its idempotency key: an effect that did happen
            is found again. "retry_with" tries it with another input, as another effect with a key of its own. "result"
            takes a result in its place, "skip" takes None, and "fail" lets it fail with its error.
        input: For "retry_with", its argument, or a list of all if it takes several.
        result: For "result", what the step is to have returned.
        reason: Why: it is kept in the run's history.
        by: Who repairs; by default the identity of the client, which the history keeps in any case.

    Raises:
        RepairRefused: Nothing was done, and nothing has changed: one of `NoSuchStep`, `NotParked` and `InvalidRepair`.
        TimeoutError: The server gave up waiting for a worker. The repair may still be taken.
        RPCError: The server does not know the workflow, or cannot be reached.
    """
    try:
        return await send_update(handle, UPDATE, [_request(step, action, input, result, reason, by)], Repaired)
    except WorkflowUpdateFailedError as error:
        raise _refusal(error) from None
    except RunEnded:
        raise NotParked(f"{step!r} is not parked: its run has ended") from None


async def check_repair(
    handle: WorkflowHandle[Any, Any],
    step: str,
    action: Action,
    *,
    input: Any = None,
    result: Any = None,
    timeout: timedelta = _PATIENCE,
) -> None:
    """Do nothing if a step can be repaired so: asked of its worker, which changes nothing.

    Raises:
        RepairRefused: It cannot.
        TimeoutError: No worker answers in time.
        RPCError: The server does not know the workflow, or cannot be reached.
    """
    try:
        refused: list[str] | None = await handle.query(
            CHECK, _request(step, action, input, result, None, None), rpc_timeout=timeout
        )
    except WorkflowQueryFailedError:
        raise NoSuchStep(f"There is no step {step!r}: none has parked") from None
    except RPCError as error:
        if error.status in (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED):
            raise TimeoutError(f"No answer from {handle.id} in {timeout.total_seconds():g} s") from error
        raise
    if refused is not None:
        raise _REFUSALS.get(refused[0], InvalidRepair)(refused[1])


async def repair_all(
    client: Client,
    found: Sequence[Parked],
    action: Action,
    *,
    input: Any = None,
    result: Any = None,
    reason: str | None = None,
    by: str | None = None,
    dry_run: bool = False,
    timeout: timedelta = timedelta(seconds=30),
    done: Callable[[Attempt], None] | None = None,
) -> list[Attempt]:
    """Repair many parked steps, as `parked` returns them, and return what came of each, in their order.

    Whatever becomes of one, the others are repaired. A run whose worker does not answer is left at that.

    Args:
        client: The client.
        found: The steps.
        action: What to do, with `input`, `result`, `reason` and `by` as for `repair`.
        dry_run: Whether only to check whether it could be done.
        timeout: How long to wait for the worker of each run.
        done: Called with each as soon as it is known.
    """
    turns = asyncio.Semaphore(_AT_ONCE)
    turns_of: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_AT_ONCE_IN_A_RUN))
    silent: set[str] = set()

    async def mend(of: Parked) -> Repaired | None:
        """Repair a step, or check that it could be."""
        handle, step = client.get_workflow_handle(of.workflow_id, run_id=of.run_id), of.step.step
        async with asyncio.timeout(timeout.total_seconds()):
            if dry_run:
                await check_repair(handle, step, action, input=input, result=result, timeout=timeout)
                return None
            return await repair(handle, step, action, input=input, result=result, reason=reason, by=by)

    async def one(of: Parked) -> Attempt:
        repaired: Repaired | None = None
        refused: str | None = None
        async with turns_of[of.run_id], turns:
            try:
                if of.run_id in silent:
                    refused = "no worker answers"
                else:
                    repaired = await mend(of)
            except RepairRefused as error:
                refused = error.message
            except TimeoutError:
                silent.add(of.run_id)
                refused = "no worker answers" + ("" if dry_run else "; the repair was sent, and may still be taken")
            except RPCError as error:
                refused = f"the server answers {error.status.name.lower()}: {error.message}"
            except WorkflowUpdateFailedError as error:
                refused = str(error.cause or error)
        attempt = Attempt(parked=of, repaired=repaired, refused=refused)
        if done is not None:
            done(attempt)
        return attempt

    return list(await asyncio.gather(*map(one, found)))


async def _all_of(handle: WorkflowHandle[Any, Any], known: list[ParkedStep]) -> list[ParkedStep]:
    """Return all parked steps of a run, in short; those that are known if no worker tells."""
    try:
        found = await parked_of(handle)
    except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
        return known
    return [dataclasses.replace(one, input=None, takes=(), returns=None) for one in found]


def _request(step: str, action: Action, input: Any, result: Any, reason: str | None, by: str | None) -> dict[str, Any]:
    request = Request.model_construct(step=step, action=action, input=input, result=result, reason=reason, by=by)
    return request.model_dump(mode="json", exclude_defaults=True, warnings=False)


def _refusal(error: WorkflowUpdateFailedError) -> Exception:
    cause = error.cause
    if isinstance(cause, ApplicationError):
        if (refusal := _REFUSALS.get(cause.type or "")) is not None:
            return refusal(cause.message)
        # A run in which nothing has parked yet has no handler.
        if f"'{UPDATE}' expected but not found" in cause.message:
            return NoSuchStep("No step has parked")
    return error
