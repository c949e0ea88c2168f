"""Every run of a system paused at once, on a real server: those that run and those that start later."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import RateLimitConfig, TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, UpdateTaskQueueConfigRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError
from temporalio.worker import Worker
from tests.pause.shifts import ACTIVITIES, WORKFLOWS, PlainShift, done, released
from tests.pause.test_pause import shift, until, until_done, until_held, whole

from segue.activities.settings import Settings
from segue.client.inspect import run as run_of
from segue.client.pauses import pause, paused, pauses_of, resume
from segue.client.sweeps import Swept, pause_all, resume_all
from segue.workflows.pausing.pause import RESUME

FORGE = "pause-test-forge"


@pytest.fixture
async def queue(client: Client) -> AsyncIterator[str]:
    name = str(uuid.uuid4())
    async with Worker(client, task_queue=name, workflows=WORKFLOWS, activities=ACTIVITIES):
        yield name


async def until_listed(client: Client, query: str, count: int) -> None:
    async def is_so() -> bool:
        return (await client.count_workflows(query)).count == count

    await until(is_so)


async def limit(client: Client) -> RateLimitConfig:
    described = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=FORGE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            report_config=True,
        )
    )
    return described.config.queue_rate_limit


async def test_every_run_of_a_system_is_paused(client: Client, queue: str) -> None:
    """Its steps wait, in open runs and in one that starts later; the other system's go on; then all is done once."""
    update = UpdateTaskQueueConfigRequest.RateLimitUpdate(reason="a quiet night")
    update.rate_limit.requests_per_second = 50
    await client.workflow_service.update_task_queue_config(
        UpdateTaskQueueConfigRequest(
            namespace=client.namespace,
            task_queue=FORGE,
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
            update_queue_rate_limit=update,
        )
    )
    before = await shift(client, queue)
    swept = await pause_all(client, system=FORGE, reason="the fire is out", by="ann", settings=Settings())
    assert (swept.queue, swept.queue_changed, swept.uncovered) == (FORGE, True, None)
    assert swept.changed >= 1
    assert (await limit(client)).metadata.reason == (
        f"segue pause: {FORGE} by ann: the fire is out (limit before: 50/s)"
    )

    later = await shift(client, queue)
    for handle in (before, later):
        released.add(handle.id)
        await until_done(handle.id, 8)
    await until_held(before, 3)
    assert (await paused(later)).pauses == ()

    async def waits() -> bool:
        steps = [step for step in (await run_of(later)).steps if step.name == "hammer"]
        told = f"an operator to resume task queue '{FORGE}', which is stopped ({FORGE} by ann: the fire is out)"
        return len(steps) == 3 and all((step.waiting_for or "").startswith(told) for step in steps)

    await until(waits)
    assert [f"forge {n}" for n in range(3) if f"forge {n}" in done[before.id] + done[later.id]] == []

    resumed = await resume_all(client, system=FORGE, by="ann", settings=Settings())
    assert (resumed.queue, resumed.queue_changed, resumed.failed) == (FORGE, True, {})
    assert (await limit(client)).rate_limit.requests_per_second == 50
    for handle in (before, later):
        assert await handle.result() == whole()
        assert sorted(done[handle.id]) == sorted(["begun first", *whole()])
    again = await resume_all(client, system=FORGE, dry_run=True, settings=Settings())
    assert (again.queue, again.queue_changed) == (FORGE, False)


async def test_the_runs_that_a_query_finds(client: Client, plain: Client, queue: str) -> None:
    """Only those are paused, and are counted: paused already, refused, and what is not covered is said."""
    query = f"TaskQueue STARTS_WITH '{queue}'"
    first = await shift(client, queue, 1)
    second = await shift(client, queue, 1)
    unheld = await _plain_shift(plain, queue)
    await until_listed(client, query, 3)
    uncovered = (
        f"Steps of '{FORGE}' in runs that start from now on are not held: only the runs that the query finds now are "
        "paused"
    )
    counted = Swept(found=3, changed=2, unsupported=[unheld.id], uncovered=uncovered)
    assert await pause_all(client, system=FORGE, query=query, dry_run=True, settings=Settings()) == counted
    assert [(await paused(handle)).pauses for handle in (first, second)] == [(), ()]
    assert await pause_all(client, system=FORGE, query=query, settings=Settings()) == counted

    for handle in (first, second):
        released.add(handle.id)
        await until_held(handle, 1)

    async def shown() -> bool:
        again = await pause_all(client, system=FORGE, query=query, dry_run=True, settings=Settings())
        return again == Swept(found=3, unchanged=2, unsupported=[unheld.id], uncovered=uncovered)

    await until(shown)
    await unheld.terminate()
    await until_listed(client, f"{query} AND ExecutionStatus = 'Running'", 2)
    assert await resume_all(client, system=FORGE, query=query, settings=Settings()) == Swept(found=2, changed=2)
    assert [await handle.result() for handle in (first, second)] == [whole(1), whole(1)]


async def test_only_what_is_paused_so_is_resumed(client: Client, queue: str) -> None:
    """Runs that were not paused, or were otherwise, are neither told nor counted; one that no worker serves is both."""
    query = f"TaskQueue STARTS_WITH '{queue}'"
    held, wholly, free = [await shift(client, queue, 1) for _ in range(3)]
    deserted = await client.start_workflow(
        "Shift", 1, id=f"{queue}-deserted", task_queue=f"{queue}-deserted", run_timeout=timedelta(minutes=5)
    )
    for handle in (held, deserted):
        await pause(handle, system=FORGE, by="ann")
    await pause(wholly, by="ann")
    await until_listed(client, query, 4)
    for dry_run in (True, False):
        swept = await resume_all(client, system=FORGE, query=query, dry_run=dry_run, settings=Settings())
        assert swept == Swept(found=4, changed=2, unchanged=2)
    assert await resume_all(client, system=FORGE, query=query, settings=Settings()) == Swept(found=4, unchanged=4)
    assert [pause.system for pause in await pauses_of(wholly)] == [None]
    resumes = [
        event
        async for event in free.fetch_history_events()
        if event.workflow_execution_signaled_event_attributes.signal_name == RESUME
    ]
    assert resumes == []
    await resume(wholly, by="ann")
    await deserted.terminate()
    for handle in (held, wholly, free):
        released.add(handle.id)
        assert await handle.result() == whole(1)


async def test_what_is_not_covered_is_said(client: Client) -> None:
    """A system without a queue of its own leaves later runs as they are, and says so; so does one that shares it."""
    swept = await pause_all(client, system="pause-test-loom", dry_run=True, settings=Settings())
    assert swept.uncovered == (
        "Steps of 'pause-test-loom' in runs that start from now on are not held: the system has no task queue of its "
        "own, which could be stopped"
    )
    with pytest.raises(ValueError, match="All runs of a namespace are not paused or resumed at once: give a system"):
        await pause_all(client)
    with pytest.raises(RPCError, match="invalid query"):
        await pause_all(client, query="Colour = ", settings=Settings())


async def _plain_shift(plain: Client, queue: str) -> WorkflowHandle[Any, str]:
    """A run that made its first step without the plugin, and goes on with it."""
    other = f"{queue}-plain"
    async with Worker(plain, task_queue=other, workflows=[PlainShift], activities=ACTIVITIES):
        handle = await plain.start_workflow(PlainShift.run, id=f"plain-{queue}", task_queue=other)
        await until_done(handle.id, 1)
    return handle
