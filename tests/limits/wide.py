"""Workflows that are as wide as their input says, in a module of their own: the sandbox imports it for every run."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow

from segue.workflows import Saga, call

with workflow.unsafe.imports_passed_through():
    from segue.activities import Policy, System

press = System("press-wide-test", policy=Policy(start_to_close_timeout=timedelta(seconds=60)))


@press.activity
async def press_leaf(number: int, filling: str = "") -> int:
    return number


@press.activity
async def press_block(size: int) -> str:
    return "x" * size


bound: Counter[str] = Counter()
"""How many pages each run has bound and not unbound."""


@press.activity
async def press_page(number: int, size: int) -> str:
    bound[activity.info().workflow_id or ""] += 1
    return "x" * size


@press.activity
async def unbind(page: str) -> None:
    bound[activity.info().workflow_id or ""] -= 1


@workflow.defn
class WideLeaf:
    @workflow.run
    async def run(self, number: int) -> int:
        return number


@workflow.defn
class WideSink:
    """Counts signals until it has as many as it was told."""

    def __init__(self) -> None:
        self.heard = 0

    @workflow.run
    async def run(self, count: int) -> int:
        await workflow.wait_condition(lambda: self.heard >= count)
        return self.heard

    @workflow.signal
    def hear(self, filling: str) -> None:
        self.heard += 1


@workflow.defn
class Wide:
    @workflow.run
    async def run(self, what: str, count: int, size: int) -> int:
        match what:
            case "activities":
                calls: list[Any] = [workflow.execute_activity(press_leaf, args=[n, "x" * size]) for n in range(count)]
            case "local activities":
                calls = [workflow.execute_local_activity(press_leaf, args=[n, "x" * size]) for n in range(count)]
            case "results":
                calls = [workflow.execute_activity(press_block, size) for _ in range(count)]
            case "a block, then leaves":
                block = await workflow.execute_activity(press_block, size)
                leaves = [workflow.execute_activity(press_leaf, n) for n in range(count)]
                return len(block) + sum(await asyncio.gather(*leaves))
            case "a small one, then results":
                await workflow.execute_activity(press_block, 1)
                calls = [workflow.execute_activity(press_block, size) for _ in range(count)]
            case "local results in turn":
                for _ in range(count):
                    await workflow.execute_local_activity(press_block, size)
                return count
            case "local results":
                calls = [workflow.execute_local_activity(press_block, size) for _ in range(count)]
            case "children":
                calls = [
                    workflow.execute_child_workflow(WideLeaf.run, n, id=f"{workflow.info().workflow_id}/{n}")
                    for n in range(count)
                ]
            case "signals":
                sink = workflow.get_external_workflow_handle(f"{workflow.info().workflow_id}-sink")
                calls = [sink.signal("hear", "x" * size) for _ in range(count)]
            case _:
                raise ValueError(what)
        results = await asyncio.gather(*calls)
        if "results" in what:
            return sum(map(len, results))
        return sum(result or 0 for result in results)


@workflow.defn
class Bound:
    """Binds pages in a saga, with much beside them."""

    @workflow.run
    async def run(self, what: str, count: int, size: int) -> None:
        async with Saga() as saga:
            pages = [saga.step(call(press_page, n, size // 100, undo=unbind)) for n in range(3)]
            await asyncio.gather(*pages)
            if what == "results":
                await asyncio.gather(*(workflow.execute_activity(press_block, size) for _ in range(count)))
            else:
                await asyncio.gather(*(workflow.execute_activity(press_leaf, n) for n in range(count)))


@workflow.defn
class WideResult:
    @workflow.run
    async def run(self, size: int) -> str:
        return "x" * size
