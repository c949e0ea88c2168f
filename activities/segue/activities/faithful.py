"""Whether a value survives the way to the other side: what would arrive altered is refused, with its path.

Pydantic turns a `SecretStr` into asterisks and a NaN into null, a field declared with a base class drops what a
subclass adds, and a text in a `datetime | str` may come back as a date. In a durable history such a change is found
much later, by somebody else. `check` finds it before the value is sent:

    check(order, Order)      # PayloadError: card.number is a SecretStr, which would arrive as asterisks: ...

Most values are told to be safe by their classes, which costs a few microseconds. One that is not is tried: it is
written and read back as its receiver would, and compared.
"""

from __future__ import annotations

import collections
import contextlib
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
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from itertools import repeat
from typing import Any, Final, Protocol, TypeGuard, cast

import pydantic
import pydantic_core
from pydantic import BaseModel, SecretBytes, SecretStr
from temporalio import workflow

from segue.activities.errors import PayloadError
from segue.activities.fit import classes_with_fields, fits, kept_with, members_of, safe
from segue.activities.home import at_home

__all__ = [
    "REFUSAL_PATCH",
    "Meter",
    "accept",
    "accepted",
    "adapter",
    "binding",
    "check",
    "meter",
    "plain",
    "sending",
    "stays_here",
    "unserializable",
]

REFUSAL_PATCH: Final = "segue.refusal"
"""Marks in a run's history that a value was refused there."""

sending: ContextVar[str | None] = ContextVar("sending", default=None)
"""What is being sent, for messages, where the call itself does not say: `The result of workflow 'Pay'`."""

stays_here: ContextVar[bool] = ContextVar("stays_here", default=False)
"""Whether what is converted never leaves the process, as the arguments of a local activity do not: any size will do."""


class Meter(Protocol):
    """Whoever wants to know how much is sent."""

    def add(self, size_bytes: int, /) -> None:
        """Take note of as many bytes more."""


meter: ContextVar[Meter | None] = ContextVar("meter", default=None)
"""To what the converter adds the bytes that it makes of the arguments of a call."""

# Values of exactly these types arrive as they are.
_ATOMS = frozenset(
    {
        str,
        int,
        bool,
        bytes,
        types.NoneType,
        datetime.date,
        datetime.timedelta,
        uuid.UUID,
        pathlib.PosixPath,
        pathlib.PurePosixPath,
        pathlib.WindowsPath,
        pathlib.PureWindowsPath,
    }
)
# Pydantic writes more levels than it reads.
_DEEPEST: Final = 190
_MINUTE: Final = datetime.timedelta(minutes=1)
_AT_RISK: Final = "__segue_at_risk__"


def check(value: Any, hint: Any = None) -> None:
    """Do nothing if a value arrives as it is at a receiver with this type hint.

    Where the receiver's hint is not known, as for None, models and dataclasses are held to their own fields' hints.
    Whether the receiver takes the value is another question, which `accept` answers.

    Raises:
        PayloadError: Names the path within the value, what is there, and what to do.
    """
    if hint is None:
        for one in _accepted.get():
            if one is value:
                return
        _refuse_alone(value, tried=False)
        return
    with contextlib.suppress(pydantic.ValidationError):
        accept(value, hint)


def accept(value: Any, hint: Any) -> None:
    """Do nothing if a receiver with this type hint takes a value, and gets it as it is.

    A value need not be of the hinted class: a dict is good for a model, a text for a date.

    Raises:
        PayloadError: The value would arrive altered. Names the path within it, what is there, and what to do.
        pydantic.ValidationError: The receiver would refuse the value.
    """
    fit = fits(hint)
    try:
        certain = fit(value)
    except RecursionError:
        certain = False
    if certain and fit.safe:
        return
    _refuse_alone(value, tried=not certain)
    if not certain:
        _refuse_difference(value, _try(value, hint), hint, "")


class accepted:
    """Spares values that `accept` let pass the same look again, when they are converted within the block."""

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = values

    def __enter__(self) -> None:
        self._token = _accepted.set(self._values)

    def __exit__(self, *_: object) -> None:
        _accepted.reset(self._token)


_accepted: ContextVar[Sequence[Any]] = ContextVar("_accepted", default=())


def plain(value: Any) -> bool:
    """Return whether a value is made of JSON's own types, so that it needs no hint to arrive as it is."""
    if type(value) in (list, dict):
        return all(plain(item) for _, item in _parts(value, ""))
    return value is None or type(value) in (str, int, float, bool)


def binding() -> bool:
    """Return whether a refusal holds here: everywhere but in a workflow that sent the value before Segue was there.

    A run that was begun without the plugin has its history, and its replay must go the way it went: what was sent then
    is sent again. So a refusal in a workflow is recorded in its history, and in replay only a recorded one holds.
    """
    if not workflow.in_workflow() or workflow.unsafe.is_read_only():
        return True
    return workflow.patched(REFUSAL_PATCH)


def unserializable(value: Any, path: str = "") -> str | None:
    """Return where a value holds something that has no JSON form and what that is, as a phrase; None if nowhere."""
    kind: type[Any] = value.__class__
    if kind in _ATOMS and kind not in (bytes, str):
        return None
    for inner_path, item in _parts(value, path):
        if (found := unserializable(item, inner_path)) is not None:
            return found
    try:
        pydantic_core.to_json(value)
    except (pydantic_core.PydanticSerializationError, ValueError, TypeError) as error:
        if isinstance(value, bytes):
            return f"{_at(path)} is bytes that are not UTF-8: declare the field as pydantic.Base64Bytes"
        if isinstance(value, str):
            return f"{_at(path)} is a text with lone surrogates, which is not Unicode: decode it with errors='replace'"
        if "unknown type" in str(error):
            return f"{_at(path)} is a {kind.__module__}.{kind.__qualname__}, which has no JSON form"
        return f"{_at(path)} has no JSON form: {str(error).removeprefix('Error serializing to JSON: ')}"
    return None


def adapter(hint: Any) -> pydantic.TypeAdapter[Any]:
    """Return the validator of a type hint, kept for the process: building one costs far more than using it.

    Raises:
        pydantic.PydanticUserError: Pydantic has no validator for such a hint.
    """
    key = ("adapter", hint)
    try:
        kept = kept_with(hint)
        if (known := kept.get(key)) is not None:
            return cast("pydantic.TypeAdapter[Any]", known)
    except TypeError:  # a hint that cannot be hashed
        return at_home(classes_with_fields(hint), lambda: _complete(hint))
    made = kept[key] = at_home(classes_with_fields(hint), lambda: _complete(hint))
    return made


def _complete(hint: Any) -> pydantic.TypeAdapter[Any]:
    """Return the validator of a hint, built to its end.

    Pydantic puts off what it cannot build yet, and what a model's author has it put off, until the first use, in
    whichever thread and sandbox that is.
    """
    made: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(hint)
    made.rebuild(raise_errors=False)
    if not made.pydantic_complete:
        raise pydantic.PydanticUserError(
            f"{hint!r} names a type that its module does not define", code="class-not-fully-defined"
        )
    return made


def _try(value: Any, hint: Any) -> Any:
    """Return what a receiver gets: the value, written and read back; the value itself if that cannot be told."""
    try:
        receiver = adapter(hint)
    except pydantic.PydanticUserError:  # a hint that pydantic does not know, which is the receiver's to handle
        return value
    try:
        data = pydantic_core.to_json(value)
    except (pydantic_core.PydanticSerializationError, ValueError, TypeError) as error:
        raise PayloadError(unserializable(value) or f"the value has no JSON form: {error}") from None
    return receiver.validate_json(data)


def _refuse_alone(value: Any, *, tried: bool) -> None:
    """Refuse what is altered whatever the receiver's hint; models are `tried` by somebody, or else here."""
    try:
        if not _clean(value, 0):
            _walk(value, "", tried, 0)
    except RecursionError:
        raise _too_deep() from None


def _too_deep() -> PayloadError:
    return PayloadError(f"the value is nested more than {_DEEPEST} levels deep, or holds itself")


def _clean(value: Any, depth: int) -> bool:
    """Whether a value holds nothing that is altered whatever the hint. False is uncertain: `_walk` tells."""
    kind: type[Any] = value.__class__
    if kind in _ATOMS:
        return True
    if kind is float:
        return math.isfinite(value)
    if depth > _DEEPEST:
        return False
    if kind is list or kind is tuple:
        return not value or _clean_items(value, depth + 1)
    if kind is dict:
        return _ATOMS.issuperset(map(type, value)) and (not value or _clean_items(value.values(), depth + 1))
    if kind is datetime.datetime:
        offset = value.utcoffset()
        return offset is None or not offset % _MINUTE
    fields = _fields_at_risk(kind)
    if fields is None:
        return isinstance(value, enum.Enum)
    return fits(kind)(value) and all(_clean(getattr(value, name, None), depth + 1) for name in fields)


def _clean_items(values: Any, depth: int) -> bool:
    """Tell of all items at once where one pass in C can: numbers by their sum, texts by joining them."""
    first = type(next(iter(values)))
    try:
        if first is int or first is float:
            return math.isfinite(sum(values))
        if first is str:
            "".join(values)
            return True
    except (TypeError, OverflowError):
        pass
    kinds = set(map(type, values))
    for kind in kinds - _ATOMS:
        fields = _fields_at_risk(kind)
        if fields is None or len(kinds) > 1:
            return all(_clean(value, depth) for value in values)
        if not fits(kind).all(values):
            return False
        # Field by field, so that the numbers of a thousand models are looked at in one pass.
        return all(_clean_items([getattr(value, name, None) for value in values], depth + 1) for name in fields)
    return True


def _fields_at_risk(kind: type[Any]) -> tuple[str, ...] | None:
    """Return the fields of a model or dataclass that may hold what JSON alters; None for any other class."""
    known = kind.__dict__.get(_AT_RISK)
    if known is not None:
        return cast("tuple[str, ...]", known)
    if issubclass(kind, BaseModel):
        # A model's fields were validated, so their hints tell what they hold.
        fields = tuple(
            name for name, field in kind.model_fields.items() if not field.exclude and not safe(field.annotation)
        )
        if kind.model_config.get("extra") == "allow":
            fields = (*fields, "__pydantic_extra__")
    elif dataclasses.is_dataclass(kind):
        fields = tuple(field.name for field in dataclasses.fields(kind))
    else:
        return None
    setattr(kind, _AT_RISK, fields)
    return fields


def _walk(value: Any, path: str, tried: bool, depth: int) -> None:
    """Refuse secrets, numbers that are none, offsets from UTC with seconds, and models that lose something."""
    if depth > _DEEPEST:
        raise _too_deep()
    if isinstance(value, (SecretStr, SecretBytes, pydantic.Secret)):
        name: str = value.__class__.__name__  # pyright: ignore[reportUnknownMemberType]
        raise PayloadError(
            f"{_at(path)} is a {name}, which would arrive as asterisks and must not enter a history: "
            "send a reference to the secret and resolve it in the activity",
            path,
        )
    if (isinstance(value, float) and not math.isfinite(value)) or (
        isinstance(value, decimal.Decimal) and not value.is_finite()
    ):
        raise PayloadError(f"{_at(path)} is {value!r}, which JSON cannot carry: send None or a string", path)
    if isinstance(value, (datetime.datetime, datetime.time)):
        offset = value.utcoffset()
        if offset is not None and offset % _MINUTE:
            raise PayloadError(
                f"{_at(path)} is {value.isoformat()}, whose offset from UTC is no whole number of minutes: "
                "send it in UTC",
                path,
            )
    if _is_mapping(value):
        for key in value:
            _walk(key, f"the key {key!r}" + (f" of {path}" if path else ""), tried, depth + 1)
    for inner_path, item in _parts(value, path):
        _walk(item, inner_path, tried or _has_fields(value), depth + 1)
    if not tried and _has_fields(value) and not fits(value.__class__)(value):
        with contextlib.suppress(pydantic.ValidationError):
            _refuse_difference(value, _try(value, value.__class__), value.__class__, path)


def _parts(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a value that are written, each with its path."""
    if isinstance(value, BaseModel):
        spelled = type(value).model_config.get("ser_json_inf_nan", "null") != "null"
        for name, field in type(value).model_fields.items():
            item = getattr(value, name, None)
            if not field.exclude and not (spelled and isinstance(item, float)):
                yield f"{path}.{name}" if path else name, item
        for name, item in (value.__pydantic_extra__ or {}).items():
            yield f"{path}.{name}" if path else name, item
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for name in (field.name for field in dataclasses.fields(value)):
            yield f"{path}.{name}" if path else name, getattr(value, name, None)
    elif _is_mapping(value):
        for key, item in value.items():
            yield f"{path}.{key}" if path else str(key), item
    elif _is_collection(value):
        for index, item in enumerate(value):
            yield f"{path}[{index}]", item


def _refuse_difference(sent: Any, arrived: Any, hint: Any, path: str) -> None:
    """Refuse a value that a receiver with this hint would get as another one.

    What was sent in the plain form of a declared type, as a dict is for a model, is meant to become that type.
    """
    members = members_of(hint)
    if any(member is Any or member is object or isinstance(member, typing.TypeVar) for member in members):
        return
    if _has_fields(sent):
        _refuse_other_class(sent, arrived, path)
        hints = _hints(arrived.__class__)
        for name, item in _pairs(sent, arrived):
            _refuse_difference(item[0], item[1], hints.get(name, Any), f"{path}.{name}" if path else name)
    elif _is_mapping(sent) and _is_mapping(arrived):
        inner = [typing.get_args(member)[1] for member in members if len(typing.get_args(member)) == 2]
        for key in sent.keys() & arrived.keys():
            _refuse_difference(sent[key], arrived[key], _joined(inner), f"{path}.{key}" if path else str(key))
    elif _is_sequence(sent) and _is_sequence(arrived):
        for index, (one, other, inner) in enumerate(zip(sent, arrived, _item_hints(members), strict=False)):
            _refuse_difference(one, other, inner, f"{path}[{index}]")
    elif type(sent) in members and (type(arrived) is not type(sent) or arrived != sent):
        raise PayloadError(
            f"{_at(path)} is {_shown(sent)} and would arrive as {_shown(arrived)}: "
            + (
                "its class does not read back what it writes"
                if type(arrived) is type(sent)
                else "declare one type, or a discriminated union"
            ),
            path,
        )


def _refuse_other_class(sent: Any, arrived: Any, path: str) -> None:
    kind: type[Any] = sent.__class__
    other: type[Any] = arrived.__class__
    # The sandbox imports a workflow's own module anew for every run: a class may stand there twice.
    if kind is other or (kind.__qualname__, kind.__module__) == (other.__qualname__, other.__module__):
        return
    if getattr(kind, "__pydantic_generic_metadata__", {}).get("origin") is other or issubclass(other, kind):
        return
    if issubclass(kind, other):
        problem = f"expects {other.__name__} and would drop what {kind.__name__} adds"
    else:
        problem = f"would take it for {other.__name__}"
    raise PayloadError(
        f"{_at(path)} is a {kind.__name__}, but the receiver {problem}: declare {kind.__name__}, or a discriminated "
        "union of the classes",
        path,
    )


def _pairs(sent: Any, arrived: Any) -> Iterator[tuple[str, tuple[Any, Any]]]:
    written = dict(_parts(sent, ""))
    for name, item in _parts(arrived, ""):
        if name in written:
            yield name, (written[name], item)


def _hints(kind: type[Any]) -> Mapping[str, Any]:
    if issubclass(kind, BaseModel):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    if not dataclasses.is_dataclass(kind):
        return {}
    kept = kept_with(kind)
    if (known := kept.get("hints")) is None:
        try:
            known = kept["hints"] = at_home((kind,), lambda: typing.get_type_hints(kind))
        except Exception:  # a hint that only a type checker can resolve
            return {}
    return cast("Mapping[str, Any]", known)


def _joined(hints: Sequence[Any]) -> Any:
    return functools.reduce(lambda one, other: typing.Union[one, other], hints) if hints else Any  # noqa: UP007


def _item_hints(members: Iterable[Any]) -> Iterable[Any]:
    """Return the hints of the items of a sequence, endlessly where they are all alike."""
    found: list[Any] = []
    for member in members:
        arguments, origin = typing.get_args(member), typing.get_origin(member)
        if not arguments or not isinstance(origin, type) or issubclass(origin, Mapping):
            continue
        if origin is tuple and Ellipsis not in arguments:
            return arguments
        found.append(arguments[0])
    return repeat(_joined(found))


def _is_mapping(value: Any) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def _is_sequence(value: Any) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, (list, tuple, collections.deque))


def _is_collection(value: Any) -> TypeGuard[Collection[Any]]:
    return isinstance(value, (list, tuple, set, frozenset, collections.deque))


def _has_fields(value: Any) -> bool:
    return isinstance(value, BaseModel) or (dataclasses.is_dataclass(value) and not isinstance(value, type))


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) <= 60 else f'{text[:59]}…'}"


def _at(path: str) -> str:
    return path or "the value"
