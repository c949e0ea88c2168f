"""Record the histories of the research tests that are missing: `python -m tests.research.record`.

A recorded history stands for the runs of an older version, so one that is there is kept: delete it to record it anew.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker
from tests.llm.scripted import Scripted, refuses, scripted
from tests.recorded import missing, record
from tests.research.leases import ACTIVITIES, QUESTION, WORKFLOWS, write_leases
from tests.research.test_models import asks, plays

from segue.activities.generation import Requirement
from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.server import dev_server
from segue.workflows.research import DeepResearch, ResearchRequest

CLEAR = Requirement(name="clear", description="Is clear")


def _extractive(model: Scripted, folder: Path) -> ResearchRequest:
    return ResearchRequest(
        question=f"{QUESTION} Which zebra?",
        corpus=write_leases(folder / "leases"),
        store=str(folder / "store"),
        searches=("research_test_search",),
        requirements=(CLEAR,),
        enough=1.0,
    )


def _written(model: Scripted, folder: Path) -> ResearchRequest:
    model.script(plays(plan={"questions": [QUESTION, "What is the rent?"]}))
    return asks(model, folder, requirements=(CLEAR,), enough=1.0)


def _refused(model: Scripted, folder: Path) -> ResearchRequest:
    model.script(plays(write=refuses(), support=refuses()))
    return asks(model, folder)


CASES: dict[str, Callable[[Scripted, Path], Any]] = {
    "extractive": _extractive,
    "written": _written,
    "refused": _refused,
}


async def main() -> None:
    """Run the cases whose histories are missing, and write these down."""
    async with dev_server(None, port=0, ui_port=None) as server, scripted() as model:
        client = await Client.connect(server.address, plugins=[SeguePlugin(settings=Settings())])
        async with Worker(client, task_queue="research", workflows=WORKFLOWS, activities=ACTIVITIES):
            for _, case, path in missing("research", CASES):
                with tempfile.TemporaryDirectory(prefix="segue-") as folder:
                    request = case(model, Path(folder))
                    await record(
                        await client.start_workflow(DeepResearch.run, request, id=path.stem, task_queue="research"),
                        path,
                    )


if __name__ == "__main__":
    asyncio.run(main())
