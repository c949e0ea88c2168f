"""A worker is killed in the middle of its batches: what was done is not done again, and the rest goes on."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from tests.fanout.killed_worker import Kiln

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def process(server: WorkflowEnvironment, queue: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    target = server.client.service_client.config.target_host
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fanout.killed_worker", target, queue, cwd=ROOT
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def reported(handle: WorkflowHandle[Any, Any]) -> list[list[int]]:
    """The items that each running batch has reported as done."""
    found: list[list[int]] = []
    for pending in (await handle.describe()).raw_description.pending_activities:
        if pending.heartbeat_details.payloads:
            [report] = await handle._client.data_converter.decode(pending.heartbeat_details.payloads)  # pyright: ignore[reportPrivateUsage]
            found.append(sorted(report["done"]))
    return sorted(found)


async def test_a_killed_worker_costs_nothing_done(server: WorkflowEnvironment, client: Client, tmp_path: Path) -> None:
    """Items that were done run once; those under way run again, with the same key and the next attempt."""
    queue = str(uuid.uuid4())
    handle = await client.start_workflow(Kiln.run, args=[20, str(tmp_path)], id=queue, task_queue=queue)
    async with process(server, queue) as worker:
        while await reported(handle) != [list(range(9)), list(range(10, 19))]:
            await asyncio.sleep(0.1)
        worker.kill()
        await worker.wait()
        (tmp_path / "go").touch()
    async with process(server, queue):
        results = await handle.result()

    assert results == [f"brick {number}" for number in range(20)]
    runs = {number: (tmp_path / f"brick-{number}").read_text().split("\n")[:-1] for number in range(20)}
    assert {number: [line.split()[1] for line in lines] for number, lines in runs.items()} == {
        number: ["1", "2"] if number % 10 == 9 else ["1"] for number in range(20)
    }
    keys = [{line.split()[0] for line in lines} for lines in runs.values()]
    assert [len(one) for one in keys] == [1] * 20
    assert len({key for one in keys for key in one}) == 20
