"""Record the histories of the generation tests that are missing: `python -m tests.generation.record`.

A recorded history stands for the runs of an older version, so one that is there is kept: delete it to record it anew.
"""

from __future__ import annotations

import asyncio
import tempfile
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker
from tests.generation.letters import ACTIVITIES, WORKFLOWS, Asked, WriteLetter
from tests.generation.test_generate import GOOD, LATE, answers, judgement, shown
from tests.llm.scripted import Scripted, refuses, scripted
from tests.recorded import missing, record

from segue.activities.settings import Settings
from segue.client import SeguePlugin, decide
from segue.workers.server import dev_server
from segue.workflows.generation import Budget, Models


def _base(model: Scripted, store: str, **fields: Any) -> Asked:
    models = Models(writer=model.model("small"), stronger=(model.model("large"),))
    asked = Asked(store=store, models=models, requirements=["dated", "polite"], inline=False)
    return asked.model_copy(update=fields)


def _mended(model: Scripted, store: str) -> Asked:
    model.script(answers(letters=[LATE, GOOD, GOOD], judgements=[judgement(0.3), judgement(0.9)]))
    return _base(model, store)


def _planned(model: Scripted, store: str) -> Asked:
    model.script("A plan.", answers(letters=[GOOD, LATE, GOOD], judgements=[judgement(0.9)] * 3))
    return _base(model, store, plan=True, candidates=3, inline=True)


def _reviewed(model: Scripted, store: str) -> Asked:
    model.script(refuses(), LATE)
    return _base(model, store, budget=Budget(attempts=2), review=True)


def _fallen_back(model: Scripted, store: str) -> Asked:
    return _base(model, store, models=None, fallback=True)


CASES = {"mended": _mended, "planned": _planned, "reviewed": _reviewed, "fallen_back": _fallen_back}


async def main() -> None:
    """Run the cases whose histories are missing, and write these down."""
    async with dev_server(None, port=0, ui_port=None) as server, scripted() as model:
        client = await Client.connect(server.address, plugins=[SeguePlugin(settings=Settings())])
        async with Worker(client, task_queue="generation", workflows=WORKFLOWS, activities=ACTIVITIES):
            for name, asked, path in missing("generation", CASES):
                with tempfile.TemporaryDirectory(prefix="segue-") as store:
                    handle = await client.start_workflow(
                        WriteLetter.run, asked(model, store), id=path.stem, task_queue="generation"
                    )
                    if name == "reviewed":
                        await shown(handle, 1)
                        await decide(handle, choice="accept", by="ann", comment="good enough")
                    await record(handle, path)


if __name__ == "__main__":
    asyncio.run(main())
