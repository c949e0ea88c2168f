"""Which errors lead to another way, and the error when every way has failed.

An activity's error reaches the workflow as an `ApplicationError` whose `type` is the name of the class that was raised.
The class itself is not there any more, so an error is known by that name, and a subclass has another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError, TimeoutError, TimeoutType

from segue.activities.errors import Terminal
from segue.workflows.graph.errors import told

__all__ = ["AllFailed", "Reason", "Reasons", "cause_of"]

Reason = type[BaseException] | str | TimeoutType
"""A class or type of errors by which one is known: `CardDeclined`, "CardDeclined", `TimeoutType.HEARTBEAT`.

`TimeoutError`, Python's or Temporal's, stands for every timeout of a step."""


class AllFailed(Terminal):
    """Every way has failed. The cause is the error of the last that did.

    Attributes:
        errors: Each way with its error, in the order in which the ways were given.
    """

    def __init__(self, what: str, errors: Sequence[tuple[str, BaseException]]) -> None:
        self.errors = tuple(errors)
        shown = "; ".join(f"{name}: {told(error)}" for name, error in errors)
        super().__init__(f"{what}: all {len(errors)} failed: {shown}")


class Reasons:
    """Which errors lead to another way.

    Args:
        on: These do; None for all.
        unless: These do not.

    Raises:
        TypeError: Something given is none of what an error is known by.
    """

    def __init__(self, on: Sequence[Reason] | Reason | None, unless: Sequence[Reason] | Reason) -> None:
        self._on = None if on is None else _listed("on", on)
        self._unless = _listed("unless", unless)

    def hold(self, error: BaseException) -> bool:
        """Return whether an error leads to another way."""
        cause = cause_of(error)
        if any(_is(cause, reason) for reason in self._unless):
            return False
        return self._on is None or any(_is(cause, reason) for reason in self._on)


def cause_of(error: BaseException) -> BaseException:
    """Return the error of an activity or child itself: not those that wrap it on its way."""
    while isinstance(error, (ActivityError, ChildWorkflowError)) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _is(error: BaseException, reason: Reason) -> bool:
    if isinstance(reason, TimeoutType):
        return isinstance(error, TimeoutError) and error.type is reason
    if isinstance(reason, type):
        return isinstance(error, reason) or reason.__name__ in _names(error)
    return reason in _names(error)


def _names(error: BaseException) -> tuple[str, ...]:
    if isinstance(error, ApplicationError) and error.type is not None:
        return (error.type,)
    return (type(error).__name__,)


def _listed(name: str, given: Sequence[Reason] | Reason) -> tuple[Reason, ...]:
    reasons: tuple[Any, ...] = tuple(given) if isinstance(given, (tuple, list, set, frozenset)) else (given,)
    for reason in reasons:
        if not isinstance(reason, (str, TimeoutType)) and not (
            isinstance(reason, type) and issubclass(reason, BaseException)
        ):
            raise Terminal(
                f"{name}={reason!r} is nothing that an error is known by: give exception classes, their names, or "
                "members of temporalio.exceptions.TimeoutType",
                type="InvalidReason",
            )
    return reasons
