"""Approvals that wait for days, under time skipping, on a server that has the search attribute."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from tests.approvals.payments import WORKFLOWS, Asked, Correction, Payment, Told, tell_approvers, told
from tests.approvals.test_approval import refused, until_asked

from segue.activities.settings import Settings
from segue.client import SeguePlugin, approvals_of, decide, pending_approvals
from segue.client.waiting import has_attribute
from segue.workers.replay import replay
from segue.workflows.approvals import AlreadyDecided
from segue.workflows.waiting import ATTRIBUTE

QUEUE = "approval-time"
NOW = timedelta(0)


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


@pytest_asyncio.fixture
async def slow(skipping: WorkflowEnvironment) -> Client:
    """A client of that server for whose workflows time does not skip."""
    target = skipping.client.service_client.config.target_host
    return await Client.connect(target, plugins=[SeguePlugin(settings=Settings())])


async def start(client: Client, asked: Asked) -> WorkflowHandle[Payment, Told]:
    return await client.start_workflow(Payment.run, asked, id=f"late-{uuid.uuid4()}", task_queue=QUEUE)


def worker(client: Client) -> Worker:
    return Worker(client, task_queue=QUEUE, workflows=WORKFLOWS, activities=[tell_approvers], max_cached_workflows=0)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_deadline_decides(skipping: WorkflowEnvironment) -> None:
    """Nobody decides: at the deadline the outcome is the one given for it, and says that it came from there."""
    async with worker(skipping.client):
        handle = await start(skipping.client, Asked(by=timedelta(days=30), on_deadline="reject"))
        result = await handle.result()
        second = await refused(decide(handle, approve=True))
        [approval] = await approvals_of(handle)
    assert result == Told(choice="reject", from_deadline=True, took=timedelta(days=30))
    assert second == (AlreadyDecided, "The run has ended: 'approval-1' was decided by its deadline at TIME: rejected")
    assert (approval.state, approval.until) == ("decided", approval.since + timedelta(days=30))


@pytest.mark.asyncio(loop_scope="module")
async def test_without_an_outcome_the_deadline_fails(skipping: WorkflowEnvironment) -> None:
    """Nobody decides, and there is no outcome for that: the approval fails, and names itself and its deadline."""
    async with worker(skipping.client):
        handle = await start(skipping.client, Asked(by=timedelta(days=2)))
        result = await handle.result()
        [approval] = await approvals_of(handle)
    until = f"{approval.until:%Y-%m-%d %H:%M:%S} UTC"
    assert result == Told(choice=f"Nobody decided 'approval-1' until {until}: Pay 12,000 EUR?", took=timedelta(days=2))
    assert approval.state == "expired"


@pytest.mark.asyncio(loop_scope="module")
async def test_reminders_and_an_escalation(skipping: WorkflowEnvironment) -> None:
    """Those who may decide are told at once and every day, the next in line after two days and a half; all in order."""
    asked = Asked(
        by=timedelta(days=4),
        on_deadline="reject",
        allowed=["ann", "bob"],
        remind=timedelta(days=1),
        escalate=timedelta(days=2, hours=12),
    )
    async with worker(skipping.client):
        handle = await start(skipping.client, asked)
        result = await handle.result()
        history = await handle.fetch_history()
        [approval] = await approvals_of(handle)
    assert result == Told(choice="reject", from_deadline=True, took=timedelta(days=4))
    # The reminder of the fourth day falls on the deadline.
    assert told[handle.id][:5] == [
        ("asked", 1, ("ann", "bob")),
        ("reminder", 1, ("ann", "bob")),
        ("reminder", 2, ("ann", "bob")),
        ("escalation", 1, ("cfo",)),
        ("reminder", 3, ("ann", "bob", "cfo")),
    ]
    assert (approval.allowed, approval.escalated_to) == (("ann", "bob", "cfo"), ("cfo",))
    assert await replay([history], WORKFLOWS, SeguePlugin(settings=Settings())) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_who_cannot_be_told_may_still_decide(skipping: WorkflowEnvironment) -> None:
    """A notice that fails leaves the approval open until its deadline, with the failed step to be seen."""
    async with worker(skipping.client):
        handle = await start(
            skipping.client, Asked(by=timedelta(days=1), on_deadline="reject", tell=True, question="Pay??")
        )
        assert await handle.result() == Told(choice="reject", from_deadline=True, took=timedelta(days=1))


@pytest.mark.asyncio(loop_scope="module")
async def test_a_decision_beside_the_deadline(slow: Client) -> None:
    """Decisions that are sent just as the deadline comes: whoever is told that it was taken, is the one who decided."""
    taken = 0
    async with worker(slow):
        for wait in (0.0, 0.3, 0.5, 0.7, 0.85, 0.95):
            handle = await start(slow, Asked(by=timedelta(seconds=1), on_deadline="reject"))
            await until_asked(handle)
            [approval] = await approvals_of(handle)
            await asyncio.sleep(wait)
            outcomes = await asyncio.gather(
                *(decide(handle, approve=True, by=name) for name in ("ann", "bob", "cyd")), return_exceptions=True
            )
            accepted = [one.by for one in outcomes if not isinstance(one, BaseException)]
            result = await handle.result()
            assert approval.until is not None
            assert [result.by] == (accepted or [None])
            assert result.from_deadline is (not accepted)
            taken += len(accepted)
    assert taken > 0


@pytest.mark.asyncio(loop_scope="module")
async def test_the_search_attribute_finds_what_waits(slow: Client) -> None:
    """Where the namespace has the attribute it is set while the run waits, and what waits is found by it."""
    async with worker(slow):
        handle = await start(slow, Asked(form=True))
        await until_asked(handle)
        attributes = (await handle.describe()).typed_search_attributes
        while not (found := [one for one in await pending_approvals(slow) if one.workflow_id == handle.id]):
            await asyncio.sleep(0.05)
        assert await has_attribute(slow)
        assert attributes.get(ATTRIBUTE) == ["approval"]
        assert [one.approval.id for one in found] == ["approval-1"]
        await decide(handle, approve=True, input=Correction(amount=1))
        await handle.result()
        assert (await handle.describe()).typed_search_attributes.get(ATTRIBUTE) is None
        history = await handle.fetch_history()
    assert await replay([history], WORKFLOWS, SeguePlugin(settings=Settings())) == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_a_run_keeps_to_how_it_began(slow: Client) -> None:
    """A run whose worker did not know of the attribute goes on without it on one that does, and is found by a scan."""
    unknowing = SeguePlugin(settings=Settings())
    blind = await Client.connect(slow.service_client.config.target_host, plugins=[unknowing])
    # As on a namespace that got its attribute later: this worker is told of another that lacks it.
    unknowing._waiting.namespaces["elsewhere"] = False  # pyright: ignore[reportPrivateUsage]
    async with worker(blind):
        handle = await start(slow, Asked())
        await until_asked(handle)
    async with worker(slow):
        while not any(one.workflow_id == handle.id for one in await pending_approvals(slow, scan=True)):
            await asyncio.sleep(0.05)
        assert not any(one.workflow_id == handle.id for one in await pending_approvals(slow))
        await decide(handle, approve=True, by="ann")
        assert (await handle.result()).by == "ann"
        kinds: list[Any] = [event.event_type async for event in handle.fetch_history_events()]
    assert 40 not in kinds  # UPSERT_WORKFLOW_SEARCH_ATTRIBUTES
