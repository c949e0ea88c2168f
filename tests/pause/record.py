"""Record the histories of the pause tests that are missing: `python -m tests.pause.record`.

A recorded history stands for the runs of an older version, so one that is there is kept: delete it to record it anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker
from tests.pause.shifts import ACTIVITIES, WORKFLOWS, Foreman, Plan, Shift, Watch, released
from tests.pause.test_pause import until_done, until_held, until_paused
from tests.recorded import missing, record

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.client.pauses import pause, resume
from segue.workers.server import dev_server

QUEUE = "pauses"


async def shift(client: Client) -> WorkflowHandle[Any, Any]:
    """A system's pause, the whole run's, and both ended."""
    handle = await client.start_workflow(Shift.run, 3, id="pause_shift", task_queue=QUEUE)
    await until_done(handle.id, 1)
    await pause(handle, system="pause-test-forge", by="ann")
    released.add(handle.id)
    await until_held(handle, 3)
    await pause(handle, by="ann", reason="fire drill")
    await resume(handle, system="pause-test-forge", by="ann")
    await until_held(handle, 3)
    await resume(handle, by="ann")
    return handle


async def cancelled(client: Client) -> WorkflowHandle[Any, Any]:
    """Cancelled while it is paused."""
    handle = await client.start_workflow(Shift.run, 3, id="pause_cancelled", task_queue=QUEUE)
    await until_done(handle.id, 1)
    await pause(handle, by="ann")
    released.add(handle.id)
    await until_held(handle, 9)
    await handle.cancel()
    return handle


async def continued(client: Client) -> WorkflowHandle[Any, Any]:
    """The second run of a chain, which began paused."""
    handle = await client.start_workflow(Watch.run, 1, id="pause_continued", task_queue=QUEUE)
    await until_done(handle.id, 1)
    await pause(handle, by="ann")
    await handle.signal(Watch.relieve)
    while (await client.get_workflow_handle(handle.id).describe()).run_id == handle.first_execution_run_id:
        await asyncio.sleep(0.02)
    latest = client.get_workflow_handle(
        handle.id, run_id=(await client.get_workflow_handle(handle.id).describe()).run_id
    )
    await until_held(latest, 1)
    await resume(latest, by="ann")
    return latest


async def parent(client: Client) -> WorkflowHandle[Any, Any]:
    """A parent that tells its children."""
    handle = await client.start_workflow(Foreman.run, Plan(2, 1), id="pause_parent", task_queue=QUEUE)
    children = [f"{handle.id}-{n}" for n in range(2)]
    for child in children:
        await until_done(child, 1)
    await pause(handle, by="ann")
    for child in children:
        await until_paused(client.get_workflow_handle(child))
        released.add(child)
        await until_held(client.get_workflow_handle(child), 1)
    await handle.signal(Foreman.go_on)
    await until_held(handle, 1)
    released.add(f"{handle.id}-later-0")
    await resume(handle, by="ann")
    return handle


CASES: list[Callable[[Client], Awaitable[WorkflowHandle[Any, Any]]]] = [shift, cancelled, continued, parent]


async def main() -> None:
    """Run the cases whose histories are missing, and write these down."""
    async with dev_server(None, port=0, ui_port=None) as server:
        client = await Client.connect(server.address, plugins=[SeguePlugin(settings=Settings())])
        async with Worker(client, task_queue=QUEUE, workflows=WORKFLOWS, activities=ACTIVITIES):
            for _, case, path in missing("pause", {case.__name__: case for case in CASES}):
                await record(await case(client), path)


if __name__ == "__main__":
    asyncio.run(main())
