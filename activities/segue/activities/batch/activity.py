"""`segue.batch`: the activity that runs a function for each of many items.

It is made for one worker, whose activities it can run. What an item's error means is decided here, where the policy is
known and recorded with the result: a workflow that decided it would decide differently after the policy has changed.

A retryable error is reported with the time to wait. The workflow tries such items again in another batch, so that no
slot of a worker is held by a wait, what is done is durable at once, and the wait survives the worker.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import timedelta
from typing import Any, Final

import pydantic
import pydantic_core
from temporalio import activity
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ApplicationError

from segue.activities import faithful
from segue.activities.batch.item import Item, Judge
from segue.activities.batch.records import (
    BatchRefused,
    BatchRequest,
    Failure,
    LinesRequest,
    Retry,
    Slice,
    from_raw,
    report_of,
    to_raw,
)
from segue.activities.batch.running import Running
from segue.activities.errors import VALIDATION, describe
from segue.activities.settings import Effective, Settings
from segue.activities.system import System

__all__ = ["BATCH_ACTIVITY", "LINES_ACTIVITY", "Batches"]

BATCH_ACTIVITY: Final = "segue.batch"

# How often progress is reported, at most. The SDK sends fewer: by default one in 80 % of the heartbeat timeout.
_PROGRESS_INTERVAL: Final = 1.0

LINES_ACTIVITY: Final = "segue.batch.lines"

Definition = activity._Definition  # pyright: ignore[reportPrivateUsage]


class Batches:
    """The batch activity of one worker.

    Args:
        activities: The worker's own activities.
        system_of: Returns the system of an activity by its name; None if it has none.
        settings: Overrides of this deployment.
        executor: Where the worker runs sync activities.
    """

    def __init__(
        self,
        activities: Iterable[Callable[..., Any]],
        system_of: Callable[[str], System | None],
        settings: Settings,
        executor: Executor | None,
    ) -> None:
        look: Any = Definition.from_callable  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        found: list[Definition] = [definition for fn in activities if (definition := look(fn)) is not None]
        self._definitions = {definition.name: definition for definition in found if definition.name is not None}
        self._system_of = system_of
        self._settings = settings
        self._executor = executor

    @activity.defn(name=BATCH_ACTIVITY)
    async def run(self, request: BatchRequest, items: RawValue, common: RawValue) -> RawValue:
        """Run the items of a batch, and return a `Report` of them.

        Raises:
            BatchRefused: This function cannot be run in batches.
        """
        definition = self._definitions.get(request.activity)
        if definition is None:
            known = ", ".join(sorted(name for name in self._definitions))
            # Retryable, as it is for a single activity: another worker may have it.
            raise ApplicationError(
                f"Activity {request.activity!r} is not registered on this worker, available activities: {known}",
                type="NotFoundError",
            )
        system = self._system_of(request.activity)
        effective = self._settings.resolve(system) if system is not None else None
        concurrency = self._bounded(request, definition, effective)
        arguments: list[Sequence[Any]] = []
        timeout = request.start_to_close_timeout or (effective.policy.start_to_close_timeout if effective else None)
        function: Any = definition.fn  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        running = Running(
            function,
            arguments,
            definition.ret_type,
            _judge(request, system, effective),
            name=request.activity,
            id=request.id,
            timeout=timeout or timedelta(days=365),
            allowed=request.allowed,
            sent=request.into is None,
        )
        indices = request.indices()
        if request.source is not None:
            items = to_raw(await _lines(request.source, indices))
        waiting = _items(request, indices)
        values = _values(items, definition, waiting, running)
        shared = _arguments(common, definition)
        arguments.extend((value, *shared) for value in values)
        waiting = _resumed(running, waiting)
        async with _reporting(running):
            if definition.is_async:
                await running.run_async(waiting, concurrency)
            else:
                await running.run_in_threads(waiting, concurrency, self._executor)
        stored: tuple[dict[str, Any], ...] = ()
        if request.into is not None and (lines := running.lines()):
            from segue.activities import objects

            ref = await objects.write(request.into, lines, content_type="application/jsonl")
            stored = (ref.model_dump(mode="json"),)
        return to_raw(running.report(indices, stored))

    @activity.defn(name=LINES_ACTIVITY)
    async def lines(self, request: LinesRequest) -> Any:
        """Return how an object of JSON lines falls into batches."""
        from segue.activities.objects import ObjectRef
        from segue.activities.objects._lines import count_lines

        return await count_lines(ObjectRef.model_validate(request.ref), request.count, request.size_bytes)

    def _bounded(self, request: BatchRequest, definition: Definition, effective: Effective | None) -> int:
        """Return how many items may run at once."""
        name = request.activity
        if not definition.is_async and self._executor and not isinstance(self._executor, ThreadPoolExecutor):
            raise BatchRefused(f"Activity {name!r} runs in a process pool, which takes no batches: leave batch= out")
        if effective is None:
            return request.concurrency
        if effective.capacity.per_second is not None:
            raise BatchRefused(
                f"The system of activity {name!r} takes {effective.capacity.per_second:g} steps a second, which the "
                "server keeps by counting activities: leave batch= out, so that each item is one"
            )
        # A slot of the worker stands for one step at once.
        return 1 if effective.capacity.concurrent is not None else request.concurrency


async def _lines(source: Slice, indices: Sequence[int]) -> bytes:
    """Return the items that stand on some lines of an object, as a JSON array."""
    from segue.activities.objects._lines import read_bytes

    data = await read_bytes(source.url, source.etag, source.start, source.stop)
    found = data.removesuffix(b"\n").split(b"\n")
    joined = b"[" + b",".join(found[index - source.first] for index in indices) + b"]"
    try:
        if len(pydantic_core.from_json(joined)) == len(indices):
            return joined
    except ValueError:
        pass
    for index in indices:
        try:
            pydantic_core.from_json(found[index - source.first])
        except ValueError as error:
            raise BatchRefused(f"Object {source.url!r}: line {index + 1} is not JSON: {error}") from None
    raise BatchRefused(f"Object {source.url!r} has lines that are not one JSON value each")


def _judge(request: BatchRequest, system: System | None, effective: Effective | None) -> Judge:
    if request.retries is not None:
        policy = request.retries.policy()
    else:
        policy = effective.policy.retry_policy() if effective is not None else RetryPolicy()
    total = request.schedule_to_close_timeout
    if total is None and effective is not None:
        total = effective.policy.schedule_to_close_timeout
    return Judge(system, policy, total)


def _items(request: BatchRequest, indices: Sequence[int]) -> list[Item]:
    info = activity.info()
    since = info.scheduled_time.timestamp()
    if request.earlier:
        return [
            Item(position, item.index, item.attempts + info.attempt, item.since or since)
            for position, item in enumerate(request.earlier)
        ]
    return [Item(position, index, info.attempt, since) for position, index in enumerate(indices)]


def _values(items: RawValue, definition: Definition, waiting: list[Item], running: Running) -> Sequence[Any]:
    """Return the items as the function takes them. Those that it would refuse fail, the others run."""
    hints = definition.arg_types
    try:
        receiver = faithful.adapter(list[hints[0]]) if hints else None  # type: ignore[valid-type]
    except pydantic.PydanticUserError:  # a hint that pydantic does not know
        receiver = None
    if receiver is None:
        return from_raw(items)  # type: ignore[no-any-return]
    try:
        return receiver.validate_json(items.payload.data)  # type: ignore[no-any-return]
    except pydantic.ValidationError:
        pass
    values: list[Any] = []
    assert hints
    one = faithful.adapter(hints[0])
    for item, value in zip(waiting, from_raw(items), strict=True):
        try:
            values.append(one.validate_json(pydantic_core.to_json(value)))
        except pydantic.ValidationError as error:
            values.append(None)
            running.refuse(item, VALIDATION, describe(error))
    return values


def _arguments(common: RawValue, definition: Definition) -> list[Any]:
    """Return the further arguments, the same for every item."""
    hints = definition.arg_types or []
    values: list[Any] = []
    for position, value in enumerate(from_raw(common), 1):
        try:
            receiver = faithful.adapter(hints[position]) if position < len(hints) else None
        except pydantic.PydanticUserError:
            receiver = None
        try:
            values.append(value if receiver is None else receiver.validate_json(pydantic_core.to_json(value)))
        except pydantic.ValidationError as error:
            raise BatchRefused(f"Argument {position + 1}: {describe(error)}") from None
    return values


def _resumed(running: Running, items: list[Item]) -> list[Item]:
    """Return the items that are still to run, after what the attempt before this one reported."""
    refused = running.refused()
    details = activity.info().heartbeat_details
    if not details:
        return [item for item in items if item.position not in refused]
    report = report_of(to_raw(pydantic_core.to_json(details[0])))
    outcomes: dict[int, Any] = dict(zip(report.done, report.results, strict=True))
    ended: tuple[Failure | Retry, ...] = (*report.failures, *report.retries)
    outcomes.update({outcome.index: outcome for outcome in ended})
    left: list[Item] = []
    for item in items:
        if item.index in outcomes:
            running.restore(item, outcomes[item.index])
        elif item.position not in refused:
            left.append(item)
    return left


@contextlib.asynccontextmanager
async def _reporting(running: Running) -> AsyncGenerator[None]:
    """Report progress in the background for as long as the block runs."""

    async def report() -> None:
        reported = 0
        while True:
            await asyncio.sleep(_PROGRESS_INTERVAL)
            if running.changes > reported:
                reported = running.changes
                activity.heartbeat(to_raw(running.progress()))

    reporting = asyncio.create_task(report())
    try:
        yield
    finally:
        reporting.cancel()
        await asyncio.gather(reporting, return_exceptions=True)
