"""A worker in a process of its own, killed while steps are parked: `python -m tests.repair.branch TARGET QUEUE`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from segue.activities import Policy, System, Terminal, idempotency_key
    from segue.activities.settings import Settings
    from segue.client import SeguePlugin

branch = System("repair-test-branch", policy=Policy(maximum_attempts=1, on_exhausted="park"))


@branch.activity
async def settle_account(folder: str, number: int) -> int:
    if not (Path(folder) / "open").exists():
        raise Terminal("the branch is closed", type="Closed")
    with (Path(folder) / "settled").open("a") as file:
        file.write(f"{idempotency_key()}\n")
    return 1


@workflow.defn
class SettleAll:
    @workflow.run
    async def run(self, folder: str, count: int) -> int:
        settling = (workflow.execute_activity(settle_account, args=[folder, number]) for number in range(count))
        return sum(await asyncio.gather(*settling))


def worker(client: Client, queue: str) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        workflows=[SettleAll],
        activities=[settle_account],
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
    )


async def killed(target: str, queue: str, until: Callable[[], Awaitable[Any]]) -> None:
    """Run this module's worker in a process until something is so, and kill it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.repair.branch", target, queue, cwd=Path(__file__).parents[2]
    )
    try:
        await until()
    finally:
        process.kill()
        await process.wait()


async def _main(target: str, queue: str) -> None:
    client = await Client.connect(target, plugins=[SeguePlugin(settings=Settings())])
    await worker(client, queue).run()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:3]))
