"""Record the histories of the approval tests that are missing: `python -m tests.approvals.record`.

A recorded history stands for the runs of an older version, so one that is there is kept: delete it to record it anew.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker
from tests.approvals.payments import WORKFLOWS, Asked, Correction, Payment, Payments, tell_approvers
from tests.approvals.test_approval import until_asked
from tests.recorded import missing, record

from segue.activities.settings import Settings
from segue.client import SeguePlugin, decide
from segue.workers.server import dev_server

CASES: dict[str, Asked | None] = {
    "decided": Asked(by=timedelta(days=2), form=True, allowed=["ann"]),
    "deadline": Asked(by=timedelta(seconds=2), on_deadline="reject", remind=[timedelta(seconds=1)]),
    "expired": Asked(by=timedelta(seconds=1)),
    "cancelled": Asked(by=timedelta(days=2), escalate=timedelta(days=1)),
    "several": None,
}


async def main() -> None:
    """Run the cases whose histories are missing, and write these down."""
    async with dev_server(None, port=0, ui_port=None) as server:
        client = await Client.connect(server.address, plugins=[SeguePlugin(settings=Settings())])
        async with Worker(client, task_queue="approvals", workflows=WORKFLOWS, activities=[tell_approvers]):
            for name, asked, path in missing("approval", CASES):
                handle = await _run(client, name, path.stem, asked)
                await record(handle, path)


async def _run(client: Client, name: str, workflow_id: str, asked: Asked | None) -> WorkflowHandle[Any, Any]:
    if asked is None:
        several = await client.start_workflow(Payments.run, id=workflow_id, task_queue="approvals")
        await until_asked(several, 3)
        await decide(several, "payment-2", approve=True, by="ann")
        await decide(several, "bonus", choice="refuse", by="bob", comment="not this year")
        await decide(several, approve=False, by="ann")
        return several
    handle = await client.start_workflow(Payment.run, asked, id=workflow_id, task_queue="approvals")
    if name == "decided":
        await until_asked(handle)
        await decide(handle, approve=True, by="ann", comment="as agreed", input=Correction(amount=11_000))
    if name == "cancelled":
        await until_asked(handle)
        await handle.cancel()
    return handle


if __name__ == "__main__":
    asyncio.run(main())
