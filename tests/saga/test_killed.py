"""A worker that dies while it undoes a saga."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import uuid
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowFailureError
from tests.saga.demolition import FLOORS, BuildHouse, worker


async def test_a_killed_worker_costs_nothing_and_repeats_nothing(client: Client, tmp_path: Path) -> None:
    """The next worker goes on with the compensation that was under way; each step is done once, in order."""
    queue = str(uuid.uuid4())
    target = client.service_client.config.target_host
    root = Path(__file__).parents[2]
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.saga.demolition", target, queue, cwd=root
    )
    try:
        handle = await client.start_workflow(BuildHouse.run, str(tmp_path), id=queue, task_queue=queue)
        while not (tmp_path / "process").exists() or not (tmp_path / "process").read_text():
            assert running.returncode is None
            await asyncio.sleep(0.02)
        os.kill(int((tmp_path / "process").read_text()), signal.SIGKILL)
    finally:
        with contextlib.suppress(ProcessLookupError):
            running.kill()
        await running.wait()
    async with worker(client, queue):
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()

    assert str(failed.value.cause) == "no roof"
    done = {path.name: path.read_text().split("\n")[:-1] for path in tmp_path.iterdir() if path.name != "process"}
    assert done == {f"{what} {floor}": [f"{what} {floor}"] for what in ("raised", "torn down") for floor in FLOORS}
    undone = [
        (event.activity_task_scheduled_event_attributes.activity_id, event.user_metadata.summary.data)
        for event in (await handle.fetch_history()).events
        if event.activity_task_scheduled_event_attributes.activity_type.name == "tear_down_floor"
    ]
    assert undone == [
        ("tear_down_floor-1", b'"undo attic"'),
        ("tear_down_floor-2", b'"undo kitchen"'),
        ("tear_down_floor-3", b'"undo cellar"'),
    ]
