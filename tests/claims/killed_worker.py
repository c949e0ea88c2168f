"""A worker of research in a process of its own, to be killed: `python -m tests.claims.killed_worker TARGET QUEUE`."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from temporalio.client import Client
from temporalio.worker import Worker

from segue.activities import research
from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workflows.research import DeepResearch


async def _main(target: str, queue: str) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "segue.toml"
        file.write_text('[systems.llm]\nheartbeat_timeout = "2s"\n')
        settings = Settings.load(file)
    client = await Client.connect(target, plugins=[SeguePlugin(settings=settings)])
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[DeepResearch],
        activities=research.ACTIVITIES,
        max_heartbeat_throttle_interval=timedelta(milliseconds=300),
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
    )
    await worker.run()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:3]))
