"""Seeing a run: every kind of step on a real server, with workers alive, stopped, failing and missing."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import nexusrpc
import nexusrpc.handler
import pydantic
import pytest
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.nexus.v1 import EndpointSpec, EndpointTarget
from temporalio.api.operatorservice.v1 import CreateNexusEndpointRequest
from temporalio.api.workflowservice.v1 import PauseActivityRequest, PauseWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import RetryPolicy
from temporalio.converter import DataConverter, PayloadCodec
from temporalio.exceptions import ApplicationError
from temporalio.nexus import WorkflowRunOperationContext, workflow_run_operation
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

with workflow.unsafe.imports_passed_through():
    from segue.client._events import steps_of
    from segue.client._history import History
    from segue.client.inspect import run, steps
    from segue.client.records import Error, Run, Step

Handle = WorkflowHandle[Any, Any]
TEN_SECONDS = timedelta(seconds=10)


@activity.defn
async def reserve(order: str) -> str:
    return f"reserved {order}"


@activity.defn
async def charge(order: str) -> str:
    if order == "declined":
        raise ApplicationError("insufficient funds", type="CardDeclined", non_retryable=True)
    if order == "down" or (order == "flaky" and activity.info().attempt < 3):
        raise ConnectionError("no answer from the bank")
    if order == "crooked":
        try:
            raise ConnectionError("reset by peer")
        except ConnectionError as error:
            raise ApplicationError("the charge failed", type="ChargeFailed", non_retryable=True) from error
    return f"charged {order}"


@activity.defn
async def embed(pages: int) -> int:
    activity.heartbeat({"page": 7})
    await asyncio.sleep(600)
    return pages


ACTIVITIES = [reserve, charge, embed]


@workflow.defn
class Sequence3:
    @workflow.run
    async def run(self, order: str) -> str:
        options: Any = {"start_to_close_timeout": TEN_SECONDS}
        await workflow.execute_activity(reserve, order, summary=order, **options)
        await asyncio.gather(
            workflow.execute_activity(charge, order, **options),
            workflow.execute_activity(charge, order, summary="deposit", **options),
        )
        return await workflow.execute_activity(reserve, order, activity_id="the-last", **options)


@workflow.defn
class Charge:
    @workflow.run
    async def run(self, order: str, attempts: int, interval_seconds: float, task_queue: str | None = None) -> str:
        return await workflow.execute_activity(
            charge,
            order,
            start_to_close_timeout=TEN_SECONDS,
            task_queue=task_queue,
            retry_policy=RetryPolicy(
                maximum_attempts=attempts, initial_interval=timedelta(seconds=interval_seconds), backoff_coefficient=1
            ),
        )


@workflow.defn
class Embed:
    @workflow.run
    async def run(self, timeout_seconds: float) -> int:
        return await workflow.execute_activity(
            embed,
            300,
            summary="handbook.pdf",
            start_to_close_timeout=timedelta(seconds=timeout_seconds),
            heartbeat_timeout=timedelta(seconds=60),
            retry_policy=RetryPolicy(maximum_attempts=1),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )


@workflow.defn
class Waiting:
    """Waits for a condition that a signal or an update makes true."""

    def __init__(self) -> None:
        self.approved = False

    @workflow.signal
    async def approve(self, who: str) -> None:
        if who != "nobody":
            await workflow.execute_activity(reserve, who, start_to_close_timeout=TEN_SECONDS)
        self.approved = True

    @workflow.update
    async def correct(self, order: str) -> str:
        if order == "wrong":
            raise ApplicationError("there is no such order", type="NotFound")
        return await workflow.execute_activity(reserve, order, start_to_close_timeout=TEN_SECONDS)

    async def until_approved(self) -> None:
        await workflow.wait_condition(lambda: self.approved)

    @workflow.run
    async def run(self, in_a_task: bool = False) -> str:
        if in_a_task:
            await asyncio.create_task(self.until_approved())
        else:
            await self.until_approved()
        return await workflow.execute_activity(charge, "approved", start_to_close_timeout=TEN_SECONDS)


@workflow.defn
class Timers:
    def __init__(self) -> None:
        self.approved = False

    @workflow.signal
    def approve(self) -> None:
        self.approved = True

    @workflow.run
    async def run(self) -> None:
        await workflow.sleep(0.01)
        await workflow.sleep(0.01, summary="cool down")
        await workflow.wait_condition(lambda: self.approved, timeout=3600, timeout_summary="wait for approval")
        await workflow.sleep(timedelta(days=30), summary="return period")


@workflow.defn
class Parent:
    @workflow.run
    async def run(self) -> None:
        own = workflow.info().workflow_id
        await workflow.execute_child_workflow(
            Charge.run, args=["good", 1, 1.0], id=f"{own}-good", static_summary="good order"
        )
        for order in ("declined", "good"):
            # The second of these ids is taken.
            try:
                await workflow.execute_child_workflow(
                    Charge.run, args=[order, 1, 1.0], id=f"{own}-{order}", id_reuse_policy=_ONCE
                )
            except Exception:
                workflow.logger.info("the child failed")
        try:
            await workflow.get_external_workflow_handle("no-such-workflow").signal("approve")
        except Exception:
            workflow.logger.info("nobody there")
        try:
            await workflow.get_external_workflow_handle("no-such-workflow").cancel()
        except Exception:
            workflow.logger.info("nobody there either")
        await workflow.execute_child_workflow(Waiting.run, id=f"{own}-open")


with workflow.unsafe.imports_passed_through():
    from temporalio.common import WorkflowIDReusePolicy

    _ONCE = WorkflowIDReusePolicy.REJECT_DUPLICATE


@workflow.defn
class Local:
    @workflow.run
    async def run(self) -> str:
        options: Any = {"start_to_close_timeout": TEN_SECONDS}
        await workflow.execute_local_activity(reserve, "17", summary="17", **options)
        await asyncio.gather(*(workflow.execute_local_activity(charge, order, **options) for order in ("a", "b")))
        try:
            await workflow.execute_local_activity(charge, "declined", **options)
        except Exception:
            workflow.logger.info("declined")
        await workflow.execute_local_activity(
            charge,
            "flaky",
            retry_policy=RetryPolicy(initial_interval=timedelta(seconds=0.2), backoff_coefficient=1),
            local_retry_threshold=timedelta(seconds=0.1),
            **options,
        )
        return await workflow.execute_activity(charge, "end", **options)


@workflow.defn
class Broken:
    @workflow.run
    async def run(self) -> None:
        raise RuntimeError("this code has a bug")


@workflow.defn(name="Changing")
class Before:
    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity(embed, 1, start_to_close_timeout=timedelta(seconds=600))


@workflow.defn(name="Changing")
class After:
    @workflow.run
    async def run(self) -> int:
        await workflow.sleep(3600)
        return 0


@workflow.defn
class Again:
    @workflow.run
    async def run(self, left: int) -> str:
        await workflow.execute_activity(reserve, str(left), start_to_close_timeout=TEN_SECONDS)
        if left:
            workflow.continue_as_new(left - 1)
        return "done"


@nexusrpc.service
class Bank:
    transfer: nexusrpc.Operation[str, str]
    open_account: nexusrpc.Operation[str, str]


@nexusrpc.handler.service_handler(service=Bank)
class BankHandler:
    @nexusrpc.handler.sync_operation
    async def transfer(self, ctx: nexusrpc.handler.StartOperationContext, input: str) -> str:
        return f"transferred {input}"

    @workflow_run_operation
    async def open_account(self, ctx: WorkflowRunOperationContext, input: str) -> Any:
        return await ctx.start_workflow(Waiting.run, id=f"account-{uuid.uuid4()}")


@workflow.defn
class Banking:
    @workflow.run
    async def run(self, endpoint: str) -> None:
        bank = workflow.create_nexus_client(service=Bank, endpoint=endpoint)
        await bank.execute_operation(Bank.transfer, "10", summary="ten")
        await bank.execute_operation(Bank.open_account, "11")


WORKFLOWS: list[type] = [Sequence3, Charge, Embed, Waiting, Timers, Parent, Local, Broken, Again, Banking]


@asynccontextmanager
async def working(client: Client, task_queue: str, **options: Any) -> AsyncGenerator[Worker]:
    """A worker for everything above."""
    # The sandbox would import this module once for each workflow type of each worker, and is nothing to these tests.
    options = {
        "workflow_runner": UnsandboxedWorkflowRunner(),
        "workflows": WORKFLOWS,
        "activities": ACTIVITIES,
        **options,
    }
    async with Worker(client, task_queue=task_queue, **options) as worker:
        yield worker


async def start(client: Client, fn: Any, *args: Any, task_queue: str) -> Handle:
    return await client.start_workflow(fn, args=args, id=f"inspect-{uuid.uuid4()}", task_queue=task_queue)


async def update(handle: Handle, order: str, id: str) -> Any:
    return await handle.execute_update("correct", order, id=id)  # pyright: ignore[reportUnknownMemberType]


async def seen(handle: Handle, ready: Callable[[Run], object]) -> Run:
    """Look at a run until it is as wanted."""
    deadline = time.monotonic() + 30
    while True:
        found = await run(handle)
        if ready(found):
            return found
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    deadline = time.monotonic() + 30
    while not await condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def told(found: Sequence[Step], *fields: str) -> list[Any]:
    """The fields of each step, as tuples, or alone if one is asked for."""
    rows = [tuple(getattr(step, field) for field in fields) for step in found]
    return [row[0] for row in rows] if len(fields) == 1 else rows


@pytest.fixture
def task_queue() -> str:
    return f"inspect-{uuid.uuid4()}"


async def test_activities_are_told_in_order_with_what_scheduled_them(plain: Client, task_queue: str) -> None:
    """Each activity comes with its id, type, summary, times and sizes, and with the tasks that order it."""
    async with working(plain, task_queue):
        handle = await start(plain, Sequence3.run, "17", task_queue=task_queue)
        await handle.result()
    found = await run(handle)
    assert told(found.steps, "id", "kind", "name", "summary", "state", "attempts", "maximum_attempts") == [
        ("1", "activity", "reserve", "17", "completed", 1, 0),
        ("2", "activity", "charge", None, "completed", 1, 0),
        ("3", "activity", "charge", "deposit", "completed", 1, 0),
        ("the-last", "activity", "reserve", None, "completed", 1, 0),
    ]
    first, one, other, last = found.steps
    assert one.scheduled_task == other.scheduled_task == first.observed_task
    assert last.scheduled_task == max(one.observed_task or 0, other.observed_task or 0)
    assert last.observed_task is not None
    for step in found.steps:
        assert step.task_queue == task_queue
        assert step.identity == plain.identity
        assert step.started_time is not None
        assert step.closed_time is not None
        assert step.scheduled_time.tzinfo is UTC
        assert found.start_time <= step.scheduled_time <= step.started_time <= step.closed_time
        assert step.duration == step.closed_time - step.scheduled_time
        assert step.queue_delay == step.started_time - step.scheduled_time
        assert step.input_bytes > 0
        assert step.result_bytes > 0
        assert (step.error, step.waiting_for, step.retry_state, step.is_open) == (None, None, None, False)
    assert (found.status, found.type, found.task_queue) == ("completed", "Sequence3", task_queue)
    assert (found.result, found.error, found.waiting_for, found.problems) == ('"reserved 17"', None, None, ())
    assert found.close_time is not None
    assert found.duration == found.close_time - found.start_time
    assert found.history_length == len((await handle.fetch_history()).events)
    assert found.history_size_bytes > 0


async def test_a_step_that_backs_off_says_when_it_is_tried_again_and_why(plain: Client, task_queue: str) -> None:
    """Between two attempts a step tells how many were made, when the next is due, and what the last one met."""
    async with working(plain, task_queue):
        handle = await start(plain, Charge.run, "down", 6, 50.0, task_queue=task_queue)
        found = await seen(handle, lambda run: run.steps and run.steps[0].state == "backing_off")
    [step] = found.steps
    assert (step.attempts, step.maximum_attempts) == (1, 6)
    assert step.error == Error(type="ConnectionError", message="no answer from the bank")
    assert step.next_attempt_time is not None
    assert timedelta(seconds=20) < step.next_attempt_time - datetime.now(UTC) <= timedelta(seconds=50)
    assert step.waiting_for is not None
    assert re.fullmatch(r"attempt 2 in \d\d s: ConnectionError: no answer from the bank", step.waiting_for)
    assert found.waiting_for == f"charge: {step.waiting_for}"
    assert found.problems == ()


async def test_a_step_that_recovered_tells_its_attempts(plain: Client, task_queue: str) -> None:
    """A step that succeeded at its third attempt is completed, with three attempts and no error."""
    async with working(plain, task_queue):
        handle = await start(plain, Charge.run, "flaky", 0, 0.1, task_queue=task_queue)
        await handle.result()
    [step] = await steps(handle)
    assert (step.state, step.attempts, step.error, step.queue_delay) == ("completed", 3, None, None)


@pytest.mark.parametrize(
    ("order", "attempts", "retry_state", "line"),
    [
        ("declined", 0, "non_retryable_failure", "CardDeclined: insufficient funds"),
        ("down", 2, "maximum_attempts_reached", "ConnectionError: no answer from the bank"),
        (
            "crooked",
            0,
            "non_retryable_failure",
            "ChargeFailed: the charge failed (caused by ConnectionError: reset by peer)",
        ),
    ],
)
async def test_a_failed_step_tells_why(
    plain: Client, task_queue: str, order: str, attempts: int, retry_state: str, line: str
) -> None:
    """A failed step has its error with the innermost cause, and why it was not tried again; so has its run."""
    async with working(plain, task_queue):
        handle = await start(plain, Charge.run, order, attempts, 0.1, task_queue=task_queue)
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    found = await run(handle)
    [step] = found.steps
    assert (step.state, step.retry_state, str(step.error)) == ("failed", retry_state, line)
    assert found.status == "failed"
    assert found.error is not None
    assert found.error.type == "ActivityError"
    assert str(found.error) == line.rpartition("(caused by ")[2].rstrip(")")


async def test_a_step_that_timed_out_tells_which_timeout(plain: Client, task_queue: str) -> None:
    """A step that exceeded a timeout names it with its length."""
    async with working(plain, task_queue):
        handle = await start(plain, Embed.run, 0.5, task_queue=task_queue)
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    [step] = await steps(handle)
    assert (step.state, step.attempts, step.retry_state) == ("timed_out", 1, "maximum_attempts_reached")
    assert str(step.error) == "TimeoutError: start-to-close timeout of 500 ms"


async def test_a_running_step_tells_its_worker_and_progress(plain: Client, task_queue: str) -> None:
    """A running step names its worker and what it last reported; cancelled, it waits for its next heartbeat."""
    async with working(plain, task_queue):
        handle = await start(plain, Embed.run, 600, task_queue=task_queue)
        found = await seen(handle, lambda run: run.steps and run.steps[0].last_heartbeat_time)
        [step] = found.steps
        assert (step.state, step.attempts, step.summary) == ("running", 1, "handbook.pdf")
        assert step.heartbeat_details == ({"page": 7},)
        assert (step.identity, step.closed_time) == (plain.identity, None)
        assert step.waiting_for is not None
        assert re.fullmatch(
            rf"attempt 1 on {re.escape(plain.identity)} for .*s, heartbeat .*s ago: {{'page': 7}}", step.waiting_for
        )
        await handle.cancel()
        found = await seen(handle, lambda run: run.steps[0].state != "running")
        [step] = found.steps
        assert (found.cancel_requested, step.state) == (True, "cancel_requested")
        assert step.waiting_for == f"{plain.identity} to hear of the cancellation at its next heartbeat"
        await handle.terminate()


async def test_a_paused_activity_names_who_paused_it(plain: Client, task_queue: str) -> None:
    """An activity that an operator paused says so, and says by whom and why."""
    async with working(plain, task_queue):
        handle = await start(plain, Charge.run, "down", 0, 50.0, task_queue=task_queue)
        await seen(handle, lambda run: run.steps and run.steps[0].state == "backing_off")
        await plain.workflow_service.pause_activity(
            PauseActivityRequest(
                namespace=plain.namespace,
                execution=WorkflowExecution(workflow_id=handle.id),
                id="1",
                identity="ann",
                reason="bank holiday",
            )
        )
        found = await seen(handle, lambda run: run.steps[0].state == "paused")
    [step] = found.steps
    assert (step.attempts, step.next_attempt_time) == (1, None)
    assert step.waiting_for == "an operator to unpause it (paused by ann: bank holiday)"


async def test_a_queue_that_nobody_polls_is_a_problem(plain: Client, task_queue: str) -> None:
    """An activity whose queue has no worker says so, and it is the run's first problem."""
    async with working(plain, task_queue):
        handle = await start(plain, Charge.run, "17", 0, 1.0, f"{task_queue}-nobody", task_queue=task_queue)
        found = await seen(handle, lambda run: run.steps)
    [step] = found.steps
    assert (step.state, step.attempts) == ("scheduled", 0)
    assert step.waiting_for == f"a worker on task queue '{task_queue}-nobody' (none polls it)"
    assert found.problems == (f"no worker polls task queue '{task_queue}-nobody' for activities: charge",)
    own, other = found.queues
    assert (own.name, own.type, own.pollers) == (task_queue, "workflow", (plain.identity,))
    assert (other.name, other.type, other.pollers, other.last_poll_time) == (
        f"{task_queue}-nobody",
        "activity",
        (),
        None,
    )


async def test_a_run_without_any_worker_is_told_all_the_same(plain: Client, task_queue: str) -> None:
    """Before its first worker, and after its last one stopped, a run tells its steps and what it misses."""
    handle = await start(plain, Charge.run, "down", 0, 1.0, task_queue=task_queue)
    found = await run(handle)
    assert (found.status, found.steps) == ("running", ())
    assert found.waiting_for == f"a worker on task queue {task_queue!r} (none polls it)"
    assert found.problems == (f"no worker polls task queue {task_queue!r} for workflow tasks",)
    async with working(plain, task_queue):
        await seen(handle, lambda run: run.steps and run.steps[0].attempts)
    found = await seen(handle, lambda run: run.steps[0].state == "scheduled")
    [step] = found.steps
    assert str(step.error) == "ConnectionError: no answer from the bank"
    assert step.waiting_for is not None
    assert re.fullmatch(
        rf"a worker on task queue '{task_queue}' \(none polls it; the last poll was .* ago\)", step.waiting_for
    )
    assert found.problems == (
        f"no worker polls task queue {task_queue!r} for workflow tasks",
        f"no worker polls task queue {task_queue!r} for activities: charge",
    )


async def test_timers_are_named_by_their_summaries(plain: Client, task_queue: str) -> None:
    """Sleeps and bounded waits are timers, named by their summaries, and an open one says until when."""
    async with working(plain, task_queue):
        handle = await start(plain, Timers.run, task_queue=task_queue)
        found = await seen(handle, lambda run: len(run.steps) == 3)
        waiting = found.steps[2]
        assert (waiting.state, waiting.fire_time) == ("waiting", waiting.scheduled_time + timedelta(hours=1))
        until = waiting.scheduled_time + timedelta(hours=1)
        assert waiting.waiting_for == f"until {until:%Y-%m-%d %H:%M:%S} UTC"
        assert found.waiting_for == f"wait for approval: {waiting.waiting_for}"
        await handle.signal(Timers.approve)
        found = await seen(handle, lambda run: len(run.steps) == 5)
    assert told(found.steps, "kind", "name", "state") == [
        ("timer", "timer", "completed"),
        ("timer", "cool down", "completed"),
        ("timer", "wait for approval", "cancelled"),
        ("signal", "approve", "completed"),
        ("timer", "return period", "waiting"),
    ]


async def test_children_and_messages_to_other_workflows_are_steps(plain: Client, task_queue: str) -> None:
    """A child tells its workflow, run and failure; one that was never started, and a signal to nobody, say why."""
    async with working(plain, task_queue):
        handle = await start(plain, Parent.run, task_queue=task_queue)
        found = await seen(handle, lambda run: run.steps and run.steps[-1].id == f"{handle.id}-open")
        found = await seen(handle, lambda run: run.steps[-1].state == "running")
    good, declined, taken, signal, cancel, waiting = found.steps
    assert told(found.children, "id", "name", "summary", "state") == [
        (f"{handle.id}-good", "Charge", "good order", "completed"),
        (f"{handle.id}-declined", "Charge", None, "failed"),
        (f"{handle.id}-good", "Charge", None, "failed"),
        (f"{handle.id}-open", "Waiting", None, "running"),
    ]
    assert good.run_id is not None
    child = await run(plain.get_workflow_handle(good.id))
    assert (child.run_id, child.parent_workflow_id) == (good.run_id, handle.id)
    assert str(declined.error) == "CardDeclined: insufficient funds"
    assert str(taken.error) == "StartChildWorkflowError: workflow already exists"
    assert (signal.kind, signal.name, signal.state) == ("external_signal", "approve", "failed")
    assert (cancel.kind, cancel.name, cancel.state) == ("external_cancel", "cancel", "failed")
    for step in (signal, cancel):
        assert step.workflow_id == "no-such-workflow"
        assert str(step.error) == "ExternalWorkflowError: external workflow execution not found: 'no-such-workflow'"
    assert waiting.waiting_for == f"child workflow '{handle.id}-open' to close"


async def test_a_plain_wait_is_a_step_even_without_a_worker(plain: Client, task_queue: str) -> None:
    """Code that waits for a condition leaves no event; the run tells it as a wait, worker or not."""
    async with working(plain, task_queue):
        handle = await start(plain, Waiting.run, task_queue=task_queue)
        await seen(handle, lambda run: run.steps)
    found = await run(handle)
    [wait] = found.steps
    assert (wait.kind, wait.name, wait.summary, wait.state) == ("wait", "wait", None, "waiting")
    assert wait.waiting_for == found.waiting_for == "a signal, an update, or a condition"
    assert wait.duration > timedelta()


async def test_a_worker_tells_where_the_code_waits(client: Client, task_queue: str) -> None:
    """With a worker alive a wait names the signals and updates that may end it, and its place in the code."""
    # In the sandbox, which is on the stack of whatever answers a query.
    async with working(client, task_queue, workflows=[Waiting], workflow_runner=SandboxedWorkflowRunner()):
        handle = await start(client, Waiting.run, True, task_queue=task_queue)
        # Two queries ask the worker; what it does not answer in time, on a busy machine, is left out.
        found = await seen(
            handle,
            lambda run: run.steps and run.steps[0].summary and "approve" in (run.steps[0].waiting_for or ""),
        )
        [wait] = found.steps
        assert wait.summary is not None
        assert re.fullmatch(r"Waiting\.until_approved, test_inspect\.py:\d+", wait.summary)
        assert wait.waiting_for == f"signal 'approve' or update 'correct' or a condition, in {wait.summary}"
        [unasked] = await steps(handle, query_timeout=None)
        assert (unasked.summary, unasked.waiting_for) == (None, "a signal, an update, or a condition")


async def test_signals_and_updates_are_steps_and_own_what_their_handlers_do(plain: Client, task_queue: str) -> None:
    """What a handler does refers to its signal or update; a failed update tells why."""
    async with working(plain, task_queue):
        handle = await start(plain, Waiting.run, task_queue=task_queue)
        assert await update(handle, "18", "correction") == "reserved 18"
        with pytest.raises(WorkflowUpdateFailedError):
            await update(handle, "wrong", "mistake")
        await handle.signal(Waiting.approve, "ann")
        await handle.result()
    found = await steps(handle)
    correction, in_update, mistake, signal, in_signal, last = found
    assert told(found, "kind", "id", "name", "state") == [
        ("update", "correction", "correct", "completed"),
        ("activity", "1", "reserve", "completed"),
        ("update", "mistake", "correct", "failed"),
        ("signal", f"signal-{signal.scheduled_event_id}", "approve", "completed"),
        ("activity", "2", "reserve", "completed"),
        ("activity", "3", "charge", "completed"),
    ]
    assert (correction.identity, correction.parent_event_id) == (plain.identity, None)
    assert correction.closed_time is not None
    assert str(mistake.error) == "NotFound: there is no such order"
    assert in_update.parent_event_id == correction.scheduled_event_id
    assert in_signal.parent_event_id == signal.scheduled_event_id
    assert last.parent_event_id is None
    assert in_signal.scheduled_task == signal.observed_task


async def test_local_activities_are_read_from_their_markers(plain: Client, task_queue: str) -> None:
    """Local activities tell name, attempts, times and failure; one that backed off past its task is one step."""
    async with working(plain, task_queue):
        handle = await start(plain, Local.run, task_queue=task_queue)
        await handle.result()
    found = await steps(handle)
    assert told(found, "kind", "name", "summary", "state", "attempts") == [
        ("local_activity", "reserve", "17", "completed", 1),
        ("local_activity", "charge", None, "completed", 1),
        ("local_activity", "charge", None, "completed", 1),
        ("local_activity", "charge", None, "failed", 1),
        ("local_activity", "charge", None, "completed", 3),
        ("activity", "charge", None, "completed", 1),
    ]
    first, one, other, declined, flaky, last = found
    assert str(declined.error) == "CardDeclined: insufficient funds"
    assert first.closed_time is not None
    assert first.closed_time <= min(one.scheduled_time, other.scheduled_time)
    assert declined.closed_time is not None
    assert declined.closed_time <= flaky.scheduled_time
    assert flaky.duration > timedelta(seconds=0.4)
    assert flaky.closed_time is not None
    assert flaky.closed_time <= last.scheduled_time
    assert flaky.observed_task == last.scheduled_task
    assert first.result_bytes > 0


async def test_a_paused_workflow_is_told(plain: Client, task_queue: str) -> None:
    """A workflow that an operator paused breaks the SDK's own describe; here it tells who paused it and its steps."""
    async with working(plain, task_queue):
        handle = await start(plain, Timers.run, task_queue=task_queue)
        await seen(handle, lambda run: len(run.steps) == 3)
        await plain.workflow_service.pause_workflow_execution(
            PauseWorkflowExecutionRequest(
                namespace=plain.namespace, workflow_id=handle.id, identity="ann", reason="fire drill"
            )
        )
        found = await seen(handle, lambda run: run.status == "paused")
    assert told(found.steps, "name", "state") == [
        ("timer", "completed"),
        ("cool down", "completed"),
        ("wait for approval", "waiting"),
    ]
    assert found.waiting_for == "an operator to unpause it (paused by ann: fire drill)"
    assert found.is_open


async def test_a_workflow_task_that_keeps_failing_is_the_runs_problem(plain: Client, task_queue: str) -> None:
    """Workflow code with a bug leaves the run open and retrying: its problem tells the error and the attempt."""
    async with working(plain, task_queue):
        handle = await start(plain, Broken.run, task_queue=task_queue)
        found = await seen(handle, lambda run: run.problems and "task fails" in run.problems[0])
    assert found.status == "running"
    assert re.fullmatch(
        r"its workflow task fails, now at attempt \d+: RuntimeError: this code has a bug", found.problems[0]
    )
    assert found.waiting_for is not None
    assert re.fullmatch(r"attempt \d+ of its workflow task to succeed", found.waiting_for)


async def test_changed_workflow_code_is_the_runs_problem(plain: Client, task_queue: str) -> None:
    """Code that does not fit the history is told as a nondeterminism error, with what the SDK says of it."""
    async with working(plain, task_queue, workflows=[Before], activities=[embed]):
        handle = await start(plain, "Changing", task_queue=task_queue)
        await seen(handle, lambda run: run.steps and run.steps[0].state == "running")
        await handle.signal("wake")
    await handle.signal("wake")
    async with working(plain, task_queue, workflows=[After], activities=[]):
        found = await seen(handle, lambda run: any("non deterministic" in problem for problem in run.problems))
    assert "its workflow task fails, now at attempt" in found.problems[0]
    assert ": non deterministic error: " in found.problems[0]
    await handle.terminate()


async def test_a_chain_that_continues_as_new_is_told_by_its_latest_run(plain: Client, task_queue: str) -> None:
    """Without a run id the latest run is told, with the run before it; that one can be told by its own id."""
    async with working(plain, task_queue):
        handle = await start(plain, Again.run, 1, task_queue=task_queue)
        await handle.result()
    latest = await run(plain.get_workflow_handle(handle.id))
    assert latest.continued_from_run_id == latest.first_run_id == handle.result_run_id
    assert (latest.status, latest.result) == ("completed", '"done"')
    first = await run(plain.get_workflow_handle(handle.id, run_id=handle.result_run_id))
    assert (first.status, first.continued_as_run_id) == ("continued_as_new", latest.run_id)
    assert (first.steps[0].input_bytes, first.result) == (latest.steps[0].input_bytes, None)


async def test_steps_that_were_open_when_their_run_closed_are_abandoned(plain: Client, task_queue: str) -> None:
    """A terminated run leaves its open steps abandoned, at its own end, and tells who ended it and why."""
    async with working(plain, task_queue):
        handle = await start(plain, Timers.run, task_queue=task_queue)
        await seen(handle, lambda run: len(run.steps) == 3)
        await handle.terminate(reason="gone home")
    found = await run(handle)
    timer = found.steps[2]
    assert (timer.state, timer.waiting_for, timer.is_open) == ("abandoned", None, False)
    assert found.close_time == timer.scheduled_time + timer.duration
    assert (found.status, str(found.error)) == ("terminated", f"TerminatedError: gone home (by {plain.identity})")
    assert (found.waiting_for, found.problems) == (None, ())


async def test_nexus_operations_are_steps(plain: Client, task_queue: str) -> None:
    """A Nexus operation tells its service and operation, and an open one that it waits to complete."""
    endpoint = f"bank-{uuid.uuid4()}"
    await plain.operator_service.create_nexus_endpoint(
        CreateNexusEndpointRequest(
            spec=EndpointSpec(
                name=endpoint,
                target=EndpointTarget(
                    worker=EndpointTarget.Worker(namespace=plain.namespace, task_queue=task_queue),
                ),
            )
        )
    )
    async with working(plain, task_queue, nexus_service_handlers=[BankHandler()]):
        handle = await start(plain, Banking.run, endpoint, task_queue=task_queue)
        found = await seen(handle, lambda run: len(run.steps) == 2 and run.steps[1].state == "running")
    assert told(found.steps, "kind", "name", "summary", "state", "waiting_for") == [
        ("nexus_operation", "Bank.transfer", "ten", "completed", None),
        (
            "nexus_operation",
            "Bank.open_account",
            None,
            "running",
            "operation 'Bank.open_account' to complete",
        ),
    ]


class Backwards(PayloadCodec):
    """Stands for encryption: a client without it reads nothing."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload(metadata={"encoding": b"backwards"}, data=p.SerializeToString()[::-1]) for p in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload.FromString(p.data[::-1]) if p.metadata.get("encoding") == b"backwards" else p for p in payloads]


async def test_what_cannot_be_decoded_leaves_a_gap_and_no_more(plain: Client, task_queue: str) -> None:
    """Summaries, failures and results come through the client's codec; without it the steps are told with gaps."""
    config = plain.config()
    converter = dataclasses.replace(DataConverter.default, payload_codec=Backwards())
    config["data_converter"] = dataclasses.replace(converter, failure_converter_class=_encoding_failures())
    coded = Client(**config)
    async with working(coded, task_queue):
        handle = await start(coded, Sequence3.run, "17", task_queue=task_queue)
        await handle.result()
        failing = await start(coded, Charge.run, "declined", 1, 1.0, task_queue=task_queue)
        with pytest.raises(WorkflowFailureError):
            await failing.result()
    found = await run(handle)
    assert (found.steps[0].summary, found.result) == ("17", '"reserved 17"')
    blind = await run(plain.get_workflow_handle(handle.id))
    assert (blind.steps[0].name, blind.steps[0].summary, blind.result) == ("reserve", None, None)
    [step] = await steps(failing)
    assert str(step.error) == "CardDeclined: insufficient funds"
    [step] = await steps(plain.get_workflow_handle(failing.id))
    assert str(step.error) == "CardDeclined: Encoded failure"


def _encoding_failures() -> Any:
    from temporalio.converter import DefaultFailureConverterWithEncodedAttributes

    return DefaultFailureConverterWithEncodedAttributes


async def test_the_plugins_ids_and_summaries_are_told(client: Client, task_queue: str) -> None:
    """Under Segue's plugin a step has a readable id and summary without its author doing anything."""
    async with working(client, task_queue):
        handle = await start(client, Sequence3.run, "17", task_queue=task_queue)
        await handle.result()
    assert told(await steps(handle), "id", "name", "summary") == [
        ("reserve-1", "reserve", "17"),
        ("charge-1", "charge", "17"),
        ("charge-2", "charge", "deposit"),
        ("the-last", "reserve", "17"),
    ]


@workflow.defn
class Packs:
    @workflow.run
    async def run(self, order: str) -> str:
        return await workflow.execute_child_workflow(Charge.run, args=[order, 1, 1.0])


async def test_a_child_is_named_where_its_summary_stands_alone(client: Client, task_queue: str) -> None:
    """The Web UI labels a child by its summary alone, so the type is in it; beside the type it is not repeated."""
    async with working(client, task_queue, workflows=[Packs, Charge]):
        handle = await start(client, Packs.run, "17", task_queue=task_queue)
        await handle.result()
    [summary] = [
        event.user_metadata.summary.data
        async for event in handle.fetch_history_events()
        if event.HasField("start_child_workflow_execution_initiated_event_attributes")
    ]
    assert summary.decode() == '"Charge • 17, 1"'
    assert told(await steps(handle), "kind", "name", "summary") == [("child_workflow", "Charge", "17, 1")]


async def test_a_run_is_json_by_pydantic(plain: Client, task_queue: str) -> None:
    """Records are plain dataclasses: pydantic writes a run as JSON and reads it back the same."""
    async with working(plain, task_queue):
        handle = await start(plain, Sequence3.run, "17", task_queue=task_queue)
        await handle.result()
    found = await run(handle)
    adapter = pydantic.TypeAdapter(Run)
    assert adapter.validate_json(adapter.dump_json(found)) == found


async def test_an_unknown_workflow_is_the_servers_error(plain: Client) -> None:
    """A workflow that does not exist raises the server's own error, which names it."""
    with pytest.raises(RPCError, match="workflow not found for ID: no-such-workflow"):
        await steps(plain.get_workflow_handle("no-such-workflow"))


def test_ten_thousand_events_are_read_in_one_quick_pass() -> None:
    """A history of 10,000 events becomes steps in well under a second."""
    history, events = History(), list(_long_history(10_000))
    begin = time.process_time()
    for event in events:
        history.feed(event)
    found = steps_of(history, datetime.now(UTC), lambda payload: payload.data.decode())
    elapsed = time.process_time() - begin
    print(f"{len(events)} events, {len(found)} steps, {elapsed * 1000:.0f} ms")
    assert history.length == len(events)
    assert {step.state for step in found} == {"completed"}
    assert found[-1].observed_task == events[-1].event_id
    assert elapsed < 2


def _long_history(length: int) -> Any:
    """The events of a run that does one activity after the other."""
    moment, event_id, task = datetime(2026, 1, 1, tzinfo=UTC), 0, 0

    def event(type: int, name: str, **said: Any) -> HistoryEvent:
        nonlocal event_id, moment
        event_id, moment = event_id + 1, moment + timedelta(milliseconds=10)
        made = HistoryEvent(event_id=event_id, event_type=EventType.ValueType(type))
        made.event_time.FromDatetime(moment)
        attributes = getattr(made, f"{name}_event_attributes")
        attributes.SetInParent()
        for field, value in said.items():
            if field == "activity_type":
                attributes.activity_type.name = value
            else:
                setattr(attributes, field, value)
        return made

    yield event(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, "workflow_execution_started")
    while event_id < length:
        yield event(EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, "workflow_task_scheduled")
        yield event(EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED, "workflow_task_started")
        yield event(EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, "workflow_task_completed")
        if event_id >= length:
            return
        task = event_id
        scheduled = event(
            EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
            "activity_task_scheduled",
            activity_id=f"charge-{task}",
            activity_type="charge",
            workflow_task_completed_event_id=task,
        )
        scheduled.user_metadata.summary.CopyFrom(Payload(metadata={"encoding": b"json/plain"}, data=b'"order-17"'))
        yield scheduled
        yield event(
            EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED,
            "activity_task_started",
            scheduled_event_id=scheduled.event_id,
            identity="worker",
            attempt=1,
        )
        yield event(
            EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
            "activity_task_completed",
            scheduled_event_id=scheduled.event_id,
        )
