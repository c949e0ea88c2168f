"""Record the histories of `FulfilOrder` that are missing from `tests/histories`: `python -m tests.examples.record`.

Those called `plain` are of the workflow with timeouts at its call sites, on a worker without the plugin. A recorded
history stands for the runs of an older version, so one that is there is kept: delete the file to record it anew.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Any

from examples.order_to_cash.workflows import FulfilOrder
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker
from tests.examples.fulfilment import ACTIVITIES, order, systems, with_timeouts
from tests.recorded import missing, record

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.server import dev_server

# The URL of the invoice is in the histories: a folder that says nothing of the machine.
FOLDER = Path("/tmp/order-to-cash")

CASES = {
    "happy": order(pay=[]),
    "retried": order(pay=["busy", "cut"], mail=["cut"]),
    "declined": order(pay=["busy"], card="tok_expired_1f7a"),
    "out_of_stock": order(pay=[], theremins=3),
}


async def run(kind: str, client: Client, workflow: type[Any]) -> None:
    """Run the cases whose histories are missing, and write these down."""
    async with Worker(client, task_queue="orders", workflows=[workflow], activities=ACTIVITIES):
        for name, asked, path in missing(f"order_to_cash_{kind}", CASES):
            handle = await client.start_workflow(workflow.run, asked, id=f"{kind}-{name}", task_queue="orders")
            await record(handle, path)


async def main() -> None:
    """Record what is missing, Segue's histories and the plain ones."""
    async with dev_server(None, port=0, ui_port=None) as server:
        for kind in ("segue", "plain"):
            shutil.rmtree(FOLDER, ignore_errors=True)
            async with systems(FOLDER):
                if kind == "segue":
                    client = await Client.connect(server.address, plugins=[SeguePlugin(settings=Settings())])
                    await run(kind, client, FulfilOrder)
                else:
                    client = await Client.connect(server.address, data_converter=pydantic_data_converter)
                    with with_timeouts(FOLDER) as plain:
                        await run(kind, client, plain)
            shutil.rmtree(FOLDER)


if __name__ == "__main__":
    asyncio.run(main())
    sys.stdout.flush()
