"""What `Graph.run` does outside of Temporal, where a workflow's code is run only for the graph that it declares.

Nothing in a worker asks for that, so a workflow's graph runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["handed_over", "taking"]

_TAKEN: ContextVar[list[Any] | None] = ContextVar("segue_graphs_taken", default=None)


@contextmanager
def taking() -> Generator[list[Any]]:
    """Let `Graph.run`, in the block and in the tasks that it starts, add its graph to a list and wait for ever."""
    taken: list[Any] = []
    token = _TAKEN.set(taken)
    try:
        yield taken
    finally:
        _TAKEN.reset(token)


async def handed_over(graph: object) -> None:
    """Hand a graph over, and do not return, where somebody takes it; else do nothing."""
    if (taken := _TAKEN.get()) is not None:
        taken.append(graph)
        await asyncio.get_running_loop().create_future()
