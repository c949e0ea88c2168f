"""Follow a run until it ends: redrawn in place on a terminal, a line a change in a pipe, an object a change as JSON."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO

import click

from segue.workers.cli import output
from segue.workers.cli.connection import Connection
from segue.workers.cli.executions import ended
from segue.workers.cli.exits import Exit

if TYPE_CHECKING:
    from temporalio.client import WorkflowHandle

    from segue.client.records import Run, State, Step

# The server is asked again soon while things happen, and less often the longer nothing has.
_SHORTEST_SECONDS: Final = 0.3
_LONGEST_SECONDS: Final = 2.0
# Of the time between two questions, the part that answering one may take.
_SHARE: Final = 0.25


class View(Protocol):
    """Where a run is shown while it is followed."""

    def show(self, run: Run) -> None:
        """Show a run as it is now."""

    def end(self, run: Run) -> None:
        """Show a run that has ended."""

    def leave(self) -> None:
        """Stop showing, whether or not the run has ended."""


async def watch(handle: WorkflowHandle[Any, Any], connection: Connection, *, as_json: bool, to_stderr: bool) -> int:
    """Follow a run until it ends, and return the exit code that it calls for.

    Ctrl-C leaves it running, and says so.
    """
    view = _view(sys.stderr if to_stderr else sys.stdout, connection.options, as_json=as_json)
    try:
        with connection.explained(handle.id, handle.run_id):
            async for run in _runs(handle):
                if not run.is_open and not _continues(run, handle):
                    view.end(run)
                    return Exit.OK if run.status in ("completed", "continued_as_new") else Exit.FAILED
                view.show(run)
    except asyncio.CancelledError:
        view.leave()
        return left_running(handle.id, f"segue status {handle.id} --watch")
    finally:
        view.leave()
    return Exit.FAILED


def left_running(workflow_id: str, command: str) -> int:
    """Say that a run goes on which is waited for no longer, and by which command it is waited for again."""
    click.echo(f"{workflow_id} goes on running: {command}", err=True)
    # Ctrl-C, for nothing else cancels a command. All is said, so it ends here and not as an interruption.
    return Exit.INTERRUPTED


def _continues(run: Run, handle: WorkflowHandle[Any, Any]) -> bool:
    # Its next run is there by the next look, unless one run alone was asked for.
    return run.status == "continued_as_new" and handle.run_id is None


async def _runs(handle: WorkflowHandle[Any, Any]) -> AsyncIterator[Run]:
    """Yield a run again and again: soon after a change, seldom when it rests, and with a large history less often."""
    from segue.client.inspect import run

    changed = time.monotonic()
    last: object = None
    while True:
        asked = time.monotonic()
        found = await run(handle)
        took = time.monotonic() - asked
        mark = [(step.id, step.state, step.attempts, len(step.repairs)) for step in found.steps]
        if mark != last:
            last, changed = mark, time.monotonic()
        yield found
        quiet = (time.monotonic() - changed) / 10
        await asyncio.sleep(max(min(max(quiet, _SHORTEST_SECONDS), _LONGEST_SECONDS), took / _SHARE))


def _view(stream: TextIO, options: str, *, as_json: bool) -> View:
    if as_json:
        return Objects(stream)
    return Screen(stream, options=options) if stream.isatty() else Lines(stream)


class Objects:
    """A JSON object a line: each step when it is new or has changed, at last the run."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._changes = Changes()

    def show(self, run: Run) -> None:
        """See `View`."""
        for step in self._changes.of(run):
            self._print({"step": step})

    def end(self, run: Run) -> None:
        """See `View`."""
        self.show(run)
        self._print({"run": run})

    def leave(self) -> None:
        """See `View`."""

    def _print(self, value: Any) -> None:
        click.echo(output.as_json(value), file=self._stream)


class Lines:
    """A line for each step that is new or has changed, and a last one for the run."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._changes = Changes()
        self._problems: tuple[str, ...] = ()

    def show(self, run: Run) -> None:
        """See `View`."""
        from segue.client import wording

        for step in self._changes.of(run):
            sign, _ = wording.SYMBOLS[step.state]
            self._print(f"{sign} {wording.title(step)}  {_said(step)}")
        if run.problems != self._problems:
            for problem in run.problems:
                self._print(f"! {problem}")
            self._problems = run.problems

    def end(self, run: Run) -> None:
        """See `View`."""
        from segue.client import wording
        from segue.workers.cli.run import because

        self.show(run)
        told = f": {run.result}" if run.result is not None else because(run)
        self._print(f"{run.workflow_id} {ended(run.status)} in {wording.duration(run.duration)}{told}")

    def leave(self) -> None:
        """See `View`."""

    def _print(self, text: str) -> None:
        from segue.client import wording

        # Written at once: whoever reads the pipe wants to know now. Of what a server says, a terminal may obey some.
        click.echo(f"{datetime.now().astimezone():%H:%M:%S}  {wording.one_line(text)}", file=self._stream)


class Screen:
    """The table of the run's steps, redrawn in place."""

    def __init__(
        self, stream: TextIO, size: Callable[[], tuple[int, int]] = output.terminal_size, options: str = ""
    ) -> None:
        self._stream = stream
        self._options = options
        self._size = size
        self._height = 0
        self._shown = False

    def show(self, run: Run) -> None:
        """See `View`."""
        columns, rows = self._size()
        # A frame taller than the screen cannot be drawn over: its top is out of reach. The cursor needs a line too.
        room = rows - 1
        most = len(run.steps) + len(run.pending)
        lines = self._lines(run, columns)
        while len(lines) > room and most > 1:
            most -= max((len(lines) - room) // 2, 1)
            lines = self._lines(run, columns, most)
        self._draw(lines[:room])

    def end(self, run: Run) -> None:
        """See `View`."""
        self._draw(self._lines(run, self._size()[0]))
        self._height = 0

    def _lines(self, run: Run, columns: int, most: int | None = None) -> list[str]:
        from segue.client.table import render

        text = render(
            run,
            columns,
            output.coloured(),
            encoding=self._stream.encoding,
            most=most,
            options=self._options,
            redrawn=True,
        )
        return text.split("\n")

    def leave(self) -> None:
        """See `View`."""
        if self._shown:
            # Below the table there may be the ^C that a terminal shows of the key.
            self._stream.write("\r\x1b[K\x1b[?25h")
            self._stream.flush()
            self._shown = False

    def _draw(self, lines: list[str]) -> None:
        """Write a frame over the last one, in one piece: nothing is erased before what replaces it is there."""
        up = f"\x1b[{self._height}A" if self._height else ""
        body = "".join(f"{line}\x1b[K\n" for line in lines)
        # Hidden cursor, and a synchronized update for the terminals that know it; then what is left of a taller frame.
        self._stream.write(f"\x1b[?25l\x1b[?2026h{up}\r{body}\x1b[J\x1b[?2026l")
        self._stream.flush()
        self._height = len(lines)
        self._shown = True


class Changes:
    """Which steps of a run are new or have changed since it was last looked at."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], tuple[State, int, int]] = {}
        self._run_id = ""

    def of(self, run: Run) -> list[Step]:
        """Return those steps."""
        if run.run_id != self._run_id:
            self._seen.clear()
            self._run_id = run.run_id
        from segue.client.wording import is_shown

        found: list[Step] = []
        for step in filter(is_shown, run.steps):
            # A wait has no event of its own, and moves as history grows.
            key = (step.id, 0 if step.kind == "wait" else step.scheduled_event_id)
            mark = (step.state, step.attempts, len(step.repairs))
            if self._seen.get(key) != mark:
                self._seen[key] = mark
                found.append(step)
        return found


def _said(step: Step) -> str:
    from segue.client import wording

    text, notes = wording.state(step.state), "; ".join(wording.notes(step))
    if not step.is_open:
        text += f" in {wording.duration(step.duration)}"
        if step.attempts > 1:
            text += f", {step.attempts} attempts"
    return f"{text}: {notes}" if notes else text
