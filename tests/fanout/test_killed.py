"""A worker or the server is killed in the middle of batches: what was done is not done again, and the rest goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import uuid
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle
from tests.chaos.processes import stable_port
from tests.fanout.killed_worker import Kiln
from tests.processes import worker_process

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.server import dev_server


async def reported(handle: WorkflowHandle[Any, Any]) -> list[list[int]]:
    """The items that each running batch has reported as done."""
    found: list[list[int]] = []
    for pending in (await handle.describe()).raw_description.pending_activities:
        if pending.heartbeat_details.payloads:
            [report] = await handle._client.data_converter.decode(pending.heartbeat_details.payloads)  # pyright: ignore[reportPrivateUsage]
            found.append(sorted(report["done"]))
    return sorted(found)


def ledger(folder: Path, bricks: int) -> list[list[list[str]]]:
    """The key and the attempt of each time that a brick was fired, by brick."""
    return [
        [line.split() for line in (folder / f"brick-{number}").read_text().splitlines()] for number in range(bricks)
    ]


async def test_a_killed_worker_costs_nothing_done(client: Client, tmp_path: Path) -> None:
    """Items that were done run once; those under way run again, with the same key and the next attempt."""
    queue = str(uuid.uuid4())
    handle = await client.start_workflow(Kiln.run, args=[20, str(tmp_path), 100, None], id=queue, task_queue=queue)
    async with worker_process(client, "tests.fanout.killed_worker", queue) as worker:
        while await reported(handle) != [list(range(9)), list(range(10, 19))]:
            await asyncio.sleep(0.1)
        worker.kill()
        await worker.wait()
        (tmp_path / "go").touch()
    async with worker_process(client, "tests.fanout.killed_worker", queue):
        results = await handle.result()

    assert results == [f"brick {number}" for number in range(20)]
    runs = ledger(tmp_path, 20)
    assert [[attempt for _, attempt in one] for one in runs] == [
        ["1", "2"] if number % 10 == 9 else ["1"] for number in range(20)
    ]
    assert [len({key for key, _ in one}) for one in runs] == [1] * 20
    assert len({key for one in runs for key, _ in one}) == 20


async def test_a_killed_server_costs_nothing_done(tmp_path: Path) -> None:
    """The worker ends its batches while the server is down, and goes on when it is back: each item runs once."""
    queue, port, path = str(uuid.uuid4()), stable_port(), tmp_path / "temporal.db"
    for brick in range(9, 50, 10):
        (tmp_path / f"go-{brick}").touch()
    async with AsyncExitStack() as stack:
        async with dev_server(path, port=port, ui_port=None) as server:
            client = await Client.connect(server.address, plugins=[SeguePlugin(settings=Settings())])
            # Two batches at once. Their attempts outlive the outage.
            args = [100, str(tmp_path), 20, timedelta(seconds=60)]
            await client.start_workflow(Kiln.run, args=args, id=queue, task_queue=queue)
            worker = await stack.enter_async_context(worker_process(client, "tests.fanout.killed_worker", queue))
            while len(list(tmp_path.glob("brick-*"))) < 70:
                await asyncio.sleep(0.05)
            os.kill(server.pid, signal.SIGKILL)
            await server.process.wait()
        (tmp_path / "go").touch()
        async with dev_server(path, port=port, ui_port=None) as server:
            client = await Client.connect(server.address, plugins=[SeguePlugin(settings=Settings())])
            results = await client.get_workflow_handle(queue, result_type=list[str]).result()
            assert worker.returncode is None
            worker.kill()
            await worker.wait()

    assert results == [f"brick {number}" for number in range(100)]
    runs = ledger(tmp_path, 100)
    assert [[attempt for _, attempt in one] for one in runs] == [["1"]] * 100
    assert len({key for one in runs for key, _ in one}) == 100
