"""An operator's input or result, as JSON, made what the step's types say; refused where it does not fit them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any, Final, cast

import pydantic
import pydantic_core
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from segue.activities import faithful
from segue.activities.errors import describe
from segue.workflows.repair.records import InvalidRepair

__all__ = ["arguments", "as_json", "result", "shown"]

# A query's answer has a limit, and nobody edits more than this in a terminal.
_LARGEST_INPUT: Final = 20_000


def arguments(
    step: str, given: Any, names: Sequence[str], hints: Sequence[Any] | None, count: int, *, taken: bool
) -> list[Any]:
    """Return the arguments that an operator gives a step.

    Args:
        step: Id of the step.
        given: The argument as JSON, or an array of all if the step takes several.
        names: Names of the parameters, as far as they are known.
        hints: Their types; None if they are not known.
        count: How many arguments the step was given: what it takes beyond these has defaults.
        taken: Whether history has taken them: by an earlier version maybe, or under other types.

    Raises:
        InvalidRepair: They do not fit. What was sent is not repeated: it may be secret.
    """
    most = len(hints) if hints is not None else count
    takes = f"{step!r} takes {count if count == most else f'{count} to {most}'} arguments"
    if most != 1 and isinstance(given, list):
        values: list[Any] = list(cast("Iterable[Any]", given))
    elif count == 1:
        values = [given]
    else:
        raise InvalidRepair(f"{takes}: give a JSON array of them")
    if not count <= len(values) <= most:
        raise InvalidRepair(f"{takes}, and is given {len(values)}")
    if hints is None:
        return values
    try:
        return _held_to(step, values, names, hints, takes)
    except InvalidRepair:
        if taken:  # what was sent is not compared in replay, and a refusal would break it
            return values
        raise


def _held_to(step: str, values: Sequence[Any], names: Sequence[str], hints: Sequence[Any], takes: str) -> list[Any]:
    fitting = [
        _fitting(f"{step!r}: the input {names[index]!r}" if index < len(names) else f"{step!r}: the input", value, hint)
        for index, (value, hint) in enumerate(zip(values, hints, strict=False))
    ]
    if len(fitting) < len(hints) and not all(map(faithful.plain, fitting)):
        # Temporal goes by type hints only where all parameters are given.
        raise InvalidRepair(f"{takes}, and these would arrive as plain JSON: give all {len(hints)}")
    return fitting


def result(step: str, given: Any, hint: Any) -> Any:
    """Return the result that an operator gives in a step's place.

    Raises:
        InvalidRepair: It does not fit the step's type.
    """
    if hint is RawValue:
        return RawValue(workflow.payload_converter().to_payloads([given])[0])
    return _fitting(f"{step!r}: the result", given, hint)


def as_json(payloads: Sequence[Payload] | None) -> list[Any] | None:
    """Return arguments as JSON; None where they are none, or large."""
    if payloads is None or sum(len(payload.data) for payload in payloads) > _LARGEST_INPUT:
        return None
    try:
        return [pydantic_core.from_json(payload.data) if payload.data else None for payload in payloads]
    except ValueError:
        return None


def shown(hint: Any) -> str:
    """Return a type's name."""
    if hint is None:
        return "?"
    if hint is type(None):
        return "None"
    return hint.__name__ if inspect.isclass(hint) else str(hint)


def _fitting(what: str, value: Any, hint: Any) -> Any:
    if hint is None:
        return value
    try:
        adapter = faithful.adapter(hint)
    except pydantic.PydanticUserError:  # a hint that pydantic does not know, which is the receiver's to handle
        return value
    try:
        return adapter.validate_json(pydantic_core.to_json(value))
    except pydantic.ValidationError as error:
        wrong = describe(error)
    raise InvalidRepair(f"{what}: {wrong}")
