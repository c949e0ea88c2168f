"""The fan-outs of a run, for whoever looks: a line for each, and a query that tells the numbers.

fan_out parse: 61,200 of 100,000 done, 3 failed
"""

from __future__ import annotations

import dataclasses
from typing import Final

from segue.workflows.queried import of_this_run, shared

__all__ = ["QUERY", "Progress", "lines", "show"]

QUERY: Final = "segue_fan_out"
"""The query that returns the fan-outs of a run, each as a `Progress`, in the order of their start."""


@dataclasses.dataclass
class Progress:
    """How far a fan-out has come.

    Attributes:
        name: What it is called in its run: the activity's name, with -2 for a second of the name.
        total: How many items there are.
        done: How many have completed.
        failed: How many have failed.
    """

    name: str
    total: int
    done: int = 0
    failed: int = 0

    def __str__(self) -> str:
        failed = f", {self.failed:,} failed" if self.failed else ""
        return f"fan_out {self.name}: {self.done:,} of {self.total:,} done{failed}"

    @property
    def is_open(self) -> bool:
        """Whether items are still to come."""
        return self.done + self.failed < self.total


class Shown:
    """The fan-outs of one run. It is the query's handler, and found through it."""

    def __init__(self) -> None:
        self.fan_outs: list[Progress] = []

    def add(self, name: str, total: int) -> Progress:
        """Show a fan-out from now on; it is given a name of its own."""
        taken = {one.name for one in self.fan_outs}
        candidate, count = name, 1
        while candidate in taken:
            count += 1
            candidate = f"{name}-{count}"
        progress = Progress(candidate, total)
        self.fan_outs.append(progress)
        return progress

    def query(self) -> list[Progress]:
        """Return every fan-out of the run."""
        return self.fan_outs


def show(name: str, total: int) -> Progress:
    """Show a fan-out in the queries of this run."""
    return shared(QUERY, Shown).add(name, total)


def lines() -> list[str]:
    """Return a line for each fan-out of this run, finished or not."""
    shown = of_this_run(QUERY, Shown)
    return [str(progress) for progress in shown.fan_outs] if shown is not None else []
