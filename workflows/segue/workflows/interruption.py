"""What stops a workflow's code without being an error of it, and how to end what was begun nevertheless.

A run's code is stopped when the run is cancelled, when its worker puts it out of memory, and when the worker's code
does not fit the history. Only the first is for the workflow to act upon. The second looks the same, for the SDK cancels
every task of the run, and code that took it for a cancellation would start steps in a run that goes on elsewhere.

    await shielded(release_everything())     # to its end, whoever cancels meanwhile
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

from temporalio import workflow

from segue.activities.errors import leaves
from segue.workflows.options import UndeclaredActivity

__all__ = ["ENDS", "arrivals", "begin", "is_evicted", "is_of_the_worker", "settle", "shielded"]

R = TypeVar("R")

# They fail the workflow task, and the run goes on as soon as a worker has the right code.
_OF_THE_WORKER: Final = (workflow.NondeterminismError, workflow.ReadOnlyContextError, UndeclaredActivity)

ENDS: Final = (Exception, asyncio.CancelledError, workflow.ContinueAsNewError)
"""What a run's own code ends with. All else is the end of the process, or of the run's place in its memory."""

# Turns of the event loop in which a result that has arrived gets from the SDK's future to the task that awaits it.
_TURNS: Final = 20


def is_of_the_worker(error: BaseException) -> bool:
    """Return whether an error tells of the worker's code rather than of the run, which then is not at its end."""
    return any(isinstance(leaf, _OF_THE_WORKER) for leaf in leaves(error))


def is_evicted() -> bool:
    """Return whether the run is being put out of memory. There is no public way to ask.

    While it is, the SDK refuses whatever would change the run, with an error of its own that it does not export. Asking
    for the run's random numbers, without drawing one, is refused too and changes nothing.
    """
    try:
        workflow.random()
    except Exception:
        raise
    except BaseException:
        return True
    return False


def begin(work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
    """Begin work in a task of its own. Nobody need read its error: a run that is put out of memory leaves it there."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda task: task.cancelled() or task.exception())
    return task


async def shielded(work: Coroutine[Any, Any, R]) -> R:
    """Await work to its end, and return its result. Who cancels meanwhile has their way when it has ended.

    Raises:
        CancelledError: The caller was cancelled meanwhile. What the work itself raises goes before that.
    """
    task = begin(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await workflow.wait([task])
        except asyncio.CancelledError as error:
            if is_evicted():
                raise
            cancelled = error
    result = task.result()
    if cancelled is not None:
        raise cancelled
    return result


async def arrivals() -> None:
    """Return when each result that has arrived is with the task that awaits it, which a cancellation would lose it."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


async def settle(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Cancel tasks, and return when each has ended: cancelled, or with a result that came before the cancellation."""
    await arrivals()
    left = [task for task in tasks if not task.done()]
    for task in left:
        task.cancel()
    if left:
        await workflow.wait(left)
