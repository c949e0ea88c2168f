"""The time that an exchange has: its own limit, within what the activity's attempt has left.

httpx bounds the wait for each piece of an answer, so an answer that drips never times out. This bounds the whole.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Final

from segue.activities.deadline import time_left
from segue.activities.http._errors import RequestTimeout, shown
from segue.activities.http._exchange import Outgoing

__all__ = ["DEFAULT_TIMEOUT", "in_time"]

DEFAULT_TIMEOUT: Final = timedelta(seconds=30)
"""Limit where neither the request nor an activity sets one."""


@contextlib.asynccontextmanager
async def in_time(outgoing: Outgoing, timeout: timedelta | None) -> AsyncGenerator[None, None]:
    """Run the block within the request's time and what the activity's attempt has left."""
    left = time_left()
    limit = min(one for one in (timeout, left, None if timeout or left else DEFAULT_TIMEOUT) if one is not None)
    scope = asyncio.timeout(limit.total_seconds())
    try:
        async with scope:
            yield
    except TimeoutError:
        if not scope.expired():
            raise
        whose = "its timeout" if timeout == limit else "what the attempt had left" if left else "the default timeout"
        raise RequestTimeout(
            f"{outgoing.method} {shown(outgoing.url)}: not done within {round(limit.total_seconds(), 2):g} s, {whose}"
        ) from None
