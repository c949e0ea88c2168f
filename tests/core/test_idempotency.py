"""Idempotency keys: one for each step, the same for all its attempts, wherever and whenever they run."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.worker import SharedStateManager, Worker

from segue.activities import Policy, System, idempotency_key

till = System(
    "till-idempotency-test",
    policy=Policy(start_to_close_timeout=timedelta(seconds=10), initial_interval=timedelta(milliseconds=50)),
)

# What the effects of all runs of these tests were done under: (run's first id, step's name, key).
KEYS: list[tuple[str, str, str]] = []


def seen(step: str) -> list[str]:
    return [key for _, name, key in KEYS if name == step]


@till.activity
async def ring_up(step: str, failures: int = 0) -> str:
    info = activity.info()
    KEYS.append((info.workflow_run_id or "", step, idempotency_key()))
    if info.attempt <= failures:
        raise ApplicationError("not yet")
    return idempotency_key()


@till.activity
def charge_in_thread(step: str) -> str:
    KEYS.append((activity.info().workflow_run_id or "", step, idempotency_key()))
    return idempotency_key()


def charge_elsewhere(step: str) -> str:
    return f"{os.getpid()} {idempotency_key()}"


charge_elsewhere = till.activity(charge_elsewhere)


@till.activity
async def parts() -> list[str]:
    return [idempotency_key(), idempotency_key("debit"), idempotency_key("credit"), idempotency_key("debit")]


@workflow.defn
class Charges:
    """Charges in one step after another, waiting for a signal in the middle."""

    def __init__(self) -> None:
        self.go = False

    @workflow.run
    async def run(self, wait: bool = False, continued: int = 0, failures: int = 0) -> list[str]:
        keys = [
            await workflow.execute_activity(ring_up, args=["first", failures]),
            await workflow.execute_activity(charge_in_thread, "second"),
        ]
        if wait:
            await workflow.wait_condition(lambda: self.go)
        keys += [
            await workflow.execute_activity(ring_up, args=["third", 0]),
            # Temporal lets a run use an id again once its activity has closed.
            await workflow.execute_activity(ring_up, args=["given", 0], activity_id="given"),
            await workflow.execute_activity(ring_up, args=["given again", 0], activity_id="given"),
            await workflow.execute_local_activity(ring_up, args=["local", failures]),
        ]
        if continued:
            workflow.continue_as_new(args=[False, continued - 1])
        return keys

    @workflow.signal
    def go_on(self) -> None:
        self.go = True


@workflow.defn
class Family:
    @workflow.run
    async def run(self) -> list[str]:
        own = await workflow.execute_activity(ring_up, args=["own", 0])
        children = await asyncio.gather(
            *(workflow.execute_child_workflow(Child.run, id=f"{workflow.info().workflow_id}-{n}") for n in range(2))
        )
        return [own, *children]


@workflow.defn
class Child:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(ring_up, args=["child", 0])


WORKFLOWS = [Charges, Family, Child]
ACTIVITIES: list[Callable[..., Any]] = [ring_up, charge_in_thread, parts]


@pytest.fixture
def queue() -> str:
    KEYS.clear()
    return f"idempotency-{uuid.uuid4()}"


def serving(client: Client, queue: str) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        workflows=WORKFLOWS,
        activities=ACTIVITIES,
        activity_executor=ThreadPoolExecutor(2),
    )


async def test_a_key_for_each_step(client: Client, queue: str) -> None:
    """Every attempt of a step has its key, in a thread and locally too, and no two steps or runs share one."""
    async with serving(client, queue):
        arguments = [False, 0, 1]
        one = await client.execute_workflow(Charges.run, args=arguments, id=str(uuid.uuid4()), task_queue=queue)
        two = await client.execute_workflow(Charges.run, args=arguments, id=str(uuid.uuid4()), task_queue=queue)
    assert len({*one, *two}) == 12
    assert all(re.fullmatch("[0-9a-f]{32}", key) for key in one)
    # Two attempts of the first step and of the local one, in either run.
    assert seen("first") == [one[0]] * 2 + [two[0]] * 2
    assert seen("local") == [one[5]] * 2 + [two[5]] * 2


async def test_runs_that_follow_a_run_have_their_own(client: Client, queue: str) -> None:
    """A run that continues as new, and a run under the id of an earlier one, have other keys; so have children."""
    async with serving(client, queue):
        same = str(uuid.uuid4())
        continued = await client.execute_workflow(Charges.run, args=[False, 1], id=same, task_queue=queue)
        again = await client.execute_workflow(Charges.run, id=same, task_queue=queue)
        family = await client.execute_workflow(Family.run, id=str(uuid.uuid4()), task_queue=queue)
    assert len(set(seen("third"))) == 3
    assert seen("third")[1:] == [continued[2], again[2]]
    assert len(set(family)) == 3


async def test_attempts_in_different_processes(client: Client, queue: str) -> None:
    """A process pool gives the same key as the worker would."""
    spawned = multiprocessing.get_context("spawn")
    with spawned.Manager() as manager, ProcessPoolExecutor(1, mp_context=spawned) as pool:
        async with Worker(
            client,
            task_queue=queue,
            workflows=[Elsewhere],
            activities=[charge_elsewhere],
            activity_executor=pool,
            shared_state_manager=SharedStateManager.create_from_multiprocessing(manager),
        ):
            handle = await client.start_workflow(Elsewhere.run, id=str(uuid.uuid4()), task_queue=queue)
            process, key = (await handle.result()).split()
            again = await reset(client, handle, first_task(await handle.fetch_history()))
            _, after = (await again.result()).split()
    assert int(process) != os.getpid()
    assert after == key


@workflow.defn
class Elsewhere:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(charge_elsewhere, "elsewhere")


def first_task(history: Any) -> int:
    """Return the number of the event that ends the first workflow task."""
    ids: list[int] = [e.event_id for e in history.events if e.HasField("workflow_task_completed_event_attributes")]
    return ids[0]


async def reset(client: Client, handle: WorkflowHandle[Any, Any], event: int) -> WorkflowHandle[Any, Any]:
    response = await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=handle.id, run_id=handle.first_execution_run_id or ""),
            reason="test",
            workflow_task_finish_event_id=event,
            request_id=str(uuid.uuid4()),
        )
    )
    return client.get_workflow_handle(handle.id, run_id=response.run_id)


@pytest.mark.parametrize("when", ["finished", "running"])
async def test_a_reset_run_repeats_its_steps_under_their_keys(client: Client, queue: str, when: str) -> None:
    """Steps that a reset runs again have the keys they had, so that no effect is done twice; so after two resets."""
    async with serving(client, queue):
        handle = await client.start_workflow(
            Charges.run, args=[when == "running", 0], id=str(uuid.uuid4()), task_queue=queue
        )
        if when == "finished":
            before = await handle.result()
        else:
            while not seen("second"):
                await asyncio.sleep(0.02)
            before = seen("first")[:1] + seen("second")
        again = await reset(client, handle, first_task(await handle.fetch_history()))
        if when == "running":
            await again.signal(Charges.go_on)
        after = await again.result()
        assert after[: len(before)] == before
        assert set(seen("first")) == {before[0]}
        # A reset of the reset run, to its own beginning.
        third = await reset(client, client.get_workflow_handle(again.id), 4)
        if when == "running":
            await third.signal(Charges.go_on)
        assert await third.result() == after


async def test_a_reset_by_the_command_line(client: Client, temporal: str, queue: str) -> None:
    """`temporal workflow reset` keeps the keys as well."""
    async with serving(client, queue):
        handle = await client.start_workflow(Charges.run, id=str(uuid.uuid4()), task_queue=queue)
        before = await handle.result()
        target = client.service_client.config.target_host
        command = [temporal, "workflow", "reset", "--address", target, "-w", handle.id]
        command += ["--type", "FirstWorkflowTask", "--reason", "test"]
        done = await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True, text=True)
        assert done.stdout == f"Resetting workflow {handle.id} to event ID 4\n"
        assert await client.get_workflow_handle(handle.id).result() == before


async def test_parts_of_a_step(client: Client, queue: str) -> None:
    """A step with several effects tells them apart, and each part keeps its key."""
    async with Worker(client, task_queue=queue, workflows=[Parts], activities=[parts]):
        keys = await client.execute_workflow(Parts.run, id=str(uuid.uuid4()), task_queue=queue)
    assert keys[1] == keys[3]
    assert len(set(keys)) == 3


@workflow.defn
class Parts:
    @workflow.run
    async def run(self) -> list[str]:
        return await workflow.execute_activity(parts)


async def test_standalone_activities(client: Client, queue: str) -> None:
    """An activity that a client starts by itself has a key too, of its own run, the same for all attempts."""
    async with Worker(client, task_queue=queue, activities=[ring_up]):
        keys = [
            await client.execute_activity(
                ring_up, args=["alone", 1], id="alone", task_queue=queue, start_to_close_timeout=timedelta(seconds=10)
            )
            for _ in range(2)
        ]
    assert len(set(keys)) == 2
    assert seen("alone") == [keys[0]] * 2 + [keys[1]] * 2


def test_outside_an_activity() -> None:
    """Outside an activity there is no step to name."""
    with pytest.raises(RuntimeError, match=r"^Not in activity context$"):
        idempotency_key()


def test_the_key_is_of_no_process() -> None:
    """The key is a digest of the step's own names, not of anything that differs from process to process."""
    script = (
        "import dataclasses, datetime, sys\n"
        "from temporalio.testing import ActivityEnvironment\n"
        "from segue.activities import idempotency_key\n"
        "environment = ActivityEnvironment()\n"
        "environment.info = dataclasses.replace(environment.info, namespace='n', workflow_id='w', workflow_run_id='r',"
        " activity_id='a')\n"
        "print(environment.run(idempotency_key))\n"
    )
    printed = {
        subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    }
    assert printed == {"943a15614b57e53a52faba01ed74ecb8\n"}
