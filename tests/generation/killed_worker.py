"""A worker in a process of its own, to be killed: `python -m tests.generation.killed_worker TARGET QUEUE SETTINGS`."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker
from tests.generation.letters import ACTIVITIES, WORKFLOWS

from segue.activities.settings import Settings
from segue.client import SeguePlugin


async def _main(target: str, queue: str, settings: str) -> None:
    client = await Client.connect(target, plugins=[SeguePlugin(settings=Settings.load(settings))])
    worker = Worker(
        client,
        task_queue=queue,
        workflows=WORKFLOWS,
        activities=ACTIVITIES,
        max_heartbeat_throttle_interval=timedelta(milliseconds=300),
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
    )
    await worker.run()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:4]))
