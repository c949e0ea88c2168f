"""Heartbeats: long steps beat by themselves, a death is noticed, and what was reported is there afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import multiprocessing
import os
import signal
import sys
import uuid
from collections.abc import AsyncGenerator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError
from temporalio.api.enums.v1 import TimeoutType
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import CancelledError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import SharedStateManager, Worker
from tests.core.heartbeat_worker import Mill, counting_elsewhere, flows, steps

from segue.activities import last_progress, progress


@contextlib.asynccontextmanager
async def process(client: Client, queue: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A worker of steps in a process of its own, which is killed at the end if it still lives."""
    target = client.service_client.config.target_host
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.core.heartbeat_worker", target, queue, cwd=Path(__file__).parents[2]
    )
    try:
        yield running
    finally:
        with contextlib.suppress(ProcessLookupError):
            running.kill()
        await running.wait()


async def exists(path: Path) -> int:
    """Wait for a file, and return the number in it."""
    while not path.exists() or not path.read_text():
        await asyncio.sleep(0.02)
    return int(path.read_text())


async def started(client: Client, queue: str, name: str, *arguments: Any) -> WorkflowHandle[Any, Any]:
    return await client.start_workflow(
        Mill.run, args=[name, list(map(_plain, arguments))], id=str(uuid.uuid4()), task_queue=queue
    )


def _plain(argument: Any) -> Any:
    return str(argument) if isinstance(argument, Path) else argument


@pytest.fixture
def queue() -> str:
    return f"heartbeat-{uuid.uuid4()}"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["quiet", "quiet_thread"])
async def test_a_long_step_beats_by_itself(client: Client, queue: str, tmp_path: Path, name: str) -> None:
    """A step that says nothing for longer than its heartbeat timeout is not given up, async or in a thread."""
    async with flows(client, queue), steps(client, queue):
        handle = await started(client, queue, name, tmp_path, 3.5)
        assert await handle.result() == "attempt 1"


@pytest.mark.slow
async def test_a_killed_worker_is_noticed(client: Client, queue: str, tmp_path: Path) -> None:
    """The death of a worker is noticed by the heartbeat timeout, long before the step's own, and it runs again."""
    async with flows(client, queue), process(client, queue):
        handle = await started(client, queue, "quiet", tmp_path, 30)
        victim = await exists(tmp_path / "attempt-1")
        os.kill(victim, signal.SIGKILL)
        async with steps(client, queue):
            await exists(tmp_path / "attempt-2")
            [pending] = (await handle.describe()).raw_description.pending_activities
            timeout = pending.last_failure.timeout_failure_info.timeout_type
            assert timeout == TimeoutType.TIMEOUT_TYPE_HEARTBEAT
            await handle.terminate()


@pytest.mark.slow
async def test_what_was_reported_outlives_two_crashes(client: Client, queue: str, tmp_path: Path) -> None:
    """The next attempt sees the last report, and so does the one after an attempt that died without a report."""
    async with flows(client, queue), process(client, queue):
        handle = await started(client, queue, "counting", tmp_path, 7)
        os.kill(await exists(tmp_path / "attempt-1"), signal.SIGKILL)
        async with process(client, queue):
            os.kill(await exists(tmp_path / "attempt-2"), signal.SIGKILL)
            async with steps(client, queue):
                assert await handle.result() == [7, 7]


@pytest.mark.slow
async def test_reports_from_a_process_pool(client: Client, queue: str, tmp_path: Path) -> None:
    """What a step in another process reports is not overwritten by the beats in its worker's."""
    spawned = multiprocessing.get_context("spawn")
    with spawned.Manager() as manager, ProcessPoolExecutor(1, mp_context=spawned) as pool:
        async with Worker(
            client,
            task_queue=queue,
            workflows=[Mill],
            activities=[counting_elsewhere],
            activity_executor=pool,
            shared_state_manager=SharedStateManager.create_from_multiprocessing(manager),
            max_heartbeat_throttle_interval=dt.timedelta(milliseconds=300),
        ):
            handle = await started(client, queue, "counting_elsewhere", tmp_path, 7)
            assert await handle.result() == 7


@pytest.mark.slow
async def test_a_blocked_event_loop_is_noticed(client: Client, queue: str, tmp_path: Path) -> None:
    """A step that blocks its worker's event loop stops all beats there, and is run again elsewhere."""
    async with flows(client, queue), process(client, queue):
        handle = await started(client, queue, "blocking", tmp_path)
        blocked = await exists(tmp_path / "attempt-1")
        async with steps(client, queue):
            assert await handle.result() == "not blocked"
            assert await exists(tmp_path / "attempt-2") == os.getpid() != blocked


async def test_cancellation_reaches_a_silent_step(client: Client, queue: str, tmp_path: Path) -> None:
    """A step that reports nothing is told of its cancellation, for it beats all the same."""
    async with flows(client, queue), steps(client, queue):
        handle = await started(client, queue, "endless", tmp_path)
        await exists(tmp_path / "attempt-1")
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as failed:
            await asyncio.wait_for(handle.result(), 20)
        assert isinstance(failed.value.cause, CancelledError)
    assert (tmp_path / "cancelled").exists()


class Page(BaseModel):
    model_config = ConfigDict(strict=True)
    number: int
    read: dt.datetime


@dataclasses.dataclass
class Place:
    page: int
    word: str = ""


NEW_YEAR = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("details", "type_hint", "expected"),
    [
        ([], int, None),
        ([7], int, 7),
        ([{"page": 3, "word": "x"}], Place, Place(3, "x")),
        ([{"number": 3, "read": "2024-01-01T00:00:00Z"}], Page, Page(number=3, read=NEW_YEAR)),
        ([[1, 2], "more"], list[int], [1, 2]),
        ([None], int | None, None),
    ],
)
def test_progress_is_read_as_its_type(details: list[Any], type_hint: Any, expected: Any) -> None:
    """What was reported comes back as the type that is asked for, through JSON as it went."""
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, heartbeat_details=details)
    assert environment.run(last_progress, type_hint) == expected


def test_progress_of_another_type() -> None:
    """What is not of the type that is asked for is refused."""
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, heartbeat_details=["seven"])
    with pytest.raises(ValidationError, match="1 validation error for int"):
        environment.run(last_progress, int)


def test_progress_is_a_heartbeat() -> None:
    """Reporting progress is Temporal's own heartbeat, with the same details."""
    environment = ActivityEnvironment()
    sent: list[tuple[Any, ...]] = []
    environment.on_heartbeat = lambda *details: sent.append(details)
    environment.run(progress, 3, {"page": 4})
    assert sent == [(3, {"page": 4})]
