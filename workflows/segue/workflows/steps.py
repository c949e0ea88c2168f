"""The steps of a run as the workflow itself sees them, for the Web UI's "Current details".

Recorded by the interceptor, rendered only when somebody looks: the table is built when the server asks for the run's
metadata, so a run that nobody watches pays for two dictionary entries a step. `segue.client.steps` tells the same and
more from history, with no worker alive.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
from collections import Counter, deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from temporalio import workflow

from segue.activities.duration import format_duration
from segue.workflows.pausing.pause import Held

__all__ = ["StepLog"]

# Finished steps that are kept one by one. Of those before them only the count by name is, so that a long run's memory
# stays bounded.
_KEPT: Final = 100

# Held steps that are told one by one: the answer to a query has to fit into 4 MB.
_HELD: Final = 1000


@dataclasses.dataclass(slots=True)
class _Record:
    kind: str
    name: str
    summary: str | None
    id: str | None
    started: datetime
    closed: datetime | None = None
    state: str = "running"
    error: str | None = None
    parked: datetime | None = None


class StepLog:
    """Steps of one run: those that are open, the last that closed, and how many closed before those.

    Attributes:
        open_ids: Ids of the open activities that the server tells apart by them.
    """

    def __init__(self) -> None:
        self._open: dict[asyncio.Future[Any], _Record] = {}
        self._closed: deque[_Record] = deque()
        self._earlier: Counter[tuple[str, str]] = Counter()
        self.open_ids: set[str | None] = set()

    def started(
        self,
        handle: asyncio.Future[Any],
        kind: str,
        name: str,
        summary: str | None,
        id: str | None = None,
        *,
        held: bool = False,
    ) -> None:
        """Record a step that just started, or is held back until it may; its end is recorded by itself."""
        state = "held" if held else "running"
        self._open[handle] = _Record(kind, name, summary, id, workflow.now(), state=state)
        self.open_ids.add(id)
        handle.add_done_callback(self._ended)

    def sent(self, handle: asyncio.Future[Any], summary: str | None) -> None:
        """Record that a step has its turn that was held back, and what it is about."""
        record = self._open[handle]
        record.state, record.summary = "running", summary

    def held(self, is_paused: Callable[[str | None], bool]) -> tuple[Held, ...]:
        """Return the activities that are held back, the first of very many.

        Args:
            is_paused: Whether a pause holds an activity.
        """
        records = (record for record in self._open.values() if record.state == "held")
        return tuple(
            Held(
                id=record.id,
                name=record.name,
                kind="local_activity" if record.kind == "local_activity" else "activity",
                since=record.started,
                paused=is_paused(record.name),
            )
            for record in itertools.islice(records, _HELD)
        )

    def parked(self, handle: asyncio.Future[Any], why: str | None) -> None:
        """Record that an open step waits for an operator, and why; None if it does so no longer."""
        record = self._open[handle]
        record.state, record.error = ("running", None) if why is None else ("parked", why)
        record.parked = None if why is None else workflow.now()

    def state_of(self, id: str) -> str | None:
        """Return the state of the latest activity with an id, among those that are recorded one by one."""
        records = (*self._closed, *self._open.values())
        return next((record.state for record in reversed(records) if record.id == id), None)

    def _ended(self, handle: asyncio.Future[Any]) -> None:
        record = self._open.pop(handle)
        self.open_ids.discard(record.id)
        record.closed = workflow.now()
        if handle.cancelled():
            record.state = "cancelled"
        elif (error := handle.exception()) is None:
            record.state = "completed"
        else:
            # The activity's own error stands behind the ActivityError that wraps it.
            cause = error.__cause__ or error
            record.state = "failed"
            record.error = str(cause)
        self._closed.append(record)
        if len(self._closed) > _KEPT:
            earlier = self._closed.popleft()
            self._earlier[earlier.name, earlier.state] += 1

    def table(self, waits: list[str]) -> str:
        """Return the steps as a Markdown table, with what the workflow itself waits for."""
        lines = ["| | Step | Time | |", "|---|---|---|---|"]
        for (name, state), count in self._earlier.items():
            lines.append(f"| {_SYMBOLS[state]} | {_cell(name)} × {count} | | |")
        now = workflow.now()
        held = Counter(record.name for record in self._open.values() if record.state == "held")
        for record in sorted((*self._closed, *self._open.values()), key=lambda record: record.started):
            if record.state == "held":
                # Of each name one row, for there may be thousands.
                if count := held.pop(record.name, 0):
                    name = _cell(record.name) if count == 1 else f"{_cell(record.name)} × {count}"
                    lines.append(f"| {_SYMBOLS['held']} | {name} | | held back since {_time(record.started)} |")
                continue
            title = _cell(record.name if record.summary is None else f"{record.name} • {record.summary}")
            lasted = _elapsed((record.closed or now) - record.started)
            error = record.error or ""
            if record.parked is not None:
                # A time, not how long ago: this is told again only when something happens.
                error = f"parked since {_time(record.parked)}, {error}"
            lines.append(f"| {_SYMBOLS[record.state]} | {title} | {lasted} | {_cell(error)} |")
        lines.extend(f"| {_SYMBOLS['waiting']} | {_cell(wait)} | | |" for wait in waits)
        return "\n".join(lines) if len(lines) > 2 else "No steps yet."


_SYMBOLS: Final = {
    "running": "▶",
    "held": "‖",
    "parked": "▌",
    "completed": "✓",
    "failed": "✗",
    "cancelled": "⊘",
    "waiting": "⏳",
}


def _cell(text: str) -> str:
    line = " ".join(text.split()).replace("|", "\\|")
    return line if len(line) <= 120 else f"{line[:119]}…"


def _time(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S} UTC"


def _elapsed(duration: timedelta) -> str:
    if duration >= timedelta(minutes=1):
        duration = timedelta(seconds=round(duration.total_seconds()))
    return format_duration(timedelta(milliseconds=round(duration.total_seconds() * 1000)))
