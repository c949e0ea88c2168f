"""A worker in a process of its own, to be killed: `python -m tests.core.heartbeat_worker TARGET QUEUE FOLDER`.

Its activities write the id of the process into the folder, so that a test knows whom to kill, and when.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from segue.activities import Policy, System, last_progress, progress
    from segue.activities.settings import Settings
    from segue.client import SeguePlugin

mill = System(
    "mill-heartbeat-test",
    policy=Policy(
        start_to_close_timeout=timedelta(seconds=60),
        heartbeat_timeout=timedelta(seconds=2),
        initial_interval=timedelta(milliseconds=50),
        maximum_attempts=4,
    ),
)


def sign_in(folder: str) -> int:
    """Say which process runs which attempt, and return the number of the attempt."""
    attempt = activity.info().attempt
    (Path(folder) / f"attempt-{attempt}").write_text(str(os.getpid()))
    return attempt


@mill.activity
async def quiet(folder: str, seconds: float) -> str:
    """Says nothing for longer than the heartbeat timeout."""
    attempt = sign_in(folder)
    await asyncio.sleep(seconds)
    return f"attempt {attempt}"


@mill.activity
def quiet_thread(folder: str, seconds: float) -> str:
    """The same in a thread."""
    attempt = sign_in(folder)
    time.sleep(seconds)
    return f"attempt {attempt}"


@mill.activity
async def counting(folder: str, until: int) -> list[int | None]:
    """Reports as it goes; its second attempt reports nothing, its third goes on. Each waits to be killed."""
    found = last_progress(int)
    attempt = activity.info().attempt
    if attempt == 1:
        for number in range(1, until + 1):
            progress(number)
            await asyncio.sleep(0.01)
    if attempt <= 2:
        # Long enough for what was reported to be sent.
        await asyncio.sleep(2.5)
        sign_in(folder)
        await asyncio.sleep(60)
    return [found, last_progress(int)]


def counting_elsewhere(folder: str, until: int) -> int | None:
    """Reports from a process of its own, then says nothing for long enough to beat, and fails once."""
    found = last_progress(int)
    if sign_in(folder) == 1:
        for number in range(1, until + 1):
            progress(number)
            time.sleep(0.01)
        time.sleep(3)
        raise ValueError("once more")
    return found


counting_elsewhere = mill.activity(counting_elsewhere)


@mill.activity
async def blocking(folder: str) -> str:
    """Blocks its worker's event loop in its first attempt."""
    if sign_in(folder) == 1:
        time.sleep(60)  # noqa: ASYNC251
    return "not blocked"


@mill.activity
async def endless(folder: str) -> None:
    """Waits until it is cancelled, without a word."""
    sign_in(folder)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        (Path(folder) / "cancelled").touch()
        raise


@workflow.defn
class Mill:
    @workflow.run
    async def run(self, name: str, arguments: list[str | float]) -> object:
        return await workflow.execute_activity(
            name, args=arguments, cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
        )


def flows(client: Client, queue: str) -> Worker:
    """Return a worker of the workflows alone, which stands for all the workers that do not die."""
    return Worker(client, task_queue=queue, workflows=[Mill])


def steps(client: Client, queue: str, slots: int = 2) -> Worker:
    """Return a worker of the steps; what was reported is at most a fraction of a second old when it dies."""
    return Worker(
        client,
        task_queue=queue,
        activities=[quiet, quiet_thread, counting, blocking, endless],
        activity_executor=ThreadPoolExecutor(2),
        max_concurrent_activities=slots,
        max_heartbeat_throttle_interval=timedelta(milliseconds=300),
    )


async def _main(target: str, queue: str) -> None:
    client = await Client.connect(target, plugins=[SeguePlugin(settings=Settings())])
    # With one slot, a worker whose event loop is blocked takes no further attempt.
    await steps(client, queue, slots=1).run()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:3]))
