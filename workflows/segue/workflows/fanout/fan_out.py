"""One step for each of many items: deterministic workflow code.

    pages = await fan_out(fetch, urls)                                    # an activity each, 100 at once
    parsed = await fan_out(parse, pages, batch=100)                       # an activity for 100 of them
    outcome = await fan_out(parse, pages, batch=100, tolerate=0.05)       # up to 5 % may fail

Results stand in the items' order. An item is tried again by the policy of its system, by itself, however it travels.
Fan-outs that are too wide for one history spread themselves over child workflows.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, TypeVar, Unpack, overload

import pydantic_core

from segue.activities.batch import Earlier
from segue.activities.batch.records import to_raw
from segue.workflows.fanout.carriers import Batched, Single, decoder
from segue.workflows.fanout.check import checked
from segue.workflows.fanout.chunks import Chunk, chunks
from segue.workflows.fanout.errors import FanOutFailed, InvalidFanOut
from segue.workflows.fanout.execution import Execution
from segue.workflows.fanout.job import BATCH_BYTES, Batch, ItemOptions, Job
from segue.workflows.fanout.results import FanOut
from segue.workflows.fanout.shard import Sharded
from segue.workflows.fanout.shown import show

__all__ = ["CONCURRENCY", "fan_out"]

R = TypeVar("R")

CONCURRENCY: Final = 100
"""How many items run at once unless the call says otherwise."""

# Up to so many activities run in the calling workflow. Those of items are retried by the server, without a trace in the
# history; batches are sent again, each time with three events and a timer.
_SINGLE_HERE: Final = 1000
_BATCHES_HERE: Final = 200
# Activities of one child, so that its history stays short: a long one makes each workflow task dearer. With more than
# so many children the caller's own history would grow too long; then each does more, and continues as new.
_SINGLE_A_CHILD: Final = 500
_BATCHES_A_CHILD: Final = 200
_CHILDREN: Final = 400
# The items of a child, and the results that it returns, each have to fit into a call.
_ITEMS_A_CHILD: Final = 20_000
_CHILD_BYTES: Final = 1024 * 1024
# The server ends a run at 50 MB of history, and results come on top.
_TOTAL_BYTES: Final = 20 * 1024 * 1024


@overload
async def fan_out(
    fn: Callable[..., Awaitable[R]],
    items: Sequence[Any],
    /,
    *args: Any,
    concurrency: int = CONCURRENCY,
    batch: int | Batch | None = None,
    tolerate: None = None,
    **options: Unpack[ItemOptions],
) -> list[R]: ...


@overload
async def fan_out(
    fn: Callable[..., R],
    items: Sequence[Any],
    /,
    *args: Any,
    concurrency: int = CONCURRENCY,
    batch: int | Batch | None = None,
    tolerate: None = None,
    **options: Unpack[ItemOptions],
) -> list[R]: ...


@overload
async def fan_out(
    fn: Callable[..., Awaitable[R]],
    items: Sequence[Any],
    /,
    *args: Any,
    concurrency: int = CONCURRENCY,
    batch: int | Batch | None = None,
    tolerate: int | float,
    **options: Unpack[ItemOptions],
) -> FanOut[R]: ...


@overload
async def fan_out(
    fn: Callable[..., R],
    items: Sequence[Any],
    /,
    *args: Any,
    concurrency: int = CONCURRENCY,
    batch: int | Batch | None = None,
    tolerate: int | float,
    **options: Unpack[ItemOptions],
) -> FanOut[R]: ...


async def fan_out(
    fn: Callable[..., Any],
    items: Sequence[Any],
    /,
    *args: Any,
    concurrency: int = CONCURRENCY,
    batch: int | Batch | None = None,
    tolerate: int | float | None = None,
    **options: Unpack[ItemOptions],
) -> list[Any] | FanOut[Any]:
    """Run an activity for each item, and return the results in the items' order.

    Without `tolerate` the result is a list, and one item that fails fails the fan-out. With it the result is a
    `FanOut`, which holds a `Failure` in the place of each item that failed.

    Args:
        fn: The activity. Its first argument is the item.
        items: The items, in an order that a replay finds again: a list, a tuple, a range.
        args: Further arguments, the same for every item.
        concurrency: How many items run at once, wherever they run.
        batch: How many items one activity carries; None for an activity each. See `Batch`.
        tolerate: How many items may fail, as a number or as a share from 0.0 to 1.0. With more, no further item is
            started, those under way are cancelled, and the fan-out fails.
        options: Options of each item, as `workflow.start_activity` has them.

    Raises:
        InvalidFanOut: It is called so that it cannot run. Nothing was started.
        FanOutFailed: More items failed than may. The cause is the first error, where items are activities of their own.
    """
    call = checked(fn, items, args, concurrency, batch, tolerate, options)
    if not items:
        return [] if tolerate is None else FanOut([], {})
    progress = show(call.activity, len(items))
    job = Job.of(call.activity, progress.name, concurrency, call.batch, call.allowed, options)
    common = to_raw(pydantic_core.to_json(args))
    packed = _batches(items, call.batch)
    activities = len(items) if packed is None else len(packed)
    if packed is None and activities <= _SINGLE_HERE:
        execution = Execution(
            Single(job, fn, items.__getitem__, args),
            (Chunk((index,), b"") for index in range(len(items))),
            _one_by_one,
            allowed=call.allowed,
            progress=progress,
        )
    elif packed is not None and activities <= _BATCHES_HERE:
        execution = Execution(
            Batched(job, common, decoder(call.result)),
            iter(packed),
            _again(items, job.batch or Batch()),
            allowed=call.allowed,
            progress=progress,
        )
    else:
        shards = Batch(_items_a_child(len(items), activities, packed is not None), _CHILD_BYTES)
        spread = list(chunks(items.__getitem__, range(len(items)), shards.count, shards.size_bytes))
        execution = Execution(
            Sharded(job, len(spread), common, decoder(call.result)),
            iter(spread),
            _again(items, shards),
            allowed=call.allowed,
            progress=progress,
        )
    await execution.run()
    if execution.exceeded:
        failures = [execution.failures[index] for index in sorted(execution.failures)]
        raise FanOutFailed(
            job.id, failures, len(execution.results), len(items), call.allowed or 0
        ) from execution.first_error
    results = [execution.results.get(index) for index in range(len(items))]
    return results if tolerate is None else FanOut(results, execution.failures)


def _batches(items: Sequence[Any], batch: Batch | None) -> list[Chunk] | None:
    """Return the items in batches; None if each is an activity. Either way, what cannot be sent is refused.

    Raises:
        InvalidFanOut: An item, or all of them together, is too large.
    """
    unit = batch or Batch(1000, BATCH_BYTES)
    packed = list(chunks(items.__getitem__, range(len(items)), unit.count, unit.size_bytes))
    total = sum(len(chunk.data) for chunk in packed)
    if total > _TOTAL_BYTES:
        raise InvalidFanOut(
            f"The {len(items):,} items are {total:,} bytes together, and a run's history has room for about "
            f"{_TOTAL_BYTES:,} of them beside the results: pass references to objects that hold them"
        )
    return packed if batch is not None else None


def _items_a_child(items: int, activities: int, batched: bool) -> int:
    """Return how many items a child does."""
    each = max(_BATCHES_A_CHILD if batched else _SINGLE_A_CHILD, -(-activities // _CHILDREN))
    return min(max(1, each * items // activities), _ITEMS_A_CHILD)


def _again(items: Sequence[Any], unit: Batch) -> Callable[[Sequence[int], Sequence[Earlier]], Iterator[Chunk]]:
    return lambda left, earlier: chunks(items.__getitem__, left, unit.count, unit.size_bytes, earlier)


def _one_by_one(left: Sequence[int], earlier: Sequence[Earlier]) -> Iterator[Chunk]:
    return (Chunk((index,), b"") for index in left)
