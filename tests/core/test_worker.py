"""Workers on a real server: which queues they serve, how they drain, and that they keep within a system's capacity."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import activity, workflow
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    import segue.workers
    from segue.activities import Capacity, Policy, System
    from segue.activities.settings import Settings
    from segue.client import SeguePlugin

ROOT = Path(__file__).parents[2]

# More than anything here takes on a loaded machine; nothing waits this long unless it is broken.
PATIENCE = 60

quick = Policy(initial_interval=timedelta(milliseconds=50))
inventory = System("inventory-worker-test", policy=quick, capacity=Capacity(concurrent=2))
carrier = System("carrier-worker-test", policy=quick, task_queue="carrier-worker-test-eu")
ledger = System("ledger-worker-test", policy=quick)
meter = System("meter-worker-test", policy=quick, capacity=Capacity(per_second=5))


@inventory.activity
async def worker_test_reserve() -> str:
    return f"{activity.info().task_queue} in {os.getpid()}"


@carrier.activity
async def worker_test_label() -> str:
    return f"{activity.info().task_queue} in {os.getpid()}"


@ledger.activity
async def worker_test_enter() -> str:
    return f"{activity.info().task_queue} in {os.getpid()}"


class Count:
    """How many steps run at this moment, and the most that ever did."""

    now = 0
    most = 0


@inventory.activity
async def worker_test_count() -> None:
    Count.now += 1
    Count.most = max(Count.most, Count.now)
    try:
        # Two do come together, however slowly; a third would have the time to.
        while Count.most < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
    finally:
        Count.now -= 1


starts: list[float] = []


@meter.activity
async def worker_test_read_meter() -> None:
    starts.append(time.monotonic())


@ledger.activity
async def worker_test_hold(folder: str) -> str:
    """Say that it started, and run until it is released."""
    attempt = activity.info().attempt
    Path(folder, f"started-{attempt}").touch()
    while not Path(folder, "release").exists():
        await asyncio.sleep(0.02)
    return f"attempt {attempt}"


@workflow.defn(name="WorkerTestEach")
class Each:
    @workflow.run
    async def run(self) -> list[str]:
        return [
            await workflow.execute_activity(worker_test_reserve),
            await workflow.execute_activity(worker_test_label),
            await workflow.execute_activity(worker_test_enter),
        ]


@workflow.defn(name="WorkerTestMany")
class Many:
    @workflow.run
    async def run(self, name: str, number: int) -> None:
        await asyncio.gather(*(workflow.execute_activity(name) for _ in range(number)))


@workflow.defn(name="WorkerTestHold")
class Hold:
    @workflow.run
    async def run(self, folder: str) -> str:
        return await workflow.execute_activity(worker_test_hold, folder)


EACH = [worker_test_reserve, worker_test_label, worker_test_enter]


async def until(holds: Callable[[], bool]) -> None:
    """Return when a condition holds."""
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def running(client: Client, **options: object) -> AsyncGenerator[None]:
    """`segue.workers.run` for as long as the block runs; it ends by cancellation."""
    task = asyncio.create_task(segue.workers.run(client, **options))  # type: ignore[arg-type]  # pyright: ignore
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def polled(client: Client, queue: str, kind: TaskQueueType.ValueType) -> bool:
    """Return whether somebody has polled a task queue lately."""
    request = DescribeTaskQueueRequest(namespace="default", task_queue=TaskQueue(name=queue), task_queue_type=kind)
    return bool((await client.workflow_service.describe_task_queue(request)).pollers)


async def serve(address: str, queue: str, grace: float) -> None:
    """What the other process runs: a worker, until a signal ends it."""
    import logging

    logging.basicConfig(level=logging.INFO)
    client = await Client.connect(address, plugins=[SeguePlugin(settings=Settings())])
    await segue.workers.run(
        client, task_queue=queue, workflows=[Hold], activities=[worker_test_hold], grace=timedelta(seconds=grace)
    )


@contextlib.asynccontextmanager
async def process(client: Client, queue: str, grace: float, log: Path) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A worker in a process of its own."""
    program = (
        f"import asyncio; from {__name__} import serve; "
        f"asyncio.run(serve({client.service_client.config.target_host!r}, {queue!r}, {grace}))"
    )
    with log.open("wb") as output:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, cwd=ROOT, stdout=output, stderr=output
        )
        try:
            yield child
        finally:
            if child.returncode is None:
                child.kill()
            await child.wait()


def fresh(name: str) -> str:
    """Return a name that no other test uses."""
    return f"{name}-{uuid.uuid4()}"


async def test_sigterm_drains_and_loses_nothing(client: Client, tmp_path: Path) -> None:
    """SIGTERM while a step runs: the step completes in its first attempt, the process exits with 0, all else waits."""
    queue, log = fresh("drain"), tmp_path / "log"
    async with process(client, queue, 30, log) as child:
        handle = await client.start_workflow(Hold.run, str(tmp_path), id=fresh("drain"), task_queue=queue)
        await until(lambda: (tmp_path / "started-1").exists() or child.returncode is not None)
        assert child.returncode is None, log.read_text()
        child.send_signal(signal.SIGTERM)
        await until(lambda: "Draining: running steps have 30 s to finish" in log.read_text())
        later = tmp_path / "later"
        later.mkdir()
        second = await client.start_workflow(Hold.run, str(later), id=fresh("drain"), task_queue=queue)
        assert child.returncode is None
        (tmp_path / "release").touch()
        assert await asyncio.wait_for(child.wait(), PATIENCE) == 0, log.read_text()
    (later / "release").touch()
    async with Worker(client, task_queue=queue, workflows=[Hold], activities=[worker_test_hold]):
        assert await handle.result() == "attempt 1"
        assert await second.result() == "attempt 1"


async def test_what_outlasts_the_grace_is_retried_elsewhere(client: Client, tmp_path: Path) -> None:
    """A step that does not finish within the grace period is given up, and the next worker makes its next attempt."""
    queue, log = fresh("grace"), tmp_path / "log"
    async with process(client, queue, 0.3, log) as child:
        handle = await client.start_workflow(Hold.run, str(tmp_path), id=fresh("grace"), task_queue=queue)
        await until(lambda: (tmp_path / "started-1").exists() or child.returncode is not None)
        assert child.returncode is None, log.read_text()
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), PATIENCE) == 0, log.read_text()
    (tmp_path / "release").touch()
    async with Worker(client, task_queue=queue, workflows=[Hold], activities=[worker_test_hold]):
        assert await handle.result() == "attempt 2"
    [given_up] = [
        event.activity_task_started_event_attributes.last_failure
        async for event in handle.fetch_history_events()
        if event.HasField("activity_task_started_event_attributes")
    ]
    # Its worker said so; after the step's timeout the server would have noticed by itself.
    assert given_up.message
    assert not given_up.HasField("timeout_failure_info")


async def test_a_second_signal_ends_at_once(client: Client, tmp_path: Path) -> None:
    """A second SIGTERM does not wait for the grace period."""
    queue, log = fresh("twice"), tmp_path / "log"
    async with process(client, queue, 300, log) as child:
        handle = await client.start_workflow(Hold.run, str(tmp_path), id=fresh("twice"), task_queue=queue)
        await until(lambda: (tmp_path / "started-1").exists() or child.returncode is not None)
        assert child.returncode is None, log.read_text()
        child.send_signal(signal.SIGTERM)
        await until(lambda: "Draining" in log.read_text())
        child.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(child.wait(), PATIENCE) == -signal.SIGTERM, log.read_text()
    await handle.terminate()


async def test_one_process_serves_every_queue(client: Client) -> None:
    """`run` serves the workflow queue and the queue of each system; a system without one runs with the workflows."""
    queue = fresh("every")
    async with running(client, task_queue=queue, workflows=[Each], activities=EACH):
        ran = await client.execute_workflow(Each.run, id=fresh("every"), task_queue=queue)
    pid = os.getpid()
    assert ran == [f"inventory-worker-test in {pid}", f"carrier-worker-test-eu in {pid}", f"{queue} in {pid}"]


async def test_a_plain_worker_serves_every_queue_and_ends_all(client: Client) -> None:
    """A `Worker` of temporalio serves the systems' queues too, and leaving `async with` ends all of them."""
    queue, pid = fresh("plain"), os.getpid()
    before = asyncio.all_tasks()
    for _ in range(2):  # a second time, because what was left running would refuse it
        async with Worker(client, task_queue=queue, workflows=[Each], activities=EACH):
            ran = await client.execute_workflow(Each.run, id=fresh("plain"), task_queue=queue)
        assert ran == [f"inventory-worker-test in {pid}", f"carrier-worker-test-eu in {pid}", f"{queue} in {pid}"]
    await until(lambda: asyncio.all_tasks() == before)


async def test_only_divides_the_fleet(client: Client) -> None:
    """With `only`, one process serves the workflows and systems without a queue, another each of the systems named."""
    queue = fresh("only")
    own = System(fresh("only-worker-test"), policy=quick, capacity=Capacity(concurrent=1))

    @own.activity(name="worker_test_only")
    async def count() -> None:
        Count.most += 1

    Count.most = 0
    activities = [*EACH, count]
    async with running(client, task_queue=queue, workflows=[Many], activities=activities, only=["workflows"]):
        await client.execute_workflow(Many.run, args=["worker_test_enter", 1], id=fresh("only"), task_queue=queue)
        handle = await client.start_workflow(Many.run, args=["worker_test_only", 1], id=fresh("only"), task_queue=queue)
        async with asyncio.timeout(PATIENCE):
            while not (await handle.describe()).raw_description.pending_activities:
                await asyncio.sleep(0.02)
        assert not await polled(client, own.name, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)
        assert Count.most == 0
        async with running(client, task_queue=queue, workflows=[Many], activities=activities, only=[own.name]):
            await handle.result()
    assert Count.most == 1
    assert not await polled(client, own.name, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW)


@pytest.mark.parametrize(
    ("only", "message"),
    [
        (
            ["inventry"],
            "No activity here belongs to a system 'inventry': systems here are carrier-worker-test, "
            "inventory-worker-test, ledger-worker-test",
        ),
        (
            ["ledger-worker-test"],
            "System 'ledger-worker-test' has no task queue of its own, so its steps run with the workflows: "
            "give it a capacity or a task_queue",
        ),
        (
            ["workflows", "inventory-worker-test"],
            "'workflows' stands for the workflow queue alone: run the systems in another process",
        ),
    ],
)
async def test_only_refuses_what_cannot_be_served(client: Client, only: list[str], message: str) -> None:
    """A name in `only` that stands for no queue is refused, with what to do."""
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        await segue.workers.run(client, task_queue="refused", workflows=[Each], activities=EACH, only=only)


async def test_only_needs_the_plugin(plain: Client) -> None:
    """Without the plugin nobody knows the systems' queues, so `only` is refused."""
    message = "only= needs a client with SeguePlugin: use segue.client.connect()"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        await segue.workers.run(plain, task_queue="refused", activities=EACH, only=["inventory-worker-test"])


@pytest.mark.parametrize("own", [True, False], ids=["the system's own queue", "another queue"])
async def test_concurrency_is_never_exceeded(client: Client, own: bool) -> None:
    """At most two steps of a system with `concurrent=2` run at once, whatever the worker itself allows."""
    queue = "inventory-worker-test" if own else fresh("concurrent")
    Count.most = 0
    async with running(
        client, task_queue=queue, workflows=[Many], activities=[worker_test_count], max_concurrent_activities=100
    ):
        await client.execute_workflow(Many.run, args=["worker_test_count", 12], id=fresh("count"), task_queue=queue)
    assert Count.most == 2


@pytest.mark.parametrize("given", [None, 1000.0], ids=["no rate given", "a higher rate given"])
@pytest.mark.parametrize("own", [True, False], ids=["the system's own queue", "another queue"])
async def test_the_rate_is_kept(client: Client, own: bool, given: float | None) -> None:
    """A system's steps start no faster than it declares, also on its own queue, also if the worker was given a rate."""
    rate, number = 5, 16
    queue = "meter-worker-test" if own else fresh("rate")
    starts.clear()
    async with running(
        client,
        task_queue=queue,
        workflows=[Many],
        activities=[worker_test_read_meter],
        max_task_queue_activities_per_second=given,
    ):
        await client.execute_workflow(
            Many.run, args=["worker_test_read_meter", number], id=fresh("rate"), task_queue=queue
        )
    assert len(starts) == number
    # Each of the server's four partitions may let a burst of two through.
    assert max(starts) - min(starts) >= (number - 8) / rate
