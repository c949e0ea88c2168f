"""A worker process of the pause tests: `python -m tests.pause.serve ADDRESS QUEUE`, with a file for its ledger."""

from __future__ import annotations

import asyncio
import sys

from temporalio.client import Client
from temporalio.worker import Worker
from tests.pause.shifts import ACTIVITIES, WORKFLOWS

from segue.activities.settings import Settings
from segue.client import SeguePlugin


async def main(address: str, queue: str) -> None:
    """Serve until killed."""
    client = await Client.connect(address, plugins=[SeguePlugin(settings=Settings())])
    await Worker(client, task_queue=queue, workflows=WORKFLOWS, activities=ACTIVITIES).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
