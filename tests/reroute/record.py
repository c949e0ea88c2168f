"""Record the histories of the reroute tests that are missing: `python -m tests.reroute.record`.

A recorded history stands for the runs of an older version, so one that is there is kept: delete it to record it anew.
"""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio.client import Client
from tests.recorded import missing, record
from tests.reroute.couriers import Fallback, FirstSuccess, Hedge, Parcel
from tests.reroute.test_reroute import until_running, worker

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.server import dev_server

CASES: dict[str, tuple[Any, list[Any]]] = {
    "fallback": (Fallback.run, [Parcel("a", bike="silent", van="no riders")]),
    "first_success": (FirstSuccess.run, [Parcel("b", bike="no riders", van="slow"), True]),
    "hedge": (Hedge.run, [Parcel("c", bike="deaf"), True, 1]),
    "race_cancelled": (FirstSuccess.run, [Parcel("d", bike="deaf", van="slow", post="slow"), True]),
}


async def main() -> None:
    """Run the cases whose histories are missing, and write these down."""
    async with dev_server(None, port=0, ui_port=None) as server:
        client = await Client.connect(server.address, plugins=[SeguePlugin(settings=Settings())])
        async with worker(client, "reroute"):
            for name, (run, args), path in missing("reroute", CASES):
                handle = await client.start_workflow(run, args=args, id=path.stem, task_queue="reroute")
                if name == "race_cancelled":
                    await until_running(handle, "send_by_bike-1", "send_by_van-1", "send_by_post-1")
                    await handle.cancel()
                await record(handle, path)


if __name__ == "__main__":
    asyncio.run(main())
