"""The time that an exchange has: its own limit, within what the activity's attempt has left.

httpx bounds the wait for each piece of an answer, so an answer that drips never times out. This bounds the whole.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio import activity

from segue.activities.http._errors import RequestTimeout, shown
from segue.activities.http._exchange import Outgoing

__all__ = ["DEFAULT_TIMEOUT", "in_time"]

DEFAULT_TIMEOUT: Final = timedelta(seconds=30)
"""Limit where neither the request nor an activity sets one."""


@contextlib.asynccontextmanager
async def in_time(outgoing: Outgoing, timeout: timedelta | None) -> AsyncGenerator[None, None]:
    """Run the block within the request's time and what the activity's attempt has left."""
    left = _left_of_attempt()
    limit = min(one for one in (timeout, left, None if timeout or left else DEFAULT_TIMEOUT) if one is not None)
    scope = asyncio.timeout(limit.total_seconds())
    try:
        async with scope:
            yield
    except TimeoutError:
        if not scope.expired():
            raise
        if timeout == limit:
            whose = "its timeout"
        else:
            whose = "what start_to_close_timeout leaves it" if left else "the default timeout"
        raise RequestTimeout(
            f"{outgoing.method} {shown(outgoing.url)}: not done within {round(limit.total_seconds(), 2):g} s, {whose}"
        ) from None


def _left_of_attempt() -> timedelta | None:
    """Return the time until shortly before the server gives this attempt up; None without such a time.

    Ending just before the server does makes the error one that names the request.
    """
    if not activity.in_activity():
        return None
    info = activity.info()
    whole = info.start_to_close_timeout or info.schedule_to_close_timeout
    if not whole:
        return None
    elapsed = datetime.now(UTC) - info.started_time
    # The server's clock says when the attempt started. If the two clocks disagree, the whole time is the better guess.
    left = whole - elapsed if timedelta(0) <= elapsed < whole else whole
    return left - min(max(whole / 20, timedelta(milliseconds=100)), timedelta(seconds=2), left / 2)
