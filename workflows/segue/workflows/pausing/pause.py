"""What a pause is, how it is asked for, and what a run's signals come to.

Asked for with a signal, so that it is delivered with no worker alive, and is in the history for whoever looks. The
worker and the client both make the same of the same history with `heed`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final, Literal

import pydantic

__all__ = [
    "HEADER",
    "PAUSE",
    "QUERY",
    "RESUME",
    "Held",
    "Pause",
    "Paused",
    "Pauses",
    "Request",
    "begun",
    "heed",
    "inherited",
    "steps_wait",
]

PAUSE: Final = "segue_pause"
"""The signal that pauses a run. It takes a `Request`."""

RESUME: Final = "segue_resume"
"""The signal that resumes it. It takes a `Request`, of which only the system counts."""

QUERY: Final = "segue_paused"
"""The query that returns how a run is paused, a `Paused`."""

HEADER: Final = "segue_paused"
"""The header by which a run passes its pauses on: to the run that it continues as, and to children that it starts."""

_NOBODY: Final = "somebody"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for.

    Attributes:
        system: The system whose steps are meant; None for the whole run.
        activities: The names of the system's activities. Which steps are held follows from the history alone, so that
            a replay holds the same, whatever its worker's code declares.
        by: Who asks.
        reason: Why.
        since: When it was asked for; None for when the run hears of it.
        children: Whether the run's open children are to be told by the run. Those that it starts later are in any case.
    """

    system: str | None = None
    activities: tuple[str, ...] = ()
    by: str = _NOBODY
    reason: str | None = None
    since: datetime | None = None
    children: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pause:
    """A pause that holds in a run: of the whole run, or of one system's steps in it.

    Attributes:
        by: Who paused.
        since: Since when, UTC.
        system: The system whose steps wait; None if all do.
        activities: The names of the activities that wait; empty if all steps do.
        reason: Why.
        children: Whether the run's children are paused with it.
    """

    by: str
    since: datetime
    system: str | None = None
    activities: tuple[str, ...] = ()
    reason: str | None = None
    children: bool = True

    def __str__(self) -> str:
        which = "" if self.system is None else f"system {self.system!r} "
        why = f": {self.reason}" if self.reason else ""
        return f"{which}paused by {self.by}{why}, since {self.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"

    def waits_for(self, held: int | None = None) -> str:
        """Return what its run waits for: `an operator to resume it (paused by ann: fire drill, since ...)`.

        Args:
            held: How many steps wait; None if that is not known.
        """
        what = "it" if self.system is None else f"system {self.system!r}"
        told = str(dataclasses.replace(self, system=None)) + (f", {steps_wait(held)}" if held is not None else "")
        return f"an operator to resume {what} ({told})"

    def request(self) -> Request:
        """Return what asks another run for the same pause."""
        return Request(**{field.name: getattr(self, field.name) for field in dataclasses.fields(Request)})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Held:
    """A step that the run's code has asked for, and that has not been started: the server knows nothing of it yet.

    Attributes:
        id: Its id; None where Temporal will give it one.
        name: Name of its activity.
        kind: What it is.
        since: When it was asked for, UTC.
        paused: Whether it waits for a pause to end; otherwise for its turn, for so many steps are open as may be.
    """

    id: str | None
    name: str
    kind: Literal["activity", "local_activity"]
    since: datetime
    paused: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class Paused:
    """How a run is paused, and what is held back in it.

    Attributes:
        supported: Whether the run can be paused: not one that made its first step without Segue's plugin.
        pauses: The pauses that hold, the first first.
        held: How many steps wait for them.
        turns: How many more wait for their turn.
        steps: The activities among them, the first of them if they are very many.
    """

    supported: bool
    pauses: tuple[Pause, ...] = ()
    held: int = 0
    turns: int = 0
    steps: tuple[Held, ...] = ()


Pauses = dict[str | None, Pause]
"""The pauses that hold, by their system."""

_REQUEST: Final = pydantic.TypeAdapter(Request)
_PAUSES: Final = pydantic.TypeAdapter(tuple[Pause, ...])


def heed(pauses: Pauses, signal: str, given: Any, now: datetime) -> bool:
    """Do to a run's pauses what a signal asks for, and return whether that changed any.

    Args:
        pauses: The pauses so far.
        signal: `PAUSE` or `RESUME`; any other signal does nothing.
        given: What the signal carries, as plain JSON; None for nothing, which means the whole run.
        now: The time for one that does not tell its own.

    Raises:
        ValueError: It carries what is no request.
    """
    if signal not in (PAUSE, RESUME):
        return False
    asked = Request() if given is None else _REQUEST.validate_python(given)
    if signal == RESUME:
        return pauses.pop(asked.system, None) is not None
    if asked.system in pauses:
        return False
    pauses[asked.system] = Pause(
        by=asked.by or _NOBODY,
        since=asked.since or now,
        system=asked.system,
        activities=asked.activities,
        reason=asked.reason,
        children=asked.children,
    )
    return True


def steps_wait(held: int) -> str:
    """Return how many steps wait: `1 step waits`."""
    return f"{held:,} {'step waits' if held == 1 else 'steps wait'}"


def inherited(pauses: Iterable[Pause]) -> bytes:
    """Return the pauses as a header carries them."""
    return _PAUSES.dump_json(tuple(pauses))


def begun(header: bytes | None) -> Pauses:
    """Return the pauses with which a run begins, from its header; none without one, or if it is none of ours."""
    try:
        return {pause.system: pause for pause in _PAUSES.validate_json(header)} if header is not None else {}
    except ValueError:
        return {}
