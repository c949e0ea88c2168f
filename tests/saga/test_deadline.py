"""A saga's deadline, with time skipped: it runs code, which the server's timeouts of a run do not."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError
from temporalio.testing import WorkflowEnvironment
from tests.conftest import temporal_binary
from tests.saga.test_saga import failure, worker
from tests.saga.trips import Overdue, Travel, Trip, Waiting, effects

from segue.activities.settings import Settings
from segue.client import SeguePlugin

MONTH = timedelta(days=30)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def skipping() -> AsyncIterator[WorkflowEnvironment]:
    """A real server on which a run's time is skipped while it only waits."""
    async with await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=temporal_binary(),
        dev_server_extra_args=["--dynamic-config-value", "frontend.WorkflowTimeSkippingEnabled=true"],
        plugins=[SeguePlugin(settings=Settings())],
    ) as environment:
        yield environment


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("swallow", ["", "swallow"])
async def test_a_deadline_undoes_the_block(skipping: WorkflowEnvironment, swallow: str) -> None:
    """After its deadline a block is cancelled, undone, and ends with a terminal error, even if it swallows that."""
    queue = str(uuid.uuid4())
    async with worker(skipping.client, queue, max_cached_workflows=0):
        handle = await skipping.client.start_workflow(
            Waiting.run, Trip(queue, deadline=MONTH, stumble=swallow), id=queue, task_queue=queue
        )
        error = await failure(handle)

    assert isinstance(error, ApplicationError)
    assert (error.type, error.message, error.non_retryable) == (
        "DeadlineExceeded",
        "Saga 'saga' did not end within 30 days, 0:00:00",
        True,
    )
    assert effects[queue] == ["unbook hotel"]
    events = (await handle.fetch_history()).events
    [timer] = [event for event in events if event.HasField("timer_started_event_attributes")]
    assert timer.user_metadata.summary.data == b'"deadline of saga"'
    assert events[-1].event_time.ToDatetime() - events[0].event_time.ToDatetime() >= MONTH


@pytest.mark.asyncio(loop_scope="module")
async def test_a_deadline_that_passes_during_an_inner_saga(skipping: WorkflowEnvironment) -> None:
    """It does not stop what is being undone, comes right after, and leaves no cancellation behind."""
    queue = str(uuid.uuid4())
    trip = Trip(queue, deadline=timedelta(minutes=10))
    async with worker(skipping.client, queue, max_cached_workflows=0):
        told = await skipping.client.execute_workflow(Overdue.run, trip, id=queue, task_queue=queue)

    assert told == ["outer", "Saga 'outer' did not end within 0:10:00"]


@pytest.mark.parametrize("name", ["run_timeout", "execution_timeout"])
async def test_a_deadline_after_the_end_of_the_run_is_refused(client: Client, name: str) -> None:
    """A run that the server would end before its saga's deadline fails at once, and says why."""
    queue = str(uuid.uuid4())
    timeouts: dict[str, Any] = {name: timedelta(hours=1)}
    async with worker(client, queue):
        handle = await client.start_workflow(
            Travel.run, Trip(queue, deadline=timedelta(hours=1)), id=queue, task_queue=queue, **timeouts
        )
        error = await failure(handle)

    assert isinstance(error, ApplicationError)
    assert error.message == (
        f"Saga 'trip' has a deadline of 1:00:00, but by then the run's own {name} of 1:00:00 has ended the run, "
        "without undoing anything: give the run a longer one, or none"
    )
    assert effects[queue] == []


async def test_a_deadline_that_is_kept_leaves_nothing_behind(client: Client) -> None:
    """A block that ends in time cancels its timer, and a run that the server gives more time is not refused."""
    queue = str(uuid.uuid4())
    async with worker(client, queue):
        handle = await client.start_workflow(
            Travel.run,
            Trip(queue, deadline=timedelta(hours=1)),
            id=queue,
            task_queue=queue,
            run_timeout=timedelta(hours=2),
        )
        assert await handle.result() == "away"

    assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED
    events = (await handle.fetch_history()).events
    assert sum(event.HasField("timer_canceled_event_attributes") for event in events) == 1


async def test_a_deadline_of_nothing_is_refused(client: Client) -> None:
    """A deadline that is not longer than zero is refused before anything starts."""
    queue = str(uuid.uuid4())
    async with worker(client, queue):
        handle = await client.start_workflow(Travel.run, Trip(queue, deadline=timedelta(0)), id=queue, task_queue=queue)
        error = await failure(handle)

    assert isinstance(error, ApplicationError)
    assert error.message == "Saga 'trip' has a deadline of 0:00:00: it must be a timedelta longer than zero"
    assert effects[queue] == []
