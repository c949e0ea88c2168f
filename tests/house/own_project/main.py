"""Run one workflow with the installed Segue on an embedded server, and print where everything came from."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import activities
import workflows
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from workflows.fulfil import FulfilOrder

import segue.activities
import segue.client
import segue.workers
import segue.workflows


async def main() -> None:
    """Start a server, a worker and a workflow; print one line of JSON."""
    server = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(Path(sys.executable).with_name("temporal"))
    )
    async with server:
        target = server.client.service_client.config.target_host
        client = await Client.connect(target, plugins=[segue.client.SeguePlugin()])
        worker = asyncio.create_task(
            segue.workers.run(client, workflows=[FulfilOrder], activities=[activities.charge], task_queue="own-project")
        )
        receipt = await client.execute_workflow(
            FulfilOrder.run, activities.Order(id="17", amount_cents=4200), id="order-17", task_queue="own-project"
        )
        worker.cancel()
        await asyncio.wait([worker])
    here, installed = Path(__file__).parent, Path(sys.prefix)
    print(
        json.dumps(
            {
                "receipt": [receipt.order_id, receipt.amount_cents],
                "own": [Path(module.__file__ or "").is_relative_to(here) for module in (activities, workflows)],
                "installed": [
                    Path(module.__file__ or "").is_relative_to(installed)
                    for module in (segue.activities, segue.workflows, segue.client, segue.workers)
                ],
            }
        )
    )


if __name__ == "__main__":
    asyncio.run(main())
    # A process with a Temporal client in it may abort in the interpreter's own shutdown, long after all is done.
    sys.stdout.flush()
    os._exit(0)
