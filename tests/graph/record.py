"""Record the histories of the graph tests that are missing: `python -m tests.graph.record`.

A recorded history stands for the runs of an older version, so one that is there is kept: delete it to record it anew.
"""

from __future__ import annotations

import asyncio

from temporalio.client import Client
from temporalio.worker import Worker
from tests.graph.pipeline import ACTIVITIES, WORKFLOWS, Pipeline, Source
from tests.graph.test_server import until_held
from tests.recorded import missing, record

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.server import dev_server

CASES = {
    "completed": Source("a", [1, 2, 3]),
    "made_up_for": Source("a", [1, 2, 3], refuse="square 2"),
    "failed": Source("a", [1], refuse="extract", quiet=True),
    "cancelled": Source("a", [1], hold=True),
}


async def main() -> None:
    """Run the cases whose histories are missing, and write these down."""
    async with dev_server(None, port=0, ui_port=None) as server:
        client = await Client.connect(server.address, plugins=[SeguePlugin(settings=Settings())])
        async with Worker(client, task_queue="graph", workflows=WORKFLOWS, activities=ACTIVITIES):
            for _, source, path in missing("graph", CASES):
                handle = await client.start_workflow(Pipeline.run, source, id=path.stem, task_queue="graph")
                if source.hold:
                    await until_held(handle)
                    await handle.cancel()
                await record(handle, path)


if __name__ == "__main__":
    asyncio.run(main())
