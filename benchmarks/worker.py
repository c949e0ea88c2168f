"""One side's worker, in a process of its own. It answers each line on standard input with its CPU seconds so far,
as `cpu SECONDS` among whatever the SDK logs.

    python -m benchmarks.worker SIDE ADDRESS TASK_QUEUE       SIDE is raw, stock or segue

`raw` is temporalio without Segue, with the worker settings that Segue uses; `stock` is temporalio as it comes.
"""

from __future__ import annotations

import asyncio
import resource
import sys
from typing import Any

from benchmarks import jobs, steps
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.run import defaults, worker


async def _serve(side: str, address: str, task_queue: str) -> None:
    if side == "segue":
        client = await Client.connect(address, plugins=[SeguePlugin(settings=Settings())])
        serving = worker(
            client, task_queue=task_queue, workflows=jobs.SEGUE, activities=[steps.segue_step, steps.small_step]
        )
    else:
        client = await Client.connect(address, data_converter=pydantic_data_converter)
        settings: dict[str, Any] = defaults() if side == "raw" else {}
        serving = Worker(client, task_queue=task_queue, workflows=jobs.RAW, activities=[steps.raw_step], **settings)
    async with serving:
        print("ready", flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            used = resource.getrusage(resource.RUSAGE_SELF)
            print("cpu", used.ru_utime + used.ru_stime, flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:4]))
