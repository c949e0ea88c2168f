"""A model asked by a workflow, on a real Temporal server."""

from __future__ import annotations

import uuid
from pathlib import Path

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    import pytest
    from tests.llm.scripted import Scripted

    from segue.activities import llm
    from segue.activities.llm import Chat, Completion, Message, Usage

pytest.importorskip("obstore")

QUEUE = "llm-complete"


@workflow.defn
class Ask:
    @workflow.run
    async def run(self, chat: Chat) -> Completion:
        return await workflow.execute_activity(llm.complete, chat)


async def test_an_answer_by_reference(client: Client, provider: Scripted, tmp_path: Path) -> None:
    """The history holds the answer's reference, digest, tokens and cost; neither the answer nor the key."""
    provider.script("The canary-of-the-answer sings.")
    chat = Chat(model=provider.guarded(), messages=(Message.user("What sings?"),), store=str(tmp_path))
    async with Worker(client, task_queue=QUEUE, workflows=[Ask], activities=[llm.complete]):
        handle = await client.start_workflow(Ask.run, chat, id=str(uuid.uuid4()), task_queue=QUEUE)
        completion = await handle.result()

    assert await llm.text_of(completion) == "The canary-of-the-answer sings."
    assert completion.text is None
    assert completion.usage == Usage(input_tokens=2, output_tokens=3, cost_usd=8e-06, calls=1)
    assert (completion.engine, completion.model, completion.finish_reason) == ("scripted-1", "scripted-1", "stop")
    assert (provider.paid, provider.asked[0].headers["authorization"]) == (1, "Bearer sk-canary-of-the-key-4711")
    assert "canary" not in (await handle.fetch_history()).to_json()
