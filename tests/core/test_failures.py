"""Failures of workflow code: a run that cannot go on fails with its traceback; a worker that cannot is mended."""
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio
import os
import random
import time
import uuid
from datetime import timedelta
from typing import Any

import httpx
import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.exceptions import TimeoutError as TemporalTimeoutError
from temporalio.worker import Worker

from segue.activities import System

mill = System("mill-failures-test")
SHELF: dict[str, str] = {}


class GrindError(Exception):
    """An error of the user's own, with more than a message."""

    def __init__(self, message: str, grain: str) -> None:
        super().__init__(message)
        self.grain = grain


@mill.activity
async def grind(grain: str) -> str:
    if grain == "huge":
        raise ValueError("x" * 5_000_000)
    if grain == "huge details":
        raise ApplicationError("too much", "y" * 5_000_000, non_retryable=True)
    if grain == "unserialisable details":
        raise ApplicationError("odd", object(), float("nan"), type="Odd", non_retryable=True)
    if grain == "chain":
        error: Exception = ValueError("cause 0")
        for number in range(1, 40):
            try:
                raise RuntimeError(f"cause {number} " + "z" * 100_000) from error
            except RuntimeError as raised:
                error = raised
        raise ApplicationError("at the end", non_retryable=True) from error
    return grain


@mill.activity
async def wait_long() -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(0.05)


@workflow.defn
class Faulty:
    """Fails in one of many ways."""

    def __init__(self) -> None:
        self.released = False

    @workflow.run
    async def run(self, how: str) -> Any:
        match how:
            case "key":
                return SHELF["no such key"]
            case "own":
                raise GrindError("jammed", "rye")
            case "empty":
                raise ValueError
            case "cause":
                try:
                    int("x")
                except ValueError as error:
                    raise GrindError("jammed", "rye") from error
            case "application":
                raise ApplicationError("as it is", 1, {"a": 2}, type="Given")
            case "odd details":
                raise ApplicationError("odd", object(), type="Odd")
            case "huge":
                raise ValueError("x" * 5_000_000)
            case "group":
                async with asyncio.TaskGroup() as group:
                    group.create_task(workflow.execute_activity(grind, "unserialisable details"))
            case "timeout":
                await asyncio.wait_for(workflow.wait_condition(lambda: False), 0.01)
            case "wait timeout":
                await workflow.wait_condition(lambda: False, timeout=timedelta(milliseconds=10))
            case "caught":
                try:
                    return SHELF["no such key"]
                except KeyError:
                    return "caught"
            case "activity":
                await workflow.execute_activity(wait_long, schedule_to_close_timeout=timedelta(milliseconds=300))
            case "continue":
                workflow.continue_as_new("caught")
            case "assertion":
                raise AssertionError("not other")
            case "recursion":
                return await self.run(how)
            case "random":
                return random.randint(1, 6)
            case "time":
                return time.time()
            case "environment":
                return os.environ["HOME"]
            case "open":
                with open("/etc/hostname") as file:  # noqa: ASYNC230
                    return file.read()
            case "httpx":
                return httpx.get("http://127.0.0.1:1").text  # noqa: ASYNC210
            case "httpx client":
                async with httpx.AsyncClient() as client:
                    return (await client.get("http://127.0.0.1:1")).text
            case "random in a group":
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._roll())
            case "timer":
                await workflow.sleep(0.01)
                raise GrindError("after a timer", "oats")
            case "cancelled activity":
                await workflow.execute_activity(
                    wait_long, start_to_close_timeout=timedelta(minutes=1), heartbeat_timeout=timedelta(seconds=5)
                )
            case "cancelled and cleaned":
                try:
                    await workflow.wait_condition(lambda: False)
                finally:
                    await workflow.execute_activity(grind, "cleaned")
            case "cancelled and failed":
                try:
                    await workflow.wait_condition(lambda: False)
                except asyncio.CancelledError:
                    raise GrindError("no way to clean", "rye") from None
            case _:
                await workflow.wait_condition(lambda: self.released)
        return "released"

    async def _roll(self) -> int:
        return random.randint(1, 6)

    @workflow.signal
    def release(self) -> None:
        self.released = True

    @workflow.signal
    def stumble(self) -> None:
        raise GrindError("in a signal", "rye")

    @workflow.signal
    async def stumble_later(self) -> None:
        await workflow.execute_activity(grind, "first")
        raise GrindError("in a later signal", "rye")

    @workflow.update
    async def fix(self, how: str) -> str:
        if how == "random":
            return str(random.random())
        if how == "own":
            raise GrindError("in an update", "rye")
        await workflow.execute_activity(grind, how)
        return how

    @fix.validator
    def _check(self, how: str) -> None:
        if how == "refused":
            raise GrindError("refused", "rye")

    @workflow.query
    def ask(self) -> str:
        raise GrindError("in a query", "rye")


async def started(client: Client, how: str) -> WorkflowHandle[Any, Any]:
    return await client.start_workflow(Faulty.run, how, id=str(uuid.uuid4()), task_queue="faulty")


def serving(client: Client) -> Worker:
    return Worker(client, task_queue="faulty", workflows=[Faulty], activities=[grind, wait_long])


async def cause(handle: WorkflowHandle[Any, Any]) -> BaseException:
    with pytest.raises(WorkflowFailureError) as failed:
        await asyncio.wait_for(handle.result(), 20)
    assert failed.value.cause is not None
    return failed.value.cause


UNEXPECTED = [
    ("key", "KeyError", "'no such key'"),
    ("own", "GrindError", "jammed"),
    ("empty", "ValueError", "ValueError"),
    ("assertion", "AssertionError", "not other"),
    ("timer", "GrindError", "after a timer"),
    ("recursion", "RecursionError", None),
    ("group", "ExceptionGroup", "unhandled errors in a TaskGroup (1 sub-exception)"),
]


@pytest.mark.parametrize(("how", "type", "message"), UNEXPECTED)
async def test_an_unexpected_exception_fails_the_run(client: Client, how: str, type: str, message: str | None) -> None:
    """An exception that the workflow's author did not foresee fails the run, with its type, message and traceback."""
    async with serving(client):
        error = await cause(await started(client, how))
    assert isinstance(error, ApplicationError)
    assert (error.type, error.non_retryable) == (type, False)
    if message is not None:
        assert error.message == message
    assert error.failure is not None
    assert "test_failures.py" in error.failure.stack_trace
    assert "in run" in error.failure.stack_trace


async def test_its_cause_is_kept(client: Client) -> None:
    """The cause of an unexpected exception is told as its own."""
    async with serving(client):
        error = await cause(await started(client, "cause"))
    assert str(error) == "GrindError: jammed"
    assert str(error.__cause__) == "ValueError: invalid literal for int() with base 10: 'x'"


async def test_an_expected_error_stays_as_it_is(client: Client) -> None:
    """An ApplicationError keeps its type and details; what a workflow catches fails nothing."""
    async with serving(client):
        error = await cause(await started(client, "application"))
        assert isinstance(error, ApplicationError)
        assert (error.type, error.message, list(error.details)) == ("Given", "as it is", [1, {"a": 2}])
        assert await (await started(client, "caught")).result() == "caught"
        assert await (await started(client, "continue")).result() == "caught"


async def test_timeouts_fail_the_run_as_in_plain_temporal(client: Client) -> None:
    """A timeout that nobody catches fails the run."""
    async with serving(client):
        for how in ("timeout", "wait timeout"):
            error = await cause(await started(client, how))
            assert isinstance(error, ApplicationError)
            assert error.type == "TimeoutError"
        error = await cause(await started(client, "activity"))
        assert isinstance(error.__cause__, TemporalTimeoutError)


async def test_a_signal_handler_fails_the_run(client: Client) -> None:
    """An unexpected exception in a signal handler fails the run, now or after a step."""
    async with serving(client):
        for signal, message in ((Faulty.stumble, "in a signal"), (Faulty.stumble_later, "in a later signal")):
            handle = await started(client, "wait")
            await handle.signal(signal)
            assert str(await cause(handle)) == f"GrindError: {message}"


async def test_an_update_handler_fails_the_update(client: Client) -> None:
    """An unexpected exception in an update fails that update and nothing else."""
    async with serving(client):
        handle = await started(client, "wait")
        for how, message in (("own", "in an update"), ("refused", "refused")):
            with pytest.raises(WorkflowUpdateFailedError) as failed:
                await handle.execute_update(Faulty.fix, how)
            assert str(failed.value.cause) == f"GrindError: {message}"
        assert await handle.execute_update(Faulty.fix, "mended") == "mended"
        with pytest.raises(Exception, match="in a query"):
            await handle.query(Faulty.ask)
        await handle.signal(Faulty.release)
        assert await handle.result() == "released"


async def task_failure(handle: WorkflowHandle[Any, Any]) -> str:
    while True:
        async for event in handle.fetch_history_events():
            if event.HasField("workflow_task_failed_event_attributes"):
                return event.workflow_task_failed_event_attributes.failure.message
        await asyncio.sleep(0.05)


RESTRICTED = [
    ("random", "random.randint.__call__"),
    ("time", "time.time.__call__"),
    ("environment", "os.environ.HOME"),
    ("open", "__builtins__.open"),
    ("httpx", "httpx.get.__call__"),
    ("httpx client", "httpx.AsyncClient.__call__"),
    ("random in a group", "random.randint.__call__"),
]


@pytest.mark.parametrize(("how", "access"), RESTRICTED)
async def test_what_a_workflow_may_not_do_fails_the_task_only(client: Client, how: str, access: str) -> None:
    """A clock, randomness, the environment, files and the network fail the workflow task, which says what was done."""
    async with serving(client):
        handle = await started(client, how)
        failure = await asyncio.wait_for(task_failure(handle), 20)
        description = await handle.describe()
        await handle.terminate()
    assert failure.startswith(f"Cannot access {access} from inside a workflow.")
    assert description.status is not None
    assert description.status.name == "RUNNING"


async def test_an_update_that_rolls_dice_fails_the_task_only(client: Client) -> None:
    """What workflow code may not do in a handler does not fail the update: a mended worker may run it."""
    async with serving(client):
        handle = await started(client, "wait")
        update = asyncio.ensure_future(handle.execute_update(Faulty.fix, "random"))
        failure = await asyncio.wait_for(task_failure(handle), 20)
        update.cancel()
        await handle.terminate()
    assert failure.startswith("Cannot access random.random.__call__ from inside a workflow.")


@pytest.mark.parametrize("how", ["cancelled activity", "cancelled and cleaned", "wait"])
async def test_cancellation_stays_cancellation(client: Client, how: str) -> None:
    """A cancelled run ends as cancelled, whatever it waited for, and cleans up first."""
    async with serving(client):
        handle = await started(client, how)
        await asyncio.sleep(0)
        while not [
            e async for e in handle.fetch_history_events() if e.HasField("workflow_task_completed_event_attributes")
        ]:
            await asyncio.sleep(0.02)
        await handle.cancel()
        assert isinstance(await cause(handle), CancelledError)
        description = await handle.describe()
    assert description.status is not None
    assert description.status.name == "CANCELED"
    cleaned = [e async for e in handle.fetch_history_events() if e.HasField("activity_task_completed_event_attributes")]
    assert len(cleaned) == (how == "cancelled and cleaned")


async def test_a_failure_while_cancelled_is_a_failure(client: Client) -> None:
    """A run that is cancelled and then fails ends as failed, with its own error."""
    async with serving(client):
        handle = await started(client, "cancelled and failed")
        await handle.cancel()
        assert str(await cause(handle)) == "GrindError: no way to clean"


@workflow.defn
class Grind:
    @workflow.run
    async def run(self, grain: str) -> str:
        return await workflow.execute_activity(grind, grain, schedule_to_close_timeout=timedelta(seconds=20))


async def test_errors_of_any_size_are_delivered(client: Client) -> None:
    """A failure over Temporal's limit is delivered shortened, and says how much was left out."""
    left_out = "\n... 4,990,000 characters left out ...\n"
    async with serving(client), Worker(client, task_queue="grind", workflows=[Grind], activities=[grind]):
        error = await cause(await started(client, "huge"))
        assert isinstance(error, ApplicationError)
        assert (error.type, error.message) == ("ValueError", "x" * 5000 + left_out + "x" * 5000)

        async def ground(grain: str) -> ApplicationError:
            handle = await client.start_workflow(Grind.run, grain, id=str(uuid.uuid4()), task_queue="grind")
            failed = await cause(handle)
            assert isinstance(failed.__cause__, ApplicationError)
            return failed.__cause__

        detailed = await ground("huge details")
        assert (detailed.message, list(detailed.details)) == (
            "too much",
            [
                "details left out: the value is 5,000,031 bytes, and one call carries at most 2,097,152: store it as "
                "an object and send a reference to it"
            ],
        )
        chained = await ground("chain")
        messages: list[str] = []
        inner: BaseException | None = chained
        while inner is not None:
            messages.append(str(inner)[:24])
            inner = inner.__cause__
        assert messages[0] == "at the end"
        assert messages[1] == "RuntimeError: cause 39 z"
        assert len(messages) == 10


async def test_details_that_have_no_json_form(client: Client) -> None:
    """Details that cannot be carried are left out, and the error is delivered with its type all the same."""
    async with serving(client), Worker(client, task_queue="grind", workflows=[Grind], activities=[grind]):
        error = await cause(await started(client, "odd details"))
        assert isinstance(error, ApplicationError)
        assert (error.type, error.message, list(error.details)) == (
            "Odd",
            "odd",
            ["details left out: the value is a builtins.object, which has no JSON form"],
        )
        handle = await client.start_workflow(
            Grind.run, "unserialisable details", id=str(uuid.uuid4()), task_queue="grind"
        )
        inner = (await cause(handle)).__cause__
    assert isinstance(inner, ApplicationError)
    assert (inner.type, inner.message, inner.non_retryable) == ("Odd", "odd", True)
    assert list(inner.details) == ["details left out: the value is a builtins.object, which has no JSON form"]


@workflow.defn
class Unready:
    """Fails before it begins."""

    @workflow.init
    def __init__(self, how: str) -> None:
        self.how = str(random.random()) if how == "random" else SHELF[how]

    @workflow.run
    async def run(self, how: str) -> str:
        return self.how


async def test_an_exception_in_init_fails_the_run(client: Client) -> None:
    """A run whose workflow cannot be made from its input fails, as one whose code fails later does."""
    async with Worker(client, task_queue="unready", workflows=[Unready], max_cached_workflows=0):
        handle = await client.start_workflow(Unready.run, "x", id=str(uuid.uuid4()), task_queue="unready")
        error = await cause(handle)
        assert isinstance(error, ApplicationError)
        assert (error.type, error.message) == ("KeyError", "'x'")
        assert error.failure is not None
        assert "in __init__" in error.failure.stack_trace
        handle = await client.start_workflow(Unready.run, "random", id=str(uuid.uuid4()), task_queue="unready")
        failure = await asyncio.wait_for(task_failure(handle), 20)
        await handle.terminate()
    assert failure.startswith("Cannot access random.random.__call__ from inside a workflow.")
