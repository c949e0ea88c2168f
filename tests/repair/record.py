"""Record the histories of the repair tests that are missing: `python -m tests.repair.record`.

A recorded history stands for the runs of an older version, so one that is there is kept: delete it to record it anew.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker
from tests.effects import till
from tests.recorded import missing, record
from tests.repair import bank
from tests.repair.bank import Pay, PayLocally, Payment, Undo, closed
from tests.repair.test_repair import until_parked

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.client.repairs import repair
from segue.workers.server import dev_server

CLOSED = Payment(order="order-1", account="closed", cents=5)
Repairs = list[tuple[str, dict[str, Any]]]
OTHER = CLOSED.model_dump() | {"account": "b"}
CASES: dict[str, tuple[Any, list[Any], str, Repairs]] = {
    # workflow, arguments, what the bank's policy says, repairs in turn
    "retried": (Pay.run, [CLOSED], "park", [("retry", {}), ("retry_with", {"input": OTHER})]),
    "given": (PayLocally.run, [CLOSED], "park", [("result", {"result": "by hand"}), ("skip", {})]),
    "failed_after_all": (Pay.run, [CLOSED], "park", [("fail", {})]),
    "failed": (Pay.run, [CLOSED], "fail", []),
    "failed_locally": (PayLocally.run, [CLOSED], "fail", []),
    "undone": (Undo.run, [CLOSED, False], "park", [("skip", {})]),
    "reconciled": (till.PayOut.run, ["pay_surely", till.Payout("", ("unknown", "retryable"))], "park", []),
}  # fmt: skip


def plugin(folder: Path, on_exhausted: str) -> SeguePlugin:
    """Segue under a policy that says so for every system of these tests."""
    file = folder / f"{on_exhausted}.toml"
    systems = ("repair-test-bank", "repair-test-usual", "effect-test-till")
    file.write_text("".join(f'[systems.{system}]\non_exhausted = "{on_exhausted}"\n' for system in systems))
    return SeguePlugin(settings=Settings.load(file))


async def main() -> None:
    """Run the cases whose histories are missing, and write these down."""
    closed.add("closed")
    folder = Path(tempfile.mkdtemp())
    async with dev_server(None, port=0, ui_port=None) as server:
        for _, (run, args, policy, repairs), path in missing("repair", CASES):
            if isinstance(args[-1], till.Payout):
                args[-1].folder = tempfile.mkdtemp()
            client = await Client.connect(server.address, plugins=[plugin(folder, policy)])
            async with Worker(
                client,
                task_queue="repair",
                workflows=[*bank.WORKFLOWS, *till.WORKFLOWS],
                activities=[*bank.ACTIVITIES, *till.ACTIVITIES],
            ):
                handle = await client.start_workflow(run, args=args, id=path.stem, task_queue="repair")
                for number, (action, values) in enumerate(repairs, 1):
                    [step] = await until_parked(handle, times=None)
                    await repair(handle, step.step, action, reason=f"repair {number}", by="ann", **values)  # type: ignore[arg-type]
                await record(handle, path)


if __name__ == "__main__":
    asyncio.run(main())
