"""A worker is killed while it asks models: what was paid for once is not paid for again."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest
from temporalio.client import Client
from tests.llm.killed_worker import AskOnce, Draft, Drafting
from tests.llm.scripted import Scripted, stalls
from tests.processes import worker_process

from segue.activities import llm
from segue.activities.llm import Chat, Message
from segue.client.inspect import steps

pytest.importorskip("obstore")


async def test_what_was_paid_for_is_not_paid_for_again(client: Client, provider: Scripted, tmp_path: Path) -> None:
    """The first of two answers survives its worker: the next attempt finds it, and pays for the second alone."""
    provider.script("The first draft.", "The second draft.", "One too many.")
    queue, leave = str(uuid.uuid4()), tmp_path / "go"
    drafting = Drafting(model=provider.guarded(), store=str(tmp_path / "kept"), leave=str(leave))
    handle = await client.start_workflow(Draft.run, drafting, id=queue, task_queue=queue)
    async with worker_process(client, "tests.llm.killed_worker", queue) as worker:
        while not list((tmp_path / "kept").glob("texts/*/*.txt")):
            await asyncio.sleep(0.05)
        worker.kill()
        await worker.wait()
    leave.touch()
    async with worker_process(client, "tests.llm.killed_worker", queue):
        first, second = await handle.result()

    assert [await llm.text_of(one) for one in (first, second)] == ["The first draft.", "The second draft."]
    assert ((first.reused, second.reused), provider.paid) == ((True, False), 2)
    assert len({one.headers["idempotency-key"] for one in provider.asked}) == 2
    histories = (await handle.fetch_history()).to_json()
    assert "canary" not in histories


async def test_a_worker_that_dies_while_it_listens(client: Client, provider: Scripted, tmp_path: Path) -> None:
    """Operators see how far the answer has come; its worker's death is noticed by the heartbeat."""
    provider.script(stalls("Once upon a time"), "Whole.")
    queue = str(uuid.uuid4())
    chat = Chat(model=provider.guarded(), messages=(Message.user("Tell it."),), store=str(tmp_path))
    handle = await client.start_workflow(AskOnce.run, chat, id=queue, task_queue=queue)
    async with worker_process(client, "tests.llm.killed_worker", queue) as worker:
        while not any(step.heartbeat_details for step in await steps(handle)):
            await asyncio.sleep(0.05)
        [step] = await steps(handle)
        worker.kill()
        await worker.wait()
    async with worker_process(client, "tests.llm.killed_worker", queue):
        completion = await asyncio.wait_for(handle.result(), 30)

    assert str(step.heartbeat_details[0]).startswith("scripted-1: ")
    assert (await llm.text_of(completion), provider.paid) == ("Whole.", 2)
    [step] = await steps(handle)
    assert step.attempts == 2
    # The same key both times: a provider that knows it would not charge twice.
    assert len({one.headers["idempotency-key"] for one in provider.asked}) == 1
