"""Record the histories of the extraction tests that are missing: `python -m tests.extraction.record`."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import Worker
from tests.extraction.leases import Lease, lease, written
from tests.extraction.orders import ACTIVITIES
from tests.recorded import missing, record

from segue.activities import sql
from segue.activities.extraction import Form
from segue.activities.settings import Settings
from segue.client import SeguePlugin, approvals_of, decide, pending_approvals
from segue.workers.server import dev_server
from segue.workflows.extraction import ExtractData, ExtractDocuments, People

CASES: dict[str, People | None] = {"folder": None, "people": People()}


async def main() -> None:
    """Run the cases whose histories are missing, and write these down."""
    async with dev_server(None, port=0, ui_port=None) as server:
        client = await Client.connect(server.address, plugins=[SeguePlugin(settings=Settings())])
        for name, people, path in missing("extraction", CASES):
            with tempfile.TemporaryDirectory() as folder:
                written(Path(folder) / "leases", 6)
                (Path(folder) / "leases" / "dear.txt").write_text(lease(9, rent="$12,500.00"))
                (Path(folder) / "leases" / "scan.pdf").write_bytes(b"%PDF-1.7 and then nothing that a reader knows")
                request = ExtractDocuments(
                    form=Form.of(Lease),
                    prefix=f"{folder}/leases",
                    store=f"{folder}/store",
                    database=f"sqlite:///{folder}/leases.db",
                    people=people,
                )
                async with Worker(client, task_queue=name, workflows=[ExtractData], activities=ACTIVITIES):
                    handle = await client.start_workflow(
                        ExtractData.run, request, id=f"extraction-{name}", task_queue=name
                    )
                    if people is not None:
                        while not await pending_approvals(client):
                            await asyncio.sleep(0.1)
                        answer = {"quote": "a monthly rent of $12,500.00"}
                        await decide(handle, choice="answer", by="ann", input=answer)
                        # The form refuses it, so the question is asked again.
                        while len(asked := await approvals_of(handle)) < 2:
                            await asyncio.sleep(0.1)
                        await decide(handle, asked[-1].id, choice="skip", by="ann")
                    await record(handle, path)
                await sql.close()


if __name__ == "__main__":
    asyncio.run(main())
