"""The workflows and activities of the pause tests: shifts whose steps leave a line each in a ledger."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from segue.activities import Capacity, Policy, System

QUICK = Policy(maximum_attempts=3, initial_interval=timedelta(milliseconds=50))
loom = System("pause-test-loom", policy=QUICK)
forge = System("pause-test-forge", policy=QUICK, capacity=Capacity(concurrent=8))

# What was done, by workflow, and the workflows whose slow steps may end; in a worker of its own, files.
done: defaultdict[str, list[str]] = defaultdict(list)
released: set[str] = set()
LEDGER = os.environ.get("PAUSE_TEST_LEDGER")


def _did(what: str) -> str:
    if LEDGER is None:
        done[activity.info().workflow_id or ""].append(what)
    else:
        with open(LEDGER, "a") as ledger:
            ledger.write(f"{what}\n")
    return what


def _is_released() -> bool:
    return os.path.exists(f"{LEDGER}.released") if LEDGER is not None else activity.info().workflow_id in released


@loom.activity
async def weave(what: str) -> str:
    return _did(what)


@loom.activity
async def weave_slowly(what: str) -> str:
    """End once the workflow is released, counting once."""
    _did(f"begun {what}")
    while not _is_released():
        activity.heartbeat()
        await asyncio.sleep(0.02)
    return _did(what)


@forge.activity
async def hammer(what: str) -> str:
    return _did(what)


@workflow.defn
class Shift:
    """A slow step, then as many steps of each kind as it is told, all at once, and an update meanwhile."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    @workflow.run
    async def run(self, count: int) -> list[str]:
        results = [await workflow.execute_activity(weave_slowly, "first")]
        await workflow.sleep(0.01)
        calls = [workflow.execute_activity(weave, f"weave {n}") for n in range(count)]
        local = [workflow.execute_local_activity(weave, f"local {n}") for n in range(count)]
        forged = [workflow.execute_activity(hammer, f"forge {n}") for n in range(count)]
        results += await asyncio.gather(*calls, *local, *forged)
        return [*results, *self.notes]

    @workflow.update
    def note(self, text: str) -> int:
        self.notes.append(text)
        return len(self.notes)


@dataclass
class Plan:
    """What a Foreman does: its children, and whether they go on after their first step."""

    children: int = 2
    later: int = 0


@workflow.defn
class Apprentice:
    """A slow step and a quick one."""

    @workflow.run
    async def run(self, name: str) -> str:
        await workflow.execute_activity(weave_slowly, f"first of {name}")
        return await workflow.execute_activity(weave, f"second of {name}")


@workflow.defn
class Foreman:
    """Children at once, and later ones after a signal."""

    def __init__(self) -> None:
        self.more = False

    @workflow.run
    async def run(self, plan: Plan) -> list[str]:
        own = workflow.info().workflow_id
        first = [
            workflow.execute_child_workflow(Apprentice.run, f"child {n}", id=f"{own}-{n}") for n in range(plan.children)
        ]
        running = asyncio.gather(*first)
        await workflow.wait_condition(lambda: self.more or not plan.later)
        later = [
            await workflow.execute_child_workflow(Apprentice.run, f"later {n}", id=f"{own}-later-{n}")
            for n in range(plan.later)
        ]
        return [*await running, *later]

    @workflow.signal
    def go_on(self) -> None:
        self.more = True


@workflow.defn
class Watch:
    """A run that continues as new when it is told to, with a step in each."""

    def __init__(self) -> None:
        self.over = False

    @workflow.run
    async def run(self, number: int) -> str:
        await workflow.execute_activity(weave, f"watch {number}")
        if number == 1:
            await workflow.wait_condition(lambda: self.over)
            workflow.continue_as_new(2)
        return "relieved"

    @workflow.signal
    def relieve(self) -> None:
        self.over = True


@workflow.defn
class PlainShift:
    """Two steps with their timeouts, as plain Temporal code has them."""

    @workflow.run
    async def run(self) -> str:
        limit = timedelta(seconds=30)
        await workflow.execute_activity(weave_slowly, "first", start_to_close_timeout=limit, heartbeat_timeout=limit)
        return await workflow.execute_activity(weave, "second", start_to_close_timeout=limit)


WORKFLOWS: list[type] = [Shift, Apprentice, Foreman, Watch]
ACTIVITIES = [weave, weave_slowly, hammer]
