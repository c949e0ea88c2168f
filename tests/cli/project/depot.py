"""Workflows with graphs, for the tests of `segue graph` and `segue status`."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pydantic import BaseModel
from temporalio import workflow

from segue.activities import System
from segue.workflows import Graph


class Load(BaseModel):
    gate: str
    parcels: list[str] = []


depot = System("cli-test-depot")


@depot.activity
async def open_gate(load: Load) -> list[str]:
    """Wait for a file that opens the gate."""
    while not Path(load.gate).exists():
        await asyncio.sleep(0.05)
    return load.parcels


@depot.activity
async def stow(parcels: list[str]) -> int:
    return len(parcels)


@depot.activity
async def depart(stowed: int) -> str:
    return f"left with {stowed}"


@depot.activity
async def close_gate() -> None:
    return None


@workflow.defn
class Loading:
    @workflow.run
    async def run(self, load: Load) -> str:
        graph = Graph()
        opened = graph.step(open_gate, load)
        stowed = graph.step(stow, opened)
        left = graph.step(depart, stowed)
        graph.step(close_gate, teardown_of=opened)
        return (await graph.run())[left]


@workflow.defn
class Counted:
    """What its graph is made of is known only in a run."""

    @workflow.run
    async def run(self, parcels: list[str]) -> None:
        count = await workflow.execute_activity(stow, parcels)
        graph = Graph()
        for number in range(count):
            graph.step(depart, number)
        await graph.run()


@workflow.defn
class Crossed:
    @workflow.run
    async def run(self) -> None:
        graph = Graph()
        left = graph.step(depart, 1)
        again = graph.step(stow, left)
        left.after(again)
        await graph.run()
