"""What a run did, and what it waits for, whether or not a worker is alive.

    for step in await segue.client.steps(client.get_workflow_handle("order-17")):
        print(step.name, step.state, step.attempts, step.waiting_for)

Everything comes from the Temporal server: the run's history, joined with what the server knows of its open steps and of
the workers that poll its task queues. A worker is asked only for what no event tells: which steps of a graph are still
to come, and where its code waits, when nothing is open.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio.api.common.v1 import Payload
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.client import WorkflowHandle, WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.service import RPCError

from segue.client._approvals import ApprovalHistory
from segue.client._decoding import decode
from segue.client._events import payloads_in, run_error, steps_of, utc
from segue.client._failures import Decoded
from segue.client._fanned import fan_outs_in, fanned, reports_in
from segue.client._history import History, attributes
from segue.client._parked import parked_in, with_parked
from segue.client._pauses import PauseHistory, held_in, held_steps, pause_steps
from segue.client._pending import joined, pending_payloads
from segue.client._queues import queues_of
from segue.client._repaired import answers_in, repaired, repairs_in
from segue.client._server import describe
from segue.client._stack import located
from segue.client._waiting import Waiting
from segue.client.graphs import graphs_of, pending_in
from segue.client.records import FanOut, Run, Step
from segue.client.repairs import parked_of
from segue.client.wording import is_shown, one_line
from segue.workflows.fanout.shown import QUERY, Progress
from segue.workflows.graph.shown import DeclaredStep
from segue.workflows.repair import ParkedStep
from segue.workflows.waiting import MEMO, SHOWN

__all__ = ["run", "steps"]

_QUERY_TIMEOUT: Final = timedelta(seconds=1)
_RESULT_LIMIT: Final = 500


async def steps(handle: WorkflowHandle[Any, Any], *, query_timeout: timedelta | None = _QUERY_TIMEOUT) -> list[Step]:
    """Return every step of a run in the order of their first events: the `steps` of `run`.

    Raises:
        RPCError: The server does not know the workflow, or cannot be reached.
    """
    return list((await run(handle, query_timeout=query_timeout)).steps)


async def run(handle: WorkflowHandle[Any, Any], *, query_timeout: timedelta | None = _QUERY_TIMEOUT) -> Run:
    """Return a run with its steps, what it waits for, and what is wrong with it.

    The run is the handle's; a handle without a run id means the latest run of its workflow. Of a chain that continues
    as new this is the last link: the others have run ids and histories of their own, see `continued_from_run_id`.

    Local activities are seen once the workflow task that they are part of has completed, and an update once it has been
    accepted: before that the server knows nothing of them.

    Args:
        handle: The workflow, from a client with the data converter that its payloads need. What cannot be decoded is
            left out; everything else is told.
        query_timeout: How long a worker may take to answer, where one polls: which steps of a graph are still to come,
            and, when nothing is open, where the run's code waits. None never asks one.

    Raises:
        RPCError: The server does not know the workflow, or cannot be reached.
    """
    client = handle._client  # pyright: ignore[reportPrivateUsage]
    described = await describe(client, handle.id, handle.run_id)
    # History is read second, so that it knows of everything that was described, and of the same run.
    handle = client.get_workflow_handle(handle.id, run_id=described.workflow_execution_info.execution.run_id)
    history, pausing, approvals = History(), PauseHistory(), ApprovalHistory()
    async for event in handle.fetch_history_events():
        history.feed(event)
        pausing.feed(event)
        approvals.feed(event)
    told = (*_payloads(history, described), *pausing.payloads(), *approvals.payloads(history), *repairs_in(history))
    decoded = await decode(client, handle.id, told)
    pauses = tuple(pausing.pauses(decoded).values()) if history.closed is None else ()
    queues = await queues_of(client, history, described) if history.closed is None else ()
    now = datetime.now(UTC)
    waiting = Waiting(history=history, described=described, queues=queues, decoded=decoded, now=now, pauses=pauses)
    said = pausing.summaries(decoded)
    found = [
        dataclasses.replace(step, summary=said[step.scheduled_event_id]) if step.scheduled_event_id in said else step
        for step in joined(steps_of(history, now, decoded), described, decoded, now)
    ]
    answers = await decode(client, handle.id, [*answers_in(history, found), *reports_in(history, found)])
    found = fanned(found, history, answers, handle.id)
    found = [
        dataclasses.replace(step, waiting_for=step.waiting_for or waiting.step(step)) if step.is_open else step
        for step in repaired(found, history, lambda payload: decoded(payload) or answers(payload), now)
    ]
    if history.closed is None:
        asks = query_timeout if queues and queues[0].pollers else None
        found = with_parked(found, await _parked(handle, waiting, asks), handle.id, now)
    waits = MEMO["approval"] in described.workflow_execution_info.memo.fields
    found = approvals.told(found, history, decoded, now, handle.id, waits=waits and history.closed is None)
    if pauses or any(step.is_open and not is_shown(step) for step in found):
        asks = query_timeout if queues and queues[0].pollers else None
        held = await held_in(handle, asks) if asks is not None else None
        found += pause_steps(history, len(found), pauses, held.held if held is not None else None, now, handle.id)
        found += held_steps(history, len(found), held, now) if held is not None else ()
    if waiting.status == "running" and not waiting.task_pending and not any(step.is_open for step in found):
        wait = _wait(history, now)
        if wait is not None and query_timeout is not None and queues and queues[0].pollers:
            wait = await located(handle, wait, query_timeout)
        found += [wait] if wait is not None else []
    graphs = await _graphs(handle, waiting, query_timeout)
    fan_outs = await _fan_outs(handle, waiting, found, query_timeout)
    return dataclasses.replace(
        _run(waiting, tuple(found)), graphs=graphs, pending=pending_in(graphs), fan_outs=fan_outs
    )


def _run(waiting: Waiting, steps: tuple[Step, ...]) -> Run:
    history, info = waiting.history, waiting.described.workflow_execution_info
    started = attributes(history.started) if history.started is not None else None
    closed = attributes(history.closed) if history.closed is not None else None
    start_time = utc(history.started.event_time if history.started is not None else info.start_time)
    close_time = utc(history.closed.event_time) if history.closed is not None else None
    metadata = waiting.described.execution_config.user_metadata
    summary = waiting.decoded(metadata.summary) if metadata.HasField("summary") else None
    return Run(
        workflow_id=info.execution.workflow_id,
        run_id=info.execution.run_id,
        type=info.type.name,
        status=waiting.status,
        summary=None if summary is None else str(summary),
        task_queue=info.task_queue,
        start_time=start_time,
        close_time=close_time,
        duration=max((close_time or waiting.now) - start_time, timedelta()),
        steps=steps,
        waiting_for=waiting.run(steps) if closed is None else None,
        problems=tuple(waiting.problems(steps)) if closed is None else (),
        result=_result(history, waiting.decoded),
        error=run_error(history, waiting.decoded),
        history_length=max(info.history_length, history.length),
        history_size_bytes=info.history_size_bytes,
        queues=waiting.queues,
        parent_workflow_id=info.parent_execution.workflow_id or None,
        first_run_id=started.first_execution_run_id or None if started is not None else None,
        continued_from_run_id=started.continued_execution_run_id or None if started is not None else None,
        continued_as_run_id=getattr(closed, "new_execution_run_id", None) or None,
        cancel_requested=waiting.described.workflow_extended_info.cancel_requested,
    )


def _wait(history: History, now: datetime) -> Step | None:
    """Return the step that stands for code waiting for a condition, None if the workflow's code has not run yet."""
    if history.last_task is None:
        return None
    since = utc(history.last_task.event_time)
    return Step(
        id="wait",
        kind="wait",
        name="wait",
        summary=None,
        state="waiting",
        scheduled_time=since,
        duration=max(now - since, timedelta()),
        # No event is its own, so it stands behind the last.
        scheduled_event_id=history.length + 1,
        scheduled_task=history.last_task.event_id,
        waiting_for="a signal, an update, or a condition",
    )


async def _parked(handle: WorkflowHandle[Any, Any], waiting: Waiting, timeout: timedelta | None) -> list[ParkedStep]:
    """Return the parked steps of an open run: from its memo, or from its worker where they are more than that tells."""
    payload = waiting.described.workflow_execution_info.memo.fields.get(MEMO["parked"])
    found = parked_in(waiting.decoded(payload)) if payload is not None else []
    if len(found) >= SHOWN and timeout is not None:
        try:
            return await parked_of(handle, timeout=timeout)
        except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
            pass  # those of the memo are better than none
    return found


async def _fan_outs(
    handle: WorkflowHandle[Any, Any], waiting: Waiting, steps: Sequence[Step], timeout: timedelta | None
) -> tuple[FanOut, ...]:
    """Return the fan-outs of a run. How many items one has that goes on is asked of a worker: no event says."""
    found, queues = fan_outs_in(steps), waiting.queues
    goes_on = any(step.items is not None and step.is_open for step in steps)
    if not goes_on or timeout is None or not queues or not queues[0].pollers:
        return found
    try:
        told: list[Progress] = await handle.query(QUERY, result_type=list[Progress], rpc_timeout=timeout)
    except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
        return found
    totals = {one.name: one.total for one in told}
    return tuple(dataclasses.replace(one, total=totals.get(one.name, one.total)) for one in found)


async def _graphs(
    handle: WorkflowHandle[Any, Any], waiting: Waiting, timeout: timedelta | None
) -> tuple[tuple[DeclaredStep, ...], ...]:
    """Return the graphs of an open run, as far as a worker says so; code that fails, or has not run, says nothing."""
    history, queues = waiting.history, waiting.queues
    if history.closed is not None or history.last_task is None or waiting.task_error() is not None:
        return ()
    if timeout is None or not queues or not queues[0].pollers:
        return ()
    return await graphs_of(handle, timeout=timeout) or ()


def _result(history: History, decoded: Decoded) -> str | None:
    for payload in _result_payloads(history):
        value = decoded(payload)
        try:
            return None if value is None else one_line(json.dumps(value, ensure_ascii=False), _RESULT_LIMIT)
        except (TypeError, ValueError):
            return one_line(repr(value), _RESULT_LIMIT)
    return None


def _result_payloads(history: History) -> Sequence[Payload]:
    if history.closed is None or history.status != "completed":
        return ()
    payloads: Sequence[Payload] = attributes(history.closed).result.payloads
    return payloads[:1]


def _payloads(history: History, described: DescribeWorkflowExecutionResponse) -> Iterable[Payload]:
    """Yield everything that must be decoded to tell of a run."""
    yield from payloads_in(history)
    yield from pending_payloads(described)
    yield from _result_payloads(history)
    if MEMO["parked"] in described.workflow_execution_info.memo.fields:
        yield described.workflow_execution_info.memo.fields[MEMO["parked"]]
    if described.execution_config.user_metadata.HasField("summary"):
        yield described.execution_config.user_metadata.summary
