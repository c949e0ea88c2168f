"""The work that both sides do: the same workflows, with the options written at the call site where Segue is absent."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from benchmarks.steps import Item, raw_step, segue_step, small_step

    from segue.workflows import fan_out


def _item(number: int) -> Item:
    return Item(id=f"item-{number}", number=number)


@workflow.defn
class RawFanOut:
    @workflow.run
    async def run(self, width: int) -> int:
        return sum(
            await asyncio.gather(
                *(
                    workflow.execute_activity(raw_step, _item(n), start_to_close_timeout=timedelta(seconds=30))
                    for n in range(width)
                )
            )
        )


@workflow.defn
class SegueFanOut:
    @workflow.run
    async def run(self, width: int) -> int:
        return sum(await asyncio.gather(*(workflow.execute_activity(segue_step, _item(n)) for n in range(width))))


@workflow.defn
class RawChain:
    @workflow.run
    async def run(self, length: int) -> int:
        total = 0
        for n in range(length):
            total += await workflow.execute_activity(raw_step, _item(n), start_to_close_timeout=timedelta(seconds=30))
        return total


@workflow.defn
class SegueChain:
    @workflow.run
    async def run(self, length: int) -> int:
        total = 0
        for n in range(length):
            total += await workflow.execute_activity(segue_step, _item(n))
        return total


@workflow.defn
class RawLocalChain:
    @workflow.run
    async def run(self, length: int) -> int:
        total = 0
        for n in range(length):
            total += await workflow.execute_local_activity(
                raw_step, _item(n), start_to_close_timeout=timedelta(seconds=30)
            )
        return total


@workflow.defn
class SegueLocalChain:
    @workflow.run
    async def run(self, length: int) -> int:
        total = 0
        for n in range(length):
            total += await workflow.execute_local_activity(segue_step, _item(n))
        return total


@dataclass
class Wide:
    """A fan-out of the SDK's own: how many items, how many an activity carries, how many run at once."""

    width: int
    batch: int | None = None
    concurrency: int = 100
    small: bool = False


@workflow.defn
class SegueWide:
    @workflow.run
    async def run(self, wide: Wide) -> int:
        if wide.small:
            numbers = await fan_out(small_step, range(wide.width), batch=wide.batch, concurrency=wide.concurrency)
        else:
            items = [_item(number) for number in range(wide.width)]
            numbers = await fan_out(segue_step, items, batch=wide.batch, concurrency=wide.concurrency)
        return sum(numbers)


RAW = [RawFanOut, RawChain, RawLocalChain]
SEGUE = [SegueFanOut, SegueChain, SegueLocalChain, SegueWide]
