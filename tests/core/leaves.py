"""Dataclasses whose annotations are texts, in a module that the sandbox imports anew, for it holds a workflow too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from segue.activities import Policy, System

herbarium = System("core-leaves", policy=Policy(start_to_close_timeout=timedelta(seconds=10), maximum_attempts=1))


@dataclass
class Leaf:
    picked: date


@dataclass
class Twig:
    leaves: list[Leaf]
    note: str | date = ""  # What is ambiguous is tried on the receiver, not told by its class.


@dataclass
class Sprig:
    leaves: list[Leaf]
    note: str | date = ""


@herbarium.activity
async def press_twig(twig: Twig) -> list[bool]:
    """Return which leaves are of the process's own class."""
    return [type(leaf) is Leaf for leaf in twig.leaves]


@herbarium.activity
async def press_sprig(sprig: Sprig) -> list[bool]:
    """Return which leaves are of the process's own class."""
    return [type(leaf) is Leaf for leaf in sprig.leaves]


@workflow.defn
class Gather:
    """Sends a sprig to be pressed, from a module of the same name as the activity's."""

    @workflow.run
    async def run(self) -> list[bool]:
        sprig = {"leaves": [{"picked": "2026-05-01"}], "note": "in May"}
        pressed: list[bool] = await workflow.execute_activity("press_sprig", sprig)
        return pressed
