"""What a function takes and returns by its type hints, and whether one hint's values fit another.

Only what is certain is refused: a hint that is missing, or that only a type checker can resolve, fits everything.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any, Final, TypeVar, Union

import pydantic

from segue.activities import faithful
from segue.activities.errors import PayloadError, describe

__all__ = ["UNKNOWN", "Parameter", "Signature", "admits", "fits", "refusal", "shown", "signature"]


class _Unknown:
    def __repr__(self) -> str:
        return "unknown"


UNKNOWN: Final = _Unknown()
"""A type that is not known, which fits every other."""

# A number may stand where a wider kind is declared (PEP 484).
_WIDER: Final[dict[type, tuple[type, ...]]] = {int: (float, complex), float: (complex,)}


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A positional parameter."""

    name: str
    hint: Any
    required: bool
    default: Any = None


@dataclasses.dataclass(frozen=True)
class Signature:
    """What a function takes and returns.

    Attributes:
        parameters: Its positional parameters, without `self`.
        rest: The hint of `*args`; None if it takes no further arguments.
        returns: The hint of its result.
    """

    parameters: tuple[Parameter, ...]
    rest: Any
    returns: Any

    def parameter(self, position: int) -> Parameter | None:
        """Return what an argument is passed as; None if there is no such parameter."""
        if position < len(self.parameters):
            return self.parameters[position]
        return Parameter("*args", self.rest, False) if self.rest is not None else None

    @property
    def required(self) -> int:
        """How many arguments it needs."""
        return sum(parameter.required for parameter in self.parameters)


def signature(fn: Callable[..., Any]) -> Signature:
    """Return what a function, method, or callable class takes and returns."""
    called: Any = getattr(fn, "__call__", fn) if inspect.isclass(fn) or not inspect.isroutine(fn) else fn  # noqa: B004
    try:
        hints = typing.get_type_hints(called)
    except Exception:  # a hint that only a type checker can resolve
        hints = {}
    found: list[Parameter] = []
    rest: Any = None
    for position, (name, given) in enumerate(inspect.signature(called).parameters.items()):
        hint = hints.get(name, UNKNOWN)
        if given.kind is inspect.Parameter.VAR_POSITIONAL:
            rest = hint
        elif given.kind in _POSITIONAL and not (position == 0 and _is_instance(called, name)):
            required = given.default is inspect.Parameter.empty
            found.append(Parameter(name, hint, required, None if required else given.default))
    return Signature(tuple(found), rest, hints.get("return", UNKNOWN))


def _is_instance(called: Any, first: str) -> bool:
    """Whether a function's first parameter is the instance of a method, as Temporal takes it."""
    return first == "self" or hasattr(called, "__temporal_workflow_run")


_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def fits(given: Any, wanted: Any) -> bool:
    """Return whether a value of one type may be passed as another. When in doubt it may.

    Beyond what a type checker lets pass, lists, tuples and sets stand for one another, and a mapping for a class with
    fields, for they arrive as the same JSON.
    """
    given, wanted = _plain(given), _plain(wanted)
    if _open(given) or _open(wanted) or given == wanted:
        return True
    if _is_union(given):
        return all(fits(one, wanted) for one in typing.get_args(given))
    if _is_union(wanted):
        return any(fits(given, one) for one in typing.get_args(wanted))
    if typing.get_origin(given) is typing.Literal:
        return all(_fits_literal(value, wanted) for value in typing.get_args(given))
    if typing.get_origin(wanted) is typing.Literal:
        # Which of its values it is, is not known before the run.
        return any(fits(type(value), given) for value in typing.get_args(wanted))
    return _fits_class(given, wanted)


def admits(hint: Any, value: Any) -> bool:
    """Return whether a value is of a type. When in doubt it is."""
    hint = _plain(hint)
    if _is_union(hint):
        return any(admits(one, value) for one in typing.get_args(hint))
    kind: Any = typing.get_origin(hint) or hint
    # A number is as good as the member of an enumeration of numbers.
    return not isinstance(kind, type) or isinstance(value, kind) or (isinstance(value, int) and issubclass(kind, int))


def refusal(value: Any, hint: Any) -> str | None:
    """Return why a receiver with a hint would refuse a value, or get another; None if it would not."""
    try:
        if hint is UNKNOWN:
            faithful.check(value)
        else:
            faithful.accept(value, hint)
    except PayloadError as error:
        return error.message
    except pydantic.ValidationError as error:
        return describe(error)
    return None


def shown(hint: Any) -> str:
    """Return a hint as its author wrote it."""
    if hint is None or hint is types.NoneType:
        return "None"
    if isinstance(hint, type) and not typing.get_args(hint):
        return hint.__qualname__
    if _is_union(hint):
        return " | ".join(shown(one) for one in typing.get_args(hint))
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if isinstance(origin, type) and arguments:
        inner = ("..." if one is Ellipsis else shown(one) for one in arguments)
        return f"{origin.__qualname__}[{', '.join(inner)}]"
    return str(hint).removeprefix("typing.")


def _plain(hint: Any) -> Any:
    """Return the type behind `Annotated`, a `NewType` or an alias."""
    while True:
        if hint is None:
            return types.NoneType
        if typing.get_origin(hint) is typing.Annotated:
            hint = typing.get_args(hint)[0]
        elif isinstance(hint, typing.NewType):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        else:
            return hint


def _open(hint: Any) -> bool:
    if hint is UNKNOWN or hint is Any or hint is object or isinstance(hint, (TypeVar, str, typing.ForwardRef)):
        return True
    if typing.get_origin(hint) is typing.Literal or _is_union(hint):
        return False
    kind = typing.get_origin(hint) or hint
    return not isinstance(kind, type) or getattr(kind, "_is_protocol", False)


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (Union, types.UnionType)


def _fits_literal(value: Any, wanted: Any) -> bool:
    if typing.get_origin(wanted) is typing.Literal:
        return value in typing.get_args(wanted)
    return fits(type(value), wanted)


def _fits_class(given: Any, wanted: Any) -> bool:
    kind: type = typing.get_origin(given) or given
    other: type = typing.get_origin(wanted) or wanted
    if kind is other or _is_subclass(kind, other):
        return _fit_arguments(given, wanted)
    if other in _WIDER.get(kind, ()):
        return True
    if _is_array(kind) and _is_array(other):
        return _fit_arguments(given, wanted)
    if issubclass(kind, collections.abc.Mapping):
        return _has_fields(other)
    # The sandbox imports a workflow's own module anew for every run: a class may stand there twice.
    return (kind.__module__, kind.__qualname__) == (other.__module__, other.__qualname__)


def _is_subclass(kind: type, other: type) -> bool:
    try:
        return issubclass(kind, other)
    except TypeError:  # a TypedDict is a class of no instances: what fits it has its fields
        return False


def _fit_arguments(given: Any, wanted: Any) -> bool:
    """Compare what two containers hold, where both say so in the same way."""
    one, other = typing.get_args(given), typing.get_args(wanted)
    if Ellipsis in one:
        one = one[:1]
    if Ellipsis in other:
        other = other[:1]
    return len(one) != len(other) or all(fits(a, b) for a, b in zip(one, other, strict=True))


def _is_array(kind: type) -> bool:
    return issubclass(kind, collections.abc.Collection) and not issubclass(
        kind, (str, bytes, bytearray, collections.abc.Mapping)
    )


def _has_fields(kind: type) -> bool:
    # A model, a dataclass, or a TypedDict: whatever has hints of its own.
    return bool(getattr(kind, "__annotations__", None)) or issubclass(kind, collections.abc.Mapping)
