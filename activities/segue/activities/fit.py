"""Whether a value certainly arrives as it is at a receiver with some type hint, told from classes alone.

`faithful` asks this first, because it costs a look at each class, where the other way to know, sending the value to
oneself and comparing, costs as much as sending it:

    fits(Order)(order)            # True: an Order, whose fields come back as they are
    fits(Order)(priority_order)   # False: a subclass may lose what it adds
    fits(datetime | str)("2024")  # False: a text may come back as a date

False never means refused; it means uncertain. A test is built once per hint.
"""

from __future__ import annotations

import collections
import collections.abc
import dataclasses
import datetime
import decimal
import enum
import ipaddress
import math
import operator
import pathlib
import types
import typing
import uuid
from collections.abc import Callable, Collection, Iterable, MutableMapping
from typing import Any, Final, TypeGuard, cast

import annotated_types
import pydantic
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from typing_extensions import is_typeddict

from segue.activities.home import at_home

__all__ = ["Fit", "classes_with_fields", "fits", "kept_with", "members_of", "safe"]

# What JSON tells apart. Two members of a union that are written alike may be mistaken for each other.
_NULL, _BOOLEAN, _NUMBER, _STRING, _ARRAY, _OBJECT = range(6)
_WRITTEN_AS: Final[dict[type[Any], int]] = {
    types.NoneType: _NULL,
    bool: _BOOLEAN,
    int: _NUMBER,
    float: _NUMBER,
    str: _STRING,
    **dict.fromkeys((list, tuple, set, frozenset, collections.deque), _ARRAY),
    dict: _OBJECT,
}
# Written as a text, and read back from one.
_AS_TEXT: Final = frozenset(
    {
        bytes,
        datetime.datetime,
        datetime.date,
        datetime.time,
        datetime.timedelta,
        uuid.UUID,
        decimal.Decimal,
        pathlib.Path,
        pathlib.PurePath,
        ipaddress.IPv4Address,
        ipaddress.IPv6Address,
        pydantic.AnyUrl,
        pydantic.HttpUrl,
    }
)
# The class of what a receiver gets for these hints.
_MADE_AS: Final[dict[type[Any], type]] = {
    pathlib.Path: type(pathlib.Path()),
    pathlib.PurePath: type(pathlib.PurePath()),
    collections.abc.Sequence: list,
    collections.abc.MutableSequence: list,
    collections.abc.Collection: list,
    collections.abc.Set: set,
    collections.abc.MutableSet: set,
    collections.abc.Mapping: dict,
    collections.abc.MutableMapping: dict,
}
# Code of an author's that runs when a value is written or read, and may change it.
_AUTHORS_CODE: Final = (
    "validators",
    "root_validators",
    "field_validators",
    "model_validators",
    "field_serializers",
    "model_serializers",
    "computed_fields",
)
# No value of these is altered. Decimals and floats may be no numbers, times have offsets, dataclasses hold anything.
_UNALTERED: Final = (frozenset(_WRITTEN_AS) | _AS_TEXT) - {
    float,
    decimal.Decimal,
    datetime.datetime,
    datetime.time,
    list,
    tuple,
    set,
    frozenset,
    collections.deque,
    dict,
}
_CONSTRAINTS: Final = (annotated_types.BaseMetadata, annotated_types.GroupedMetadata, pydantic.Strict)


@dataclasses.dataclass(slots=True)
class Fit:
    """How to tell that a value fits a hint: by its exact class, by a function, by both; by neither, everything fits.

    Attributes:
        exact: Class that a value must be of.
        test: Function that a value must pass.
        safe: Whether a value that fits holds nothing that JSON alters, so that nobody need look for it.
    """

    exact: type[Any] | None = None
    test: Callable[[Any], bool] | None = None
    safe: bool = False

    def __call__(self, value: Any) -> bool:
        """Tell whether a value fits for certain."""
        if self.exact is not None and type(value) is not self.exact:
            return False
        return self.test is None or self.test(value)

    def all(self, values: Collection[Any]) -> bool:
        """Tell it of many values, in one pass in C where their class decides."""
        if self.exact in _ADDED_UP:
            try:
                # Only texts can be joined, and only numbers of one class add up to one of that class.
                if self.exact is not str:
                    total = sum(values)
                    return not values or (type(total) is self.exact and math.isfinite(total))
                "".join(values)
            except (TypeError, OverflowError):
                return False
            return True
        if self.exact is not None and operator.countOf(map(type, values), self.exact) != len(values):
            return False
        return self.test is None or all(map(self.test, values))

    @property
    def simple(self) -> bool:
        """Whether a value that was validated needs no look."""
        return self.exact is float or (self.test is None and not _has_fields(self.exact))


_ANYTHING: Final = Fit()
_ADDED_UP: Final = frozenset({int, float, str})

_KEPT: Final = "__segue_kept__"
_FIT: Final = "fit"
_kept: dict[Any, Any] = {}


def fits(hint: Any) -> Fit:
    """Return the test of a hint. `Any` promises nothing, so everything fits it."""
    kept: Any = getattr(hint, "__dict__", _kept).get(_KEPT)
    if kept is None:
        return _test(hint, False, {})
    # The short way, for it is taken for each value that is sent.
    known: Fit | None = kept.get(_FIT)
    if known is None:
        known = kept[_FIT] = _test(hint, False, {})
    return known


def safe(hint: Any, within: tuple[Any, ...] = ()) -> bool:
    """Return whether no value of a hint is altered by JSON, whatever it is."""
    hint = _bare(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal or hint is None:
        return True
    if any(hint is outer for outer in within):  # a model or an alias may hold itself
        return False
    if origin is not None:
        inner = (*within, hint)
        return bool(arguments) and all(argument is Ellipsis or safe(argument, inner) for argument in arguments)
    if not _is_class(hint):
        return False
    if issubclass(hint, BaseModel):
        fields = hint.model_fields.values()
        return hint.model_config.get("extra") != "allow" and all(
            safe(field.annotation, (*within, hint)) for field in fields if not field.exclude
        )
    return hint in _UNALTERED or issubclass(hint, enum.Enum)


def kept_with(hint: Any) -> MutableMapping[Any, Any]:
    """Return where to keep what was made for a hint: as long as the models that it names.

    The workflow sandbox makes the classes of a workflow's own module anew for every run. Kept for the whole process,
    what was made for them would keep the modules of all runs in memory.
    """
    for cls in (hint,) if isinstance(hint, type) and not typing.get_args(hint) else _classes_in(hint):
        if (kept := cls.__dict__.get(_KEPT)) is not None:
            return cast("MutableMapping[Any, Any]", kept)
        if _has_fields(cls) or issubclass(cls, enum.Enum):
            setattr(cls, _KEPT, {})
            return cast("MutableMapping[Any, Any]", cls.__dict__[_KEPT])
    return _kept


def classes_with_fields(hint: Any) -> tuple[type[Any], ...]:
    """Return the classes in a hint that have annotated fields."""
    return tuple(
        cls for cls in _classes_in(hint) if _has_fields(cls) or is_typeddict(cls) or hasattr(cls, "_field_defaults")
    )


def members_of(hint: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the hint itself as the only one, without what annotates them."""
    hint = _bare(hint)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(member for argument in typing.get_args(hint) for member in members_of(argument))
    return (types.NoneType if hint is None else hint,)


def _bare(hint: Any) -> Any:
    """Return what a hint stands for: without `Annotated` and `Required`, the names of new types, and aliases."""
    while True:
        if typing.get_origin(hint) in (typing.Annotated, typing.Required, typing.NotRequired, typing.Final):
            hint = typing.get_args(hint)[0]
        elif hasattr(hint, "__supertype__"):
            hint = hint.__supertype__
        elif type(hint).__name__ == "TypeAliasType":
            hint = hint.__value__
        else:
            return hint


def _test(hint: Any, trusted: bool, building: dict[Any, Fit]) -> Fit:
    """Return the test of a hint, for values that were validated against it if `trusted`, as a model's fields are."""
    key = ("fit", trusted, hint)
    try:
        kept = kept_with(hint)
        known = kept.get(key) or building.get(key)
    except TypeError:  # a hint that cannot be hashed
        return _build(hint, trusted, building)
    if known is not None:
        return known
    # A model may hold itself: whoever asks for its test meanwhile gets this one, which is filled in below.
    building[key] = test = Fit(test=_uncertain)
    built = _build(hint, trusted, building)
    test.exact, test.test = built.exact, built.test
    test.safe = not trusted and safe(hint)
    kept[key] = test
    return test


def _build(hint: Any, trusted: bool, building: dict[Any, Fit]) -> Fit:
    if hint is None:
        return Fit(types.NoneType)
    if hint is Any or hint is object or isinstance(hint, typing.TypeVar):
        return Fit()
    if typing.get_origin(hint) is typing.Annotated:
        inner, *metadata = typing.get_args(hint)
        return _annotated(inner, metadata, trusted, building)
    hint = _bare(hint)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _union(hint, False, trusted, building)
    if origin is typing.Literal:
        classes: set[type[Any]] = {argument.__class__ for argument in arguments}
        return Fit(test=lambda value: type(value) in classes and value in arguments) if len(classes) == 1 else _NEVER
    named: Any = hint if origin is None else origin
    if not _is_class(named):
        return _NEVER
    cls = _MADE_AS.get(named, named)
    if cls in (list, set, frozenset, collections.deque):
        item = _test(arguments[0], trusted, building) if arguments else _ANYTHING
        return Fit(cls) if item == _ANYTHING or (trusted and item.simple) else Fit(cls, item.all)
    if cls is tuple:
        return _tuple(arguments, trusted, building)
    if cls is dict:
        return _mapping(arguments, trusted, building)
    return _NEVER if origin is not None else _class(cls, building)


def _annotated(inner: Any, metadata: Iterable[Any], trusted: bool, building: dict[Any, Fit]) -> Fit:
    tagged = False
    for item in metadata:
        if isinstance(item, (FieldInfo, pydantic.Discriminator)):
            tagged = tagged or item.discriminator is not None
            if isinstance(item, FieldInfo) and item.metadata:
                return _NEVER
        elif isinstance(item, str) or (trusted and isinstance(item, _CONSTRAINTS)):
            continue
        else:
            # Code of an author's, or a constraint that nobody has held the value to.
            return _NEVER
    return _union(_bare(inner), True, trusted, building) if tagged else _test(inner, trusted, building)


def _union(hint: Any, tagged: bool, trusted: bool, building: dict[Any, Fit]) -> Fit:
    """Return a test that goes by the value's class to its member, if it cannot be taken for another member."""
    tests: dict[type[Any], Fit] = {}
    written: dict[int, type] = {}
    as_text = False
    for member in members_of(hint):
        named: Any = typing.get_origin(member) or member
        if not _is_class(named):
            return _NEVER
        cls = _MADE_AS.get(named, named)
        form = _form(cls)
        if form is None:
            return _NEVER
        as_text = as_text or (form == _STRING and cls is not str)
        if form in written and {cls, written[form]} != {int, float} and not (tagged and form == _OBJECT):
            return _NEVER
        written[form] = cls
        tests[cls] = _test(member, trusted, building)
    if as_text and (_NUMBER in written or _BOOLEAN in written):
        return _NEVER
    if trusted and all(test.simple for test in tests.values()):
        return Fit()

    def test(value: Any) -> bool:
        member = tests.get(value.__class__)
        return member is not None and member(value)

    return Fit(test=test)


def _tuple(arguments: tuple[Any, ...], trusted: bool, building: dict[Any, Fit]) -> Fit:
    if not arguments:
        return Fit(tuple)
    if arguments[-1] is Ellipsis:
        item = _test(arguments[0], trusted, building)
        return Fit(tuple) if trusted and item.simple else Fit(tuple, item.all)
    items = [_test(argument, trusted, building) for argument in arguments]
    if trusted and all(item.simple for item in items):
        return Fit(tuple)
    return Fit(
        tuple,
        lambda value: len(value) == len(items) and all(item(each) for item, each in zip(items, value, strict=True)),
    )


def _mapping(arguments: tuple[Any, ...], trusted: bool, building: dict[Any, Fit]) -> Fit:
    if not arguments:
        return Fit(dict)
    if arguments[0] not in (str, int, uuid.UUID):
        return _NEVER
    key, item = (_test(argument, trusted, building) for argument in arguments)
    if trusted and item.simple:
        return Fit(dict)
    return Fit(dict, lambda value: key.all(value.keys()) and item.all(value.values()))


def _class(cls: type[Any], building: dict[Any, Fit]) -> Fit:
    if cls in _WRITTEN_AS or cls in _AS_TEXT:
        return Fit(_MADE_AS.get(cls, cls), math.isfinite if cls is float else None)
    if issubclass(cls, enum.Enum):
        return Fit(cls) if all(type(member.value) in (str, int) for member in cls) else _NEVER
    if issubclass(cls, BaseModel):
        changed = any(getattr(cls.__pydantic_decorators__, name) for name in _AUTHORS_CODE)
        if changed or cls.__pydantic_post_init__ is not None or issubclass(cls, pydantic.RootModel):
            return _NEVER
        return _validated(cls, building)
    return _dataclass(cls, building) if dataclasses.is_dataclass(cls) else _NEVER


def _validated(cls: type[BaseModel], building: dict[Any, Fit]) -> Fit:
    """Return the test of a class that validates its fields, so that only models and unions need a look."""
    tests: list[tuple[str, Fit]] = []
    renamed = False
    for name, field in cls.model_fields.items():
        written = field.serialization_alias or field.alias or name
        read = field.validation_alias or field.alias or name
        # A field that is written under one name and read under another does not come back.
        if field.exclude or written != read:
            return _NEVER
        renamed = renamed or written != name
        metadata = [field] if field.discriminator is not None else field.metadata
        test = _annotated(field.annotation, metadata, True, building)
        if not test.simple:
            tests.append((name, test))
    if renamed and cls.model_config.keys() & {"serialize_by_alias", "validate_by_alias"}:
        return _NEVER
    if not tests:
        return Fit(cls)
    return Fit(cls, lambda value: all(test(getattr(value, name, None)) for name, test in tests))


def _dataclass(cls: type[Any], building: dict[Any, Fit]) -> Fit:
    """Return the test of a class that takes any value for a field, so that each is looked at."""
    fields = dataclasses.fields(cls)
    try:
        hints = at_home((cls,), lambda: typing.get_type_hints(cls, include_extras=True))
    except Exception:  # a hint that only a type checker can resolve
        return _NEVER
    if not all(field.init for field in fields) or hasattr(cls, "__post_init__") or hasattr(cls, "__pydantic_fields__"):
        return _NEVER
    if any(isinstance(hint, dataclasses.InitVar) for hint in hints.values()):
        return _NEVER
    tests = [(field.name, _test(hints[field.name], False, building)) for field in fields]
    return Fit(cls, lambda value: all(test(getattr(value, name, None)) for name, test in tests))


def _form(cls: type[Any]) -> int | None:
    """Return what JSON tells values of a class apart by; None if that depends on the value."""
    if cls in _AS_TEXT or issubclass(cls, enum.Enum):
        return _STRING
    return _OBJECT if _has_fields(cls) else _WRITTEN_AS.get(cls)


def _is_class(hint: Any) -> TypeGuard[type[Any]]:
    return isinstance(hint, type)


def _has_fields(cls: type[Any] | None) -> bool:
    return cls is not None and (issubclass(cls, BaseModel) or dataclasses.is_dataclass(cls))


def _classes_in(hint: Any, within: tuple[Any, ...] = ()) -> Iterable[type[Any]]:
    hint = _bare(hint)
    if isinstance(hint, type) and typing.get_origin(hint) is None:
        yield hint
    elif not any(hint is outer for outer in within):  # an alias may hold itself, as `JsonValue` does
        for argument in typing.get_args(hint):
            yield from _classes_in(argument, (*within, hint))
        origin = typing.get_origin(hint)
        if _is_class(origin):
            yield origin


def _uncertain(value: Any) -> bool:
    return False


_NEVER: Final = Fit(test=_uncertain)
