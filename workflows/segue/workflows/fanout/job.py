"""What a fan-out does, as it travels to the child workflows that do parts of it."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any, Final, TypedDict

from temporalio.common import RetryPolicy

from segue.activities.batch.records import Retries

__all__ = ["BATCH_BYTES", "CALL_BYTES", "SENT_BYTES", "Batch", "ItemOptions", "Job", "beside"]

BATCH_BYTES: Final = 1024 * 1024
"""Most bytes of items in one batch, unless it says otherwise."""

CALL_BYTES: Final = 2_000_000
"""Most bytes of all that one call carries, with room to spare for what goes along: the server takes 2 MiB."""

SENT_BYTES: Final = 24 * 1024 * 1024
"""Most bytes of items and further arguments that one run sends: the server ends it at 50 MB, with the results."""


@dataclasses.dataclass(frozen=True, slots=True)
class Batch:
    """How many items one activity carries.

    Attributes:
        count: So many, at most.
        size_bytes: And so many bytes of JSON, at most 1.5 MiB.
        concurrency: How many of them run at once.
    """

    count: int = 100
    size_bytes: int = BATCH_BYTES
    concurrency: int = 10


def beside(unit: Batch, size_bytes: int) -> Batch:
    """Return how items are put together where further arguments of so many bytes go along in the same call."""
    # A fifth of the room is for what is told of each item's attempts so far, see `chunks`.
    room = (CALL_BYTES - size_bytes) * 4 // 5
    return dataclasses.replace(unit, size_bytes=max(1, min(unit.size_bytes, room)))


class ItemOptions(TypedDict, total=False):
    """Options of each item, as `workflow.start_activity` has them; what is left open comes from the system's policy."""

    task_queue: str | None
    start_to_close_timeout: timedelta | None
    schedule_to_close_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    heartbeat_timeout: timedelta | None
    retry_policy: RetryPolicy | None


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """What is done for each item.

    Attributes:
        activity: Registered name of the function.
        id: What the fan-out is called in its run; the activity of an item has the id `id/index`.
        concurrency: How many items run at once.
        batch: How items are put together; None for an activity each.
        allowed: How many items may fail; None for any number.
        task_queue: The items' queue, if the call gave one, and so for the rest.
    """

    activity: str
    id: str
    concurrency: int
    batch: Batch | None
    allowed: int | None
    task_queue: str | None = None
    start_to_close_timeout: timedelta | None = None
    schedule_to_close_timeout: timedelta | None = None
    schedule_to_start_timeout: timedelta | None = None
    heartbeat_timeout: timedelta | None = None
    retries: Retries | None = None

    @classmethod
    def of(cls, activity: str, id: str, concurrency: int, batch: Batch | None, allowed: int, given: ItemOptions) -> Job:
        """Return the job of a call."""
        retry_policy = given.get("retry_policy")
        return cls(
            activity=activity,
            id=id,
            concurrency=concurrency,
            batch=batch,
            allowed=allowed,
            retries=Retries.of(retry_policy) if retry_policy is not None else None,
            **{key: value for key, value in given.items() if key != "retry_policy"},  # type: ignore[arg-type]
        )

    def item_options(self) -> dict[str, Any]:
        """Return the options of `workflow.start_activity` for an item that is an activity of its own."""
        return {
            "task_queue": self.task_queue,
            "start_to_close_timeout": self.start_to_close_timeout,
            "schedule_to_close_timeout": self.schedule_to_close_timeout,
            "schedule_to_start_timeout": self.schedule_to_start_timeout,
            "heartbeat_timeout": self.heartbeat_timeout,
            "retry_policy": self.retries.policy() if self.retries is not None else None,
        }

    def batch_options(self) -> dict[str, Any]:
        """Return the options of `workflow.start_activity` for a batch; `fill_batch` completes them."""
        return {
            "task_queue": self.task_queue,
            "schedule_to_start_timeout": self.schedule_to_start_timeout,
            "heartbeat_timeout": self.heartbeat_timeout,
            "retry_policy": self.retries.policy() if self.retries is not None else None,
        }

    @property
    def at_once(self) -> int:
        """How many activities run at once."""
        if self.batch is None:
            return self.concurrency
        return max(1, self.concurrency // self.within)

    @property
    def within(self) -> int:
        """How many items of one batch run at once."""
        assert self.batch is not None
        return min(self.batch.concurrency, self.batch.count, self.concurrency)
