"""What an error must not carry into a history: rejected input, and the credentials of a URL."""

from __future__ import annotations

import uuid

import httpx
import pytest
from pydantic import BaseModel
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.worker import Worker

from segue.activities import Policy, System

CANARY = "canary-4111111111111111"
bureau = System("bureau-secrets-test", policy=Policy(maximum_attempts=1))


class Card(BaseModel):
    number: int


@bureau.activity
async def wrap_a_rejected_card() -> None:
    try:
        Card.model_validate({"number": CANARY})
    except ValueError as error:
        raise RuntimeError("the card was refused") from error


@bureau.activity
async def wrap_a_refused_request() -> None:
    request = httpx.Request("GET", f"https://example.com/x?api_key={CANARY}")
    try:
        httpx.Response(500, request=request).raise_for_status()
    except httpx.HTTPStatusError as error:
        raise RuntimeError("the bureau is down") from error


@workflow.defn
class Wraps:
    @workflow.run
    async def run(self, how: str) -> None:
        if how == "workflow":
            Card.model_validate({"number": CANARY})
        await workflow.execute_activity(how)


@pytest.mark.parametrize("how", ["workflow", "wrap_a_rejected_card", "wrap_a_refused_request"])
async def test_no_link_of_an_error_s_chain_carries_a_secret(client: Client, how: str) -> None:
    """Neither a workflow's own error nor the cause of an activity's brings rejected input or a query into history."""
    queue = str(uuid.uuid4())
    activities = [wrap_a_rejected_card, wrap_a_refused_request]
    async with Worker(client, task_queue=queue, workflows=[Wraps], activities=activities):
        handle = await client.start_workflow(Wraps.run, how, id=str(uuid.uuid4()), task_queue=queue)
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    history = (await handle.fetch_history()).to_json()
    assert CANARY not in history
    assert ("number: Input should be a valid integer" in history) == (how != "wrap_a_refused_request")
