"""Record the histories of the fan-out tests that are missing: `python -m tests.fanout.record`.

A recorded history stands for the runs of an older version, so one that is there is kept: delete it to record it anew.
"""

from __future__ import annotations

import asyncio

from temporalio.client import Client
from tests.fanout.pages import Edition, seen
from tests.fanout.test_server import start, worker
from tests.recorded import HISTORIES, missing, record

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.server import dev_server

CASES = {
    "single": Edition("fanout_single", 8, tolerate=1),
    "batched": Edition("fanout_batched", 20, batch=5, tolerate=2),
    "failed": Edition("fanout_failed", 20, batch=5, concurrency=1),
    "cancelled": Edition("fanout_cancelled", 40, "hold", batch=10, concurrency=20),
    "spread": Edition("fanout_spread", 1002, "double", batch=1),
    # Since fan-outs weigh what they send.
    "weighed_single": Edition("fanout_weighed_single", 8, tolerate=1),
    "weighed_batched": Edition("fanout_weighed_batched", 20, batch=5, tolerate=2),
}


async def main() -> None:
    """Run the cases whose histories are missing, and write these down."""
    async with dev_server(None, port=0, ui_port=None) as server:
        client = await Client.connect(server.address, plugins=[SeguePlugin(settings=Settings())])
        for name, edition, path in missing("fanout", CASES):
            async with worker(client, path.stem):
                handle = await start(client, edition)
                if name == "cancelled":
                    while seen[path.stem].runs.total() < 20:
                        await asyncio.sleep(0.02)
                    await handle.cancel()
                await record(handle, path)
            if name == "spread":
                async for child in client.list_workflows("WorkflowType = 'segue.FanOut'"):
                    if "/1000-" in child.id:
                        await record(client.get_workflow_handle(child.id), HISTORIES / "fanout_child.json")


if __name__ == "__main__":
    asyncio.run(main())
