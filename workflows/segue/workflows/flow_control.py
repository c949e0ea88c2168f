"""Flow control: a run's commands held back below every limit at which Temporal's server would wedge or end it.

    await asyncio.gather(*(workflow.execute_activity(embed, page) for page in pages))     # 5,000 pages: just works

In plain Temporal more than 2,000 open activities, children or signals, or more than 4 MB of commands in one workflow
task, fail the task for ever; a history of 51,200 events or 50 MB ends the run. Here a step that would pass a limit
waits for its turn, first come, first served; one whose history cannot fit fails the run at once, and says what to do.

Everything is decided from what the run itself knows, so a replay decides the same. The figures are the
server's defaults; docs/limits.md has them all.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from temporalio import workflow

from segue.workflows.history_room import (
    HISTORY_BYTES,
    LOCAL_RESULT_LIMIT,
    Command,
    HistoryFull,
    HistoryRoom,
    Kind,
    Meter,
    size_of,
    weight_of,
)

__all__ = ["TIMERS", "FlowControl", "Ticket"]

# The server refuses the 2,001st. Half of that leaves room for what is not counted here.
_MOST_OPEN: Final[dict[Command, int]] = {
    "activity": 1000,
    "child_workflow": 1000,
    "signal": 1000,
    "local_activity": 100,
}

# Once steps wait, this many are kept open. While a workflow task runs, the server buffers at most 100 events for it;
# one more fails the task, and the run is replayed from its start. So quick steps are fastest in a narrow window. Where
# they are slow, and ends come one by one, it widens by as much again for every second.
_WINDOW: Final = 90
_WIDENING: Final = 1.0
_WIDENING_SELDOM: Final = 60.0

# Until the first steps of a run have shown how large their results are: as many as fit if each is as large as can be.
_UNKNOWN: Final = 40

# One workflow task's commands travel in one gRPC message of at most 4 MB, and one call's arguments may take 2 of them.
_TASK_BYTES: Final = 1_500_000
_LOCAL_BYTES: Final = 3_000_000
# The marker of a local activity is a fifth of this. It makes a thousand of them a task, so that a replay, which is
# given all of a task's at once, gets through them in time.
_LOCAL_OVERHEAD: Final = 3000

# A step leaves three events, and workflow tasks, timers and whatever else come to more. That many calls are also about
# what a run can make at a stretch within the time of one workflow task.
_EVENTS: Final = 51_200
_EVENTS_A_STEP: Final = 4
_EVENTS_MARGIN: Final = 1_200
_EVENTS_UNDOING: Final = 200

_QUICKNESS: Final = "flow control: how quickly steps end"
_NEXT: Final = "flow control: the next commands"

TIMERS: Final = frozenset({_QUICKNESS, _NEXT})
"""Summaries of its timers, for which no code of the workflow waits."""

# What undoes earlier work has its turn before all others.
_AHEAD: Final = 1 << 40


@dataclass(frozen=True, eq=False)
class Ticket:
    """What a step shows to be let in, and gives back when it has ended.

    Attributes:
        command: By which command it is sent.
        name: Name of its activity, signal or child workflow.
        kind: What it has in common with those that return about as much.
        undoes: Whether it undoes earlier work. It waits behind nobody, and has room where nothing else has any.
    """

    command: Command
    name: str
    kind: str
    undoes: bool = False

    @property
    def held_by(self) -> str | None:
        """The name by which a pause holds it; None for a child workflow."""
        return self.name if self.command != "child_workflow" else None


class _Turn(asyncio.Future[None]):
    """The turn that a step waits for.

    Attributes:
        ticket: The step's.
        number: Where it stands among all.
    """

    ticket: Ticket
    number: int


class FlowControl:
    """The commands of one run: how many are open, how much the workflow task carries already, and who waits.

    Args:
        holds: Whether a pause holds a step, given the name of its activity or signal; None for a child workflow.

    Attributes:
        meter: What is sent in this workflow task; the converter adds to it.
        held: How many steps wait for their turn.
        measures: Whether steps are held back until the history has room for their results. A run that began before
            there was such a thing goes on without it.
    """

    def __init__(self, holds: Callable[[str | None], bool]) -> None:
        self.meter = Meter()
        self.held = 0
        self.measures = False
        self._holds = holds
        self._room = HistoryRoom(self.meter)
        self._open: Counter[Command] = Counter()
        self._held: dict[Command, deque[_Turn]] = {}
        # Those of them that a pause holds, aside, so that they are not passed by again and again.
        self._paused: dict[Command, deque[_Turn]] = {}
        self._turns = 0
        self._granted = False
        # Each child is a run of its own, which workers must get through: they start in a narrow window.
        self._windows: dict[Command, int] = {**_MOST_OPEN, "activity": _UNKNOWN, "child_workflow": _WINDOW}
        self._widening: asyncio.Future[None] | None = None
        self._task = -1
        # Until something is known of the results of this run's local activities, each may be as large as they come.
        self._local_largest = 0
        self._flush: asyncio.Future[None] | None = None
        self._ended = 0
        self._judging = False

    @property
    def paused(self) -> int:
        """How many of the steps that are held wait for a pause to end."""
        waiting = (turn for turns in (*self._held.values(), *self._paused.values()) for turn in turns)
        return sum(1 for turn in waiting if not turn.done() and self._holds(turn.ticket.held_by))

    def enter(self, ticket: Ticket) -> bool:
        """Count a command as open and return True if it may be sent now; else its turn must be awaited.

        Raises:
            HistoryFull: The history cannot hold it.
        """
        self._look()
        self._check(ticket)
        if not ticket.undoes and (self._granted or self._held.get(ticket.command)):
            return False
        if self._holds(ticket.held_by) or not self._admits(ticket):
            return False
        self._count(ticket)
        return True

    async def turn(self, ticket: Ticket) -> None:
        """Wait until a command may be sent, and count it as open.

        Raises:
            HistoryFull: The history cannot hold it with all that waits before it.
        """
        self._check(ticket)
        command = ticket.command
        future = _Turn(loop=asyncio.get_running_loop())
        future.ticket, future.number = ticket, self._turns
        self._turns += 1
        waiting = self._held.setdefault(command, deque())
        if ticket.undoes:
            future.number -= _AHEAD
            waiting.appendleft(future)
        else:
            waiting.append(future)
        self._wait(ticket, 1)
        if self._open[command] >= self._windows[command] > _WINDOW:
            self._windows[command] = _WINDOW
        self._go_on()
        try:
            await future
        except asyncio.CancelledError:
            if future.cancelled():
                self._wait(ticket, -1)
            else:
                self.left(ticket)  # it had its turn already, and another takes it
            raise

    async def entered(self, ticket: Ticket) -> None:
        """Return as soon as a command may be sent, now or when its turn has come, and count it as open.

        Raises:
            HistoryFull: The history cannot hold it.
        """
        if not self.enter(ticket):
            await self.turn(ticket)

    def meter_of(self, ticket: Ticket) -> Meter:
        """Return what is to count the bytes that a step sends."""
        return self._kind(ticket).meter

    def pauses_changed(self) -> None:
        """Let those go on that no pause holds any longer, each in its place among those that wait."""
        for command, paused in self._paused.items():
            waiting = self._held.get(command, ())
            self._held[command] = deque(heapq.merge(paused, waiting, key=lambda turn: turn.number))
        self._paused.clear()
        self._go_on()

    def ended(self, ticket: Ticket, step: asyncio.Future[Any]) -> None:
        """Count a command as closed whose step has ended, one way or another, and let the next one go."""
        if step.cancelled() or step.exception() is not None:
            self.left(ticket)
        else:
            self.left(ticket, step.result(), has_result=True)

    def left(self, ticket: Ticket, result: Any = None, *, has_result: bool = False) -> None:
        """Count a command as closed, and let the next one go."""
        command = ticket.command
        self._open[command] -= 1
        kind = self._kind(ticket)
        kind.open -= 1
        if has_result and self.measures:
            weight = weight_of(result)
            kind.ended += 1
            kind.results += weight
            kind.largest = max(kind.largest, weight)
        if command == "local_activity":
            self._look()
            size = size_of(result) if has_result else 0
            size = _LOCAL_OVERHEAD + (LOCAL_RESULT_LIMIT if size is None else size)
            self._room.local_bytes += size
            self._local_largest = max(self._local_largest, size)
        elif command != "signal":
            self._ended += 1
            if not self._judging:
                # All that ended in this workflow task is counted by then, as it is in the history's size.
                self._judging = True
                asyncio.get_running_loop().call_soon(self._judge)
        if self._held:
            self._go_on()

    def _kind(self, ticket: Ticket) -> Kind:
        return self._room.kind(ticket.command, ticket.kind)

    def _wait(self, ticket: Ticket, more: int) -> None:
        self.held += more
        self._kind(ticket).held += more

    def _count(self, ticket: Ticket) -> None:
        self._open[ticket.command] += 1
        kind = self._kind(ticket)
        kind.open += 1
        kind.sent += 1

    def _judge(self) -> None:
        """Go by the results so far: let more steps start, or fail those that wait if the history will not hold them."""
        self._judging = False
        self._look()
        self._foresee()
        if self._windows["activity"] == _UNKNOWN:
            fits = self._open["activity"] + self.held <= _MOST_OPEN["activity"]
            self._windows["activity"] = _MOST_OPEN["activity"] if fits else _WINDOW
            self._go_on()

    def _foresee(self) -> None:
        """Fail the steps that wait if they are known not to fit, before any more of them is done."""
        if not self.measures or not self.held:
            return
        if (each := self._room.overflows()) is not None:
            more = f"{self.held:,} steps of about {each / 1024:,.0f} kB each are still to come"
            self._refuse_held(self._full(more))

    def _full(self, why: str) -> HistoryFull:
        return HistoryFull(
            f"This run's history holds {self._room.used / 2**20:,.1f} MB, and {why}: Temporal ends a run at "
            f"{HISTORY_BYTES // 2**20} MB",
            "Let the steps store what is large as objects and send references, or spread them over child workflows "
            "with fan_out",
            of_bytes=True,
        )

    def _refuse_held(self, error: HistoryFull) -> None:
        """Fail all that wait, so that nobody waits behind what will not be done. What was sent goes on to its end."""
        for waiting in (*self._held.values(), *self._paused.values()):
            for turn in waiting:
                if not turn.done():
                    self._wait(turn.ticket, -1)
                    # One each: raised by thousands, the same error would gather all their tracebacks.
                    turn.set_exception(HistoryFull(error.fact, error.advice, of_bytes=error.of_bytes))
            waiting.clear()

    def _check(self, ticket: Ticket) -> None:
        """Do nothing if the history can hold what is open, what waits, and one step more.

        Raises:
            HistoryFull: It cannot. Those that wait are refused with it.
        """
        self._check_events(ticket)
        if (error := self._refusal(ticket)) is not None:
            raise error

    def _refusal(self, ticket: Ticket) -> HistoryFull | None:
        """Return what is wrong if the history has no room for a step, whatever else ends."""
        if ticket.undoes:
            if not self._room.admits_undoing():
                return self._full("what is left is too little to undo anything")
        elif self.measures and self._room.is_full():
            return self._full("what is left is kept for its result, and for what undoes its work")
        return None

    def _check_events(self, ticket: Ticket) -> None:
        length = workflow.info().get_current_history_length()
        waits, margin = (0, _EVENTS_UNDOING) if ticket.undoes else (self.held, _EVENTS_MARGIN)
        coming = sum(self._open.values()) + waits + 1
        if length + _EVENTS_A_STEP * coming > _EVENTS - margin:
            error = HistoryFull(
                f"This run's history holds {length:,} events and {coming:,} steps are to be added, which is more than "
                f"the {_EVENTS:,} events at which Temporal ends a run",
                "Use fan_out, which spreads them over child workflows, or continue as new when "
                "workflow.info().is_continue_as_new_suggested()",
                of_bytes=False,
            )
            if self.measures:
                self._refuse_held(error)
            raise error

    def _look(self) -> None:
        """Begin to count anew in a new workflow task."""
        length = workflow.info().get_current_history_length()
        if length != self._task:
            self._task = length
            self.meter.sent = self._room.local_bytes = 0

    def _admits(self, ticket: Ticket) -> bool:
        command = ticket.command
        if ticket.undoes:
            return self.meter.sent < _TASK_BYTES
        if self._open[command] >= self._windows[command]:
            return False
        if command == "local_activity":
            each = self._local_largest or LOCAL_RESULT_LIMIT
            if self._room.local_bytes + (self._open[command] + 1) * each > _LOCAL_BYTES:
                return False
        elif self.meter.sent >= _TASK_BYTES:
            return False
        return self._has_room(ticket)

    def _has_room(self, ticket: Ticket) -> bool:
        return not self.measures or self._room.admits(self._kind(ticket))

    def _go_on(self) -> None:
        """Give the next command its turn, one at a time: how much it sends is known once it was sent."""
        if self._granted:
            return
        self._look()
        for command, waiting in self._held.items():
            while waiting and (waiting[0].done() or self._holds(waiting[0].ticket.held_by)):
                turn = waiting.popleft()
                if not turn.done():  # cancelled, as all are when the run is put out of memory
                    self._paused.setdefault(command, deque()).append(turn)
            if waiting and (error := self._refusal(waiting[0].ticket)) is not None:
                self._refuse_held(error)
            if waiting and self._admits(waiting[0].ticket):
                turn = waiting.popleft()
                self._count(turn.ticket)
                self._granted = True
                self._wait(turn.ticket, -1)
                turn.set_result(None)
                # Whoever was given the turn runs before this, and has sent by then.
                asyncio.get_running_loop().call_soon(self._went)
                return
        if not self.held:
            if self._windows["activity"] != _UNKNOWN:
                self._windows["activity"] = _MOST_OPEN["activity"]
        elif self._flush is None and self._is_full():
            self._flush = asyncio.ensure_future(self._flushed())
        elif self._widening is None and any(self._narrow()):
            self._widening = asyncio.ensure_future(self._widen())

    def _went(self) -> None:
        self._granted = False
        self._go_on()

    def _is_full(self) -> bool:
        """Whether somebody waits only because this workflow task carries enough already."""
        for command, waiting in self._held.items():
            if not waiting or (command == "local_activity" and self._open[command]):
                continue
            ticket = waiting[0].ticket
            if ticket.undoes or (self._open[command] < self._windows[command] and self._has_room(ticket)):
                return True
        return False

    def _narrow(self) -> Iterator[Command]:
        """Yield the commands that wait for a window that may yet widen."""
        for command, waiting in self._held.items():
            if waiting and self._open[command] >= self._windows[command] < _MOST_OPEN[command]:
                yield command

    async def _widen(self) -> None:
        interval = _WIDENING
        try:
            while narrow := list(self._narrow()):
                ended = self._ended
                await workflow.sleep(interval, summary=_QUICKNESS)
                if self._ended - ended < interval * _WINDOW / 2:
                    for command in narrow:
                        self._windows[command] = min(self._windows[command] + _WINDOW, _MOST_OPEN[command])
                    self._go_on()
                else:
                    interval = min(2 * interval, _WIDENING_SELDOM)
        finally:
            self._widening = None

    async def _flushed(self) -> None:
        # A timer ends the workflow task, with all that was sent, and begins the next.
        try:
            await workflow.sleep(0.001, summary=_NEXT)
        finally:
            self._flush = None
        self._foresee()
        self._go_on()
