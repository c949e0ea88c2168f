"""Record the histories of the model tests that are missing: `python -m tests.llm.record`."""

from __future__ import annotations

import asyncio
import os
import tempfile

from temporalio.client import Client
from temporalio.worker import Worker
from tests.llm.consulting import ACTIVITIES, WORKFLOWS, Consultation
from tests.llm.scripted import calls, scripted, status, truncated
from tests.recorded import missing, record

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.server import dev_server

CASES = {
    "consult": ("Consult", (status(503, retry_after="0"), calls(("weather", {"town": "Oslo"})), "It rains.")),
    "elsewhere": ("GoElsewhere", (truncated("There is"), "All of it.")),
}


async def main() -> None:
    """Run the cases whose histories are missing, and write these down."""
    os.environ["SCRIPTED_KEY"] = "sk-canary-of-the-key"
    async with dev_server(None, port=0, ui_port=None) as server, scripted() as provider:
        client = await Client.connect(server.address, plugins=[SeguePlugin(settings=Settings())])
        async with Worker(client, task_queue="llm", workflows=WORKFLOWS, activities=ACTIVITIES):
            for _, (workflow, turns), path in missing("llm", CASES):
                provider.script(*turns)
                with tempfile.TemporaryDirectory(prefix="segue-") as store:
                    asked = Consultation(small=provider.guarded("small"), large=provider.guarded("large"), store=store)
                    handle = await client.start_workflow(workflow, asked, id=path.stem, task_queue="llm")
                    await record(handle, path)


if __name__ == "__main__":
    asyncio.run(main())
