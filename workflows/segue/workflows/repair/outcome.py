"""What became of each step that failed for good, as the run's own history has it.

A policy may change while runs are open, and their replays must do what they did. So a step's failure is decided once,
when it happens, and a flag is kept in the history with the workflow task that decided it, under the number of the
decision. It costs no event. Where the step simply fails there is no flag, as in all histories of older versions.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Final, cast

from temporalio import workflow

from segue.workflows.features import FIRST_DECISION, FLAG_FUNCTION

__all__ = ["Outcome", "decided"]

# More than the failures of any history: three events each, of 51,200.
_ROOM: Final = 0x20000


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


def decided(number: int, wanted: Outcome) -> Outcome:
    """Return what becomes of a step: what is wanted where it fails now, what history says where it did.

    Args:
        number: The how many-th decision of the run it is.
        wanted: What its policy says, as it is now.
    """
    if not workflow.unsafe.is_replaying():
        if wanted is not Outcome.FAIL:
            _marked(number, wanted)
        return wanted
    for outcome in (Outcome.PARK, Outcome.RETRY, Outcome.RECONCILE):
        if _marked(number, outcome):
            return outcome
    return Outcome.FAIL


def _marked(number: int, outcome: Outcome) -> bool:
    """Return whether history says so. In a run that is not replaying it does from now on."""
    external = cast("Mapping[str, Callable[[int], bool]]", workflow.extern_functions())  # pyright: ignore[reportUnknownMemberType]
    flag = external.get(FLAG_FUNCTION)
    if flag is not None and flag(FIRST_DECISION + _ROOM * outcome + number % _ROOM):
        return True
    # Under another runner than the plugin's.
    return workflow.patched(f"segue.{outcome.name.lower()}/{number}")
