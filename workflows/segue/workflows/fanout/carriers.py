"""How items travel: each as an activity of its own, many in a batch, very many in a child workflow."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import pydantic_core
from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import FailureError, TimeoutError

from segue.activities import faithful
from segue.activities.batch import BATCH_ACTIVITY, BatchRequest, Report
from segue.activities.batch.records import report_of, to_raw
from segue.workflows.fanout.chunks import Chunk
from segue.workflows.fanout.execution import failure_of
from segue.workflows.fanout.job import Job
from segue.workflows.repair.rule import on_exhausted

__all__ = ["Batched", "Single", "decoder"]

Decode = Callable[[list[Any]], list[Any]]


class Single:
    """Each item is an activity of its own, which the server retries.

    Args:
        job: What is done.
        fn: The activity, or its name where only plain JSON is passed on.
        value_of: Returns an item.
        common: Further arguments.
        summary_of: Returns what an item is called, where its value does not tell.
    """

    def __init__(
        self,
        job: Job,
        fn: Any,
        value_of: Callable[[int], Any],
        common: Sequence[Any],
        summary_of: Callable[[int], str | None] = lambda _: None,
    ) -> None:
        self.at_once = job.at_once
        self._job = job
        self._fn = fn
        self._value_of = value_of
        self._common = common
        self._summary_of = summary_of
        self._options = job.item_options()

    def start(self, chunk: Chunk, failed: int) -> asyncio.Future[Any]:
        """See base class."""
        [index] = chunk.indices
        # Where failures are tolerated an item may fail; where none is, it parks if its system does.
        with on_exhausted("fail") if self._job.allowed != 0 else contextlib.nullcontext():
            return workflow.start_activity(
                self._fn,
                args=[self._value_of(index), *self._common],
                activity_id=f"{self._job.id}/{index}",
                summary=self._summary_of(index),
                **self._options,
            )

    def report(self, chunk: Chunk, result: Any) -> Report:
        """See base class."""
        return Report(results=[result])

    def salvaged(self, chunk: Chunk, error: FailureError) -> Report:
        """See base class."""
        return Report(failures=(failure_of(chunk.indices[0], error),))


class Batched:
    """Many items are one activity, `segue.batch`, which runs each by itself.

    Args:
        job: What is done.
        common: Further arguments, as a JSON array.
        decode: Makes of results in plain JSON what the function returned.
        into: URL of the folder that results are written to, if they are not sent back.
    """

    def __init__(self, job: Job, common: RawValue, decode: Decode, into: str | None = None) -> None:
        self.at_once = job.at_once
        self._job = job
        self._common = common
        self._decode = decode
        self._into = into
        self._options = job.batch_options()
        self._resent = 0

    def start(self, chunk: Chunk, failed: int) -> asyncio.Future[Any]:
        """See base class."""
        job = self._job
        if chunk.earlier:
            self._resent += 1
            id = f"{job.id}/again-{self._resent}-{chunk.indices[0]}"
        else:
            id = f"{job.id}/{chunk.indices[0]}-{chunk.indices[-1]}"
        request = BatchRequest(
            activity=job.activity,
            id=job.id,
            start=chunk.indices[0],
            count=len(chunk.indices),
            concurrency=job.within,
            earlier=chunk.earlier,
            start_to_close_timeout=job.start_to_close_timeout,
            schedule_to_close_timeout=job.schedule_to_close_timeout,
            retries=job.retries,
            allowed=None if job.allowed is None else max(job.allowed - failed, 0),
            source=chunk.source,
            into=None if self._into is None else f"{self._into}/{chunk.indices[0]:012d}-{self._resent}.jsonl",
        )
        return workflow.start_activity(
            BATCH_ACTIVITY,
            args=[request, to_raw(chunk.data), self._common],
            activity_id=id,
            summary=f"{job.activity}: {chunk}",
            result_type=RawValue,
            **self._options,
        )

    def report(self, chunk: Chunk, result: Any) -> Report:
        """See base class."""
        value: RawValue = result
        report = report_of(value)
        return dataclasses.replace(report, results=self._decode(report.results))

    def salvaged(self, chunk: Chunk, error: FailureError) -> Report:
        """Return what the batch had reported before it timed out; the rest has failed with it."""
        report = Report()
        cause = error.__cause__
        if isinstance(cause, TimeoutError) and cause.last_heartbeat_details:
            report = report_of(to_raw(pydantic_core.to_json(cause.last_heartbeat_details[0])))
        known = {*report.done, *(failure.index for failure in report.failures)}
        failed = (failure_of(index, error) for index in chunk.indices if index not in known)
        return Report(done=report.done, results=self._decode(report.results), failures=(*report.failures, *failed))


def decoder(hint: Any) -> Decode:
    """Return what makes of results in plain JSON what a function with this hint returned."""
    try:
        receiver = faithful.adapter(list[hint])
    except Exception:  # a hint that pydantic does not know
        return list

    def decode(results: list[Any]) -> list[Any]:
        # Through JSON, as any other value that was sent: a strict model takes a text for a date only there.
        return receiver.validate_json(pydantic_core.to_json(results)) if results else results

    return decode
