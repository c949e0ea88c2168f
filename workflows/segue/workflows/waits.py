"""Where a workflow's own code waits: for a condition or for a time, by function and line.

A wait leaves no event in the history, or only a timer. What the code waits for is seen in the stack of each of its
tasks, from the outermost coroutine down to the one that is suspended. Read only when somebody asks, in a query.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import PurePath
from types import CodeType, FrameType
from typing import Any, Final

__all__ = ["Wait", "waits"]

# The functions that wait, by the names of their code, in Temporal's and in asyncio's modules.
_WAITING: Final = {"wait_condition": "a condition", "sleep": "a timer"}
_FOREIGN: Final = ("/temporalio/", "/asyncio/", "/segue/workflows/")


@dataclasses.dataclass(frozen=True, order=True)
class Wait:
    """One task's wait.

    Attributes:
        function: Qualified name of the function that waits, such as `FulfilOrder.run`.
        path: Its file.
        line: The line at which it waits.
        what: "a condition" or "a timer".
    """

    function: str
    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.what}, in {self.function}, {PurePath(self.path).name}:{self.line}"


def waits() -> list[Wait]:
    """Return where the tasks of the workflow that is running wait for a condition or a timer, each place once."""
    loop = asyncio.get_running_loop()
    found = {wait for task in asyncio.all_tasks(loop) if (wait := _wait_of(task)) is not None}
    return sorted(found)


def _wait_of(task: asyncio.Task[Any]) -> Wait | None:
    place: FrameType | None = None
    for frame in _frames(task.get_coro()):
        code: CodeType = frame.f_code
        foreign = any(part in code.co_filename.replace("\\", "/") for part in _FOREIGN)
        if not foreign:
            place = frame
        elif code.co_name in _WAITING:
            if place is None:
                return None
            where = place.f_code
            return Wait(where.co_qualname, where.co_filename, place.f_lineno, _WAITING[code.co_name])
    return None


def _frames(coroutine: Any) -> Iterator[FrameType]:
    """Yield the frames of a coroutine and of those that it awaits in turn, the outermost first."""
    while coroutine is not None:
        frame: FrameType | None = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is None:
            return
        yield frame
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
