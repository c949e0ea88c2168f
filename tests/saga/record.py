"""Record the histories of the saga tests that are missing: `python -m tests.saga.record`.

A recorded history stands for the runs of an older version, so one that is there is kept: delete it to record it anew.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from tests.recorded import missing, record
from tests.saga.test_saga import until_held, worker
from tests.saga.trips import Mixed, Together, Travel, Trip, Waiting

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.server import dev_server

CASES: dict[str, tuple[Any, Trip]] = {
    "completed": (Travel.run, Trip("a", deadline=timedelta(hours=1))),
    "failed": (Travel.run, Trip("b", refuse=("depart",), parallel=True)),
    "not_undone": (Travel.run, Trip("c", refuse=("depart", "unbook flight"))),
    "cancelled": (Travel.run, Trip("d", hold="pay")),
    "mixed": (Mixed.run, Trip("e", refuse=("depart",))),
    "gathered": (Together.run, Trip("g", hold="pay", refuse=("depart",), stumble="late")),
    "deadline": (Waiting.run, Trip("f", deadline=timedelta(seconds=1))),
}


async def main() -> None:
    """Run the cases whose histories are missing, and write these down."""
    async with dev_server(None, port=0, ui_port=None) as server:
        client = await Client.connect(server.address, plugins=[SeguePlugin(settings=Settings())])
        async with worker(client, "saga"):
            for _, (run, trip), path in missing("saga", CASES):
                handle = await client.start_workflow(run, trip, id=path.stem, task_queue="saga")
                if trip.hold and run is Travel.run:
                    await until_held(handle, "pay_for-1")
                    await handle.cancel()
                await record(handle, path)


if __name__ == "__main__":
    asyncio.run(main())
