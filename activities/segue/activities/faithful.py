"""Whether a value survives the way to the other side: what JSON would alter silently is refused, with its path.

Pydantic turns a `SecretStr` into asterisks and a NaN into null, and a field declared with a base class drops what a
subclass adds. In a durable history such a change is found much later, by somebody else. `check` finds it before the
value is sent:

    check(order, Order)      # PayloadError: card.number is a SecretStr, which would arrive as asterisks: ...

It walks a value once, skipping what cannot go wrong; on a small model that is a few microseconds.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import functools
import math
import pathlib
import types
import typing
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, cast

import pydantic
import pydantic_core
from pydantic import BaseModel, SecretBytes, SecretStr

from segue.activities.errors import PayloadError

__all__ = ["accept", "check", "unserializable"]

# Values of exactly these types arrive as they are, whatever the hint.
_ATOMS = frozenset(
    {
        str,
        int,
        bool,
        bytes,
        types.NoneType,
        datetime.datetime,
        datetime.date,
        datetime.time,
        datetime.timedelta,
        uuid.UUID,
        pathlib.PosixPath,
        pathlib.PurePosixPath,
    }
)
_SEQUENCES = (list, tuple, set, frozenset, collections.deque)


def check(value: Any, hint: Any = None, path: str = "") -> None:
    """Do nothing if a value can be carried faithfully to a receiver with this type hint, None for no hint.

    Raises:
        PayloadError: Names the path within the value, what is there, and what to do.
    """
    kind: type[Any] = type(value)
    if kind in _ATOMS:
        return
    if kind is float:
        if not math.isfinite(value):
            raise PayloadError(f"{_at(path)} is {value!r}, which JSON cannot carry: send None or a string", path)
    elif isinstance(value, decimal.Decimal):
        if not value.is_finite():
            raise PayloadError(f"{_at(path)} is {value!r}, which JSON cannot carry: send None or a string", path)
    elif isinstance(value, (SecretStr, SecretBytes, pydantic.Secret)):
        raise PayloadError(
            f"{_at(path)} is a {kind.__name__}, which would arrive as asterisks and must not enter a history: "
            "send a reference to the secret and resolve it in the activity",
            path,
        )
    elif isinstance(value, _SEQUENCES):
        items = cast("Iterable[Any]", value)
        if set(map(type, items)) <= _ATOMS:
            return
        for index, (item, inner) in enumerate(zip(items, _item_hints(hint), strict=False)):
            check(item, inner, f"{path}[{index}]")
    elif isinstance(value, Mapping):
        mapping = cast("Mapping[Any, Any]", value)
        if set(map(type, mapping.values())) <= _ATOMS:
            return
        arguments = typing.get_args(hint)
        inner = arguments[1] if len(arguments) == 2 else None
        for key, item in mapping.items():
            check(item, inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, BaseModel):
        _check_class(kind, hint, path)
        names = _fields(kind)
        for name, annotation in names:
            check(getattr(value, name, None), annotation, f"{path}.{name}" if path else name)
        for name, item in (value.__pydantic_extra__ or {}).items():
            check(item, None, f"{path}.{name}" if path else name)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        _check_class(kind, hint, path)
        for name, annotation in _fields(kind):
            check(getattr(value, name, None), annotation, f"{path}.{name}" if path else name)


def accept(value: Any, hint: Any) -> None:
    """Do nothing if a receiver with this type hint takes the value; otherwise raise what it would fail with.

    A value whose class is the hint, or one of the hint's, is taken at its word. Any other is tried as the receiver
    would try it, through JSON: a dict is good for a model, a string for a date.

    Raises:
        pydantic.ValidationError: The receiver would refuse the value.
    """
    if not _obvious(value, hint):
        adapter(hint).validate_json(pydantic_core.to_json(value))


def unserializable(value: Any, path: str = "") -> str | None:
    """Return where a value holds something that has no JSON form and what that is, as a phrase; None if nowhere."""
    kind: type[Any] = type(value)
    if kind in _ATOMS and kind is not bytes:
        return None
    parts: Iterable[tuple[str, Any]] = ()
    if isinstance(value, BaseModel) or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
        parts = ((f"{path}.{name}" if path else name, getattr(value, name, None)) for name, _ in _fields(kind, every=True))
    elif isinstance(value, Mapping):
        mapping = cast("Mapping[Any, Any]", value)
        parts = ((f"{path}.{key}" if path else str(key), item) for key, item in mapping.items())
    elif isinstance(value, _SEQUENCES):
        parts = ((f"{path}[{index}]", item) for index, item in enumerate(cast("Iterable[Any]", value)))
    for inner_path, item in parts:
        if (found := unserializable(item, inner_path)) is not None:
            return found
    try:
        pydantic_core.to_json(value)
    except (pydantic_core.PydanticSerializationError, ValueError, TypeError):
        if kind is bytes:
            return f"{_at(path)} is bytes that are not UTF-8: declare the field as pydantic.Base64Bytes"
        return f"{_at(path)} is a {kind.__module__}.{kind.__qualname__}, which has no JSON form"
    return None


@functools.lru_cache(maxsize=1024)
def _cached_adapter(hint: Any) -> pydantic.TypeAdapter[Any]:
    return pydantic.TypeAdapter(hint)


def adapter(hint: Any) -> pydantic.TypeAdapter[Any]:
    """Return the validator of a type hint, kept for the process: building one costs far more than using it."""
    try:
        hash(hint)
    except TypeError:
        return pydantic.TypeAdapter(hint)
    return _cached_adapter(hint)


def _at(path: str) -> str:
    return path or "the value"


def _check_class(kind: type, hint: Any, path: str) -> None:
    """Refuse an instance of a subclass where the receiver will build its base class, dropping what the subclass adds."""
    if hint is None or hint is kind:
        return
    expected = _classes(hint)
    if kind in expected:
        return
    for base in expected:
        if base is not object and issubclass(kind, base) and not _generic_of(kind, base):
            raise PayloadError(
                f"{_at(path)} is a {kind.__name__}, but the receiver expects {base.__name__} and would drop what "
                f"{kind.__name__} adds: declare {kind.__name__}, or a union of the classes",
                path,
            )


def _generic_of(kind: type, base: type) -> bool:
    """Whether `kind` is `base` with its type parameters filled, or differs from it only by name and has no new field."""
    if not hasattr(base, "__pydantic_generic_metadata__"):
        return False
    return getattr(kind, "__pydantic_generic_metadata__", {}).get("origin") is base


@functools.lru_cache(maxsize=1024)
def _classes_of(hint: Any) -> frozenset[type]:
    if isinstance(hint, type) and not typing.get_args(hint):
        return frozenset({hint})
    if isinstance(hint, typing.TypeAliasType if hasattr(typing, "TypeAliasType") else ()):  # pyright: ignore
        return _classes_of(hint.__value__)
    if isinstance(hint, type):
        return frozenset({hint})
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin is typing.Annotated:
        return _classes_of(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return frozenset().union(*(_classes_of(argument) for argument in arguments))
    return frozenset({origin}) if isinstance(origin, type) else frozenset()


def _classes(hint: Any) -> frozenset[type]:
    """Return the classes that a hint names at its top: those of a union, without what containers hold."""
    try:
        return _classes_of(hint)
    except TypeError:
        return frozenset()


def _item_hints(hint: Any) -> Iterable[Any]:
    """Return the hints of a sequence's items, endlessly where they are all alike."""
    for candidate in typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,):
        arguments = typing.get_args(candidate)
        origin = typing.get_origin(candidate)
        if not arguments or not isinstance(origin, type) or issubclass(origin, Mapping):
            continue
        if origin is tuple and Ellipsis not in arguments:
            return arguments
        return _endless(arguments[0])
    return _endless(None)


def _endless(hint: Any) -> Iterable[Any]:
    while True:
        yield hint


@functools.lru_cache(maxsize=1024)
def _fields(kind: type, every: bool = False) -> tuple[tuple[str, Any], ...]:
    """Return the fields of a model or dataclass that may hold something that does not survive, with their hints."""
    if issubclass(kind, BaseModel):
        annotations = {
            name: field.annotation for name, field in kind.model_fields.items() if every or not field.exclude
        }
    else:
        try:
            hints = typing.get_type_hints(kind)
        except Exception:  # a hint that only a type checker can resolve
            hints = {}
        annotations = {field.name: hints.get(field.name) for field in dataclasses.fields(kind)}
    if every:
        return tuple(annotations.items())
    return tuple((name, annotation) for name, annotation in annotations.items() if not _safe(annotation))


def _safe(hint: Any) -> bool:
    """Whether every value that a field with this hint may hold survives."""
    if hint in _ATOMS or (isinstance(hint, type) and issubclass(hint, enum.Enum)):
        return True
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return True
    if origin is typing.Annotated:
        return _safe(arguments[0])
    return bool(arguments) and all(argument is Ellipsis or _safe(argument) for argument in arguments)


def _obvious(value: Any, hint: Any) -> bool:
    """Whether a value fits a hint by its classes alone, which spares the trial through JSON."""
    if hint is None or hint is Any or hint is object or type(value) is hint:
        return True
    if value is None:
        return types.NoneType in _classes(hint)
    kind: type[Any] = type(value)
    for cls in _classes(hint):
        # The sandbox imports some modules anew for every run: the same class may stand there twice.
        if kind is cls or (kind.__qualname__ == cls.__qualname__ and kind.__module__ == cls.__module__):
            if kind in (list, set, frozenset, tuple):
                return all(map(_obvious, value, _item_hints(hint)))
            if kind is dict:
                arguments = typing.get_args(hint)
                return len(arguments) != 2 or all(
                    _obvious(key, arguments[0]) and _obvious(item, arguments[1]) for key, item in value.items()
                )
            return True
    return False
