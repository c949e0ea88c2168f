"""An at-most-once step that is started where nobody knows that it is one: its worker holds the server to it."""

from __future__ import annotations

import asyncio
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import ActivityFailureError, Client, WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from tests.effects.till import ACTIVITIES, Book, Payout, find_payout, status, till

AN_ATTEMPT = timedelta(seconds=2)
SECOND_ATTEMPT = (
    "Nobody knows whether it happened: 'pay_blindly' is at-most-once, and this would be attempt 2. Import its "
    "declaration in the process that starts it, or give it a retry_policy with maximum_attempts=1"
)


@workflow.defn
class PayByName:
    """Pays as plain Temporal code does, on a worker without the plugin: its attempts are the server's."""

    @workflow.run
    async def run(self, activity: str, payout: Payout, queue: str) -> Any:
        return await workflow.execute_activity(activity, payout, task_queue=queue, start_to_close_timeout=AN_ATTEMPT)


@till.activity(effect="at_most_once")
def pay_in_a_thread(payout: Payout) -> str:
    book = Book(Path(payout.folder))
    book.write("attempts", "1")
    if len(book.lines("attempts")) == 1:
        raise status(429)
    return "paid"


def till_worker(client: Client, queue: str, activities: list[Any] | None = None) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        activities=activities or [*ACTIVITIES, pay_in_a_thread],
        activity_executor=ThreadPoolExecutor(1),
    )


async def test_an_attempt_after_one_that_may_have_happened_is_refused(
    client: Client, plain: Client, tmp_path: Path
) -> None:
    """The first paid and did not say so: the server tries it again, and the worker refuses, as ambiguous."""
    queue, payout = str(uuid.uuid4()), Payout(str(tmp_path), ("paid hang",))
    async with Worker(plain, task_queue=f"{queue}-plain", workflows=[PayByName]), till_worker(client, queue):
        with pytest.raises(WorkflowFailureError) as failed:
            await plain.execute_workflow(
                PayByName.run, args=["pay_blindly", payout, queue], id=queue, task_queue=f"{queue}-plain"
            )
    assert isinstance(failed.value.cause, ActivityError)
    cause = failed.value.cause.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.message, cause.non_retryable) == ("Ambiguous", SECOND_ATTEMPT, True)
    book = Book(tmp_path)
    assert (book.lines("attempts"), len(book.lines("paid"))) == (["1"], 1)


@pytest.mark.parametrize(("activity", "attempts"), [("pay_blindly", ["1", "2", "3"]), ("pay_in_a_thread", ["1", "1"])])
async def test_an_attempt_after_those_that_did_nothing_is_made(
    client: Client, plain: Client, tmp_path: Path, activity: str, attempts: list[str]
) -> None:
    """Those before said that nothing had happened, and the server knows it: it is tried again, async or in a thread."""
    queue, payout = str(uuid.uuid4()), Payout(str(tmp_path), ("retryable", "connect", ""))
    async with Worker(plain, task_queue=f"{queue}-plain", workflows=[PayByName]), till_worker(client, queue):
        await plain.execute_workflow(
            PayByName.run, args=[activity, payout, queue], id=queue, task_queue=f"{queue}-plain"
        )
    assert Book(tmp_path).lines("attempts") == attempts


async def test_an_attempt_after_one_that_was_not_begun_is_made(client: Client, plain: Client, tmp_path: Path) -> None:
    """The first came to a worker that does not know the activity, and so did nothing."""
    queue, payout = str(uuid.uuid4()), Payout(str(tmp_path))
    async with Worker(plain, task_queue=f"{queue}-plain", workflows=[PayByName]):
        async with till_worker(client, queue, [find_payout]):
            handle = await plain.start_workflow(
                PayByName.run, args=["pay_blindly", payout, queue], id=queue, task_queue=f"{queue}-plain"
            )
            while not any(one.attempt > 1 for one in (await handle.describe()).raw_description.pending_activities):
                await asyncio.sleep(0.05)
        async with till_worker(client, queue):
            assert await handle.result() == {"key": Book(tmp_path).lines("paid")[0]}
    assert len(Book(tmp_path).lines("attempts")) == 1


@pytest.mark.parametrize(("ways", "attempts"), [(("paid hang",), ["1"]), (("retryable", ""), ["1", "2"])])
async def test_an_activity_of_its_own(
    client: Client, tmp_path: Path, ways: tuple[str, ...], attempts: list[str]
) -> None:
    """So it is with one that a client starts without a workflow."""
    queue, payout = str(uuid.uuid4()), Payout(str(tmp_path), ways)
    async with till_worker(client, queue):
        handle = await client.start_activity(
            "pay_blindly", payout, id=queue, task_queue=queue, start_to_close_timeout=AN_ATTEMPT
        )
        if len(attempts) > 1:
            assert await handle.result() == {"key": Book(tmp_path).lines("paid")[0]}
        else:
            with pytest.raises(ActivityFailureError) as failed:
                await handle.result()
            cause = failed.value.cause
            assert isinstance(cause, ApplicationError)
            assert (cause.type, cause.message) == ("Ambiguous", SECOND_ATTEMPT)
    book = Book(tmp_path)
    assert (book.lines("attempts"), len(book.lines("paid"))) == (attempts, 1)
