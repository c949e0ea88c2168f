"""`segue.FanOut`: the child workflow that does a part of a wide fan-out, and continues as new as it grows long.

The plugin registers it with each worker that serves workflows. It passes items and results on as the JSON that they
are, and never looks into them; what it returns is a `Report`, in which it may leave items to its parent.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Final

import pydantic_core
from temporalio import workflow
from temporalio.common import RawValue, VersioningBehavior
from temporalio.exceptions import FailureError

from segue.activities.batch import Earlier, Report, Retry
from segue.activities.batch.records import from_raw, report_json, report_of, to_raw
from segue.activities.idempotency import Step, acting_for
from segue.workflows.fanout.carriers import Batched, Decode, Single
from segue.workflows.fanout.chunks import TOLD_BYTES, Chunk, chunks
from segue.workflows.fanout.execution import Execution, failure_of
from segue.workflows.fanout.job import CALL_BYTES, SENT_BYTES, Job
from segue.workflows.fanout.shown import show
from segue.workflows.features import Feature, has

__all__ = ["SHARD_WORKFLOW", "FanOutShard", "Part", "PinnedFanOutShard", "Sharded"]

SHARD_WORKFLOW: Final = "segue.FanOut"

# Temporal suggests to continue as new at this length; what is under way still adds to it.
_EVENTS: Final = 4096
_EVENTS_A_STEP: Final = 4
# What a child takes along when it continues as new, and what it returns, has to fit into one call.
_CARRIED_BYTES: Final = 1_400_000
_FAILURE_BYTES: Final = 750
_CHILDREN: Final = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """Which items a child does, and for whom.

    Attributes:
        workflow_id: The workflow that called `fan_out`.
        run_id: Its run, or the one that it was reset from.
        start: Index of the first item.
        count: How many items.
        earlier: For items that do not stand side by side or were tried before, an entry each.
        due: When each of these is to be begun, in seconds since 1970; empty for at once.
    """

    workflow_id: str
    run_id: str
    start: int
    count: int
    earlier: tuple[Earlier, ...] = ()
    due: tuple[float, ...] = ()


@workflow.defn(name=SHARD_WORKFLOW)
class FanOutShard:
    """A part of a fan-out."""

    @workflow.run
    async def run(self, job: Job, part: Part, items: RawValue, common: RawValue, done: RawValue) -> RawValue:
        """Do a part of a fan-out, after what earlier runs of this child have done, and return the report of it all."""
        # The steps are those of the workflow that called fan_out, and have the idempotency keys that they have there.
        acting_for.set(Step(workflow_id=part.workflow_id, run_id=part.run_id))
        values: list[Any] = from_raw(items)
        before = report_of(done)
        indices = [item.index for item in part.earlier] or range(part.start, part.start + part.count)
        value_of = dict(zip(indices, values, strict=True)).__getitem__
        progress = show(job.id, part.count + len(before.done) + len(before.failures))
        single = job.batch is None
        weighs = has(Feature.WEIGHED_FAN_OUTS)
        beside = len(common.payload.data) if weighs else 0
        inner = Single(job, job.activity, value_of, from_raw(common)) if single else Batched(job, common, list)
        carrier = _Counted(job, inner)

        def again(left: Sequence[int], earlier: Sequence[Earlier]) -> Iterator[Chunk]:
            if job.batch is None:
                return (Chunk((item.index,), b"", (item,)) for item in earlier)
            return chunks(value_of, left, job.batch.count, job.batch.size_bytes, earlier, beside)

        def full() -> bool:
            length = workflow.info().get_current_history_length() + _EVENTS_A_STEP * execution.open
            carried = carrier.received + _FAILURE_BYTES * len(execution.failures)
            return length > _EVENTS or carried > _CARRIED_BYTES

        execution = Execution(
            carrier,
            iter(()) if part.earlier else _first(job, value_of, indices),
            again,
            allowed=job.allowed,
            progress=progress,
            full=full,
            # What is an activity of its own is not weighed one by one.
            beside=beside + (len(items.payload.data) // part.count if single else 0),
            most=SENT_BYTES if weighs else None,
        )
        execution.results.update(zip(before.done, before.results, strict=True))
        execution.done = len(before.done)
        execution.failures.update((failure.index, failure) for failure in before.failures)
        for item, due in zip(part.earlier, part.due or [0.0] * len(part.earlier), strict=True):
            execution.wait_for(item, due)
        carrier.received = len(done.payload.data)
        await execution.run()
        most = min(_CARRIED_BYTES, CALL_BYTES - beside)
        return _ended(job, part, common, execution, value_of, carrier.received, most)


@workflow.defn(name=SHARD_WORKFLOW, versioning_behavior=VersioningBehavior.PINNED)
class PinnedFanOutShard(FanOutShard):
    """The same for workers with a deployment version, which must say for each workflow whether it changes versions.

    A shard is short: it ends on the version that it began on. Without a deployment the server refuses to be told.
    """

    @workflow.run
    async def run(self, job: Job, part: Part, items: RawValue, common: RawValue, done: RawValue) -> RawValue:
        """See base class."""
        return await super().run(job, part, items, common, done)


def _first(job: Job, value_of: Any, indices: Sequence[int]) -> Iterator[Chunk]:
    if job.batch is None:
        return (Chunk((index,), b"") for index in indices)
    return chunks(value_of, indices, job.batch.count, job.batch.size_bytes)


def _ended(
    job: Job, part: Part, common: RawValue, execution: Execution, value_of: Any, size: int, most: int
) -> RawValue:
    """Return the report, or continue as new if there is more to do and it can be taken along."""
    left = execution.unfinished()
    if left and not execution.exceeded:
        items = pydantic_core.to_json([value_of(item.index) for item, _ in left])
        told = _FAILURE_BYTES * len(execution.failures) + TOLD_BYTES * len(left)
        if len(items) + size + told <= most:
            rest = dataclasses.replace(
                part,
                count=len(left),
                earlier=tuple(item for item, _ in left),
                due=tuple(due for _, due in left),
            )
            so_far = to_raw(_report(execution, ()))
            workflow.continue_as_new(args=[job, rest, to_raw(items), common, so_far])
    return to_raw(_report(execution, left))


def _report(execution: Execution, left: Sequence[tuple[Earlier, float]]) -> bytes:
    now = workflow.now().timestamp()
    indices = sorted(execution.results)
    report = Report(
        done=tuple(indices),
        failures=tuple(execution.failures[index] for index in sorted(execution.failures)),
        retries=tuple(
            Retry(item.index, item.attempts, item.since, max(due - now, 0.0)) for item, due in left if item.attempts
        ),
        left=tuple(item.index for item, _ in left if not item.attempts),
    )
    results = pydantic_core.to_json([execution.results[index] for index in indices])[1:-1]
    return report_json(report, [results] if results else [])


class _Counted:
    """A carrier, with the bytes of what comes back counted."""

    def __init__(self, job: Job, carrier: Single | Batched) -> None:
        self.at_once = job.at_once
        self.received = 0
        self._carrier = carrier

    def start(self, chunk: Chunk, failed: int) -> asyncio.Future[Any]:
        return self._carrier.start(chunk, failed)

    def report(self, chunk: Chunk, result: Any) -> Report:
        self.received += (
            len(result.payload.data) if isinstance(result, RawValue) else len(pydantic_core.to_json(result))
        )
        return self._carrier.report(chunk, result)

    def salvaged(self, chunk: Chunk, error: FailureError) -> Report:
        return self._carrier.salvaged(chunk, error)


class Sharded:
    """Very many items: each chunk is done by a child workflow.

    Args:
        job: What is done.
        count: How many chunks there are.
        common: Further arguments, as a JSON array.
        decode: Makes of results in plain JSON what the function returned.
    """

    def __init__(self, job: Job, count: int, common: RawValue, decode: Decode) -> None:
        self.at_once = min(_CHILDREN, count, job.at_once)
        self._job = dataclasses.replace(job, concurrency=max(1, job.concurrency // self.at_once))
        self._common = common
        self._decode = decode

    def start(self, chunk: Chunk, failed: int) -> asyncio.Future[Any]:
        """See base class."""
        info = workflow.info()
        allowed = self._job.allowed
        job = dataclasses.replace(self._job, allowed=None if allowed is None else max(allowed - failed, 0))
        part = Part(
            info.workflow_id, info.original_execution_run_id, chunk.indices[0], len(chunk.indices), chunk.earlier
        )
        running = workflow.execute_child_workflow(
            SHARD_WORKFLOW,
            args=[job, part, to_raw(chunk.data), self._common, to_raw(b'{"results":[]}')],
            # A child's id is one of the namespace, where the child of a run before this one may still hold it.
            id=f"{info.workflow_id}/{job.id}/{chunk.indices[0]}-{str(workflow.uuid4())[:8]}",
            static_summary=f"{job.activity}: {chunk}",
            cancellation_type=workflow.ChildWorkflowCancellationType.TRY_CANCEL,
            result_type=RawValue,
        )
        return asyncio.ensure_future(running)

    def report(self, chunk: Chunk, result: Any) -> Report:
        """See base class."""
        value: RawValue = result
        report = report_of(value)
        return dataclasses.replace(report, results=self._decode(report.results))

    def salvaged(self, chunk: Chunk, error: FailureError) -> Report:
        """See base class."""
        return Report(failures=tuple(failure_of(index, error) for index in chunk.indices))
