"""The local model: real, small, and honest about it. Slow, and left out where it is not installed."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    import httpx
    import pytest
    import pytest_asyncio
    from pydantic import BaseModel, Field

    from segue.activities import http, llm
    from segue.activities.llm import Chat, Completion, Message, Model

PROBLEM = llm.local_model_problem()

pytestmark = [pytest.mark.slow, pytest.mark.skipif(PROBLEM is not None, reason=PROBLEM or "")]


class Clause(BaseModel):
    kind: Literal["payment", "termination", "confidentiality", "other"]
    title: Annotated[str, Field(max_length=60)]
    days: Annotated[int, Field(ge=0, le=365)]
    parties: Annotated[list[Annotated[str, Field(max_length=30)]], Field(min_length=1, max_length=2)]


@workflow.defn
class AskLocally:
    @workflow.run
    async def run(self, chat: Chat) -> Completion:
        return await workflow.execute_activity(llm.complete, chat)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def local() -> AsyncIterator[Model]:
    """The model, its server running."""
    async with llm.local_model() as model:
        yield model


def question(model: Model, number: int) -> Chat:
    text = (
        f"Clause {number}: The tenant pays {number * 100} pounds within {number} days, or the landlord may terminate."
    )
    return Chat(
        model=model,
        messages=(Message.system("Describe the clause in JSON."), Message.user(text)),
        output_schema=llm.schema_of(Clause),
        temperature=0.8,
        seed=number,
        maximum_tokens=200,
        keep="inline",
    )


async def test_every_answer_conforms(local: Model) -> None:
    """JSON that is constrained to a schema conforms to it, whatever the model makes of the question."""
    answers = [await llm.chat(question(local, number)) for number in range(1, 11)]
    await http.close()

    assert [answer.parsed(Clause).parties != [] for answer in answers] == [True] * 10
    assert {answer.engine for answer in answers} == {"SmolLM2-135M (local)"}
    assert all(answer.usage.cost_usd == 0 and not answer.usage.estimated for answer in answers)


async def test_in_a_step(client: Client, local: Model) -> None:
    """A workflow's step is told which engine made its answer; the history holds the reference of the key alone."""
    async with Worker(client, task_queue="llm-local", workflows=[AskLocally], activities=[llm.complete]):
        handle = await client.start_workflow(
            AskLocally.run, question(local, 1), id=str(uuid.uuid4()), task_queue="llm-local"
        )
        completion = await handle.result()
    await http.close()

    assert completion.engine == "SmolLM2-135M (local)"
    assert local.key is not None
    assert local.key.resolve() not in (await handle.fetch_history()).to_json()


async def test_a_seed_repeats_an_answer(local: Model) -> None:
    """With the same seed the same question has the same answer."""
    chat = Chat(
        model=local,
        messages=(Message.user("Name a colour."),),
        seed=3,
        temperature=0.7,
        maximum_tokens=8,
        keep="inline",
    )
    first = await outcome(chat)
    assert first == await outcome(chat)
    await http.close()


async def outcome(chat: Chat) -> str:
    try:
        return (await llm.chat(chat)).text
    except llm.Truncated as error:
        return f"truncated after {error.spent.output_tokens if error.spent else 0}"


async def test_what_it_does_not_take(local: Model) -> None:
    """Its server refuses those who have no key, pages of other sites, and what is longer than its context."""
    async with httpx.AsyncClient() as site:
        refused = await site.post(f"{local.base_url}/chat/completions", json={"messages": []})
        page = await site.get(f"{local.base_url}/models", headers={"origin": "https://evil.example"})
    assert refused.status_code == 401
    assert page.headers.get("access-control-allow-origin") not in ("*", "https://evil.example")
    long = question(local, 1).model_copy(update={"messages": (Message.user("A clause of a lease. " * 1500),)})
    with pytest.raises(llm.ContextTooLong):
        await llm.chat(long.model_copy(update={"model": local.model_copy(update={"context_tokens": None})}))
    await http.close()
