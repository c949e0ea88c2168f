"""What the boxes of a drawn run say, and in which colours and signs."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Final

from segue.client._order import Group, Order
from segue.client.records import OPEN, Run, State, Status, Step
from segue.client.wording import KINDS, SYMBOLS, TIMES, called, duration, notes, one_line, state

__all__ = ["COLOURS", "Label", "beginnings", "closing", "dashed", "endings", "label"]

COLOURS: Final[dict[State, str]] = {
    "completed": "#009E73",
    "running": "#0072B2",
    "scheduled": "#56B4E9",
    "waiting": "#56B4E9",
    "backing_off": "#E69F00",
    "paused": "#CC79A7",
    "parked": "#D55E00",
    "cancel_requested": "#CC79A7",
    "failed": "#D55E00",
    "timed_out": "#D55E00",
    "terminated": "#D55E00",
    "cancelled": "#8A8F98",
    "abandoned": "#8A8F98",
    "pending": "#B6BCC4",
    "skipped": "#B6BCC4",
    "upstream_failed": "#E8A07A",
}
"""Okabe and Ito's palette, which the colour-blind can tell apart, and a grey."""

_CLOSING: Final[dict[Status, State]] = {
    "completed": "completed",
    "continued_as_new": "completed",
    "failed": "failed",
    "timed_out": "timed_out",
    "terminated": "terminated",
    "cancelled": "cancelled",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Label:
    """The words of a box.

    Attributes:
        name: Name of its steps, with their number if it stands for several.
        said: What kind they are, what tells them apart, how often they were tried.
        lasted: How long they took.
        note: What they wait for, or why they failed.
        step: The step that most needs to be looked at.
        several: Whether it stands for several.
    """

    name: str
    said: str
    lasted: str
    note: str
    step: Step
    several: bool


def label(group: Group) -> Label:
    """Return the words for a group."""
    step, several = group.telling, len(group.steps) > 1
    said = [KINDS[step.kind]]
    fan_out = group.fan_out
    if fan_out is not None:
        retries = sum(max(member.attempts - 1, 0) for member in group.steps)
        said = ["fan-out", str(fan_out), f"{SYMBOLS['backing_off'][0]} {retries}" if retries else ""]
    elif several:
        counts = group.counts
        if list(counts) != ["completed"]:
            said.append(", ".join(f"{count} {state(which)}" for which, count in counts.items()))
        retries = sum(max(member.attempts - 1, 0) for member in group.steps)
        said.append(f"{SYMBOLS['backing_off'][0]} {retries}" if retries else "")
    else:
        if step.kind == "timer" and step.name == "timer" and step.fire_time is not None:
            said = [duration(step.fire_time - step.scheduled_time)]
        if step.kind in ("external_signal", "external_cancel"):
            said = [f"{KINDS[step.kind]} {step.workflow_id}"]
        said.append(step.summary if step.summary is not None and step.summary != step.name else "")
        if step.attempts > 1:
            of = f"/{step.maximum_attempts}" if step.maximum_attempts and step.state != "completed" else ""
            said.append(f"{SYMBOLS['backing_off'][0]} {step.attempts}{of}")
    name = one_line(called(group.steps[0]), 200) + (f" {TIMES} {len(group.steps)}" if several else "")
    noted = notes(step)
    if fan_out is not None:
        name = f"{one_line(fan_out.name, 200)} {TIMES} {fan_out.total}"
        noted = [*fan_out.failures, *(noted if step.is_open else ())]
    return Label(
        name=name,
        said=" · ".join(one_line(part, 200) for part in said if part),
        lasted=duration(group.duration) if group.duration > timedelta() else "",
        note=one_line("; ".join(noted), 400),
        step=step,
        several=several,
    )


def closing(run: Run) -> State | None:
    """Return the state that a closed run's end is shown in, None for an open run."""
    return _CLOSING.get(run.status)


def dashed(which: State) -> bool:
    """Return whether a state's outline is dashed: it is open, and nothing is being done at the moment."""
    return which in OPEN and which != "running"


def beginnings(found: Order) -> list[int]:
    """Return the groups that the run began with. Signals and updates come from outside."""
    led_to = {v for _, v in found.edges}
    return [i for i, g in enumerate(found.groups) if i not in led_to and g.kind not in ("signal", "update")]


def endings(found: Order) -> list[int]:
    """Return the groups of the run itself that led to nothing more; what handlers did may have no consequence."""
    leading = {u for u, _ in found.edges}
    outside = ("signal", "update")
    own = [i for i, g in enumerate(found.groups) if g.kind not in outside and g.steps[0].parent_event_id is None]
    return [i for i in own if i not in leading]
