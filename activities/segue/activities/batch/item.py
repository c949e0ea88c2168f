"""One item of a batch: run as if it were an activity of its own, and judged as one.

    info.activity_id       "parse/61200", the same for every attempt of the item, in whichever batch
    idempotency_key()      made from that, so it is the item's own
    info.attempt           how often this item was tried

What `activity` tells of the running step is kept by the SDK in a context variable; each item gets a context of its own,
and its information is put together only if somebody asks for it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio import activity
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from segue.activities.batch.records import MESSAGE_LIMIT, Failure, Retry
from segue.activities.errors import classify, message_of
from segue.activities.idempotency import effects
from segue.activities.system import System

__all__ = ["Item", "Judge", "entered"]

# The SDK offers no public way to run code as another activity than the one that runs.
_Context: Final = activity._Context  # pyright: ignore[reportPrivateUsage]


@dataclasses.dataclass(slots=True)
class Item:
    """An item that is to run.

    Attributes:
        position: Its place in the batch.
        index: Its place in the fan-out.
        attempt: Number of this attempt, from 1.
        since: When it was first scheduled, in seconds since 1970.
        started: When this attempt started, on the monotonic clock.
    """

    position: int
    index: int
    attempt: int
    since: float
    started: float = 0.0


def entered(outer: activity._Context, item: Item, name: str, id: str, timeout: timedelta) -> None:  # pyright: ignore[reportPrivateUsage]
    """Make this task or thread run as an item from now on, until it enters another."""
    item.started = time.monotonic()
    effects.set({})

    def info() -> activity.Info:
        return dataclasses.replace(
            outer.info(),
            activity_id=f"{id}/{item.index}",
            activity_type=name,
            attempt=item.attempt,
            scheduled_time=datetime.fromtimestamp(item.since, UTC),
            started_time=datetime.now(UTC) - timedelta(seconds=time.monotonic() - item.started),
            start_to_close_timeout=timeout,
            heartbeat_details=(),
        )

    _Context.set(  # pyright: ignore[reportUnknownMemberType]
        _Context(
            info=info,
            # The batch itself beats, for as long as the event loop turns; what it reports is which items are done.
            heartbeat=_ignored,
            cancelled_event=outer.cancelled_event,
            worker_shutdown_event=outer.worker_shutdown_event,
            shield_thread_cancel_exception=outer.shield_thread_cancel_exception,  # pyright: ignore[reportUnknownMemberType]
            payload_converter_class_or_instance=outer.payload_converter_class_or_instance,
            runtime_metric_meter=outer.runtime_metric_meter,
            client=outer.client,
            cancellation_details=outer.cancellation_details,
        )
    )


def _ignored(*_: Any) -> None:
    pass


@dataclasses.dataclass(frozen=True, slots=True)
class Judge:
    """Decides what an item's error means: the classes of its system, and its policy, as for any step.

    Attributes:
        system: The system of the function; None if it has none.
        policy: Its retry policy.
        total: Longest time for all attempts together, None for no bound.
        clock: Tells the time in seconds since 1970.
    """

    system: System | None
    policy: RetryPolicy
    total: timedelta | None
    clock: Callable[[], float] = time.time

    def verdict(self, item: Item, error: BaseException) -> Failure | Retry:
        """Return how a failed attempt goes on.

        Raises:
            BaseException: The error itself, where it is not the item's but the process's.
        """
        meant = classify(error, self.system)
        if not isinstance(meant, (Exception, asyncio.CancelledError)):
            if type(meant).__name__ == "_CompleteAsyncError":
                said = "an item of a batch cannot be completed from outside: leave batch= out"
                return Failure(item.index, "AsyncCompletion", said, item.attempt)
            raise meant
        kind, message = _told(meant)
        failure = Failure(item.index, kind, message, item.attempt)
        policy = self.policy
        if getattr(meant, "non_retryable", False) or kind in (policy.non_retryable_error_types or ()):
            return failure
        if policy.maximum_attempts and item.attempt >= policy.maximum_attempts:
            return failure
        after = self._delay(meant, item.attempt)
        if self.total is not None and self.clock() + after - item.since >= self.total.total_seconds():
            return failure
        return Retry(item.index, item.attempt, item.since, after)

    def _delay(self, error: BaseException, attempt: int) -> float:
        if isinstance(error, ApplicationError) and error.next_retry_delay is not None:
            return error.next_retry_delay.total_seconds()
        first = self.policy.initial_interval.total_seconds()
        longest = first * 100 if self.policy.maximum_interval is None else self.policy.maximum_interval.total_seconds()
        # The power of a large number of attempts is more than a float holds.
        growth = self.policy.backoff_coefficient ** min(attempt - 1, 500)
        return min(first * growth, longest)


def _told(error: BaseException) -> tuple[str, str]:
    if isinstance(error, ApplicationError):
        kind, message = error.type or type(error).__name__, error.message
    else:
        kind, message = type(error).__name__, message_of(error)
    text = " ".join(message.split())
    return kind[:100], text if len(text) <= MESSAGE_LIMIT else f"{text[: MESSAGE_LIMIT - 1]}…"
