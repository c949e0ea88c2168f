"""What a workflow sends with a batch of items, and what the worker reports of them.

The items themselves, the results and the common arguments travel beside these as JSON that is converted once: a
workflow that only passes them on never looks into them.
"""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any, Final

import pydantic
import pydantic_core
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue, RetryPolicy

from segue.activities.errors import Terminal

__all__ = [
    "BatchRefused",
    "BatchRequest",
    "Earlier",
    "Failure",
    "LinesRequest",
    "Report",
    "Retries",
    "Retry",
    "Slice",
    "from_raw",
    "report_json",
    "report_of",
    "to_raw",
]

# Failures are kept one by one: a thousand of them must fit into one result beside a thousand results.
MESSAGE_LIMIT: Final = 500


class BatchRefused(Terminal):
    """A batch that the worker cannot run, whichever of its items is looked at: the whole fan-out fails."""


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """An item that failed, in the place of its result.

    Attributes:
        index: Which item, from 0.
        type: Type of the error, as histories and screens show it.
        message: What it said.
        attempts: How often it was tried; None where the item was an activity of its own, for then the server counted.
    """

    index: int
    type: str
    message: str
    attempts: int | None = None

    def __str__(self) -> str:
        return f"item {self.index}: {self.type}: {self.message}" if self.message else f"item {self.index}: {self.type}"


@dataclasses.dataclass(frozen=True, slots=True)
class Earlier:
    """An item that was tried before.

    Attributes:
        index: Which.
        attempts: How often.
        since: When it was first scheduled, in seconds since 1970.
    """

    index: int
    attempts: int
    since: float


@dataclasses.dataclass(frozen=True, slots=True)
class Retry:
    """An item that is to be tried again.

    Attributes:
        index: Which.
        attempts: How often it was tried.
        since: When it was first scheduled, in seconds since 1970.
        after: Wait before the next attempt, in seconds.
    """

    index: int
    attempts: int
    since: float
    after: float


@dataclasses.dataclass(frozen=True, slots=True)
class Retries:
    """A retry policy, in Temporal's words, as a call gave it."""

    initial_interval: timedelta
    backoff_coefficient: float
    maximum_interval: timedelta | None
    maximum_attempts: int
    non_retryable_error_types: tuple[str, ...]

    @classmethod
    def of(cls, policy: RetryPolicy) -> Retries:
        """Return a policy's fields."""
        return cls(
            policy.initial_interval,
            policy.backoff_coefficient,
            policy.maximum_interval,
            policy.maximum_attempts,
            tuple(policy.non_retryable_error_types or ()),
        )

    def policy(self) -> RetryPolicy:
        """Return the policy."""
        return RetryPolicy(
            initial_interval=self.initial_interval,
            backoff_coefficient=self.backoff_coefficient,
            maximum_interval=self.maximum_interval,
            maximum_attempts=self.maximum_attempts,
            non_retryable_error_types=self.non_retryable_error_types,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Slice:
    """Lines of an object: from one byte to another.

    Attributes:
        url: The object.
        etag: The store's tag of the version that was counted, if it has any.
        start: First byte.
        stop: Byte after the last.
        first: Index of the item on the first line.
    """

    url: str
    etag: str | None
    start: int
    stop: int
    first: int


@dataclasses.dataclass(frozen=True, slots=True)
class LinesRequest:
    """Count the lines of an object, for batches.

    Attributes:
        activity: Registered name of the function that the items are for.
        ref: The object, as the fields of an `ObjectRef`.
        count: How many lines a batch has, at most.
        size_bytes: How many bytes, at most.
    """

    activity: str
    ref: dict[str, Any]
    count: int
    size_bytes: int


@dataclasses.dataclass(frozen=True, slots=True)
class BatchRequest:
    """One batch.

    Attributes:
        activity: Registered name of the function to run for each item.
        id: What the fan-out is called in its run; an item is `id/index`.
        start: Index of the first item.
        count: How many items.
        concurrency: How many items run at once.
        earlier: For items that were tried before, one entry each, in the place of `start` and `count`.
        start_to_close_timeout: Longest time for one attempt of one item; None for that of the system's policy.
        schedule_to_close_timeout: Longest time for all attempts of one item; None for that of the system's policy.
        retries: Retry policy of the items; None for that of the system's policy.
        allowed: How many items may fail before no further one is started; None for any number.
        source: Where the items are, if they are not sent along.
        into: URL of the object that results are written to, a line each, if they are not sent back.
    """

    activity: str
    id: str
    start: int
    count: int
    concurrency: int
    earlier: tuple[Earlier, ...] = ()
    start_to_close_timeout: timedelta | None = None
    schedule_to_close_timeout: timedelta | None = None
    retries: Retries | None = None
    allowed: int | None = None
    source: Slice | None = None
    into: str | None = None

    def indices(self) -> range | tuple[int, ...]:
        """Return which items these are."""
        if self.earlier:
            return tuple(item.index for item in self.earlier)
        return range(self.start, self.start + self.count)


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """What became of the items of a batch or shard.

    Attributes:
        done: Indices of the items that completed; empty for all that are in none of the other lists.
        results: What they returned, in the same order, as plain JSON; empty if they were written to `stored`.
        failures: Items that will not be tried again.
        retries: Items that will.
        left: Indices of items that were not begun.
        stored: Where the results are, if they were written: the fields of an `ObjectRef` for each object.
    """

    done: tuple[int, ...] = ()
    results: list[Any] = dataclasses.field(default_factory=list[Any])
    failures: tuple[Failure, ...] = ()
    retries: tuple[Retry, ...] = ()
    left: tuple[int, ...] = ()
    stored: tuple[dict[str, Any], ...] = ()


_REPORT: Final = pydantic.TypeAdapter(Report)


def to_raw(data: bytes) -> RawValue:
    """Return JSON as a payload that no converter looks at."""
    return RawValue(Payload(metadata={"encoding": b"json/plain"}, data=data))


def from_raw(value: RawValue) -> Any:
    """Return what a payload of JSON holds, in JSON's own types."""
    return pydantic_core.from_json(value.payload.data)


def report_of(value: RawValue) -> Report:
    """Return the report that a payload holds."""
    return _REPORT.validate_json(value.payload.data)


def report_json(report: Report, results: list[bytes]) -> bytes:
    """Return a report as JSON, with results that are JSON already."""
    head = pydantic_core.to_json(
        {
            "done": report.done,
            "failures": report.failures,
            "retries": report.retries,
            "left": report.left,
            "stored": report.stored,
        }
    )
    return b"".join((head[:-1], b',"results":[', b",".join(results), b"]}"))
