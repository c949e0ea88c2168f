"""The graph that a workflow declares, before it runs, on no server.

    graph = await segue.client.declared.declared(Nightly, "sales")
    graph.check()
    print(graph.mermaid())

The workflow's code is run outside of Temporal as far as `Graph.run`, and no further: nothing is started, nothing is
recorded. What its code asks of Temporal before that, such as the result of an activity, is only there once it runs.
"""

from __future__ import annotations

import asyncio
import linecache
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final

from temporalio.workflow import _NotInWorkflowEventLoopError  # pyright: ignore[reportPrivateUsage]

from segue.workflows.graph import Graph
from segue.workflows.graph.handover import taking

__all__ = ["NoGraph", "declared"]

# Turns of the event loop after which code that has not come to its graph waits for something. Each await of code that
# only passes through takes one.
_TURNS: Final = 1000


class NoGraph(Exception):
    """A workflow's code did not come to a graph outside of Temporal. The message says why.

    Attributes:
        needs_run: Whether it may in a run: it asked Temporal for something, or waited.
    """

    def __init__(self, message: str, *, needs_run: bool) -> None:
        super().__init__(message)
        self.needs_run = needs_run


async def declared(cls: type, *args: Any) -> Graph:
    """Return the first graph that a workflow's run method would run with these arguments; it is not checked yet.

    Args:
        cls: The workflow's class.
        args: The arguments of its run method.

    Raises:
        NoGraph: Its code did not come to one.
    """
    # In a thread, for it takes an event loop of its own: what the code leaves behind there ends with it.
    return await asyncio.to_thread(_declared, cls, args)


class _Loop(asyncio.SelectorEventLoop):
    """A loop in which no timer fires: time does not pass before a run."""

    def call_at(  # type: ignore[override]  # whatever it is called with
        self, when: float, callback: Any, *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        return asyncio.TimerHandle(when, callback, args, self, context)


def _declared(cls: type, args: tuple[Any, ...]) -> Graph:
    loop = _Loop()
    # What is left of the code when its graph is there is dropped, and must not complain.
    loop.set_exception_handler(lambda loop, context: None)
    try:
        return loop.run_until_complete(_taken(cls, args))
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(_turn())
        loop.close()


async def _taken(cls: type, args: tuple[Any, ...]) -> Graph:
    with taking() as taken:
        task = asyncio.create_task(_run(cls, args))
    for _ in range(_TURNS):
        if taken:
            return taken[0]  # type: ignore[no-any-return]
        if task.done():
            break
        await _turn()
    name, file = cls.__name__, _run_method(cls).__code__.co_filename
    if not task.done():
        where = _line(file, _awaited(task))
        raise NoGraph(f"{name} waits for something before its graph{where}", needs_run=True)
    error = task.exception()
    if error is None:
        raise NoGraph(f"{name} came to its end without a graph", needs_run=False)
    where = _line(file, traceback.walk_tb(error.__traceback__))
    if isinstance(error, _NotInWorkflowEventLoopError):
        raise NoGraph(f"{name} asks Temporal for something before its graph{where}", needs_run=True) from error
    raise NoGraph(f"{name} raises {type(error).__name__} before its graph{where}: {error}", needs_run=False) from error


async def _run(cls: type, args: tuple[Any, ...]) -> None:
    instance = cls(*args) if hasattr(getattr(cls, "__init__", None), "__temporal_workflow_init") else cls()
    await _run_method(cls)(instance, *args)


def _run_method(cls: type) -> Any:
    # Temporal's decorators leave their definition here; there is no public way to ask for it.
    return getattr(cls, "__temporal_workflow_definition").run_fn


async def _turn() -> None:
    await asyncio.sleep(0)


def _awaited(task: asyncio.Task[Any]) -> Iterator[tuple[FrameType, int]]:
    """Yield the frames of a task that waits, and their lines, the outermost first."""
    coroutine: Any = task.get_coro()
    while (frame := getattr(coroutine, "cr_frame", None)) is not None:
        yield frame, frame.f_lineno
        coroutine = coroutine.cr_await


def _line(file: str, frames: Iterable[tuple[FrameType, int]]) -> str:
    """Return the last place among frames that is in the workflow's file: ` (nightly.py:31: await ...)`."""
    lines = [number for frame, number in frames if frame.f_code.co_filename == file]
    if not lines:
        return ""
    code = linecache.getline(file, lines[-1]).strip()
    return f" ({Path(file).name}:{lines[-1]}: {code})"
