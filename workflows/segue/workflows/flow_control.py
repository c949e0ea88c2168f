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
from typing import Any, Final, Literal

import pydantic_core
from temporalio import workflow

from segue.activities.errors import Terminal

__all__ = ["HISTORY_FULL", "LOCAL_RESULT_LIMIT", "Command", "FlowControl", "Meter", "size_of"]

Command = Literal["activity", "local_activity", "child_workflow", "signal"]

HISTORY_FULL: Final = "HistoryFull"
"""Type of the error that fails a run whose history cannot hold what it is about to do."""

LOCAL_RESULT_LIMIT: Final = 1024 * 1024
"""Bytes of a local activity's result, at most: all that end in one workflow task are recorded in one request."""

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
_HISTORY_BYTES: Final = 50 * 1024 * 1024
_HISTORY_MARGIN: Final = 3 * 1024 * 1024


class Meter:
    """Counts the bytes that the converter makes of what is sent.

    Attributes:
        sent: Bytes so far in this workflow task.
    """

    __slots__ = ("sent",)

    def __init__(self) -> None:
        self.sent = 0


class _Turn(asyncio.Future[None]):
    """The turn that a step waits for.

    Attributes:
        name: Its activity or signal.
        number: Where it stands among all.
    """

    name: str | None
    number: int


class FlowControl:
    """The commands of one run: how many are open, how much the workflow task carries already, and who waits.

    Args:
        holds: Whether a pause holds a step, given the name of its activity or signal; None for a child workflow.

    Attributes:
        meter: What is sent in this workflow task; the converter adds to it.
        held: How many steps wait for their turn.
        exceeded: Why the run cannot go on, once it is known that its history will not hold what is under way.
    """

    def __init__(self, holds: Callable[[str | None], bool]) -> None:
        self.meter = Meter()
        self.held = 0
        self._holds = holds
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
        self._local_bytes = 0
        # Until something is known of the results of this run's local activities, each may be as large as they come.
        self._local_largest = 0
        self._flush: asyncio.Future[None] | None = None
        # What the results of a step come to: how far history has grown since the first, beyond what was sent.
        self.exceeded: Terminal | None = None
        self._base: int | None = None
        self._sent = 0
        self._ended = 0
        self._judging = False

    @property
    def paused(self) -> int:
        """How many of the steps that are held wait for a pause to end."""
        waiting = (turn for turns in (*self._held.values(), *self._paused.values()) for turn in turns)
        return sum(1 for turn in waiting if not turn.done() and self._holds(turn.name))

    def enter(self, command: Command, name: str | None = None) -> bool:
        """Count a command as open and return True if it may be sent now; else its turn must be awaited.

        Raises:
            Terminal: The history cannot hold it.
        """
        self._look()
        self._check_events()
        if self.exceeded is not None:
            raise self.exceeded
        if self._granted or self._held.get(command) or self._holds(name) or not self._admits(command):
            return False
        self._open[command] += 1
        return True

    async def turn(self, command: Command, name: str | None = None) -> None:
        """Wait until a command may be sent, and count it as open.

        Raises:
            Terminal: The history cannot hold it with all that waits before it.
        """
        self._check_events()
        future = _Turn(loop=asyncio.get_running_loop())
        future.name, future.number = name, self._turns
        self._turns += 1
        self._held.setdefault(command, deque()).append(future)
        self.held += 1
        if self._open[command] >= self._windows[command] > _WINDOW:
            self._windows[command] = _WINDOW
        self._go_on()
        try:
            await future
        except asyncio.CancelledError:
            if future.cancelled():
                self.held -= 1
            else:
                self.left(command)  # it had its turn already, and another takes it
            raise

    async def entered(self, command: Command, name: str | None = None) -> None:
        """Return as soon as a command may be sent, now or when its turn has come, and count it as open.

        Raises:
            Terminal: The history cannot hold it.
        """
        if not self.enter(command, name):
            await self.turn(command, name)

    def pauses_changed(self) -> None:
        """Let those go on that no pause holds any longer, each in its place among those that wait."""
        for command, paused in self._paused.items():
            waiting = self._held.get(command, ())
            self._held[command] = deque(heapq.merge(paused, waiting, key=lambda turn: turn.number))
        self._paused.clear()
        self._go_on()

    def left(self, command: Command, result: Any = None) -> None:
        """Count a command as closed, and let the next one go."""
        self._open[command] -= 1
        if command == "local_activity":
            self._look()
            size = _LOCAL_OVERHEAD + size_of(result)
            self._local_bytes += size
            self._local_largest = max(self._local_largest, size)
        elif command != "signal":
            self._ended += 1
            if not self._judging:
                # All that ended in this workflow task is counted by then, as it is in the history's size.
                self._judging = True
                asyncio.get_running_loop().call_soon(self._judge)
        if self._held:
            self._go_on()

    def _judge(self) -> None:
        """Go by the results so far: let more steps start, or none if the history will not hold theirs."""
        self._judging = False
        self._look()
        size = workflow.info().get_current_history_size()
        each = max(size - (self._base or 0) - self._sent, 0) / self._ended
        coming = self._open["activity"] + self._open["child_workflow"] + self.held
        if size + each * coming > _HISTORY_BYTES - _HISTORY_MARGIN:
            self.exceeded = Terminal(
                f"This run's history holds {size / 2**20:,.1f} MB, and {coming:,} steps of about {each / 1024:,.0f} kB "
                f"each are still to come: Temporal ends a run at {_HISTORY_BYTES // 2**20} MB. Let the steps store "
                "their results as objects and return references, or spread them over child workflows with fan_out",
                type=HISTORY_FULL,
            )
            for waiting in (*self._held.values(), *self._paused.values()):
                for future in waiting:
                    if not future.done():
                        self.held -= 1
                        future.set_exception(self.exceeded)
                waiting.clear()
        elif self._windows["activity"] == _UNKNOWN:
            fits = self._open["activity"] + self.held <= _MOST_OPEN["activity"]
            self._windows["activity"] = _MOST_OPEN["activity"] if fits else _WINDOW
            self._go_on()

    def _check_events(self) -> None:
        """Do nothing if the history can hold the events of what is open, of what waits, and of one step more.

        Raises:
            Terminal: It cannot.
        """
        length = workflow.info().get_current_history_length()
        coming = sum(self._open.values()) + self.held + 1
        if length + _EVENTS_A_STEP * coming > _EVENTS - _EVENTS_MARGIN:
            raise Terminal(
                f"This run's history holds {length:,} events and {coming:,} steps are to be added, which is more than "
                f"the {_EVENTS:,} events at which Temporal ends a run. Use fan_out, which spreads them over child "
                "workflows, or continue as new when workflow.info().is_continue_as_new_suggested()",
                type=HISTORY_FULL,
            )

    def _look(self) -> None:
        """Begin to count anew in a new workflow task."""
        length = workflow.info().get_current_history_length()
        if length != self._task:
            self._task = length
            if self._base is None:
                self._base = workflow.info().get_current_history_size()
            self._sent += self.meter.sent
            self.meter.sent = self._local_bytes = 0

    def _admits(self, command: Command) -> bool:
        if self._open[command] >= self._windows[command]:
            return False
        if command == "local_activity":
            each = self._local_largest or LOCAL_RESULT_LIMIT
            return self._local_bytes + (self._open[command] + 1) * each <= _LOCAL_BYTES
        return self.meter.sent < _TASK_BYTES

    def _go_on(self) -> None:
        """Give the next command its turn, one at a time: how much it sends is known once it was sent."""
        if self._granted:
            return
        self._look()
        for command, waiting in self._held.items():
            while waiting and (waiting[0].done() or self._holds(waiting[0].name)):
                turn = waiting.popleft()
                if not turn.done():  # cancelled, as all are when the run is put out of memory
                    self._paused.setdefault(command, deque()).append(turn)
            if waiting and self._admits(command):
                self._open[command] += 1
                self._granted = True
                self.held -= 1
                waiting.popleft().set_result(None)
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
        return any(
            waiting
            and self._open[command] < self._windows[command]
            and not (command == "local_activity" and self._open[command])
            for command, waiting in self._held.items()
        )

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
                await workflow.sleep(interval, summary="flow control: how quickly steps end")
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
            await workflow.sleep(0.001, summary="flow control: the next commands")
        finally:
            self._flush = None
        self._go_on()


def size_of(result: Any) -> int:
    """Return about how many bytes a result is in a history."""
    if result is None or isinstance(result, (bool, int, float)):
        return 0
    try:
        return len(pydantic_core.to_json(result))
    except (pydantic_core.PydanticSerializationError, ValueError, TypeError):
        return LOCAL_RESULT_LIMIT
