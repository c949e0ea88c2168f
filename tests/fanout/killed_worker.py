"""A worker in a process of its own, to be killed: `python -m tests.fanout.killed_worker TARGET QUEUE`.

Its activity writes each time that it runs an item into a file, and holds the last items of a batch until a file says
that they may end.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from segue.activities import Policy, System, idempotency_key
    from segue.activities.settings import Settings
    from segue.client import SeguePlugin
    from segue.workflows import fan_out

kiln = System(
    "fanout-test-kiln",
    policy=Policy(
        start_to_close_timeout=timedelta(seconds=60),
        heartbeat_timeout=timedelta(seconds=2),
        initial_interval=timedelta(milliseconds=50),
    ),
)


@kiln.activity
async def fire(brick: int, folder: str) -> str:
    """Note the run, and wait for leave where a brick is the last of its ten."""
    with (Path(folder) / f"brick-{brick}").open("a") as file:
        file.write(f"{idempotency_key()} {activity.info().attempt}\n")
    leave = (Path(folder) / "go", Path(folder) / f"go-{brick}")
    while brick % 10 == 9 and not any(path.exists() for path in leave):
        await asyncio.sleep(0.05)
    return f"brick {brick}"


@workflow.defn
class Kiln:
    @workflow.run
    async def run(self, bricks: int, folder: str, concurrency: int, heartbeat_timeout: timedelta | None) -> list[str]:
        return await fan_out(
            fire, range(bricks), folder, batch=10, concurrency=concurrency, heartbeat_timeout=heartbeat_timeout
        )


async def _main(target: str, queue: str) -> None:
    client = await Client.connect(target, plugins=[SeguePlugin(settings=Settings())])
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[Kiln],
        activities=[fire],
        # What was reported is at most a fraction of a second old when the process dies.
        max_heartbeat_throttle_interval=timedelta(milliseconds=300),
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
    )
    await worker.run()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:3]))
