"""Runs the items of a fan-out, or of one shard of it: so many at once, retries included, until they are done.

It knows chunks of items and a carrier, which makes an activity or a child workflow of each and reports what became of
its items. Everything happens in the order in which chunks end, and time is the workflow's: that makes it workflow code.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any, Protocol

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError, FailureError

from segue.activities.batch import Earlier, Failure, Report, Retry
from segue.workflows.fanout.chunks import Chunk
from segue.workflows.fanout.errors import InvalidFanOut
from segue.workflows.fanout.foresight import Foresight
from segue.workflows.fanout.shown import Progress

__all__ = ["Again", "Carrier", "Execution", "failure_of"]

# Errors of a whole batch or shard that say that none of the others will do better.
_REFUSALS = ("BatchRefused", "InvalidFanOut", "HistoryFull")


Again = Callable[[Sequence[int], Sequence[Earlier]], Iterator[Chunk]]
"""Puts items together that are to be sent again, with what is known of their attempts."""


class Carrier(Protocol):
    """Makes an activity or a child workflow of a chunk.

    Attributes:
        at_once: How many of them run at once.
    """

    at_once: int

    def start(self, chunk: Chunk, failed: int) -> asyncio.Future[Any]:
        """Start a chunk, when so many items have failed already."""
        ...

    def report(self, chunk: Chunk, result: Any) -> Report:
        """Return what became of the items, from what the chunk returned."""
        ...

    def salvaged(self, chunk: Chunk, error: FailureError) -> Report:
        """Return what is known of the items of a chunk that failed as a whole."""
        ...


class Execution:
    """Items that run.

    Args:
        carrier: Makes an activity or child workflow of each chunk.
        chunks: The items, put together.
        again: Puts items together that are to be sent again.
        allowed: How many items may fail; None for any number.
        progress: Where to show how far it has come.
        full: Whether no further chunk may be started in this run.
        beside: Bytes that go with each chunk beside its own.
        most: How many bytes may be sent in this run, whereupon no further chunk is started; None for any number.
        foresight: Foresees whether the results fit into the history of this run; None if nobody does.

    Attributes:
        done: How many items completed.
        sent: How many bytes were sent.
        results: What they returned, if it was sent back.
        failures: The items that failed.
        stored: Where results are that were written.
        first_error: The error of the first chunk or single item that failed.
    """

    def __init__(
        self,
        carrier: Carrier,
        chunks: Iterator[Chunk],
        again: Again,
        *,
        allowed: int | None,
        progress: Progress,
        full: Callable[[], bool] = lambda: False,
        beside: int = 0,
        most: int | None = None,
        foresight: Foresight | None = None,
    ) -> None:
        self.results: dict[int, Any] = {}
        self.failures: dict[int, Failure] = {}
        self.stored: list[dict[str, Any]] = []
        self.done = 0
        self.sent = 0
        self.first_error: BaseException | None = None
        self._carrier = carrier
        self._chunks = chunks
        self._put_together = again
        self._allowed = allowed
        self._progress = progress
        self._full = full
        self._beside = beside
        self._most = most
        self._foresight = foresight
        self._open: dict[asyncio.Future[Any], Chunk] = {}
        self._ended: deque[asyncio.Future[Any]] = deque()
        self._again: deque[Chunk] = deque()
        self._waiting: list[tuple[float, Earlier]] = []
        self._timer: asyncio.Task[None] | None = None
        self._timer_due = 0.0
        self._changed: asyncio.Future[None] | None = None

    @property
    def open(self) -> int:
        """How many chunks run."""
        return len(self._open)

    @property
    def exceeded(self) -> bool:
        """Whether more items failed than may."""
        return self._allowed is not None and len(self.failures) > self._allowed

    @property
    def _spent(self) -> bool:
        return self._most is not None and self.sent > self._most

    async def run(self) -> None:
        """Run until every item is done, more have failed than may, or the run is full.

        When it returns or raises, nothing of it runs any more.

        Raises:
            HistoryFull: The history of this run will not hold it.
        """
        try:
            while not self.exceeded:
                self._fill()
                if not self._open and (self._timer is None or self._full() or self._spent):
                    break
                await self._change()
                if self._foresight is not None and not self.exceeded:
                    self._foresight.check(self._progress.total - self.done - len(self.failures), self.sent)
        except (Exception, asyncio.CancelledError):
            await self._end()
            raise
        # A run that is put out of memory leaves by neither way: nothing may be awaited then.
        await self._end()

    def unfinished(self) -> list[tuple[Earlier, float]]:
        """Return the items that are neither done nor failed, each with when it is due; 0 for at once."""
        left: list[tuple[Earlier, float]] = [(item, due) for due, item in self._waiting]
        for chunk in (*self._again, *self._chunks):
            if chunk.earlier:
                left.extend((item, 0.0) for item in chunk.earlier)
            else:
                left.extend((Earlier(index, 0, 0.0), 0.0) for index in chunk.indices)
        self._waiting, self._again = [], deque()
        return sorted(left, key=lambda one: one[0].index)

    def continued(self, carrier: Carrier, again: Again) -> Execution:
        """Return an execution that goes on with what this one has left, in another way."""
        execution = Execution(
            carrier, iter(()), again, allowed=self._allowed, progress=self._progress, foresight=self._foresight
        )
        execution.sent = self.sent
        execution.results, execution.failures, execution.stored = self.results, self.failures, self.stored
        execution.done, execution.first_error = self.done, self.first_error
        return execution

    def wait_for(self, item: Earlier, due: float) -> None:
        """Begin with an item when it is due."""
        self._waiting.append((due, item))

    def _fill(self) -> None:
        """Start chunks as long as there is room for them."""
        if self._full():
            return
        self._ripen()
        while len(self._open) < self._carrier.at_once and not self._spent:
            chunk = self._again.popleft() if self._again else next(self._chunks, None)
            if chunk is None:
                return
            handle = self._carrier.start(chunk, len(self.failures))
            self._open[handle] = chunk
            self.sent += len(chunk.data) + self._beside
            handle.add_done_callback(self._end_of)

    def _ripen(self) -> None:
        """Take the items whose wait is over, and wait for the next."""
        if not self._waiting:
            return
        now = workflow.now().timestamp()
        ripe = sorted((item for due, item in self._waiting if due <= now), key=lambda item: item.index)
        if ripe:
            self._waiting = [(due, item) for due, item in self._waiting if due > now]
            self._again.extend(self._put_together([item.index for item in ripe], ripe))
        if not self._waiting:
            return
        due = min(due for due, _ in self._waiting)
        if self._timer is None or due < self._timer_due:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_due = due
            summary = f"{self._progress.name}: {len(self._waiting)} to try again"
            self._timer = asyncio.create_task(workflow.sleep(timedelta(seconds=due - now), summary=summary))
            self._timer.add_done_callback(self._rang)

    def _rang(self, timer: asyncio.Task[None]) -> None:
        if timer is self._timer:
            self._timer = None
            self._wake()

    def _end_of(self, handle: asyncio.Future[Any]) -> None:
        self._ended.append(handle)
        self._wake()

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    async def _change(self) -> None:
        """Wait until something ended, and take what it brought."""
        if not self._ended:
            self._changed = asyncio.get_running_loop().create_future()
            await self._changed
        while self._ended:
            handle = self._ended.popleft()
            self._take(self._open.pop(handle), handle)

    def _take(self, chunk: Chunk, handle: asyncio.Future[Any]) -> None:
        error = asyncio.CancelledError() if handle.cancelled() else handle.exception()
        if error is None:
            report = self._carrier.report(chunk, handle.result())
        elif isinstance(error, (ActivityError, ChildWorkflowError)):
            self.first_error = self.first_error or error
            report = self._carrier.salvaged(chunk, error)
            _raise_refusal(error)
        else:
            # It is not the item that failed: the run is to fail its task, to be evicted, or to be cancelled.
            raise error
        ended = self.done + len(self.failures)
        self._absorb(chunk, report)
        if self._foresight is not None and error is None:
            self._foresight.took(handle.result(), self.done + len(self.failures) - ended)

    def _absorb(self, chunk: Chunk, report: Report) -> None:
        if report.failures or report.retries or report.left:
            done: Sequence[int] = report.done
            self._fail(report.failures)
            self._retry(report.retries)
            self._leave(chunk, report.left)
        else:
            done = chunk.indices
        self.done += len(done)
        if not report.stored:
            self.results.update(zip(done, report.results, strict=True))
        self.stored.extend(report.stored)
        self._progress.done = self.done
        self._progress.failed = len(self.failures)

    def _fail(self, failures: Sequence[Failure]) -> None:
        for failure in failures:
            self.failures[failure.index] = failure

    def _retry(self, retries: Sequence[Retry]) -> None:
        now = workflow.now().timestamp()
        for retry in retries:
            # To the next tenth of a second, so that what fails at about the same time is sent together.
            due = math.ceil((now + retry.after) * 10) / 10
            self._waiting.append((due, Earlier(retry.index, retry.attempts, retry.since)))

    def _leave(self, chunk: Chunk, left: Sequence[int]) -> None:
        """Send items again that were not begun."""
        if not left:
            return
        known = {item.index: item for item in chunk.earlier}
        earlier = [known.get(index) or Earlier(index, 0, 0.0) for index in left]
        self._again.extend(self._put_together(left, earlier))

    async def _end(self) -> None:
        """Cancel what still runs, and wait until it has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._open:
            for handle in self._open:
                handle.cancel()
            await asyncio.wait(list(self._open))
            for handle in self._open:
                if not handle.cancelled():
                    handle.exception()  # seen, so that asyncio does not report it as forgotten
            self._open.clear()


def failure_of(index: int, error: BaseException) -> Failure:
    """Return the failure of an item that was an activity of its own, or whose batch or shard failed."""
    cause = _innermost(error)
    if isinstance(cause, ApplicationError):
        kind, message = cause.type or "ApplicationError", cause.message
    else:
        kind, message = type(cause).__name__, str(getattr(cause, "message", cause))
    text = " ".join(message.split())
    return Failure(index, kind, text if len(text) <= 500 else f"{text[:499]}…")


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, (ActivityError, ChildWorkflowError)) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _raise_refusal(error: BaseException) -> None:
    cause = _innermost(error)
    if isinstance(cause, ApplicationError) and cause.type in _REFUSALS:
        raise InvalidFanOut(cause.message) from error
