"""Record the histories of the tests of analysis that are missing: `python -m tests.analysis.record`."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from temporalio.client import Client
from tests.analysis.calls import CALL
from tests.analysis.service import worker
from tests.analysis.versions import AFTER, BEFORE
from tests.llm.scripted import refuses, scripted
from tests.recorded import missing, record

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.server import dev_server
from segue.workflows.analysis import Compare, CompareDocuments, Summarise, SummariseDocument

COMPARED = {"rules": 0, "explained": 2}
"""How many findings a model explains."""

SUMMARISED = {"extractive": False, "written": True}
"""Whether a model writes the parts."""


async def main() -> None:
    """Run the cases whose histories are missing, and write these down."""
    async with dev_server(None, port=0, ui_port=None) as server, scripted() as model:
        client = await Client.connect(server.address, plugins=[SeguePlugin(settings=Settings())])
        with tempfile.TemporaryDirectory() as folder:
            before, after = Path(folder) / "2024.md", Path(folder) / "2025.md"
            before.write_text(BEFORE)
            after.write_text(AFTER)
            async with worker(client, "analysis"):
                for _, explained, path in missing("compare_documents", COMPARED):
                    model.script({"explanation": "The price rises.", "importance": 3}, refuses())
                    request = Compare(
                        before=str(before),
                        after=str(after),
                        store=folder,
                        model=model.model() if explained else None,
                        explained=explained,
                    )
                    handle = await client.start_workflow(
                        CompareDocuments.run, request, id=path.stem, task_queue="analysis"
                    )
                    await record(handle, path)
                call = Path(folder) / "q3.txt"
                call.write_text(CALL)
                for _, by_model, path in missing("summarise_document", SUMMARISED):
                    model.script({"sentences": [{"text": "Revenue increased.", "sources": [1, 2, 3]}]}, refuses())
                    wanted = Summarise(
                        document=str(call), store=folder, words=110, model=model.model() if by_model else None
                    )
                    summarised = await client.start_workflow(
                        SummariseDocument.run, wanted, id=path.stem, task_queue="analysis"
                    )
                    await record(summarised, path)


if __name__ == "__main__":
    asyncio.run(main())
