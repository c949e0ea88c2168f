"""What is sent is checked where it is sent: what a receiver would misread, and what would arrive altered.

    check_arguments("Activity 'pay' is not started", ("order",), [order], [Order])

Nothing has been scheduled by then, so the author of the call sees what is wrong, and nothing is tried in vain.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pydantic
from temporalio.common import RawValue

from segue.activities import faithful
from segue.activities.errors import PayloadError, describe

__all__ = ["check_arguments", "check_result", "unsendable"]


def check_arguments(callee: str, names: tuple[str, ...], args: Sequence[Any], hints: list[type] | None) -> None:
    """Refuse arguments that the receiver would misread or refuse, before anything is scheduled.

    Without this a wrong argument fails each attempt at the other side, and a subclass arrives as its base class.

    Raises:
        PayloadError: Names what is called, the argument, and the path within it.
    """
    # Temporal pairs hints and arguments only when all parameters are given: with fewer, a model arrives as a dict.
    paired = hints is not None and len(hints) == len(args)
    for position, value in enumerate(args):
        if isinstance(value, RawValue):
            continue  # it was converted before, and goes as it is
        try:
            if hints is not None and position < len(hints):
                faithful.accept(value, hints[position])
            else:
                faithful.check(value)
            if not paired and hints is not None and len(args) < len(hints) and not faithful.plain(value):
                raise PayloadError(
                    f"would arrive as plain JSON, because Temporal goes by type hints only when all {len(hints)} "
                    f"parameters are given, and these are {len(args)}: give all"
                )
        except (PayloadError, pydantic.ValidationError) as error:
            if faithful.binding():
                refused = error if isinstance(error, PayloadError) else PayloadError(describe(error))
                raise unsendable(callee, names, refused, position) from None


def check_result(what: str, result: Any, hint: Any) -> None:
    """Refuse a result that its receiver would misread or refuse, and tell the converter what it converts next.

    Raises:
        PayloadError: Names the result and the path within it.
    """
    faithful.sending.set(what)
    try:
        if hint is None:
            faithful.check(result)
        else:
            faithful.accept(result, hint)
    except (PayloadError, pydantic.ValidationError) as error:
        if faithful.binding():
            message, path = (error.message, error.path) if isinstance(error, PayloadError) else (describe(error), "")
            raise PayloadError(f"{what}: {message}", path) from None


def unsendable(callee: str, names: tuple[str, ...], error: PayloadError, position: int | None = None) -> PayloadError:
    """Return the error with what is called and which argument is at fault in its message."""
    position = error.position if position is None else position
    name = f" {names[position]!r}" if position < len(names) else ""
    named = PayloadError(f"{callee}: argument {position + 1}{name}: {error.message}", error.path)
    named.position = position
    return named
