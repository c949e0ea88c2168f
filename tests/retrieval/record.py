"""Record the histories of the retrieval tests that are missing: `python -m tests.retrieval.record`."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import Worker
from tests.recorded import missing, record
from tests.retrieval.library import ACTIVITIES, Asked, AskLibrary, written

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.server import dev_server

CASES = {"asked": "Who may transfer or assign rights to others?"}


async def main() -> None:
    """Run the cases whose histories are missing, and write these down."""
    async with dev_server(None, port=0, ui_port=None) as server:
        client = await Client.connect(server.address, plugins=[SeguePlugin(settings=Settings())])
        for name, query, path in missing("retrieval", CASES):
            with tempfile.TemporaryDirectory() as folder:
                os.environ["SEGUE_RETRIEVAL_CACHE"] = f"{folder}/cache"
                asked = Asked(urls=written(Path(folder) / "sources", 5), store=f"{folder}/store", query=query)
                async with Worker(client, task_queue=name, workflows=[AskLibrary], activities=ACTIVITIES):
                    await record(
                        await client.start_workflow(AskLibrary.run, asked, id=f"retrieval-{name}", task_queue=name),
                        path,
                    )


if __name__ == "__main__":
    asyncio.run(main())
