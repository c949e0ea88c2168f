"""Record the histories of the agent tests that are missing: `python -m tests.agents.record`.

A recorded history stands for the runs of an older version, so one that is there is kept: delete it to record it anew.
"""

from __future__ import annotations

import asyncio
import tempfile
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker
from tests.agents.desk import ACTIVITIES, WORKFLOWS, Asked, Desk, made
from tests.generation.test_generate import shown
from tests.llm.scripted import Scripted, calls, scripted
from tests.recorded import missing, record

from segue.activities.settings import Settings
from segue.client import SeguePlugin, decide
from segue.workers.server import dev_server
from segue.workflows.agents import Agent, AgentTask

SENT = {"order": {"number": 17}, "amount": 9.5}
CASES: dict[str, None] = {"called": None, "approved": None, "continued": None}


async def _begun(client: Client, name: str, id: str, model: Scripted, store: str) -> WorkflowHandle[Any, Any]:
    if name == "continued":
        model.script(*[calls(("find_order", {"number": 17}))] * 3, "Found.")
        task = AgentTask(task="x", store=store, model=model.model(), tools=(made("find_order"),), turns_a_run=2)
        return await client.start_workflow(Agent.run, task, id=id, task_queue="agents")
    asked = Asked(model=model.model(), store=store, tools=["find_order", "deliver", "refund"], output=name == "called")
    if name == "called":
        both = calls(("find_order", {"number": 17}), ("deliver", {"parcel": "a vase"}), ("nothing", {}))
        model.script(both, calls(("answer", {"late": True, "days": 3})))
        return await client.start_workflow(Desk.run, asked, id=id, task_queue="agents")
    model.script(calls(("refund", SENT)), "Refunded.")
    handle = await client.start_workflow(Desk.run, asked, id=id, task_queue="agents")
    await shown(handle, 1)
    await decide(handle, approve=True, by="ann")
    return handle


async def main() -> None:
    """Run the cases whose histories are missing, and write these down."""
    async with dev_server(None, port=0, ui_port=None) as server, scripted() as model:
        client = await Client.connect(server.address, plugins=[SeguePlugin(settings=Settings())])
        async with Worker(client, task_queue="agents", workflows=WORKFLOWS, activities=ACTIVITIES):
            for name, _, path in missing("agent", CASES):
                with tempfile.TemporaryDirectory(prefix="segue-") as store:
                    await record(await _begun(client, name, path.stem, model, store), path)


if __name__ == "__main__":
    asyncio.run(main())
