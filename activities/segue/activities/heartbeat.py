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
from collections.abc import AsyncGenerator, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

from pydantic import TypeAdapter
from temporalio import activity

__all__ = ["beating", "last_progress", "observe", "progress"]

T = TypeVar("T")

# Beats a timeout: two may be lost or late before the server gives the attempt up.
_BEATS = 3

_last: ContextVar[list[Sequence[Any]] | None] = ContextVar("_last", default=None)


def progress(*details: Any) -> None:
    """Report how far this step has come. The next attempt reads it with `last_progress`.

    Cheap to call often: the SDK sends at most a few reports per heartbeat timeout, and always the newest.
    """
    activity.heartbeat(*details)


def last_progress(type_hint: type[T]) -> T | None:
    """Return what the last attempt reported first in `progress`, validated as the type; None on a first attempt.

    Raises:
        pydantic.ValidationError: What was reported is not of this type.
    """
    details = activity.info().heartbeat_details
    return TypeAdapter(type_hint).validate_python(details[0]) if details else None


def observe(details: Sequence[Any]) -> None:
    """Remember what a step reported, for the beats between its reports. The activity interceptor calls this."""
    last = _last.get()
    if last is not None:
        last[0] = details


@contextlib.asynccontextmanager
async def beating() -> AsyncGenerator[None]:
    """Heartbeat in the background for as long as the block runs, if the step has a heartbeat timeout."""
    info = activity.info()
    if not info.heartbeat_timeout or info.is_local:
        yield
        return
    # An attempt that reports nothing must not erase what the attempt before it reported.
    last: list[Sequence[Any]] = [info.heartbeat_details]
    token = _last.set(last)
    beats = asyncio.create_task(_beat(info.heartbeat_timeout.total_seconds() / _BEATS, last))
    try:
        yield
    finally:
        beats.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beats
        _last.reset(token)


async def _beat(interval: float, last: list[Sequence[Any]]) -> None:
    while True:
        await asyncio.sleep(interval)
        activity.heartbeat(*last[0])
