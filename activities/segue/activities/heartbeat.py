"""Heartbeats without the author doing anything, and progress that outlives a crash.

    @documents.activity
    async def embed(folder: Folder) -> int:
        done = last_progress(int) or 0                # what the attempt before this one reported
        for number, page in enumerate(pages(folder)[done:], done + 1):
            await embed_page(page)
            progress(number)
        return number

A step whose policy has a heartbeat timeout beats for as long as its worker's event loop turns, with the progress it
last reported. The death of the worker, or a step that blocks the loop, is so noticed within that timeout.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, TypeVar

import pydantic_core
from temporalio import activity

from segue.activities import faithful

__all__ = ["Beats", "last_progress", "progress"]

T = TypeVar("T")

# Beats a timeout: two may be lost or late before the server gives the attempt up.
_BEATS = 3


def progress(*details: Any) -> None:
    """Report how far this step has come. The next attempt reads it with `last_progress`.

    Cheap to call often: the SDK sends at most a few reports per heartbeat timeout, and always the newest.
    """
    activity.heartbeat(*details)


def last_progress(type_hint: type[T]) -> T | None:
    """Return what was last reported first in `progress`, validated as the type; None if nothing was.

    Raises:
        pydantic.ValidationError: What was reported is not of this type.
    """
    details = activity.info().heartbeat_details
    # Through JSON, as any other value that was sent: a strict model takes a text for a date only there.
    return faithful.adapter(type_hint).validate_json(pydantic_core.to_json(details[0])) if details else None


class Beats:
    """The heartbeats of one attempt, and what they carry. The activity interceptor makes one for each attempt.

    An attempt that reports nothing must not erase what the attempt before it reported, so each beat carries the last
    report, of whichever attempt.

    Args:
        send: Sends a heartbeat, called on the worker's event loop. `activity.heartbeat` will not do: for a step in a
            thread it waits for the event loop.
    """

    def __init__(self, send: Callable[..., None]) -> None:
        self._send = send
        self._last: Sequence[Any] | None = None

    def observe(self, details: Sequence[Any]) -> None:
        """Remember what the step reported, for the beats between its reports."""
        self._last = details

    @contextlib.asynccontextmanager
    async def beating(self) -> AsyncGenerator[None]:
        """Heartbeat in the background for as long as the block runs, if the step has a heartbeat timeout."""
        info = activity.info()
        if not info.heartbeat_timeout or info.is_local:
            yield
            return
        beats = asyncio.create_task(self._beat(info.heartbeat_timeout.total_seconds() / _BEATS))
        try:
            yield
        finally:
            beats.cancel()
            await asyncio.gather(beats, return_exceptions=True)

    async def _beat(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            self._send(*(activity.info().heartbeat_details if self._last is None else self._last))
