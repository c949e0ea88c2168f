"""At-most-once steps: never a second effect, never a lost one, whatever is known of the first."""

from __future__ import annotations

import asyncio
import contextlib
import re
import uuid
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import Replayer, Worker
from tests.effects.till import ACTIVITIES, WORKFLOWS, Book, PayBatch, PayOut, Payout, PayOutLocally, TakeOut

import segue.client
from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.client.repairs import parked_of, repair
from segue.workflows.repair import ParkedStep


@contextlib.asynccontextmanager
async def worker(client: Client, queue: str, **options: Any) -> AsyncGenerator[Worker]:
    async with Worker(client, task_queue=queue, workflows=WORKFLOWS, activities=ACTIVITIES, **options) as running:
        yield running


async def start(client: Client, run: Any, *args: Any) -> tuple[WorkflowHandle[Any, Any], str]:
    queue = str(uuid.uuid4())
    return await client.start_workflow(run, args=list(args), id=f"effects-{queue}", task_queue=queue), queue


async def until_parked(handle: WorkflowHandle[Any, Any]) -> ParkedStep:
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(Exception):
                if found := await parked_of(handle):
                    return found[0]
            await asyncio.sleep(0.05)


async def replayed(handle: WorkflowHandle[Any, Any]) -> None:
    history = await handle.fetch_history()
    await Replayer(workflows=WORKFLOWS, plugins=[SeguePlugin(settings=Settings())]).replay_workflow(history)


@pytest.mark.parametrize("way", ["not done", "retryable", "connect", "429"])
async def test_what_has_not_happened_is_tried_again(client: Client, tmp_path: Path, way: str) -> None:
    """An error that says that nothing happened is followed by another attempt, and there is one effect."""
    handle, queue = await start(client, PayOut.run, "pay_blindly", Payout(str(tmp_path), (way, way, "")))
    async with worker(client, queue):
        slip = await handle.result()
    book = Book(tmp_path)
    assert (book.lines("attempts"), book.lines("paid")) == (["1", "1", "1"], [slip["key"]])
    [step] = await segue.client.steps(handle)
    assert (step.state, step.attempts, step.maximum_attempts, step.repairs) == ("completed", 3, 0, ())
    await replayed(handle)


@pytest.mark.parametrize(
    ("way", "error"),
    [
        ("ambiguous", "Ambiguous: the light went out"),
        ("paid unknown", "Ambiguous: Nobody knows whether it happened: RuntimeError: the till is on fire"),
        ("paid read", "Ambiguous: Nobody knows whether it happened: ReadTimeout: timed out"),
        (
            "503",
            "Ambiguous: Nobody knows whether it happened: HTTPStatusError: POST http://till.test/payouts answered "
            "503 Service Unavailable",
        ),
    ],
)
async def test_what_may_have_happened_parks(client: Client, tmp_path: Path, way: str, error: str) -> None:
    """It is not tried again, although its system's policy says to fail: an operator finds out and gives its result."""
    handle, queue = await start(client, PayOut.run, "pay_blindly", Payout(str(tmp_path), (way,)))
    async with worker(client, queue):
        step = await until_parked(handle)
        assert (step.reason, step.error) == ("ambiguous", error)
        [shown] = await segue.client.steps(handle)
        assert shown.waiting_for is not None
        assert re.sub(r"\d{4}-.* UTC", "TIME", shown.waiting_for) == (
            "an operator to find out whether pay_blindly-1 happened, --retry if it did not and --result if it did, "
            f"since TIME (ambiguous: {error})"
        )
        assert shown.commands == (
            f"segue repair {handle.id} pay_blindly-1 --retry",
            f"segue repair {handle.id} pay_blindly-1 --result -",
        )
        await repair(handle, step.step, "result", result={"key": "by hand"})
        assert await handle.result() == {"key": "by hand"}
    assert Book(tmp_path).lines("attempts") == ["1"]
    await replayed(handle)


async def test_attempts_that_had_no_effect_are_used_up(client: Client, tmp_path: Path) -> None:
    """The step fails with its author's own error, after as many attempts as its policy allows."""
    handle, queue = await start(client, PayOut.run, "pay_blindly", Payout(str(tmp_path), ("retryable",) * 9))
    async with worker(client, queue):
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    cause = failed.value.cause.__cause__
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.message) == ("Retryable", "the drawer is shut")
    assert Book(tmp_path).lines("attempts") == ["1", "1", "1"]
    await replayed(handle)


@pytest.mark.parametrize(("way", "type"), [("terminal", "NoAccount"), ("404", "HTTPStatusError")])
async def test_what_cannot_succeed_has_not_happened(client: Client, tmp_path: Path, way: str, type: str) -> None:
    """A terminal error fails the step as its policy says: nobody need find out anything."""
    handle, queue = await start(client, PayOut.run, "pay_blindly", Payout(str(tmp_path), (way,)))
    async with worker(client, queue):
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    cause = failed.value.cause.__cause__
    assert isinstance(cause, ApplicationError)
    assert cause.type == type
    assert Book(tmp_path).lines("attempts") == ["1"]


@pytest.mark.parametrize(("way", "attempts"), [("paid unknown", 1), ("unknown", 2), ("paid read", 1), ("503", 2)])
async def test_the_system_is_asked_what_happened(client: Client, tmp_path: Path, way: str, attempts: int) -> None:
    """It is asked by the step's own key: what happened has its result, and what did not is tried again."""
    handle, queue = await start(client, PayOut.run, "pay_surely", Payout(str(tmp_path), (way, "")))
    async with worker(client, queue):
        slip = await handle.result()
    book = Book(tmp_path)
    assert (len(book.lines("attempts")), book.lines("paid")) == (attempts, [slip["key"]])
    # One step it is for whoever looks, with all its tries, and without the timer between them.
    assert [
        (step.name, step.state, step.attempts, *map(str, step.repairs)) for step in await segue.client.steps(handle)
    ] == [
        (
            "pay_surely",
            "completed",
            attempts,
            *([] if attempts > 1 else ["reconciled by find_payout: it had happened"]),
        ),
        ("find_payout", "completed", 1),
    ]
    asked = [
        event.activity_task_scheduled_event_attributes.activity_type.name
        for event in (await handle.fetch_history()).events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    assert asked == ["pay_surely", "find_payout", "pay_surely"][: attempts + 1]
    await replayed(handle)


@pytest.mark.parametrize(("way", "attempts"), [("paid unknown", 1), ("unknown", 2)])
async def test_a_step_without_a_result_is_asked_for_with_a_bool(
    client: Client, tmp_path: Path, way: str, attempts: int
) -> None:
    """True is that it happened, and False that it did not."""
    handle, queue = await start(client, PayOut.run, "stamp_slip", Payout(str(tmp_path), (way, "paid ")))
    async with worker(client, queue):
        assert await handle.result() is None
    book = Book(tmp_path)
    assert (len(book.lines("attempts")), book.lines("stamps")) == (attempts, ["stamp"])


async def test_who_cannot_say_leaves_it_to_an_operator(client: Client, tmp_path: Path) -> None:
    """Where the system does not tell either, the step parks, and says why nobody knows."""
    handle, queue = await start(
        client, PayOut.run, "pay_surely", Payout(str(tmp_path), ("paid unknown",), answers="fails")
    )
    async with worker(client, queue):
        step = await until_parked(handle)
        assert (step.reason, step.note) == ("ambiguous", "find_payout failed: Locked: the book is locked")
        await repair(handle, step.step, "result", result={"key": Book(tmp_path).lines("paid")[0]})
        await handle.result()
    assert len(Book(tmp_path).lines("paid")) == 1
    await replayed(handle)


async def test_a_timeout_of_the_server_is_no_attempt_more(client: Client, tmp_path: Path) -> None:
    """A step that does not answer in time is not tried again by the server, for it may have happened."""
    payout = Payout(str(tmp_path), ("paid hang",))
    handle, queue = await start(client, PayOut.run, "pay_surely", payout)
    async with worker(client, queue):
        slip = await handle.result()
    book = Book(tmp_path)
    assert (book.lines("attempts"), book.lines("paid")) == (["1"], [slip["key"]])


async def test_a_worker_that_shuts_down_leaves_it_open(client: Client, tmp_path: Path) -> None:
    """A step in the middle of which its worker ends is reconciled by the next one."""
    handle, queue = await start(client, PayOut.run, "pay_surely", Payout(str(tmp_path), ("paid hang",)))
    async with worker(client, queue):
        while not Book(tmp_path).lines("paid"):
            await asyncio.sleep(0.02)
    async with worker(client, queue):
        slip = await handle.result()
    book = Book(tmp_path)
    assert (book.lines("attempts"), book.lines("paid")) == (["1"], [slip["key"]])
    [step, _] = await segue.client.steps(handle)
    assert (step.state, [*map(str, step.repairs)]) == ("completed", ["reconciled by find_payout: it had happened"])
    assert str(step.error) == "Ambiguous: Nobody knows whether it happened: its worker shut down"


async def test_what_might_run_twice_is_refused(client: Client, tmp_path: Path) -> None:
    """A local activity runs again where its worker dies, so an at-most-once one is not started."""
    handle, queue = await start(client, PayOutLocally.run, Payout(str(tmp_path)))
    async with worker(client, queue):
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.message == (
        "Activity 'pay_blindly' is not started: it is at-most-once, and a local activity runs again where its worker "
        "dies: call it with execute_activity"
    )
    assert Book(tmp_path).lines("attempts") == []


async def test_a_batch_might_run_twice(client: Client, tmp_path: Path) -> None:
    """A batch is tried again as a whole, so at-most-once items do not travel in one."""
    handle, queue = await start(client, PayBatch.run, [Payout(str(tmp_path))] * 4)
    async with worker(client, queue):
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.message == (
        "Activity 'pay_blindly' is not started: it is at-most-once, and a batch is tried again as a whole: leave batch "
        "out of fan_out"
    )
    assert Book(tmp_path).lines("attempts") == []


async def test_a_saga_undoes_what_is_declared_compensable(client: Client, tmp_path: Path) -> None:
    """The declaration says what undoes a step, so that the saga need not."""
    handle, queue = await start(client, TakeOut.run, Payout(str(tmp_path)))
    async with worker(client, queue):
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    names = [step.name for step in await segue.client.steps(handle) if step.kind == "activity"]
    assert names == ["take_out", "put_back"]
