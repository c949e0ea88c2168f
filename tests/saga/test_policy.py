"""What a compensation does about an error is what its system's policy says in this deployment, not in code alone."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from tests.repair.test_repair import until_parked
from tests.saga.test_saga import failure, scheduled, worker
from tests.saga.trips import Guarded, Guided, Trip, effects

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.client.repairs import repair


async def deployed(server: WorkflowEnvironment, folder: Path, toml: str) -> Client:
    """A client of a deployment whose segue.toml says so."""
    file = folder / "segue.toml"
    file.write_text(toml)
    target = server.client.service_client.config.target_host
    return await Client.connect(target, plugins=[SeguePlugin(settings=Settings.load(file))])


@pytest.mark.parametrize("plainly", [False, True])
async def test_a_deployment_that_says_to_fail(server: WorkflowEnvironment, tmp_path: Path, plainly: bool) -> None:
    """It is tried at the deployment's intervals until it succeeds, also where plain code undoes and calls it."""
    toml = '[systems.saga-test-guides]\non_exhausted = "fail"\ninitial_interval = "70ms"\n'
    toml += 'schedule_to_close_timeout = "40s"\nschedule_to_start_timeout = "30s"\n'
    client, queue = await deployed(server, tmp_path, toml), str(uuid.uuid4())
    async with worker(client, queue):
        handle = await client.start_workflow(
            Guided.run, args=[Trip(queue, stumble="cancel guide"), plainly], id=queue, task_queue=queue
        )
        error = await failure(handle)
    assert str(error) == "on purpose"
    assert effects[queue] == ["cancel guide"]
    asked = (await scheduled(handle, "cancel_guide-1")).activity_task_scheduled_event_attributes
    assert asked.retry_policy.maximum_attempts == 0
    assert asked.retry_policy.initial_interval.ToTimedelta() == timedelta(milliseconds=70)
    # The server has a word for no bound, which is none.
    assert asked.schedule_to_close_timeout.ToTimedelta() == asked.schedule_to_start_timeout.ToTimedelta() == timedelta()


async def test_a_deployment_that_says_to_park(server: WorkflowEnvironment, tmp_path: Path) -> None:
    """It has the policy's attempts and parks, although its system's code says to fail."""
    toml = '[systems.saga-test-agency]\non_exhausted = "park"\n'
    client, queue = await deployed(server, tmp_path, toml), str(uuid.uuid4())
    trip = Trip(queue, stumble="unbook hotel", refuse=("depart",))
    async with worker(client, queue):
        handle = await client.start_workflow(Guarded.run, trip, id=queue, task_queue=queue)
        [refused] = await until_parked(handle)
        await repair(handle, refused.step, "fail")
        [parked] = await until_parked(handle)
        assert (parked.step, parked.undoes, parked.reason) == ("unbook_part-1", True, "exhausted")
        await repair(handle, parked.step, "skip")
        assert await handle.result() == [
            "Refused: cannot depart",
            f"Saga 'saga' has undone: unbook_part • {queue}, hotel",
            f"unbook_part • {queue}, hotel: done",
            f"unbook_part • {queue}, flight: withdrawn",
        ]
    asked = (await scheduled(handle, "unbook_part-1")).activity_task_scheduled_event_attributes
    assert asked.retry_policy.maximum_attempts == 1
