"""Run a worker until it is told to stop: the workflow queue and the queue of each system, in one process.

    await segue.workers.run(client, workflows=[FulfilOrder], activities=[reserve, charge, ship], task_queue="orders")

SIGTERM and SIGINT drain: no new step is taken, running ones get a grace period, and what does not finish in it is
retried elsewhere under its policy. A second signal ends at once.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from temporalio.client import Client
    from temporalio.worker import Worker

# What takes long to import is imported where it is used: `segue --help` imports this module.

__all__ = ["GRACE", "defaults", "run", "worker"]

GRACE: Final = timedelta(seconds=20)
"""How long running steps may take to finish after SIGTERM: less than the 30 seconds that Kubernetes allows."""

# Wide, because a step mostly waits for its system; a system that takes less declares its capacity.
_CONCURRENT_ACTIVITIES: Final = 1000

logger = logging.getLogger(__name__)


def worker(
    client: Client,
    *,
    task_queue: str,
    workflows: Sequence[type] = (),
    activities: Sequence[Callable[..., Any]] = (),
    only: Iterable[str] = (),
    grace: timedelta = GRACE,
    **options: Any,
) -> Worker:
    """Return a worker with Segue's defaults; `run` runs it. The arguments are those of `run`."""
    from temporalio.worker import Worker

    activities = list(activities)
    if systems := list(only):
        task_queue, workflows, activities = _only(client, systems, task_queue, workflows, activities)
    settings = {**defaults(grace), **options}
    if settings.get("tuner") is not None and "max_concurrent_activities" not in options:
        # A tuner decides itself how many steps run at once.
        del settings["max_concurrent_activities"]
    return Worker(client, task_queue=task_queue, workflows=workflows, activities=activities, **settings)


def defaults(grace: timedelta = GRACE) -> dict[str, Any]:
    """Return the options of `temporalio.worker.Worker` that Segue sets where the caller does not."""
    return {
        "max_concurrent_activities": _CONCURRENT_ACTIVITIES,
        # Steps that start in the worker that scheduled them spare the server a dispatch each.
        "max_eager_activity_reservations_per_workflow_task": _CONCURRENT_ACTIVITIES,
        "graceful_shutdown_timeout": grace,
        # When a worker dies, its cached runs wait for it this long before another takes them; Temporal waits 10 s.
        "sticky_queue_schedule_to_start_timeout": timedelta(seconds=5),
        # Progress of a step is at most this old when its worker dies.
        "max_heartbeat_throttle_interval": timedelta(seconds=5),
        # Sync steps run in threads; the pool makes them as they are needed.
        "activity_executor": concurrent.futures.ThreadPoolExecutor(_CONCURRENT_ACTIVITIES, "activity"),
    }


async def run(
    client: Client,
    *,
    task_queue: str,
    workflows: Sequence[type] = (),
    activities: Sequence[Callable[..., Any]] = (),
    only: Iterable[str] = (),
    grace: timedelta = GRACE,
    **options: Any,
) -> None:
    """Run a worker until SIGTERM, SIGINT or cancellation, then drain it.

    Args:
        client: A client with Segue's plugin, as `segue.client.connect` returns it.
        task_queue: Queue of the workflows, and of the activities whose system has none of its own.
        workflows: Workflow classes to serve.
        activities: Activity functions to serve, each on the queue of its system.
        only: Names of the systems to serve in this process, for a fleet per system; `"workflows"` stands for the
            workflow queue. By default everything.
        grace: How long running steps may take to finish after the first signal.
        options: Further options of `temporalio.worker.Worker`; they win over Segue's defaults.

    Raises:
        ValueError: `only` names a system that has no task queue of its own, or that no activity belongs to.
    """
    from segue.client import companions

    serving = worker(
        client,
        task_queue=task_queue,
        workflows=workflows,
        activities=activities,
        only=only,
        grace=grace,
        **options,
    )
    async with _signals() as told:
        running = asyncio.ensure_future(serving.run())
        stop = asyncio.ensure_future(told.wait())
        try:
            await asyncio.wait([running, stop], return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                logger.info("Draining: running steps have %s s to finish", f"{grace.total_seconds():g}")
                await companions.shutdown(serving)
        finally:
            stop.cancel()
            if not running.done():
                # Cancelled from outside: drain all the same.
                await asyncio.shield(companions.shutdown(serving))
            try:
                await running
            finally:
                await _close_connectors()


async def _close_connectors() -> None:
    """Close the connections that connectors have pooled for this worker's event loop."""
    for name in ("http", "sql"):
        if (connector := sys.modules.get(f"segue.activities.{name}")) is not None:
            await connector.close()


def _only(
    client: Client,
    wanted: Sequence[str],
    task_queue: str,
    workflows: Sequence[type],
    activities: Sequence[Callable[..., Any]],
) -> tuple[str, Sequence[type], list[Callable[..., Any]]]:
    """Return the task queue, workflows and activities that are left for a process that serves only some systems."""
    from segue.activities.system import activity_name, system_of
    from segue.client import plugin

    catalogue = next((p for p in client.config()["plugins"] if isinstance(p, plugin.SeguePlugin)), None)
    if catalogue is None:
        raise ValueError("only= needs a client with SeguePlugin: use segue.client.connect()")
    catalogue.catalogue.register(activities)
    own = catalogue.catalogue.queues(activities)
    if wanted == ["workflows"]:
        apart = {activity_name(fn) for served in own.values() for fn in served}
        return task_queue, workflows, [fn for fn in activities if activity_name(fn) not in apart]
    if "workflows" in wanted:
        raise ValueError("'workflows' stands for the workflow queue alone: run the systems in another process")
    known = {system.name for fn in activities if (system := system_of(fn)) is not None}
    queue_of = {system.name: queue for queue, fns in own.items() for fn in fns if (system := system_of(fn)) is not None}
    for name in wanted:
        if name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise ValueError(f"No activity here belongs to a system {name!r}: systems here are {names}")
        if name not in queue_of:
            raise ValueError(
                f"System {name!r} has no task queue of its own, so its steps run with the workflows: "
                "give it a capacity or a task_queue"
            )
    kept = [fn for fn in activities if (system := system_of(fn)) is not None and system.name in wanted]
    return queue_of[wanted[0]], (), kept


@contextlib.asynccontextmanager
async def _signals() -> AsyncGenerator[asyncio.Event]:
    """Give an event that the first SIGTERM or SIGINT sets; the second has its usual effect."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    caught: list[signal.Signals] = []

    def tell() -> None:
        told.set()
        for number in caught:
            loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        # A loop in a thread, or on a platform without signals, is stopped by cancelling the task.
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, tell)
            caught.append(number)
    try:
        yield told
    finally:
        for number in caught:
            loop.remove_signal_handler(number)
