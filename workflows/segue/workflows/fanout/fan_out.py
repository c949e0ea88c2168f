"""One step for each of many items: deterministic workflow code.

    pages = await fan_out(fetch, urls)                                    # an activity each, 100 at once
    parsed = await fan_out(parse, pages, batch=100)                       # an activity for 100 of them
    outcome = await fan_out(parse, pages, batch=100, tolerate=0.05)       # up to 5 % may fail

Results stand in the items' order. An item is tried again by the policy of its system, by itself, however it travels.
Fan-outs that are too wide for one history spread themselves over child workflows.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar, Unpack, overload

import pydantic_core
from temporalio import workflow
from temporalio.common import RawValue

from segue.activities import faithful
from segue.activities.batch import Earlier, Failure
from segue.activities.batch.records import to_raw
from segue.workflows.fanout.carriers import Batched, Decode, Single, decoder
from segue.workflows.fanout.check import allowed_of, checked, completed
from segue.workflows.fanout.chunks import Chunk, Kept, chunks
from segue.workflows.fanout.errors import FanOutFailed, InvalidFanOut
from segue.workflows.fanout.execution import Again, Carrier, Execution
from segue.workflows.fanout.foresight import Foresight, overfull
from segue.workflows.fanout.job import BATCH_BYTES, SENT_BYTES, Batch, ItemOptions, Job, beside
from segue.workflows.fanout.results import FanOut
from segue.workflows.fanout.shard import Sharded
from segue.workflows.fanout.shown import show
from segue.workflows.fanout.stored import LINE_BATCHES, Source
from segue.workflows.features import Feature, has
from segue.workflows.history_room import HistoryFull
from segue.workflows.summary import summarize

if TYPE_CHECKING:
    from segue.activities.objects import ObjectRef
    from segue.workflows.fanout.stored_results import StoredResults

__all__ = ["CONCURRENCY", "fan_out"]

R = TypeVar("R")

CONCURRENCY: Final = 100
"""How many items run at once unless the call says otherwise."""

# Up to so many activities run in the calling workflow. Those of items are retried by the server, without a trace in the
# history; batches are sent again, each time with three events, and where that lasts, children go on with it.
_HERE: Final = 1000
_EVENTS_HERE: Final = 10_000
# Activities of one child, so that its history stays short: a long one makes each workflow task dearer. With more than
# so many children the caller's own history would grow too long; then each does more, and continues as new.
_A_CHILD: Final = 500
_CHILDREN: Final = 400
# The items of a child, and the results that it returns, each have to fit into a call.
_ITEMS_A_CHILD: Final = 5_000
_CHILD_BYTES: Final = 1024 * 1024
# The server ends a run at 50 MB of history, and results come on top.
_TOTAL_BYTES: Final = 20 * 1024 * 1024


@overload
async def fan_out(
    fn: Callable[..., Awaitable[R]],
    items: Sequence[Any] | ObjectRef,
    /,
    *args: Any,
    concurrency: int = CONCURRENCY,
    batch: int | Batch | None = None,
    tolerate: None = None,
    results_to: None = None,
    **options: Unpack[ItemOptions],
) -> list[R]: ...


@overload
async def fan_out(
    fn: Callable[..., R],
    items: Sequence[Any] | ObjectRef,
    /,
    *args: Any,
    concurrency: int = CONCURRENCY,
    batch: int | Batch | None = None,
    tolerate: None = None,
    results_to: None = None,
    **options: Unpack[ItemOptions],
) -> list[R]: ...


@overload
async def fan_out(
    fn: Callable[..., Awaitable[R]],
    items: Sequence[Any] | ObjectRef,
    /,
    *args: Any,
    concurrency: int = CONCURRENCY,
    batch: int | Batch | None = None,
    tolerate: float,
    results_to: None = None,
    **options: Unpack[ItemOptions],
) -> FanOut[R]: ...


@overload
async def fan_out(
    fn: Callable[..., R],
    items: Sequence[Any] | ObjectRef,
    /,
    *args: Any,
    concurrency: int = CONCURRENCY,
    batch: int | Batch | None = None,
    tolerate: float,
    results_to: None = None,
    **options: Unpack[ItemOptions],
) -> FanOut[R]: ...


@overload
async def fan_out(
    fn: Callable[..., Any],
    items: Sequence[Any] | ObjectRef,
    /,
    *args: Any,
    concurrency: int = CONCURRENCY,
    batch: int | Batch | None = None,
    tolerate: float | None = None,
    results_to: str,
    **options: Unpack[ItemOptions],
) -> StoredResults: ...


async def fan_out(
    fn: Callable[..., Any],
    items: Sequence[Any] | ObjectRef,
    /,
    *args: Any,
    concurrency: int = CONCURRENCY,
    batch: int | Batch | None = None,
    tolerate: float | None = None,
    results_to: str | None = None,
    **options: Unpack[ItemOptions],
) -> list[Any] | FanOut[Any] | StoredResults:
    """Run an activity for each item, and return the results in the items' order.

    Without `tolerate` the result is a list, and one item that fails fails the fan-out. With it the result is a
    `FanOut`, which holds a `Failure` in the place of each item that failed. With `results_to` the result is a
    `StoredResults`, which refers to the objects that hold the results.

    Args:
        fn: The activity. Its first argument is the item.
        items: The items, in an order that a replay finds again: a list, a tuple, a range. Or a reference to an object
            of JSON lines, each an item, which the workers read batch by batch.
        args: Further arguments, the same for every item.
        concurrency: How many items run at once, wherever they run.
        batch: How many items one activity carries; None for an activity each. See `Batch`.
        tolerate: How many items may fail, as a number or as a share from 0.0 to 1.0. With more, no further item is
            started, those under way are cancelled, and the fan-out fails.
        results_to: URL of a folder that the workers write the results of each batch to.
        options: Options of each item, as `workflow.start_activity` has them.

    Raises:
        InvalidFanOut: It is called so that it cannot run. Nothing was started.
        FanOutFailed: More items failed than may. The cause is the first error, where items are activities of their own.
        HistoryFull: The history of the run has no room for the results. It fails as soon as the first show it.
    """
    call = checked(fn, items, args, concurrency, batch, tolerate, results_to, options)
    weighs = has(Feature.WEIGHED_FAN_OUTS)
    if weighs and call.batch is None and isinstance(items, Sequence):
        args = completed(call.activity, fn, items, args)
    common = to_raw(pydantic_core.to_json(args))
    size = len(common.payload.data) if weighs else 0
    batch = beside(call.batch, size) if call.batch is not None and isinstance(items, Sequence) else call.batch
    source: Source | None = None
    if not isinstance(items, Sequence):
        source = await Source.of(call.activity, items, batch or Batch(), options.get("task_queue"))
        _check_size(call.activity, 0, size, source.batches, "batches")
    total = len(items) if isinstance(items, Sequence) else source.count if source is not None else 0
    allowed = allowed_of(call.activity, tolerate, total)
    progress = show(call.activity, total)
    job = Job.of(call.activity, progress.name, concurrency, batch, allowed, options)
    decode = decoder(call.result)
    if source is not None:
        carrier = Batched(job, common, decode, _folder(results_to, job))
        way = _Way(carrier, source.chunks(), source.again(size), size, source.batches * size)
    else:
        assert isinstance(items, Sequence)
        single = functools.partial(_kept_single if weighs else _single, job, fn, items, args)
        way = _carried(items, single, job, common, size, decode, results_to)
    # What only the calling run can do stays there; flow control sees to it that its history is not overrun.
    shared = way.kept is not None and isinstance(way.carrier, Batched) and results_to is None
    full = _is_long if shared else lambda: False
    execution = Execution(
        way.carrier,
        way.first,
        way.again,
        allowed=allowed,
        progress=progress,
        full=full,
        beside=way.beside,
        most=SENT_BYTES if shared and weighs else None,
        foresight=Foresight(way.planned) if weighs and results_to is None else None,
    )
    try:
        await execution.run()
        if way.kept is not None and not execution.exceeded and (left := execution.unfinished()):
            execution = await _handed_over(way.kept, total, job, common, size, decode, execution, left)
    except HistoryFull as error:
        raise overfull(job, execution.done, total, error, stored=results_to is not None) from None
    failures = [execution.failures[index] for index in sorted(execution.failures)]
    if execution.exceeded:
        raise FanOutFailed(job.id, failures, execution.done, total, allowed) from execution.first_error
    if results_to is not None:
        return _stored(execution, total, failures)
    results = [execution.results.get(index) for index in range(total)]
    return results if tolerate is None else FanOut(results, execution.failures)


@dataclasses.dataclass(frozen=True, slots=True)
class _Way:
    """How items travel, put together as they do.

    Attributes:
        carrier: As activities, as batches, or in child workflows.
        first: The items.
        again: Puts those together that are to be sent again.
        beside: Bytes that go with each chunk beside its own.
        planned: How many bytes of items and further arguments the calling run sends, if none is sent again.
        kept: The items, where they may be sent in another way.
    """

    carrier: Carrier
    first: Iterator[Chunk]
    again: Again
    beside: int
    planned: int
    kept: Kept | None = None


def _carried(
    items: Sequence[Any],
    single: Callable[[], Single],
    job: Job,
    common: RawValue,
    size: int,
    decode: Decode,
    results_to: str | None,
) -> _Way:
    """Return how items travel.

    Args:
        items: The items.
        single: Returns what carries those that are activities of their own in this run.
        job: What is done.
        common: Further arguments, as a JSON array.
        size: How many bytes these are.
        decode: Makes of results in plain JSON what the function returned.
        results_to: Where results are written to.

    Raises:
        InvalidFanOut: They are too large, or too many.
    """
    packed = _packed(job, items, size)
    held = sum(len(chunk.data) for chunk in packed)
    activities = len(items) if job.batch is None else len(packed)
    planned = held + activities * size
    here = activities <= _HERE and planned <= SENT_BYTES
    if job.batch is None and here:
        first = (Chunk((index,), b"") for index in range(len(items)))
        # What is an activity of its own is not weighed one by one.
        return _Way(single(), first, _one_by_one, planned // max(activities, 1), planned)
    if job.batch is not None and (here or results_to is not None):
        if activities > LINE_BATCHES:
            raise InvalidFanOut(
                f"fan_out of {job.activity!r}: the {len(items):,} items fall into {activities:,} batches, and at most "
                f"{LINE_BATCHES:,} write their results: make batch larger"
            )
        _check_size(job.activity, held, size, activities, "batches")
        batched = Batched(job, common, decode, _folder(results_to, job))
        kept = Kept(packed)
        return _Way(batched, iter(packed), _again(kept, job.batch, size), size, planned, kept)
    shards = _shards(len(items), activities, size)
    spread = list(chunks(items.__getitem__, range(len(items)), shards.count, shards.size_bytes))
    _check_size(job.activity, held, size, len(spread), "child workflows")
    kept = Kept(spread)
    carrier = Sharded(job, len(spread), common, decode)
    return _Way(carrier, iter(spread), _again(kept, shards, size), size, held + len(spread) * size, kept)


def _check_size(activity: str, held: int, size: int, calls: int, called: str) -> None:
    """Refuse arguments that a history does not hold as often as they are sent."""
    if held + calls * size > SENT_BYTES:
        larger = "make batch larger, or " if called == "batches" else ""
        raise InvalidFanOut(
            f"fan_out of {activity!r}: the arguments beside the item are {size:,} bytes and go with each of {calls:,} "
            f"{called}, and a run's history has room for about {SENT_BYTES:,} of them and of items, beside the "
            f"results: {larger}store them as an object and pass a reference to it"
        )


def _kept_single(job: Job, fn: Any, items: Sequence[Any], args: Sequence[Any]) -> Single:
    """Return what carries items as they are now, whatever the workflow makes of them while they wait for their turn."""
    sent, common = _payloads(items), _payloads(args)
    called = [summarize((item, *args)) for item in items]
    return Single(job, fn, sent.__getitem__, common, called.__getitem__)


def _single(job: Job, fn: Any, items: Sequence[Any], args: Sequence[Any]) -> Single:
    """Return what carries items as they are when they are sent: for runs that began with that."""
    return Single(job, fn, items.__getitem__, args)


def _payloads(values: Sequence[Any]) -> list[RawValue]:
    converter = workflow.payload_converter()
    payloads: list[RawValue] = []
    for value in values:
        with faithful.accepted((value,)):  # by the check of the call
            payloads.extend(map(RawValue, converter.to_payloads([value])))
    return payloads


def _folder(results_to: str | None, job: Job) -> str | None:
    """Return the folder of a fan-out's results: no other run and no other fan-out of this run writes to it."""
    if results_to is None:
        return None
    from segue.activities.objects import join

    return join(results_to, workflow.info().original_execution_run_id, job.id)


def _stored(execution: Execution, total: int, failures: list[Failure]) -> StoredResults:
    from segue.activities.objects import ObjectRef
    from segue.workflows.fanout.stored_results import StoredResults

    parts = sorted((ObjectRef.model_validate(ref) for ref in execution.stored), key=lambda ref: ref.url)
    return StoredResults(parts, total, execution.done, failures)


def _packed(job: Job, items: Sequence[Any], size: int) -> list[Chunk]:
    """Return the items in batches, also where each is an activity: what cannot be sent is refused.

    Raises:
        InvalidFanOut: An item, or all of them together, is too large.
    """
    unit = job.batch or beside(Batch(1000, BATCH_BYTES), size)
    packed = list(chunks(items.__getitem__, range(len(items)), unit.count, unit.size_bytes))
    total = sum(len(chunk.data) for chunk in packed)
    if total > _TOTAL_BYTES:
        raise InvalidFanOut(
            f"The {len(items):,} items are {total:,} bytes together, and a run's history has room for about "
            f"{_TOTAL_BYTES:,} of them beside the results: pass references to objects that hold them"
        )
    return packed


def _shards(items: int, activities: int, size: int) -> Batch:
    """Return how many items a child does."""
    each = max(_A_CHILD, -(-activities // _CHILDREN))
    return beside(Batch(min(max(1, each * items // activities), _ITEMS_A_CHILD), _CHILD_BYTES), size)


def _is_long() -> bool:
    return workflow.info().get_current_history_length() > _EVENTS_HERE


async def _handed_over(
    kept: Kept,
    total: int,
    job: Job,
    common: RawValue,
    size: int,
    decode: Decode,
    before: Execution,
    left: list[tuple[Earlier, float]],
) -> Execution:
    """Have children go on with items that keep being tried again, and return the whole of it."""
    shards = _shards(total, total, size)
    carrier = Sharded(job, -(-len(left) // shards.count), common, decode)
    execution = before.continued(carrier, _again(kept, shards, size))
    for item, due in left:
        execution.wait_for(item, due)
    await execution.run()
    return execution


def _again(kept: Kept, unit: Batch, size: int) -> Again:
    return lambda left, earlier: chunks(kept.__getitem__, left, unit.count, unit.size_bytes, earlier, size)


def _one_by_one(left: Sequence[int], earlier: Sequence[Earlier]) -> Iterator[Chunk]:
    return (Chunk((index,), b"") for index in left)
