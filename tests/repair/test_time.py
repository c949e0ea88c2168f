"""What waits for days, under time skipping, on a server that has the search attribute."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from tests.cli.conftest import Ended
from tests.effects import till
from tests.effects.test_effects import worker as till_worker
from tests.repair.bank import Paid, Pay, closed, ledger
from tests.repair.test_cli import segue_on
from tests.repair.test_repair import payment, until_parked, worker

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.client.repairs import parked, repair
from segue.workflows.waiting import ATTRIBUTE


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def skipping(temporal: str) -> AsyncIterator[WorkflowEnvironment]:
    """A real server that skips time for the workflows of its client, and has Segue's search attribute."""
    environment = await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=temporal,
        search_attributes=[ATTRIBUTE],
        plugins=[SeguePlugin(settings=Settings())],
        dev_server_extra_args=["--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"],
    )
    try:
        yield environment
    finally:
        await environment.shutdown()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_step_is_parked_for_a_month(skipping: WorkflowEnvironment) -> None:
    """Its run is found by the server all the while, and goes on when it is repaired."""
    client, queue, paying = skipping.client, str(uuid.uuid4()), payment()
    async with worker(client, queue, max_cached_workflows=0):
        handle = await client.start_workflow(Pay.run, paying, id=queue, task_queue=queue)
        await until_parked(handle)
        await skipping.fast_forward(handle, timedelta(days=30))
        [step] = await until_parked(handle)
        assert (await handle.describe()).typed_search_attributes[ATTRIBUTE] == ["parked"]
        closed.discard(paying.account)
        repaired = await repair(handle, step.step, "retry")
        assert repaired.at - step.since >= timedelta(days=30)
        assert await handle.result() == Paid(order=paying.order, cents=5)
    described = (await handle.describe()).typed_search_attributes
    assert described.get(ATTRIBUTE) is None
    assert len(ledger[paying.order]) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_what_parked_before_the_attribute_is_found_by_a_scan(skipping: WorkflowEnvironment) -> None:
    """Of a run whose worker did not know of the attribute when it parked, a repair by query knows by `--scan` alone."""
    unknowing = SeguePlugin(settings=Settings())
    target = skipping.client.service_client.config.target_host
    # For whose workflows time does not skip.
    client = await Client.connect(target, plugins=[SeguePlugin(settings=Settings())])
    blind = await Client.connect(target, plugins=[unknowing])
    # As on a namespace that got its attribute later: this worker is told of another that lacks it.
    unknowing._waiting.namespaces["elsewhere"] = False  # pyright: ignore[reportPrivateUsage]
    queue, paying = str(uuid.uuid4()), payment()
    segue = segue_on(client)
    asked = ("repair", "--query", f"WorkflowId = '{queue}'", "--retry")
    async with worker(blind, queue):
        handle = await client.start_workflow(Pay.run, paying, id=queue, task_queue=queue)
        await until_parked(handle)
    async with worker(client, queue):
        closed.discard(paying.account)
        while not await parked(client, f"WorkflowId = '{queue}'", scan=True):
            await asyncio.sleep(0.05)
        assert await segue(*asked) == Ended(0, "", "Nothing that is parked matches\n")
        assert await segue(*asked, "--scan") == Ended(
            0, f"transfer_money-1 of {queue} is tried again\n1 repaired, 0 refused\n", ""
        )
        assert await handle.result() == Paid(order=paying.order, cents=5)


@pytest.mark.asyncio(loop_scope="module")
async def test_what_has_not_happened_waits_before_it_is_tried_again(
    skipping: WorkflowEnvironment, tmp_path: Path
) -> None:
    """For as long as its error says: two days here, twice."""
    client, queue = skipping.client, str(uuid.uuid4())
    payout = till.Payout(str(tmp_path), ("in two days", "in two days", ""))
    async with till_worker(client, queue):
        handle = await client.start_workflow(till.PayOut.run, args=["pay_blindly", payout], id=queue, task_queue=queue)
        await handle.result()
    events = [event async for event in handle.fetch_history_events()]
    lasted = events[-1].event_time.ToDatetime() - events[0].event_time.ToDatetime()
    assert timedelta(days=4) <= lasted < timedelta(days=5)
    assert len(till.Book(tmp_path).lines("paid")) == 1
