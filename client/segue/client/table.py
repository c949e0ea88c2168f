"""A run as text for a terminal: its state, what it waits for, and a row for each step, aligned to the last column.

    print(render(await segue.client.run(handle), width=80, colour=False))

Fan-outs and loops are one row with their counts, and beneath it what is not done or failed. The steps of a graph that
are still to come stand last, with what they wait for. Where the encoding lacks
the signs, everything is said in ASCII.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

import click

from segue.client._labels import closing
from segue.client._order import Group, groups
from segue.client.records import FanOut, PendingStep, Run, State, Step
from segue.client.wording import KINDS, SYMBOLS, TIMES, called, cells, duration, notes, one_line, state, time

__all__ = ["render"]

_COLOURS: Final[dict[State, str]] = {
    "completed": "green",
    "running": "bright_blue",
    "scheduled": "cyan",
    "waiting": "cyan",
    "backing_off": "yellow",
    "paused": "magenta",
    "parked": "red",
    "cancel_requested": "magenta",
    "failed": "red",
    "timed_out": "red",
    "terminated": "red",
    "cancelled": "bright_black",
    "abandoned": "bright_black",
    "pending": "bright_black",
    "skipped": "bright_black",
    "upstream_failed": "red",
}

# Done, or none of the reader's business: shown last when there is no room for all.
_QUIET: Final[frozenset[State]] = frozenset({"completed", "cancelled", "abandoned"})

_LEAST_WIDTH: Final = 40
_NOTE_LINES: Final = 3
_MEMBERS: Final = 3
_PENDING: Final = 20

_ASCII: Final = str.maketrans({"·": "-", "•": "-", "…": "~", TIMES: "x", "↳": ">", "↻": "~"})


def render(
    run: Run,
    width: int = 80,
    colour: bool = False,
    *,
    encoding: str | None = None,
    most: int | None = None,
    options: str = "",
    redrawn: bool = False,
) -> str:
    """Return a run as lines of text, without a newline at the end.

    Args:
        run: The run.
        width: Columns of the terminal; lines are cut or wrapped to it, but never below 40.
        colour: Whether to colour with ANSI sequences.
        encoding: What the text will be written in; by default that of standard output.
        most: Rows to show at most, for a screen that does not scroll: those that are not done first, then the latest.
        options: What comes behind each command, to reach the same server: `--address bank:7233`.
        redrawn: Whether the lines are drawn over, and so must fit: commands are wrapped too, which otherwise stand on a
            line of their own, whole, so that they can be copied.
    """
    written_in = encoding or sys.stdout.encoding or "utf-8"
    return _Table(run, max(width, _LEAST_WIDTH), colour, written_in, options, redrawn).text(most)


class _Table:
    def __init__(self, run: Run, width: int, colour: bool, encoding: str, options: str, redrawn: bool) -> None:
        self.options = options
        self.redrawn = redrawn
        self.run = run
        self.width = width
        self.colour = colour
        self.encoding = encoding
        self.plain = False
        try:
            (TIMES + "·•…↳" + "".join(sign for sign, _ in SYMBOLS.values())).encode(encoding)
        except (UnicodeEncodeError, LookupError):
            self.encoding, self.plain = "ascii", True

    def text(self, most: int | None) -> str:
        shown = groups(self.run.steps)
        whole, total, pending = shown, len(shown), list(self.run.pending)
        if most is not None and total + len(pending) > most:
            # What is to come takes no more than a third of the screen, unless the rest leaves room.
            shown = _chosen(shown, most - min(len(pending), max(most // 3, most - total)))
            pending = pending[: max(most - len(shown), 0)]
        lines = [*self._head(), ""]
        if not shown and not pending:
            lines.append(self._paint("no steps yet" if self.run.is_open else "no steps", dim=True))
        else:
            lines += self._rows(shown, pending[:_PENDING])
            if total > len(shown):
                done = all(group.telling.state in _QUIET for group in whole if group not in shown)
                lines.append(self._paint(f"and {total - len(shown)} rows more{', all done' if done else ''}", dim=True))
            if (left := len(self.run.pending) - len(pending[:_PENDING])) > 0:
                lines.append(self._paint(f"and {left} more to come", dim=True))
        return "\n".join(line.rstrip() for line in lines)

    # ---- the head

    def _head(self) -> Iterator[str]:
        run = self.run
        which: State = closing(run) or ("paused" if run.status == "paused" else "running")
        status = f"{self._sign(which)} {state(run.status)} · {duration(run.duration)}"
        room = self.width - cells(status) - 2
        name = self._fit(f"{run.type} · {run.workflow_id}", room)
        yield self._paint(self._pad(name, room), bold=True) + "  " + self._paint(status, which)
        told = [f"started {time(run.start_time)}", f"task queue {run.task_queue}", f"{run.history_length} events"]
        if run.summary is not None:
            told.insert(0, run.summary)
        yield from (self._paint(line, dim=True) for line in self._wrap(" · ".join(told), self.width))
        yield self._paint(self._fit(f"run {run.run_id}", self.width), dim=True)
        for problem in run.problems:
            yield from self._said("problem", problem, "failed")
        if run.cancel_requested and run.is_open:
            yield from self._said("cancel", "requested", "cancel_requested")
        if run.waiting_for is not None:
            until = run.waiting_for.startswith("until ")
            yield from self._said("waits" if until else "waits for", run.waiting_for, "waiting")
        if run.error is not None:
            yield from self._said("error", str(run.error), "failed")
        if run.result is not None:
            yield from self._said("result", run.result, None)

    def _said(self, key: str, text: str, which: State | None) -> Iterator[str]:
        for number, line in enumerate(self._wrap(text, self.width - 11)):
            yield self._paint(f"{key if not number else '':9}", dim=True) + "  " + self._paint(line, which)

    # ---- the rows

    def _rows(self, shown: Sequence[Group], pending: Sequence[PendingStep]) -> Iterator[str]:
        states = [self._state(group) for group in shown]
        attempts = [_attempts(group) for group in shown]
        lasted = [duration(group.duration) if group.telling.kind != "signal" else "" for group in shown]
        # On a narrow screen the sign alone must do for the state.
        state_width = max(map(len, [*states, *(["pending"] if pending else [])])) if self.width >= 60 else 0
        attempts_width = max(map(len, [*attempts, "tries"]))
        lasted_width = max(map(len, [*lasted, "time"]))
        indent = 2 + (state_width + 2 if state_width else 0)
        room = self.width - indent - attempts_width - lasted_width - 4

        def row(sign: str, said: str, name: str, tried: str, took: str) -> tuple[str, str, str]:
            left = f"{sign:1} " + (f"{said:{state_width}}  " if state_width else "")
            right = f"  {tried:>{attempts_width}}  {took:>{lasted_width}}"
            return left, self._pad(self._fit(name, room), room), right

        yield self._paint("".join(row("", "state", "step", "tries", "time")), dim=True)
        for group, said, tried, took in zip(shown, states, attempts, lasted, strict=True):
            which = group.telling.state
            left, middle, right = row(self._sign(which), said, self._name(group), tried, took)
            yield self._paint(left, which) + self._paint(middle) + self._paint(right, dim=True)
            yield from self._beneath(group, indent)
        for step in pending:
            kind = KINDS[step.kind]
            name = f"{step.name} · {kind}" if kind else step.name
            whole = f"{name} · {step.waiting_for}"
            beside = cells(whole) <= room
            left, middle, _ = row(self._sign("pending"), "pending", whole if beside else name, "", "")
            yield self._paint((left + middle).rstrip(), "pending")
            if not beside:
                yield from self._note(step.waiting_for, "pending", indent)

    def _state(self, group: Group) -> str:
        step = group.telling
        # What a cancelled timer bounded came in time: nothing went wrong.
        return "ended early" if step.kind == "timer" and step.state == "cancelled" else state(step.state)

    def _name(self, group: Group) -> str:
        step = group.steps[0]
        kind = KINDS[step.kind]
        inside = "↳ " if step.parent_event_id is not None else ""
        if (fan_out := self._fan_out(group)) is not None:
            return f"{inside}{fan_out.name} {TIMES} {fan_out.total} · fan-out"
        if len(group.steps) > 1:
            return f"{inside}{called(step)} {TIMES} {len(group.steps)}" + (f" · {kind}" if kind else "")
        told = [called(step)]
        if step.summary is not None and step.summary != step.name:
            told.append(step.summary)
        if step.kind == "timer" and step.name == "timer" and step.fire_time is not None:
            kind = duration(step.fire_time - step.scheduled_time)
        if step.kind in ("external_signal", "external_cancel"):
            kind = f"{kind} {step.workflow_id}"
        return inside + " • ".join(told) + (f" · {kind}" if kind else "")

    def _beneath(self, group: Group, indent: int) -> Iterator[str]:
        """Yield what a step waits for or why it failed; of many, how they stand, and those that need looking at."""
        if (fan_out := self._fan_out(group)) is not None:
            yield from self._fanned(fan_out, group, indent)
            return
        if len(group.steps) == 1:
            step = group.telling
            for number, text in enumerate(notes(step)):
                # What was mended is no longer what the row is about.
                yield from self._note(text, step.state if not number and step.state not in _QUIET else None, indent)
            yield from self._commands(step.commands, indent)
            return
        counts = group.counts
        if len(counts) > 1:
            told = ", ".join(f"{count} {state(which)}" for which, count in counts.items())
            yield from self._note(told, None, indent)
        yield from self._members([step for step in group.steps if step.state not in _QUIET], indent)

    def _fan_out(self, group: Group) -> FanOut | None:
        """Return the fan-out that a group stands for, with all that is known of it."""
        found = group.fan_out
        return next((one for one in self.run.fan_outs if found is not None and one.name == found.name), found)

    def _fanned(self, fan_out: FanOut, group: Group, indent: int) -> Iterator[str]:
        """Yield how far a fan-out is, which of its items failed, and what of it is open and needs looking at."""
        yield from self._note(str(fan_out), None, indent)
        for failure in fan_out.failures[:_MEMBERS]:
            yield from self._note(f"{self._sign('failed')} {failure}", "failed", indent)
        if fan_out.failed > (shown := len(fan_out.failures[:_MEMBERS])) > 0:
            yield from self._note(f"and {fan_out.failed - shown:,} more", None, indent)
        yield from self._members([step for step in group.steps if step.is_open], indent)

    def _members(self, looked_at: list[Step], indent: int) -> Iterator[str]:
        looked_at.sort(
            key=lambda step: step.state not in ("failed", "timed_out", "terminated", "parked", "backing_off", "paused")
        )
        for step in looked_at[:_MEMBERS]:
            which = step.summary if step.summary is not None and step.summary != step.name else step.id
            said = next(iter(notes(step)), state(step.state))
            yield from self._note(f"{self._sign(step.state)} {which}: {said}", step.state, indent)
            yield from self._commands(step.commands[:1], indent)
        if len(looked_at) > _MEMBERS:
            yield from self._note(f"and {len(looked_at) - _MEMBERS} more", None, indent)

    def _commands(self, commands: Sequence[str], indent: int) -> Iterator[str]:
        for command in commands:
            whole = f"{command} {self.options}".rstrip()
            whole = whole if whole.isprintable() else one_line(whole)
            lines = self._wrap(whole, self.width - indent) if self.redrawn else [whole]
            yield from (" " * indent + self._paint(line, bold=True) for line in lines)

    def _note(self, text: str, which: State | None, indent: int) -> Iterator[str]:
        for line in self._wrap(text, self.width - indent):
            yield " " * indent + (self._paint(line, which) if which is not None else self._paint(line, dim=True))

    # ---- text

    def _sign(self, which: State) -> str:
        return SYMBOLS[which][1 if self.plain else 0]

    def _paint(self, text: str, which: State | None = None, *, dim: bool = False, bold: bool = False) -> str:
        text = self._encodable(text)
        if not self.colour or not text.strip():
            return text
        return click.style(text, fg=_COLOURS[which] if which is not None else None, dim=dim or None, bold=bold or None)

    def _encodable(self, text: str) -> str:
        if self.plain:
            text = text.translate(_ASCII)
        return text.encode(self.encoding, "replace").decode(self.encoding)

    def _wrap(self, text: str, width: int) -> list[str]:
        lines = textwrap.wrap(one_line(text, width * (_NOTE_LINES + 1)), width)
        lines = [piece for line in lines for piece in self._narrow(line, width)]
        if len(lines) > _NOTE_LINES:
            lines = [*lines[: _NOTE_LINES - 1], self._fit(f"{lines[_NOTE_LINES - 1]} …", width)]
        return lines

    def _narrow(self, line: str, width: int) -> Iterator[str]:
        """Yield a line in pieces that fit: characters of double width are more than `textwrap` counts."""
        while cells(line) > width:
            at = len(self._cut(line, width))
            yield line[:at]
            line = line[at:]
        yield line

    def _fit(self, text: str, width: int) -> str:
        text = one_line(text, 4 * width)
        return text if cells(text) <= width else f"{self._cut(text, width - 1)}…"

    def _cut(self, text: str, width: int) -> str:
        taken = 0
        for number, char in enumerate(text):
            taken += cells(char)
            if taken > width:
                return text[:number]
        return text

    def _pad(self, text: str, width: int) -> str:
        return text + " " * (width - cells(text))


def _chosen(found: Sequence[Group], most: int) -> list[Group]:
    """Return as many groups as there is room for, in their order: those that are not done, then the latest."""
    ranked = sorted(range(len(found)), key=lambda i: (found[i].telling.state in _QUIET, -i))
    return [found[i] for i in sorted(ranked[: max(most, 1)])]


def _attempts(group: Group) -> str:
    if len(group.steps) > 1:
        extra = sum(max(step.attempts - 1, 0) for step in group.steps)
        return f"+{extra}" if extra else ""
    step = group.telling
    if step.attempts < 2 and ((step.state == "completed" and not step.repairs) or not step.attempts):
        return ""
    return f"{step.attempts}/{step.maximum_attempts}" if step.maximum_attempts else str(step.attempts)
