"""Where a workflow waits is shown in the Web UI's current details and in its steps."""

from __future__ import annotations

import asyncio
import inspect
import uuid
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

import segue.client


@workflow.defn
class Waits:
    def __init__(self) -> None:
        self.told = False

    @workflow.run
    async def run(self) -> None:
        pause = asyncio.create_task(self.pause())
        await workflow.wait_condition(lambda: self.told)
        pause.cancel()

    async def pause(self) -> None:
        await asyncio.sleep(timedelta(days=1).total_seconds())

    @workflow.signal
    def tell(self) -> None:
        self.told = True


@workflow.defn
class WaitsForASignal:
    def __init__(self) -> None:
        self.told = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.told)

    @workflow.signal
    def tell(self) -> None:
        self.told = True


def _line(function: object, text: str) -> int:
    lines, first = inspect.getsourcelines(function)  # type: ignore[arg-type]
    return first + next(number for number, line in enumerate(lines) if text in line)


async def _details(handle: WorkflowHandle[Any, Any]) -> str:
    metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    details: str = metadata.current_details
    return details


async def test_the_current_details_show_waits_by_function_and_line(client: Client) -> None:
    """The Web UI's table tells where the run waits for a condition and where for a timer."""
    queue = str(uuid.uuid4())
    async with Worker(client, task_queue=queue, workflows=[Waits]):
        handle = await client.start_workflow(Waits.run, id=str(uuid.uuid4()), task_queue=queue)
        details = await _details(handle)
        await handle.signal(Waits.tell)
        await handle.result()
    waiting = _line(Waits.run, "wait_condition")
    sleeping = _line(Waits.pause, "asyncio.sleep")
    assert details.split("\n")[2:] == [
        f"| ⏳ | a timer, in Waits.pause, test_waits.py:{sleeping} | | |",
        f"| ⏳ | a condition, in Waits.run, test_waits.py:{waiting} | | |",
    ]


async def test_the_steps_tell_the_line_of_a_wait(client: Client) -> None:
    """With a live worker, a wait that the history does not know is a step with its function and line."""
    queue = str(uuid.uuid4())
    async with Worker(client, task_queue=queue, workflows=[WaitsForASignal]):
        handle = await client.start_workflow(WaitsForASignal.run, id=str(uuid.uuid4()), task_queue=queue)
        await _details(handle)  # the first workflow task has been done
        [wait] = [step for step in await segue.client.steps(handle) if step.kind == "wait"]
        await handle.signal(WaitsForASignal.tell)
        await handle.result()
    place = f"WaitsForASignal.run, test_waits.py:{_line(WaitsForASignal.run, 'wait_condition')}"
    assert wait.summary == place
    assert wait.waiting_for == f"signal 'tell' or a condition, in {place}"
