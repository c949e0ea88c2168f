"""Record the histories of `FulfilOrder` that are missing from `tests/histories`: `python -m tests.examples.record`.

Those called `plain` are of the workflow with timeouts at its call sites, on a worker without the plugin. A recorded
history stands for the runs of an older version, so one that is there is kept: delete the file to record it anew.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

from examples.order_to_cash.models import Order
from examples.order_to_cash.workflows import FulfilOrder
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker
from tests.core.record import without_machine
from tests.examples.fulfilment import ACTIVITIES, order, systems, with_timeouts

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.server import dev_server

HISTORIES = Path(__file__).parents[1] / "histories"
# The URL of the invoice is in the histories: a folder that says nothing of the machine.
FOLDER = Path("/tmp/order-to-cash")

CASES = {
    "happy": order(pay=[]),
    "retried": order(pay=["busy", "cut"], mail=["cut"]),
    "declined": order(pay=["busy"], card="tok_expired_1f7a"),
    "out_of_stock": order(pay=[], theremins=3),
}


async def record(kind: str, client: Client, workflow: type[Any], cases: dict[str, Order]) -> None:
    """Run the cases, and write down their histories."""
    async with Worker(client, task_queue="orders", workflows=[workflow], activities=ACTIVITIES):
        for name, asked in cases.items():
            handle = await client.start_workflow(workflow.run, asked, id=f"{kind}-{name}", task_queue="orders")
            outcome = await handle.result()
            history = json.loads((await handle.fetch_history()).to_json())
            path = HISTORIES / f"order_to_cash_{kind}_{name}.json"
            path.write_text(json.dumps(without_machine(history), indent=1) + "\n")
            print(path.name, len(history["events"]), "events", outcome.status)


async def main() -> None:
    """Record what is missing, Segue's histories and the plain ones."""
    async with dev_server(None, port=0, ui_port=None) as server:
        for kind in ("segue", "plain"):
            cases = {
                name: asked
                for name, asked in CASES.items()
                if not (HISTORIES / f"order_to_cash_{kind}_{name}.json").exists()
            }
            shutil.rmtree(FOLDER, ignore_errors=True)
            async with systems(FOLDER):
                if kind == "segue":
                    client = await Client.connect(server.address, plugins=[SeguePlugin(settings=Settings())])
                    await record(kind, client, FulfilOrder, cases)
                else:
                    client = await Client.connect(server.address, data_converter=pydantic_data_converter)
                    with with_timeouts(FOLDER) as plain:
                        await record(kind, client, plain, cases)
            shutil.rmtree(FOLDER)


if __name__ == "__main__":
    asyncio.run(main())
    sys.stdout.flush()
