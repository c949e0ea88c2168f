"""The plugin on a real server: policies applied to plain calls, and failures delivered."""

from __future__ import annotations

import uuid
from datetime import timedelta

from pydantic import BaseModel
from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from segue.activities import Capacity, Policy, System

payments = System(
    "payments-plugin-test",
    policy=Policy(start_to_close_timeout=timedelta(seconds=10), maximum_attempts=6),
    capacity=Capacity(per_second=50, concurrent=8),
)


class Order(BaseModel):
    id: str
    cents: int


@payments.activity
async def debit(order: Order) -> str:
    return f"charged {order.cents}"


@workflow.defn
class Pay:
    @workflow.run
    async def run(self, order: Order) -> str:
        return await workflow.execute_activity(debit, order)


async def test_a_plain_call_gets_the_policy_of_its_system(client: Client) -> None:
    """A call without options is scheduled with its system's timeouts, retries, queue, summary and a readable id."""
    async with Worker(client, task_queue="plugin", workflows=[Pay], activities=[debit]):
        handle = await client.start_workflow(
            Pay.run, Order(id="17", cents=5), id=str(uuid.uuid4()), task_queue="plugin"
        )
        assert await handle.result() == "charged 5"
    history = await handle.fetch_history()
    [event] = [e for e in history.events if e.HasField("activity_task_scheduled_event_attributes")]
    scheduled = event.activity_task_scheduled_event_attributes
    assert scheduled.activity_id == "debit-1"
    assert scheduled.task_queue.name == "payments-plugin-test"
    assert scheduled.start_to_close_timeout.ToTimedelta() == timedelta(seconds=10)
    assert scheduled.retry_policy.maximum_attempts == 6
    assert event.user_metadata.summary.data == b'"17"'
