"""When a step starts, given how the steps before it ended: Apache Airflow's trigger rules, made independent of timing.

A step that was skipped has not failed, and a step that did not start because another failed counts as failed. Where
Airflow lets the first event decide, a failure outweighs a skip here, so that a graph ends in the same states however
its steps interleave (Airflow's documentation, "Trigger Rules").
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Final

__all__ = [
    "Rule",
    "ALL_SUCCEEDED",
    "ALL_DONE",
    "ALL_FAILED",
    "ONE_SUCCEEDED",
    "ONE_FAILED",
    "NONE_FAILED",
    "NONE_FAILED_MIN_ONE_SUCCEEDED",
    "ALWAYS",
    "Upstream",
    "Verdict",
    "assured",
    "decide",
]


class Rule(enum.StrEnum):
    """What must have become of the steps before a step. What does not let it run skips it, or fails it unrun."""

    ALL_SUCCEEDED = "all_succeeded"
    """All completed. One failed: the step fails unrun, at once. One skipped: the step is skipped."""
    ALL_DONE = "all_done"
    """All ended, however they did."""
    ALL_FAILED = "all_failed"
    """All failed. One completed or skipped: the step is skipped, at once."""
    ONE_SUCCEEDED = "one_succeeded"
    """One completed; the step does not wait for the others. All skipped: it is skipped; otherwise it fails unrun."""
    ONE_FAILED = "one_failed"
    """One failed; the step does not wait for the others. None failed: it is skipped."""
    NONE_FAILED = "none_failed"
    """All completed or were skipped. One failed: the step fails unrun, at once."""
    NONE_FAILED_MIN_ONE_SUCCEEDED = "none_failed_min_one_succeeded"
    """As NONE_FAILED, and one completed. All skipped: the step is skipped."""
    ALWAYS = "always"
    """Nothing: the step starts at once, and its edges are only drawn."""


ALL_SUCCEEDED: Final = Rule.ALL_SUCCEEDED
ALL_DONE: Final = Rule.ALL_DONE
ALL_FAILED: Final = Rule.ALL_FAILED
ONE_SUCCEEDED: Final = Rule.ONE_SUCCEEDED
ONE_FAILED: Final = Rule.ONE_FAILED
NONE_FAILED: Final = Rule.NONE_FAILED
NONE_FAILED_MIN_ONE_SUCCEEDED: Final = Rule.NONE_FAILED_MIN_ONE_SUCCEEDED
ALWAYS: Final = Rule.ALWAYS


class Verdict(enum.Enum):
    """What a rule says of a step."""

    WAIT = enum.auto()
    RUN = enum.auto()
    SKIP = enum.auto()
    FAIL = enum.auto()


@dataclasses.dataclass(slots=True)
class Upstream:
    """How many steps stand before a step, and how many of them ended how."""

    total: int
    completed: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def done(self) -> bool:
        """Whether all of them ended."""
        return self.completed + self.failed + self.skipped == self.total


def decide(rule: Rule, upstream: Upstream) -> Verdict:
    """Return what a rule says, given what ended so far. Once it says anything but WAIT, it keeps to it."""
    match rule:
        case Rule.ALWAYS:
            return Verdict.RUN
        case Rule.ALL_DONE:
            return Verdict.RUN if upstream.done else Verdict.WAIT
        case Rule.ALL_SUCCEEDED | Rule.NONE_FAILED | Rule.NONE_FAILED_MIN_ONE_SUCCEEDED:
            if upstream.failed:
                return Verdict.FAIL
            if not upstream.done:
                return Verdict.WAIT
            if rule is Rule.ALL_SUCCEEDED:
                return Verdict.SKIP if upstream.skipped else Verdict.RUN
            return Verdict.RUN if upstream.completed or rule is Rule.NONE_FAILED else Verdict.SKIP
        case Rule.ALL_FAILED:
            if upstream.completed or upstream.skipped:
                return Verdict.SKIP
            return Verdict.RUN if upstream.done else Verdict.WAIT
        case Rule.ONE_SUCCEEDED:
            if upstream.completed:
                return Verdict.RUN
            if not upstream.done:
                return Verdict.WAIT
            return Verdict.FAIL if upstream.failed else Verdict.SKIP
        case Rule.ONE_FAILED:
            if upstream.failed:
                return Verdict.RUN
            return Verdict.SKIP if upstream.done else Verdict.WAIT


def assured(rule: Rule, upstreams: int) -> bool:
    """Return whether every step before one that runs by this rule has a result."""
    if upstreams == 1:
        return rule in (Rule.ALL_SUCCEEDED, Rule.ONE_SUCCEEDED, Rule.NONE_FAILED_MIN_ONE_SUCCEEDED)
    return rule is Rule.ALL_SUCCEEDED
