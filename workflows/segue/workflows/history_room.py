"""What the history of a run holds, and what the steps that are open, or wait, are expected to add to it.

Temporal's server ends a run whose history comes to 50 MB. What a step has sent is known when it was sent, and what it
returns when it has ended; of a step that is open, the results of its like tell how much it may be. So steps start only
as far as their results will fit, and a run that asks for more than a history holds fails early, with advice.

Each kind of step is judged by itself: a large document that was loaded says nothing of the hundred lines filed next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import pydantic_core
from temporalio import workflow
from temporalio.common import RawValue

from segue.activities.errors import Terminal

__all__ = [
    "CALL_LIMIT",
    "HISTORY_BYTES",
    "LOCAL_RESULT_LIMIT",
    "ROOM",
    "SAMPLE",
    "SHARE",
    "Command",
    "HistoryFull",
    "HistoryRoom",
    "Kind",
    "Meter",
    "size_of",
    "weight_of",
]

Command = Literal["activity", "local_activity", "child_workflow", "signal"]

CALL_LIMIT: Final = 2 * 1024 * 1024
"""Bytes that one call carries at most, one way."""

LOCAL_RESULT_LIMIT: Final = 1024 * 1024
"""Bytes of a local activity's result, at most: all that end in one workflow task are recorded in one request."""

HISTORY_BYTES: Final = 50 * 1024 * 1024
"""Bytes at which Temporal ends a run."""

ROOM: Final = HISTORY_BYTES - 6 * 1024 * 1024
"""Beyond this only what undoes earlier work is started. One step more, which may take a call's limit both ways, and the
run's own result fit beside it."""

_UNDOING: Final = HISTORY_BYTES - 256 * 1024

SAMPLE: Final = 8
"""How many steps of a kind must have shown their size before it is gone by."""

SHARE: Final = 0.1
"""And what share of those to come, before a run fails by it."""

_MOST: Final[dict[Command, int]] = {
    "activity": CALL_LIMIT,
    "child_workflow": CALL_LIMIT,
    "local_activity": LOCAL_RESULT_LIMIT,
    "signal": 0,
}


class HistoryFull(Terminal):
    """A run's history cannot hold what it is about to do.

    Attributes:
        fact: What does not fit.
        advice: What to do.
        of_bytes: Whether it is bytes that it has no room for, or else events.
    """

    def __init__(self, fact: str, advice: str, *, of_bytes: bool) -> None:
        super().__init__(f"{fact}. {advice}")
        self.fact = fact
        self.advice = advice
        self.of_bytes = of_bytes


class Meter:
    """Counts the bytes that the converter makes of what is sent.

    Args:
        whole: Another that counts them too.

    Attributes:
        sent: Bytes so far.
    """

    __slots__ = ("_whole", "sent")

    def __init__(self, whole: Meter | None = None) -> None:
        self.sent = 0
        self._whole = whole

    def add(self, size_bytes: int) -> None:
        """Count what was made."""
        self.sent += size_bytes
        if self._whole is not None:
            self._whole.add(size_bytes)


@dataclass(eq=False)
class Kind:
    """Steps of one kind: the calls of one activity, say.

    Attributes:
        command: By which command they are sent.
        meter: What they have sent.
        held: How many wait for their turn.
        open: How many are under way.
        sent: How many were sent.
        ended: How many have ended with a result.
        results: Bytes of these results together.
        largest: Bytes of the largest.
    """

    command: Command
    meter: Meter
    held: int = 0
    open: int = 0
    sent: int = 0
    ended: int = 0
    results: int = 0
    largest: int = 0

    @property
    def expected(self) -> int:
        """Bytes that the result of one that is open may come to: anything at first, later little beyond the largest.

        It changes at once, not by degrees: the more steps are open while workflow tasks go on, the more of these tasks
        fail, for more ends within them than the server keeps.
        """
        most = _MOST[self.command]
        return min(most, self.largest + most // self.ended**2) if self.ended >= SAMPLE else most

    @property
    def share(self) -> float:
        """About how many bytes one of those that wait will add, as far as enough of its like have shown it."""
        enough = max(SAMPLE, self.held * SHARE)
        arguments = self.meter.sent / self.sent if self.sent >= enough else 0
        return arguments + (self.results / self.ended if self.ended >= enough else 0)


class HistoryRoom:
    """The room that one run's history has.

    Args:
        meter: Counts what is sent in this workflow task.

    Attributes:
        local_bytes: Bytes of the results of local activities in this workflow task.
    """

    def __init__(self, meter: Meter) -> None:
        self.local_bytes = 0
        self._meter = meter
        self._kinds: dict[tuple[Command, str], Kind] = {}

    def kind(self, command: Command, name: str) -> Kind:
        """Return the steps of a kind."""
        found = self._kinds.get((command, name))
        if found is None:
            found = self._kinds[command, name] = Kind(command, Meter(self._meter))
        return found

    @property
    def used(self) -> int:
        """Bytes that the history holds with what this workflow task adds so far."""
        return workflow.info().get_current_history_size() + self._meter.sent + self.local_bytes

    def admits(self, kind: Kind) -> bool:
        """Whether one more step of a kind may start: its result fits beside those that are still to come."""
        coming = sum(one.open * one.expected for one in self._kinds.values())
        return self.used + coming + kind.expected <= ROOM or self.is_last(kind)

    def is_last(self, kind: Kind) -> bool:
        """Whether nothing is under way whose end would tell more, and there is room for one step."""
        return not self._waits() and self.used <= ROOM

    def is_full(self) -> bool:
        """Whether no step will start any more, whatever is still to end."""
        return self.used > ROOM

    def admits_undoing(self) -> bool:
        """Whether there is room for a step that undoes earlier work."""
        return self.used <= _UNDOING

    def overflows(self) -> float | None:
        """Return how many bytes each of the steps that wait adds, if they are known not to fit; None if not."""
        waiting = sum(kind.held for kind in self._kinds.values())
        added = sum(kind.held * kind.share for kind in self._kinds.values() if kind.held)
        coming = sum(kind.open * kind.results / kind.ended for kind in self._kinds.values() if kind.ended >= SAMPLE)
        return added / waiting if waiting and self.used + coming + added > ROOM else None

    def _waits(self) -> bool:
        return any(kind.open and kind.command != "signal" for kind in self._kinds.values())


def size_of(result: Any) -> int | None:
    """Return about how many bytes a result is in a history; None for what only a converter can tell."""
    if result is None or isinstance(result, (bool, int, float)):
        return 0
    if isinstance(result, RawValue):
        return result.payload.ByteSize()
    try:
        return len(pydantic_core.to_json(result))
    except (pydantic_core.PydanticSerializationError, ValueError, TypeError):
        return None


def weight_of(result: Any) -> int:
    """Return how many bytes a result is counted as, in a workflow: rounded up, by an eighth at most.

    Rounded, because a replay by a later version of the code must come to the same, and a model may have gained a field.
    """
    size = size_of(result)
    if size is None:
        size = sum(payload.ByteSize() for payload in workflow.payload_converter().to_payloads([result]))
    step = max(size.bit_length() - 4, 0)
    return (size + (1 << step) - 1) >> step << step
