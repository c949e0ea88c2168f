"""Record the histories in `tests/histories`: `python -m tests.core.record [plain|default|segue] [WORKFLOW...]`.

`plain` runs the workflows of `replayed.py` on a worker without the plugin and with Temporal's pydantic converter, as a
user's running workflows are before the plugin is added; `default` does so with Temporal's default converter; `segue`
runs them with the plugin. A history that is there already is kept, for a recorded history stands for
the runs of an older version: delete the file to record it anew.
"""

from __future__ import annotations

import asyncio
import math
import shutil
import sys
import uuid
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from tests import recorded
from tests.core.replayed import (
    ACTIVITIES,
    TASK_QUEUE,
    WORKFLOWS,
    Altered,
    Cancelled,
    Chain,
    Continued,
    Echo,
    Parcel,
    Scan,
    Scans,
    Signalled,
)

from segue.activities.settings import Settings
from segue.client import SeguePlugin

PARCEL = Parcel("p-1", 250)
ARGUMENTS: dict[type, list[Any]] = {
    Signalled: [],
    Continued: [2],
    Altered: [1.0],
    Echo: [math.inf],
    Scans: [Scan("before", b"\xff", [])],
}
KINDS: dict[str, list[type]] = {
    "plain": [workflow for workflow in WORKFLOWS if workflow is not Scans],
    "default": [Chain, Scans],
    # What these send, Segue refuses.
    "segue": [workflow for workflow in WORKFLOWS if workflow not in (Altered, Echo, Scans)],
}


async def drive(client: Client, workflow: type, *, task_queue: str = TASK_QUEUE) -> WorkflowHandle[Any, Any]:
    """Start one of the workflows and do to it what its history is to show; return its handle, not its result."""
    run: Any = getattr(workflow, "run")  # noqa: B009
    args = ARGUMENTS.get(workflow, [PARCEL])
    handle: WorkflowHandle[Any, Any] = await client.start_workflow(
        run, args=args, id=f"{workflow.__name__}-{uuid.uuid4()}", task_queue=task_queue
    )
    if workflow is Signalled:
        await handle.signal(Signalled.approve, "ann")
        await handle.execute_update("rename", "bob")  # pyright: ignore[reportUnknownMemberType]
        await handle.signal(Signalled.approve, "cyd")
    if workflow is Cancelled:
        while not any(
            pending.activity_type.name == "hold" and pending.state == 2 for pending in await pending_of(handle)
        ):
            await asyncio.sleep(0.02)
        await handle.cancel()
    return handle


async def pending_of(handle: WorkflowHandle[Any, Any]) -> list[Any]:
    """Return the activities of a run that the server has not seen the end of."""
    return list((await handle.describe()).raw_description.pending_activities)


async def run(kind: str, names: list[str]) -> None:
    """Record the histories of one kind that are missing, all or those of the named workflows."""
    environment = await WorkflowEnvironment.start_local(  # pyright: ignore[reportUnknownMemberType]
        dev_server_existing_path=str(Path(sys.executable).with_name("temporal"))
        if Path(sys.executable).with_name("temporal").exists()
        else shutil.which("temporal"),
    )
    try:
        target = environment.client.service_client.config.target_host
        if kind == "segue":
            client = await Client.connect(target, plugins=[SeguePlugin(settings=Settings())])
        else:
            converter = DataConverter.default if kind == "default" else pydantic_data_converter
            client = await Client.connect(target, data_converter=converter)
        async with Worker(client, task_queue=TASK_QUEUE, workflows=WORKFLOWS, activities=ACTIVITIES):
            for workflow in WORKFLOWS:
                path = recorded.HISTORIES / f"core_{kind}_{workflow.__name__}.json"
                if path.exists() or (names and workflow.__name__ not in names) or workflow not in KINDS[kind]:
                    continue
                handle = await drive(client, workflow)
                first = client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
                await recorded.record(first, path)
    finally:
        await environment.shutdown()


if __name__ == "__main__":
    for kind in sys.argv[1:2] or KINDS:
        asyncio.run(run(kind, sys.argv[2:]))
