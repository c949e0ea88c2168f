"""What became of each step that failed for good, as the run's own history has it.

A policy may change while runs are open, and their replays must do what they did. So a step's failure is decided once,
when it happens, and a flag is kept in the history with the workflow task that decided it, under the number of the
step. It costs no event. Where the step simply fails there is no flag, as in all histories of older versions.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Final, cast

from temporalio import workflow

from segue.workflows.features import FIRST_DECISION, FLAG_FUNCTION

__all__ = ["Outcome", "decided"]

# A step leaves an event at least, and each of its failures five: in a history of 51,200 there is room for more of none.
_STEPS: Final = 1 << 16
_DECISIONS: Final = 1 << 13


class Outcome(enum.IntEnum):
    """What becomes of a step that failed."""

    FAIL = 0
    """Its error is raised."""
    PARK = 1
    """It waits for an operator."""
    RETRY = 2
    """It is tried again, by the run and not by the server."""
    RECONCILE = 3
    """Its system is asked whether it happened."""


def decided(step: int, number: int, wanted: Outcome) -> Outcome:
    """Return what becomes of a step: what is wanted where it fails now, what history says where it did.

    Args:
        step: The number of the step, in the order in which they were started. Not that in which they failed: local
            activities that fail in one workflow task do so in another order in replay.
        number: The how many-th decision about this step it is.
        wanted: What its policy says, as it is now.
    """
    if not workflow.unsafe.is_replaying():
        if wanted is not Outcome.FAIL:
            _marked(step, number, wanted)
        return wanted
    for outcome in (Outcome.PARK, Outcome.RETRY, Outcome.RECONCILE):
        if _marked(step, number, outcome):
            return outcome
    return Outcome.FAIL


def _marked(step: int, number: int, outcome: Outcome) -> bool:
    """Return whether history says so. In a run that is not replaying it does from now on."""
    external = cast("Mapping[str, Callable[[int], bool]]", workflow.extern_functions())  # pyright: ignore[reportUnknownMemberType]
    flag = external.get(FLAG_FUNCTION)
    decision = ((outcome - 1) * _STEPS + step % _STEPS) * _DECISIONS + number % _DECISIONS
    if flag is not None and flag(FIRST_DECISION + decision):
        return True
    # Under another runner than the plugin's.
    return workflow.patched(f"segue.{outcome.name.lower()}/{step}-{number}")
