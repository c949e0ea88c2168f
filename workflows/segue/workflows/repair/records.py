"""What a parked step is, what an operator does about it, and why that may be refused.

Terminal                 (segue.activities)
└── RepairRefused        nothing has changed
    ├── NoSuchStep       the run has no such step
    ├── NotParked        it runs, has ended, or was repaired before
    └── InvalidRepair    the action, the input or the result is none that the step takes
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any, Final, Literal

import pydantic

from segue.activities.errors import Terminal

__all__ = [
    "ASKED",
    "CHECK",
    "FAILED",
    "MORE",
    "QUERY",
    "RETRIED",
    "UPDATE",
    "Action",
    "InvalidRepair",
    "NoSuchStep",
    "NotParked",
    "ParkedStep",
    "Reason",
    "RepairRefused",
    "Repaired",
    "Request",
]

UPDATE: Final = "segue_repair"
"""The update that repairs a parked step. It takes a `Request` and returns a `Repaired`."""

QUERY: Final = "segue_parked"
"""The query that returns the parked steps of a run, in the order in which they parked, each a `ParkedStep`."""

CHECK: Final = "segue_check_repair"
"""The query that tells whether a repair could be done. It takes a `Request`, and returns None, or the type of the error
with which it would be refused, and its message."""

MORE: Final = "segue_parked_more"
"""The memo's key for how many steps are parked beyond those that the memo tells of."""

RETRIED: Final = "until {} is tried again"
"""The summary of the timer between two tries of a step that the run itself tries again, given its id."""

FAILED: Final = "what follows the failure of {}"
"""The summary of the timer behind a local activity that has failed, given its id."""

ASKED: Final = "what became of {}"
"""The summary of the activity that asks the system of a step whether it happened, given the step's id."""

Action = Literal["retry", "retry_with", "result", "skip", "fail"]
"""What an operator does about a parked step.

`retry` tries it again, with its input and its idempotency key: an effect that did happen is found again. `retry_with`
tries it with another input, and, as that is another effect, with another key. `result` takes a result in its place,
`skip` takes None, and `fail` lets it fail with its error."""

Reason = Literal["exhausted", "terminal", "ambiguous"]
"""Why a step parked: its attempts or its time are used up; its error is terminal; nobody knows whether it happened."""


class RepairRefused(Terminal):
    """What an operator asked for is not done. Nothing has changed."""


class NoSuchStep(RepairRefused):
    """The run has no such step."""


class NotParked(RepairRefused):
    """The step does not wait for an operator: it runs, has ended, or was repaired before."""


class InvalidRepair(RepairRefused):
    """The action is none, or the input or the result does not fit the step's types."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ParkedStep:
    """A step that waits for an operator.

    Attributes:
        step: Its id: `segue repair WORKFLOW_ID STEP` repairs it.
        activity: Name of its activity.
        kind: What it is.
        reason: Why it parked.
        error: Its last error, on one line.
        since: When it parked, UTC.
        system: Name of its system; None if it has none.
        summary: What tells it from others of its name.
        times: How often it has parked.
        note: What else is known, such as why nobody could say whether it happened.
        undoes: Whether it undoes earlier work.
        input: Its arguments as JSON, for `retry_with`; None where no worker was asked, and where they are large.
        takes: Names and types of its arguments, as far as they are known.
        returns: Type of its result, as far as it is known.
    """

    step: str
    activity: str
    reason: Reason
    error: str
    since: datetime
    kind: Literal["activity", "local_activity"] = "activity"
    system: str | None = None
    summary: str | None = None
    times: int = 1
    note: str | None = None
    undoes: bool = False
    input: list[Any] | None = None
    takes: tuple[str, ...] = ()
    returns: str | None = None

    def waits_for(self) -> str:
        """Return what its run waits for: `an operator (terminal: CardDeclined: no funds)`."""
        note = f"; {self.note}" if self.note is not None else ""
        return f"an operator ({self.reason}: {self.error}{note})"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Repaired:
    """What an operator did about a parked step, as the run has recorded it.

    Attributes:
        step: Id of the step.
        activity: Name of its activity.
        action: What was done.
        by: Who did it, as they say.
        at: When, UTC.
        reason: Why, as they say.
        identity: The client that sent it, as the run's history has it; None if the worker cannot tell.
        new_effect: Whether the step is tried again as another effect, with another idempotency key.
    """

    step: str
    activity: str
    action: Action
    by: str
    at: datetime
    reason: str | None = None
    identity: str | None = None
    new_effect: bool = False

    def told(self) -> str:
        """Return it as a sentence: `'charge-1' was repaired by ann at 2026-11-23 18:00:00 UTC: retry`."""
        return f"{self.step!r} was repaired by {self.by} at {self.at:%Y-%m-%d %H:%M:%S} UTC: {self.action}"


class Request(pydantic.BaseModel):
    """What an operator sends.

    Attributes:
        step: Id of the step.
        action: What to do about it.
        input: For `retry_with`, its argument as JSON; an array of them if it takes several.
        result: For `result`, its result as JSON.
        reason: Why.
        by: Who does it; None for the client's identity.
    """

    model_config = pydantic.ConfigDict(title="The repair", extra="forbid")

    step: str
    action: Action
    input: Any = None
    result: Any = None
    reason: str | None = None
    by: str | None = None
