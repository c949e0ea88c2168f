"""Record the histories of the fan-out tests that are missing: `python -m tests.fanout.record`.

A recorded history stands for the runs of an older version, so one that is there is kept: delete it to record it anew.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from temporalio.client import Client, WorkflowFailureError
from tests.core.record import without_machine
from tests.fanout.pages import Edition, seen
from tests.fanout.test_server import start, worker

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.server import dev_server

HISTORIES = Path(__file__).parents[1] / "histories"
CASES = {
    "fanout_single": Edition("fanout_single", 8, tolerate=1),
    "fanout_batched": Edition("fanout_batched", 20, batch=5, tolerate=2),
    "fanout_failed": Edition("fanout_failed", 20, batch=5, concurrency=1),
    "fanout_cancelled": Edition("fanout_cancelled", 40, "hold", batch=10, concurrency=20),
    "fanout_spread": Edition("fanout_spread", 1002, "double", batch=1),
}


async def main() -> None:
    """Run the cases whose histories are missing, and write these down."""
    async with dev_server(None, port=0, ui_port=None) as server:
        client = await Client.connect(server.address, plugins=[SeguePlugin(settings=Settings())])
        for name, edition in CASES.items():
            path = HISTORIES / f"{name}.json"
            if path.exists():
                continue
            async with worker(client, name):
                handle = await start(client, edition)
                if name == "fanout_cancelled":
                    while seen[name].runs.total() < 20:
                        await asyncio.sleep(0.02)
                    await handle.cancel()
                try:
                    await handle.result()
                except WorkflowFailureError as error:
                    print(f"{path.name}: ended with {error.cause!r}")
            await write(client, name, path)
            if name == "fanout_spread":
                async for child in client.list_workflows("WorkflowType = 'segue.FanOut'"):
                    if "/1000-" in child.id:
                        await write(client, child.id, HISTORIES / "fanout_child.json")


async def write(client: Client, workflow_id: str, path: Path) -> None:
    """Write a run's history down."""
    history = json.loads((await client.get_workflow_handle(workflow_id).fetch_history()).to_json())
    path.write_text(json.dumps(without_machine(history), indent=1) + "\n")
    print(path.name, len(history["events"]), "events")


if __name__ == "__main__":
    asyncio.run(main())
