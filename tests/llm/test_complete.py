"""A model asked by a workflow, on a real Temporal server."""

from __future__ import annotations

import uuid
from pathlib import Path

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    import pytest
    from tests.llm.scripted import scripted

    from segue.activities import llm
    from segue.activities.llm import Chat, Completion, Message, Usage

QUEUE = "llm-complete"


@workflow.defn
class Ask:
    @workflow.run
    async def run(self, chat: Chat) -> Completion:
        return await workflow.execute_activity(llm.complete, chat)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRIPTED_KEY", "sk-canary-of-the-key")


async def test_an_answer_by_reference(client: Client, tmp_path: Path) -> None:
    """The history holds the answer's reference, digest, tokens and cost; neither the answer nor the key."""
    async with scripted() as server:
        server.script("The canary-of-the-answer sings.")
        chat = Chat(model=server.guarded(), messages=(Message.user("What sings?"),), store=str(tmp_path))
        async with Worker(client, task_queue=QUEUE, workflows=[Ask], activities=[llm.complete]):
            handle = await client.start_workflow(Ask.run, chat, id=str(uuid.uuid4()), task_queue=QUEUE)
            completion = await handle.result()

        assert await llm.text_of(completion) == "The canary-of-the-answer sings."
        assert completion.text is None
        assert completion.usage == Usage(input_tokens=2, output_tokens=3, cost_usd=8e-06, calls=1)
        assert (completion.engine, completion.model, completion.finish_reason) == ("scripted-1", "scripted-1", "stop")
        assert server.paid == 1
        assert [one.headers["authorization"] for one in server.asked] == ["Bearer sk-canary-of-the-key"]
        assert "canary" not in (await handle.fetch_history()).to_json()
