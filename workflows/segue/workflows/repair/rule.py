"""Who says what happens to a step that has failed for good, where it is not its system's policy.

    with on_exhausted("fail"):
        await workflow.execute_activity(charge, order)      # its error is raised, for this code knows what to do

Whatever leads an error to another way, as `fallback` does, says so too: a step that parks would never lead there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from contextvars import ContextVar
from typing import Final, TypeVar

from segue.activities.policy import OnExhausted

__all__ = ["Rule", "accounted", "handled", "is_accounted", "on_exhausted", "rule", "unruled"]

Rule = Callable[[BaseException], "OnExhausted | None"]
"""Says what happens to a step that has failed with an error; None leaves it to the step's system."""

T = TypeVar("T")

_RULE: Final[ContextVar[Rule | None]] = ContextVar("segue_on_exhausted", default=None)
_ACCOUNTED: Final[ContextVar[bool]] = ContextVar("segue_accounted", default=False)


def rule() -> Rule | None:
    """Return what the code that is running says of the steps it starts."""
    return _RULE.get()


def on_exhausted(what: OnExhausted) -> contextlib.AbstractContextManager[None]:
    """Say what happens to the steps that are started within the block, whatever their systems' policies say.

    It does not hold for an at-most-once step of which nobody knows whether it happened: such a one always parks.

    Args:
        what: "fail" raises `ActivityError`, "park" lets the step wait for an operator.
    """
    return _set(_RULE, lambda _: what)


def handled(leads_on: Callable[[BaseException], bool]) -> contextlib.AbstractContextManager[None]:
    """Say that the errors for which this holds are handled, so that a step fails with them in place of parking."""
    return _set(_RULE, lambda error: "fail" if leads_on(error) else None)


def accounted() -> contextlib.AbstractContextManager[None]:
    """Say that it must be known of the steps that are started within the block whether they happened.

    A cancellation does not end one that is being reconciled, or waits for an operator because nobody knows.
    """
    return _set(_ACCOUNTED, True)


def is_accounted() -> bool:
    """Return whether it must be known of a step that is started here whether it happened."""
    return _ACCOUNTED.get()


def unruled() -> contextlib.AbstractContextManager[None]:
    """Say nothing of the steps that are started within the block, whatever is said around it."""
    return _set(_RULE, None)


@contextlib.contextmanager
def _set(what: ContextVar[T], value: T) -> Generator[None]:
    token = what.set(value)
    try:
        yield
    finally:
        what.reset(token)
