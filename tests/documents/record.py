"""Record the histories of the document tests that are missing: `python -m tests.documents.record`.

A recorded history stands for the runs of an older version, so one that is there is kept: delete it to record it anew.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker
from tests.documents.library import ACTIVITIES, WORKFLOWS, Folder, LoadAll, LoadOne
from tests.recorded import missing, record

from segue.activities import objects
from segue.activities.documents import LoadDocument
from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.server import dev_server

# Where objects are while the histories are recorded: their URLs are in them.
ROOT = "/tmp/segue/recorded"

CASES: dict[str, tuple[Any, Any]] = {
    "folder": (LoadAll.run, Folder(prefix="deeds", store="work", limit=2)),
    "refused": (LoadOne.run, LoadDocument(url="gull.png", store="work")),
}
SOURCES = {
    "deeds/a.txt": b"1. Duties\n\nKeep the lamp lit.\n",
    "deeds/b.md": b"# Fees\n\nThe keeper of the lamp is paid in coal.\n",
    "deeds/c.html": b"<html><h1>Term</h1><p>One year.</p></html>",
    "deeds/gull.png": b"\x89PNG\r\n\x1a\n",
    "gull.png": b"\x89PNG\r\n\x1a\n",
}


async def main() -> None:
    """Run the cases whose histories are missing, and write these down."""
    os.environ[objects.ROOT_VARIABLE] = ROOT
    for url, data in SOURCES.items():
        await objects.write(url, data)
    async with dev_server(None, port=0, ui_port=None) as server:
        client = await Client.connect(server.address, plugins=[SeguePlugin(settings=Settings())])
        async with Worker(client, task_queue="documents", workflows=WORKFLOWS, activities=ACTIVITIES):
            for _, (run, argument), path in missing("documents", CASES):
                handle = await client.start_workflow(run, argument, id=path.stem, task_queue="documents")
                await record(handle, path)


if __name__ == "__main__":
    asyncio.run(main())
