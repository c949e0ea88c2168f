"""The time that an attempt has left, as the server counts it: connectors give up by themselves before it is over.

A connector that ends just before Temporal gives the attempt up fails with an error that names what was slow. The
server's own says only that a timeout has passed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from temporalio import activity

__all__ = ["time_left"]

# Kept back for the error to arrive in time: a share of the whole within these bounds, and never all that is left.
_RESERVED_SHARE: Final = 0.05
_LEAST_RESERVE: Final = timedelta(milliseconds=100)
_GREATEST_RESERVE: Final = timedelta(seconds=2)


def time_left() -> timedelta | None:
    """Return the time that the running attempt may still use; None where nothing bounds it, as outside an activity.

    It ends shortly before `start_to_close_timeout`, counted from the attempt's start, or `schedule_to_close_timeout`,
    counted from when the step was scheduled, whichever is sooner.
    """
    if not activity.in_activity():
        return None
    info = activity.info()
    bounds = (
        _until(info.started_time, info.start_to_close_timeout),
        _until(info.scheduled_time, info.schedule_to_close_timeout),
    )
    return min((bound for bound in bounds if bound is not None), default=None)


def _until(since: datetime, timeout: timedelta | None) -> timedelta | None:
    if not timeout:
        return None
    elapsed = datetime.now(UTC) - since
    if not timedelta(0) <= elapsed < timeout:
        # The times are those of the server's clock. Where ours differs by more than the timeout, it tells nothing.
        elapsed = timedelta(0)
    left = timeout - elapsed
    return left - min(max(timeout * _RESERVED_SHARE, _LEAST_RESERVE), _GREATEST_RESERVE, left / 2)
