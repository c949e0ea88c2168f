"""What became of a failed step is in its run's history: no change of a policy breaks a replay or loses a step."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker
from tests.core.test_replay import half_finished, replay
from tests.effects import till
from tests.recorded import recorded
from tests.repair import bank
from tests.repair.bank import Paid, Pay, closed, ledger
from tests.repair.record import CASES, plugin
from tests.repair.test_repair import payment, until_parked

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.client.repairs import repair

# What this version does otherwise, as an earlier one did it: an input that did not fit its step was taken, and a
# signal that continued as new did not wait for what was parked.
OLDER = ("misfit", "left")

WORKFLOWS = [*bank.WORKFLOWS, *till.WORKFLOWS]


@pytest.mark.parametrize("policy", ["none", "fail", "park"])
async def test_recorded_histories_replay_under_every_policy(tmp_path: Path, policy: str) -> None:
    """A run that parked replays where its system fails by now, and the reverse; whole, and as it was at every event."""
    whole = recorded("repair")
    assert {f"repair_{name}" for name in (*CASES, *OLDER)} == {one.workflow_id for one in whole}
    halves = [half for one in whole for half in half_finished(one)]
    await replay([*whole, *halves], Replayer(workflows=WORKFLOWS, plugins=[plugin(tmp_path, policy)]))


async def test_a_parked_step_stays_parked_under_another_policy(server: WorkflowEnvironment, tmp_path: Path) -> None:
    """The policy changes and the worker starts anew: the step is parked as before, and is repaired with its key."""
    target = server.client.service_client.config.target_host
    paying, queue = payment(), str(uuid.uuid4())

    async def client(policy: str) -> Client:
        return await Client.connect(target, plugins=[plugin(tmp_path, policy)])

    def worker(of: Client) -> Worker:
        return Worker(
            of,
            task_queue=queue,
            workflows=bank.WORKFLOWS,
            activities=bank.ACTIVITIES,
            max_cached_workflows=0,
        )

    handle = await (parking := await client("park")).start_workflow(Pay.run, paying, id=queue, task_queue=queue)
    async with worker(parking):
        await until_parked(handle)
    async with worker(await client("fail")):
        [step] = await until_parked(handle)
        assert (step.step, step.times, step.input) == ("transfer_money-1", 1, [paying.model_dump()])
        closed.discard(paying.account)
        await repair(handle, "transfer_money-1", "retry")
        assert await handle.result() == Paid(order=paying.order, cents=5)
    assert len(ledger[paying.order]) == 1


async def test_what_fails_now_goes_by_the_policy_of_now(server: WorkflowEnvironment, tmp_path: Path) -> None:
    """A step that is tried again under a policy that says to fail, and fails once more, parks no more."""
    target = server.client.service_client.config.target_host
    queue = str(uuid.uuid4())
    parking = await Client.connect(target, plugins=[plugin(tmp_path, "park")])
    failing = await Client.connect(target, plugins=[plugin(tmp_path, "fail")])
    handle = await parking.start_workflow(Pay.run, payment(), id=queue, task_queue=queue)
    async with Worker(parking, task_queue=queue, workflows=bank.WORKFLOWS, activities=bank.ACTIVITIES):
        await until_parked(handle)
    async with Worker(failing, task_queue=queue, workflows=bank.WORKFLOWS, activities=bank.ACTIVITIES):
        await repair(handle, "transfer_money-1", "retry")
        with pytest.raises(Exception, match="Workflow execution failed"):
            await handle.result()
    history = await handle.fetch_history()
    for policy in ("none", "fail", "park"):
        await replay([history], Replayer(workflows=WORKFLOWS, plugins=[plugin(tmp_path, policy)]))


async def test_a_killed_worker_loses_no_parked_step(client: Client, tmp_path: Path) -> None:
    """The worker's process is killed while steps are parked; the next one knows them, and each has one effect."""
    from tests.repair.branch import SettleAll, killed, worker

    queue = str(uuid.uuid4())
    handle = await client.start_workflow(SettleAll.run, args=[str(tmp_path), 5], id=queue, task_queue=queue)
    await killed(client.service_client.config.target_host, queue, lambda: until_parked(handle, 5))
    (tmp_path / "open").touch()
    async with worker(client, queue):
        steps = await until_parked(handle, 5)
        await asyncio.gather(*(repair(handle, step.step, "retry") for step in steps))
        assert await handle.result() == 5
    settled = (tmp_path / "settled").read_text().splitlines()
    assert len(settled) == len(set(settled)) == 5
    await replay([await handle.fetch_history()], Replayer(workflows=[SettleAll], plugins=[_plugin()]))


def _plugin() -> SeguePlugin:
    return SeguePlugin(settings=Settings())
