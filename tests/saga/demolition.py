"""A worker in a process of its own, killed while it undoes a saga: `python -m tests.saga.demolition TARGET QUEUE`.

What its steps do goes into files of a folder, and the one that is to be killed waits there until it is, or may go on.
"""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from segue.activities import Policy, System
    from segue.activities.settings import Settings
    from segue.client import SeguePlugin
    from segue.workflows import Saga

FLOORS = ("cellar", "kitchen", "attic")
site = System(
    "demolition-saga-test",
    policy=Policy(heartbeat_timeout=timedelta(seconds=1), initial_interval=timedelta(milliseconds=50)),
)


@site.activity
async def raise_floor(folder: str, floor: str) -> None:
    write(folder, f"raised {floor}")


@site.activity
async def tear_down_floor(folder: str, floor: str) -> None:
    """The kitchen's first attempt waits to be killed before it has done anything."""
    if floor == "kitchen" and activity.info().attempt == 1:
        write(folder, "process", str(os.getpid()))
        while True:
            activity.heartbeat()
            await asyncio.sleep(0.05)
    write(folder, f"torn down {floor}")


def write(folder: str, name: str, text: str = "") -> None:
    """Append to a file, so that what is done twice is seen twice."""
    with (Path(folder) / name).open("a") as file:
        file.write(f"{text or name}\n")


@workflow.defn
class BuildHouse:
    @workflow.run
    async def run(self, folder: str) -> None:
        async with Saga("house") as saga:
            for floor in FLOORS:
                await workflow.execute_activity(raise_floor, args=[folder, floor])
                saga.compensate(tear_down_floor, folder, floor)
            raise ApplicationError("no roof")


def worker(client: Client, queue: str) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        workflows=[BuildHouse],
        activities=[raise_floor, tear_down_floor],
        max_heartbeat_throttle_interval=timedelta(milliseconds=300),
        # How long the server waits for a dead worker to take its run's next task.
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
    )


async def _main(target: str, queue: str) -> None:
    client = await Client.connect(target, plugins=[SeguePlugin(settings=Settings())])
    await worker(client, queue).run()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:3]))
