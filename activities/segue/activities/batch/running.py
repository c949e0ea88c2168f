"""The items of one batch while they run: so many at once, each by itself, async or in threads.

Async functions run in a few tasks, sync ones in a few threads, and each of these takes the next item when it is done
with one. Results are written as JSON at once, so that the report of a batch costs no second conversion, and so that it
is known how large it has grown: before it is too large to be sent, no further item is begun, and those that were not
are left to the workflow, which sends them again.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import timedelta
from typing import Any, Final

import pydantic_core
from temporalio import activity

from segue.activities import faithful
from segue.activities.batch.item import Item, Judge, entered
from segue.activities.batch.records import MESSAGE_LIMIT, Failure, Report, Retry, report_json
from segue.activities.errors import PayloadError

__all__ = ["Running"]

# One call carries 2 MiB. What is left has room for the last results of those that run at once.
_REPORT_BYTES: Final = 1_400_000
_RESULT_BYTES: Final = 1_900_000
# What a failure or a retry takes in the report, at most.
_FAILURE_BYTES: Final = MESSAGE_LIMIT + 250
# Results beyond this are not heartbeated: should the worker die, their items run again.
_PROGRESS_BYTES: Final = 512 * 1024


class Running:
    """A batch that runs.

    Args:
        function: What to run for each item.
        arguments: What to call it with, by the item's place in the batch.
        result: Type hint of what it returns; None if it has none.
        judge: Decides what errors mean.
        name: The function's registered name.
        id: What the fan-out is called in its run.
        timeout: Longest time for one item.
        allowed: How many items may fail before no further one is begun; None for any number.
        sent: Whether results are sent back, and may only be so large.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: Sequence[Sequence[Any]],
        result: Any,
        judge: Judge,
        *,
        name: str,
        id: str,
        timeout: timedelta,
        allowed: int | None,
        sent: bool,
    ) -> None:
        self._function = function
        self._arguments = arguments
        self._hint = result
        self._judge = judge
        self._timeout = timeout
        self._allowed = allowed
        self._sent = sent
        # Only in an activity is there a context, and threads are given what they need of it.
        self._outer = activity._Context.current()  # pyright: ignore[reportPrivateUsage]
        self._enter = functools.partial(entered, self._outer, name=name, id=id, timeout=timeout)
        self._what = f"The result of activity {name!r}"
        self._lock = threading.Lock()
        self._waiting: list[Item] = []
        self._running: dict[int, Item] = {}
        self._runners: dict[asyncio.Task[None], Item] = {}
        self._late: set[int] = set()
        self._halted = False
        self._results: dict[int, tuple[int, bytes]] = {}
        self._failures: dict[int, Failure] = {}
        self._retries: dict[int, Retry] = {}
        self._size = 0
        self.changes = 0
        """Grows with each item that ends."""

    def restore(self, item: Item, outcome: Any) -> None:
        """Take over what became of an item in an attempt before this one: a failure, a retry, or else a result."""
        if isinstance(outcome, (Failure, Retry)):
            self._size += _FAILURE_BYTES
        if isinstance(outcome, Failure):
            self._failures[item.position] = outcome
        elif isinstance(outcome, Retry):
            self._retries[item.position] = outcome
        else:
            self._keep(item, pydantic_core.to_json(outcome))

    def refuse(self, item: Item, kind: str, message: str) -> None:
        """Fail an item that cannot be run."""
        self._failures[item.position] = Failure(item.index, kind, message[:MESSAGE_LIMIT], item.attempt)
        self._size += _FAILURE_BYTES

    def refused(self) -> set[int]:
        """Return the places in the batch of the items that failed so far."""
        return set(self._failures)

    async def run_async(self, items: Sequence[Item], concurrency: int) -> None:
        """Run items of an async function."""
        self._waiting = list(reversed(items))
        runners = [asyncio.create_task(self._take_turns()) for _ in range(min(concurrency, len(items)))]
        watching = asyncio.create_task(self._watch())
        try:
            await asyncio.gather(*runners)
        finally:
            for task in (*runners, watching):
                task.cancel()

    async def run_in_threads(self, items: Sequence[Item], concurrency: int, executor: Executor | None) -> None:
        """Run items of a sync function. One that takes too long is given up, but its thread cannot be stopped."""
        self._waiting = list(reversed(items))
        loop = asyncio.get_running_loop()

        def start() -> asyncio.Future[None]:
            return loop.run_in_executor(executor, contextvars.copy_context().run, self._take_turns_in_thread)

        seconds = self._timeout.total_seconds()
        threads = {start() for _ in range(min(concurrency, len(items)))}
        try:
            while threads:
                ended, threads = await asyncio.wait(
                    threads, timeout=min(max(seconds / 10, 0.02), 1), return_when=asyncio.FIRST_COMPLETED
                )
                for thread in ended:
                    thread.result()
                for _ in range(self._give_up(time.monotonic() - seconds)):
                    threads.add(start())
                if not self._running and not self._more():
                    break  # what still runs was given up
        finally:
            self._halted = True

    def report(self, indices: Sequence[int], stored: tuple[dict[str, Any], ...] = ()) -> bytes:
        """Return what became of the items, as the JSON of a `Report`; without their results if these are stored."""
        with self._lock:
            ended = {*self._results, *self._failures, *self._retries}
            left = tuple(index for position, index in enumerate(indices) if position not in ended)
            results = [self._results[position] for position in sorted(self._results)]
            failures = tuple(self._failures[position] for position in sorted(self._failures))
            retries = tuple(self._retries[position] for position in sorted(self._retries))
        # Where every item completed, which is the rule, their numbers need not be sent.
        done = tuple(index for index, _ in results) if failures or retries or left else ()
        report = Report(done=done, failures=failures, retries=retries, left=left, stored=stored)
        return report_json(report, [] if stored else [data for _, data in results])

    def lines(self) -> bytes:
        """Return the results as JSON lines, each with the index of its item."""
        with self._lock:
            results = [self._results[position] for position in sorted(self._results)]
        return b"".join(b'{"index":%d,"result":%s}\n' % result for result in results)

    def progress(self) -> bytes:
        """Return what the next attempt need not do again, as the JSON of a `Report`."""
        with self._lock:
            results = list(self._results.values())
            failures, retries = tuple(self._failures.values()), tuple(self._retries.values())
        kept: list[tuple[int, bytes]] = []
        size = 0
        for result in results:
            size += len(result[1])
            if size > _PROGRESS_BYTES:
                break
            kept.append(result)
        report = Report(done=tuple(index for index, _ in kept), failures=failures, retries=retries)
        return report_json(report, [data for _, data in kept])

    async def _take_turns(self) -> None:
        runner = asyncio.current_task()
        assert runner is not None
        while (item := self._next()) is not None:
            self._enter(item=item)
            self._runners[runner] = item
            try:
                self._completed(item, await self._function(*self._arguments[item.position]))
            except BaseException as error:
                if runner.cancelling() > (item.position in self._late):
                    raise
                self._failed(item, self._too_long() if item.position in self._late else error)
            if item.position in self._late:
                runner.uncancel()

    async def _watch(self) -> None:
        """Cancel items that run for too long. A timer for each would cost more than most items do."""
        seconds = self._timeout.total_seconds()
        while True:
            await asyncio.sleep(min(max(seconds / 20, 0.01), 1))
            before = time.monotonic() - seconds
            for runner, item in self._runners.items():
                if item.started < before and item.position not in self._late and not runner.done():
                    self._late.add(item.position)
                    runner.cancel()

    def _take_turns_in_thread(self) -> None:
        while (item := self._next(tracked=True)) is not None:
            self._enter(item=item)
            try:
                ended = functools.partial(self._completed, item, self._function(*self._arguments[item.position]))
            except BaseException as error:
                ended = functools.partial(self._failed, item, error)
            with self._lock:
                if self._running.get(item.position) is not item:
                    return  # it was given up, and another thread has taken this one's place
                item.started = 0  # from now on it is not
            try:
                ended()
            except BaseException as error:
                self._failed(item, error)
            finally:
                with self._lock:
                    self._running.pop(item.position, None)

    def _next(self, *, tracked: bool = False) -> Item | None:
        """Return an item to begin; None if none is left or none is to be begun any more."""
        with self._lock:
            if not self._waiting or self._full():
                return None
            item = self._waiting.pop()
            if tracked:
                self._running[item.position] = item
            return item

    def _more(self) -> bool:
        with self._lock:
            return bool(self._waiting) and not self._full()

    def _full(self) -> bool:
        return (
            self._halted
            or self._size > _REPORT_BYTES
            or (self._allowed is not None and len(self._failures) > self._allowed)
            # A worker that drains finishes what runs; the rest is another's.
            or self._outer.worker_shutdown_event.is_set()
        )

    def _completed(self, item: Item, result: Any) -> None:
        if self._hint is None:
            faithful.check(result)
        else:
            faithful.accept(result, self._hint)
        try:
            data = pydantic_core.to_json(result)
        except (pydantic_core.PydanticSerializationError, ValueError, TypeError) as error:
            problem = faithful.unserializable(result) or f"the value has no JSON form: {error}"
            raise PayloadError(f"{self._what}: {problem}") from None
        if self._sent and len(data) > _RESULT_BYTES:
            raise PayloadError(
                f"{self._what}: the value is {len(data):,} bytes, and one call carries at most 2 MiB: store it as an "
                "object and return a reference to it"
            )
        self._keep(item, data)

    def _keep(self, item: Item, data: bytes) -> None:
        with self._lock:
            self._results[item.position] = (item.index, data)
            self._size += len(data) + 12 if self._sent else 12
            self.changes += 1

    def _failed(self, item: Item, error: BaseException) -> None:
        verdict = self._judge.verdict(item, error)
        with self._lock:
            if isinstance(verdict, Failure):
                self._failures[item.position] = verdict
            else:
                self._retries[item.position] = verdict
            self._size += _FAILURE_BYTES
            self.changes += 1

    def _give_up(self, started_before: float) -> int:
        """Fail the items that run for too long in threads; return how many there are."""
        with self._lock:
            late = [item for item in self._running.values() if item.started and item.started < started_before]
            for item in late:
                del self._running[item.position]
        for item in late:
            self._failed(item, self._too_long())
        return len(late)

    def _too_long(self) -> TimeoutError:
        return TimeoutError(f"no result within {self._timeout.total_seconds():g} s (start_to_close_timeout)")
