"""How the records of a run are said: durations, times, states, and text that is safe to show on one line."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from segue.workflows.approvals.decision import UPDATE as DECIDE
from segue.workflows.flow_control import TIMERS
from segue.workflows.pausing.pause import PAUSE, RESUME
from segue.workflows.repair.records import UPDATE as REPAIR

if TYPE_CHECKING:
    from segue.client.records import Kind, State, Status, Step

__all__ = [
    "KINDS",
    "SYMBOLS",
    "TIMES",
    "called",
    "cells",
    "duration",
    "is_shown",
    "notes",
    "one_line",
    "state",
    "time",
    "title",
]

SYMBOLS: Final[dict[State, tuple[str, str]]] = {
    "scheduled": ("○", "o"),
    "running": ("▶", ">"),
    "backing_off": ("↻", "~"),
    "waiting": ("◷", "."),
    "paused": ("‖", "="),
    "parked": ("▌", "!"),
    "cancel_requested": ("◌", "c"),
    "completed": ("✓", "+"),
    "failed": ("✗", "x"),
    "timed_out": ("✗", "x"),
    "cancelled": ("⊘", "/"),
    "terminated": ("⊘", "/"),
    "abandoned": ("⊘", "/"),
    "pending": ("┄", "-"),
    "skipped": ("↷", "s"),
    "upstream_failed": ("⊗", "u"),
}
"""A sign for each state, told apart without its colour; the second is its ASCII form."""

KINDS: Final[dict[Kind, str]] = {
    "activity": "",
    "local_activity": "local",
    "child_workflow": "child",
    "timer": "timer",
    "wait": "",
    "signal": "signal",
    "update": "update",
    "external_signal": "signal to",
    "external_cancel": "to",
    "nexus_operation": "nexus",
    "branch": "branch",
}
"""A word for each kind of step, where it is not plain from its name."""

TIMES: Final = "\N{MULTIPLICATION SIGN}"
"""Between a name and how often it occurs."""

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def duration(value: timedelta) -> str:
    """Return a duration as a person says it, in at most two units: `120 ms`, `1.2 s`, `4 min 10 s`, `3 d 4 h`."""
    seconds = max(value.total_seconds(), 0.0)
    if round(seconds, 3) < 1:
        return f"{round(seconds * 1000)} ms"
    if round(seconds, 1) < 10:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    # The smaller of the two units is rounded first, so that 59.9 s is "1 min" and never "60 s".
    grain = 1 if seconds < 3_600 else 60 if seconds < 86_400 else 3_600
    rest = round(seconds / grain) * grain
    parts: list[str] = []
    for unit, size in _UNITS:
        if (count := rest // size) and len(parts) < 2:
            parts.append(f"{count} {unit}")
            rest -= count * size
        elif parts:
            break
    return " ".join(parts)


def time(value: datetime) -> str:
    """Return a time to the second, in UTC: `2026-11-23 18:00:00 UTC`."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def one_line(text: str, limit: int | None = None) -> str:
    """Return text on one line, without control characters, cut to a number of characters.

    What a failure says comes from anywhere, and a terminal or a browser obeys some of it: escape sequences, newlines,
    marks that turn the direction of writing.
    """
    # Enough for any screen; a failure's message may hold megabytes.
    head = text[: 4 * limit + 200] if limit is not None else text
    # A separator is replaced by a space first, so that words on two lines stay two words.
    spaced = "".join(" " if char.isspace() else char for char in head)
    clean = "".join(char for char in spaced if unicodedata.category(char) not in _UNPRINTABLE)
    line = " ".join(clean.split())
    return line if limit is None or len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def state(value: State | Status) -> str:
    """Return a state or status in words: `backing off`."""
    return value.replace("_", " ")


# Segue's own signals and updates are named for machines.
_PLAIN: Final = {
    PAUSE: "pause",
    RESUME: "resume",
    REPAIR: "repair",
    DECIDE: "decision",
}
_OUTSIDE: Final = frozenset({"signal", "update", "external_signal"})

# Of a step that was repaired again and again, the last times.
_REPAIRS: Final = 3


def is_shown(step: Step) -> bool:
    """Return whether a step is the workflow's: for the timers of flow control no code of its waits."""
    return step.kind != "timer" or step.name not in TIMERS


def called(step: Step) -> str:
    """Return the name of a step as a person would say it."""
    return _PLAIN.get(step.name, step.name) if step.kind in _OUTSIDE else step.name


def notes(step: Step) -> list[str]:
    """Return what an open step waits for, or why a closed one failed, and what was done about it, a line each."""
    repairs = [*map(str, step.repairs[-_REPAIRS:])]
    if (left := len(step.repairs) - len(repairs)) > 0:
        repairs.insert(0, f"repaired {left} time{'s' if left != 1 else ''} before")
    if step.is_open:
        return [*([step.waiting_for] if step.waiting_for else []), *repairs]
    if step.error is None:
        return [*([step.outcome] if step.outcome else []), *repairs]
    return [*repairs, f"it had failed: {step.error}"] if step.state == "completed" else [str(step.error), *repairs]


def title(step: Step) -> str:
    """Return what a person would call a step: `charge • order-17`."""
    name = called(step)
    if step.kind == "timer" and step.summary is None and step.fire_time is not None:
        return f"{name} • {duration(step.fire_time - step.scheduled_time)}"
    if step.summary is None or step.summary == step.name:
        return name
    return f"{name} • {step.summary}"


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
