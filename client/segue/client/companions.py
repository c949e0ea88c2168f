"""The workers beside a worker: one for each task queue that a system of its activities has for itself.

They run for as long as a worker that needs them does, and drain at the same time. Workers of one process share them:
Temporal lets a process poll a task queue once.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from temporalio.worker import Worker

from segue.activities.system import activity_name

__all__ = ["run_beside", "shutdown"]

Activities = Sequence[Callable[..., Any]]


@dataclasses.dataclass(eq=False)
class _Companion:
    worker: Worker
    running: asyncio.Task[None]
    names: frozenset[str | None]
    users: set[Worker]


# By event loop, connection, namespace and task queue.
_companions: Final[dict[tuple[int, int, str, str], _Companion]] = {}


async def run_beside(
    worker: Worker, queues: Mapping[str, Activities], next: Callable[[Worker], Awaitable[None]]
) -> None:
    """Run a worker and its companions until it ends; an error of one ends it, and is raised.

    Args:
        worker: The worker.
        queues: The activities of each further task queue to serve.
        next: Runs the worker itself.

    Raises:
        RuntimeError: Another worker of this process serves one of the queues, without some of its activities.
    """
    joined: list[_Companion] = []
    try:
        for queue, activities in queues.items():
            joined.append(_join(worker, queue, activities))
    except BaseException:
        # Whoever started the worker waits for its end, and only a worker that ran has one.
        await asyncio.gather(*(_leave(worker, companion) for companion in joined))
        await asyncio.gather(next(worker), worker.shutdown(), return_exceptions=True)
        raise
    main = asyncio.ensure_future(next(worker))
    told = asyncio.ensure_future(_told(worker))
    try:
        # A worker that ends without being told has failed: its error ends the others too.
        running = [main, told, *(companion.running for companion in joined)]
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()
        await asyncio.gather(worker.shutdown(), *(_leave(worker, companion) for companion in joined))
        ended = [main, *(companion.running for companion in joined if companion.running.done())]
        outcomes = await asyncio.gather(*ended, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


async def shutdown(worker: Worker) -> None:
    """Shut a worker down together with the companions that no other worker needs, so that they drain at once."""
    used = [companion for companion in _companions.values() if worker in companion.users]
    await asyncio.gather(worker.shutdown(), *(_leave(worker, companion) for companion in used))


async def _told(worker: Worker) -> None:
    """Return when a worker was told to shut down; it tells nobody itself, and drains before it ends."""
    event: asyncio.Event | None = getattr(worker, "_shutdown_event", None)
    await (event or asyncio.Event()).wait()


def _join(worker: Worker, queue: str, activities: Activities) -> _Companion:
    key = (id(asyncio.get_running_loop()), id(worker.client.service_client), worker.client.namespace, queue)
    names = frozenset(map(activity_name, activities))
    companion = _companions.get(key)
    if companion is None or companion.running.done():
        made = _make(worker, queue, activities)
        companion = _companions[key] = _Companion(made, asyncio.ensure_future(made.run()), names, set())
    elif missing := sorted(map(str, names - companion.names)):
        raise RuntimeError(
            f"Task queue {queue!r} is served in this process by a worker that lacks the activity "
            f"{', '.join(map(repr, missing))}: give both workers all activities of the systems that they share"
        )
    companion.users.add(worker)
    return companion


def _make(worker: Worker, queue: str, activities: Activities) -> Worker:
    options: dict[str, Any] = {
        **worker.config(),
        "task_queue": queue,
        "activities": activities,
        "workflows": [],
        "nexus_service_handlers": [],
        # A rate that was given to the worker is its own queue's.
        "max_task_queue_activities_per_second": None,
    }
    try:
        return Worker(**options)
    except RuntimeError as error:
        raise RuntimeError(
            f"Task queue {queue!r} cannot be served beside {worker.task_queue!r}: another worker of this process polls "
            "it, or it cannot be made. Leave the activities of its system to that worker"
        ) from error


async def _leave(worker: Worker, companion: _Companion) -> None:
    companion.users.discard(worker)
    if not companion.users:
        for key, one in list(_companions.items()):
            if one is companion:
                del _companions[key]
        await companion.worker.shutdown()
