"""The graphs that a run declared: asked of a worker, for only its code knows them.

    for step in pending_in(await graphs_of(handle) or ()):
        print(step.name, step.waiting_for)                # load after extract, transform

A worker answers for an open run and, by replaying it, for one that has ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final

import pydantic
from temporalio.client import WorkflowHandle, WorkflowQueryFailedError, WorkflowQueryRejectedError
from temporalio.service import RPCError

from segue.client._queues import is_polled
from segue.client.records import PendingStep
from segue.workflows.graph.drawing import edges
from segue.workflows.graph.shown import QUERY, DeclaredStep

__all__ = ["graphs_of", "open_before", "pending_in", "waits"]

_GRAPHS: Final = pydantic.TypeAdapter(tuple[tuple[DeclaredStep, ...], ...])


async def graphs_of(
    handle: WorkflowHandle[Any, Any], *, task_queue: str | None = None, timeout: timedelta = timedelta(seconds=5)
) -> tuple[tuple[DeclaredStep, ...], ...] | None:
    """Return the graphs of a run in the order of their start, each step as declared and where it is.

    Empty if it has none so far; None if no worker says so in time.

    Args:
        handle: The run.
        task_queue: The queue of its worker. If it is given and no worker polls it, none is waited for.
        timeout: How long a worker may take.

    Raises:
        RPCError: The server cannot be reached.
    """
    client = handle._client  # pyright: ignore[reportPrivateUsage]
    if task_queue is not None and not await is_polled(client, task_queue):
        return None
    try:
        told: object = await handle.query(QUERY, rpc_timeout=timeout)
    except WorkflowQueryFailedError as error:
        # A run without a graph has no such query; one whose code fails answers none.
        return () if QUERY in str(error) else None
    except (RPCError, WorkflowQueryRejectedError):
        return None
    except ValueError:
        # A run that is paused on the server answers nothing, with a status that the SDK does not know.
        return None
    try:
        return _GRAPHS.validate_python(told)
    except pydantic.ValidationError:  # of another version
        return None


def pending_in(graphs: Iterable[Sequence[DeclaredStep]]) -> tuple[PendingStep, ...]:
    """Return the steps that have not started, in the order of their declaration."""
    return tuple(
        PendingStep(
            name=step.name,
            kind="branch" if step.branch else "child_workflow" if step.kind == "child_workflow" else "activity",
            after=after,
            waiting_for=waits(after),
        )
        for graph in graphs
        for step, after in zip(graph, open_before(graph), strict=True)
        if step.state == "pending"
    )


def open_before(graph: Sequence[DeclaredStep]) -> list[tuple[str, ...]]:
    """Return for each step of a graph the names of those before it that have not ended."""
    found: list[list[str]] = [[] for _ in graph]
    for before, after in edges(graph):
        if graph[before].state in ("pending", "running"):
            found[after].append(graph[before].name)
    return [tuple(names) for names in found]


def waits(after: Sequence[str]) -> str:
    """Return what a step waits for: `after extract, transform`."""
    return f"after {', '.join(after)}" if after else "its turn"
