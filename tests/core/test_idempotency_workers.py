"""Idempotency keys when a step's attempts are made by different worker processes, and when a run is retried."""
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from segue.activities import Policy, System, idempotency_key
from segue.activities.settings import Settings
from segue.client import SeguePlugin

ROOT = Path(__file__).parents[2]

turnstile = System(
    "turnstile-keys-test",
    policy=Policy(
        start_to_close_timeout=timedelta(seconds=20),
        initial_interval=timedelta(milliseconds=50),
        maximum_interval=timedelta(milliseconds=200),
    ),
)


@turnstile.activity
async def turn_key(pid: int, path: str) -> int:
    """Write down this attempt's process and key; fail in the process of that id."""
    with open(path, "a") as file:  # noqa: ASYNC230
        file.write(f"{os.getpid()} {activity.info().attempt} {idempotency_key()}\n")
    if os.getpid() == pid:
        raise ValueError("not here")
    return os.getpid()


@workflow.defn
class Gate:
    @workflow.run
    async def run(self, pid: int, path: str) -> int:
        return await workflow.execute_activity(turn_key, args=[pid, path])


@workflow.defn
class GateAgain:
    """Fails once, after a step."""

    @workflow.run
    async def run(self, path: str) -> None:
        await workflow.execute_activity(turn_key, args=[0, path])
        if workflow.info().attempt == 1:
            raise ApplicationError("again")


async def serve(address: str, queue: str) -> None:
    """Serve the step until standard input ends: what the other process runs."""
    client = await Client.connect(address, plugins=[SeguePlugin(settings=Settings())])
    async with Worker(client, task_queue=queue, activities=[turn_key]):
        await asyncio.to_thread(sys.stdin.read)


def written(path: Path) -> list[list[str]]:
    """The process, attempt and key of each attempt so far."""
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


async def test_every_worker_process_has_the_key_of_the_step(client: Client, tmp_path: Path) -> None:
    """An attempt in another worker process has the key that the attempts before it had here."""
    path = tmp_path / "keys"
    queue = f"gate-{uuid.uuid4()}"
    address = client.service_client.config.target_host
    program = (
        "import asyncio; from tests.core.test_idempotency_workers import serve; "
        f"asyncio.run(serve({address!r}, {queue!r}))"
    )
    async with Worker(client, task_queue=queue, workflows=[Gate], activities=[turn_key]):
        handle = await client.start_workflow(
            Gate.run, args=[os.getpid(), str(path)], id=str(uuid.uuid4()), task_queue=queue
        )
        async with asyncio.timeout(30):
            while not written(path):
                await asyncio.sleep(0.02)
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", program, cwd=ROOT, stdin=asyncio.subprocess.PIPE)
    try:
        async with Worker(client, task_queue=queue, workflows=[Gate]):
            assert await asyncio.wait_for(handle.result(), 60) == other.pid
    finally:
        # Input, even empty, is what closes its standard input.
        await asyncio.wait_for(other.communicate(b""), 30)
    attempts = written(path)
    assert {pid for pid, _, _ in attempts} == {str(os.getpid()), str(other.pid)}
    assert [int(attempt) for _, attempt, _ in attempts] == list(range(1, len(attempts) + 1))
    assert len({key for _, _, key in attempts}) == 1


async def test_a_retried_run_has_keys_of_its_own(client: Client, tmp_path: Path) -> None:
    """A run that its retry policy starts again is another run: its first step has another key."""
    path = tmp_path / "keys"
    queue = f"gate-{uuid.uuid4()}"
    async with Worker(client, task_queue=queue, workflows=[GateAgain], activities=[turn_key]):
        handle = await client.start_workflow(
            GateAgain.run,
            str(path),
            id=str(uuid.uuid4()),
            task_queue=queue,
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=50), maximum_attempts=2),
        )
        await asyncio.wait_for(handle.result(), 30)
    (_, first, key), (_, second, other) = written(path)
    assert (first, second) == ("1", "1")
    assert key != other
