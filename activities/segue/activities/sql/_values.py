"""What a cell or a parameter may hold, and how it travels: each type comes back as the type it was.

JSON has no dates, decimals or bytes. Such a value travels as an object with one tag, and lists and objects are searched
for them; everything else is plain JSON:

    None, bool, int, float, str, list, dict     as they are
    Decimal("1.20")                             {"$decimal": "1.20"}
    b"\\x00\\x01"                                 {"$bytes": "AAE="}
    datetime, date, time, timedelta             {"$datetime": "2025-11-23T17:00:00+00:00"} and so on, in ISO 8601
    UUID                                        {"$uuid": "…"}

An aware datetime keeps its instant and offset; the name of its time zone is lost. A float that is not finite, which
neither JSON nor every database carries, and any other type are refused.
"""

from __future__ import annotations

import base64
import enum
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Annotated, Any, Final, TypeAlias, cast
from uuid import UUID

from pydantic import PlainSerializer, PlainValidator, TypeAdapter, ValidationInfo, WithJsonSchema

__all__ = ["Cell", "Value", "carried", "decode", "encode"]

Cell: TypeAlias = (
    bool | int | float | str | bytes | Decimal | datetime | date | time | timedelta | UUID | list[Any] | dict[str, Any]
) | None

_PLAIN: Final = frozenset({type(None), bool, int, str})
_ISO_DURATION: Final = TypeAdapter(timedelta)
# An object that has one key, and that key among the tags, is itself put under this one.
_LITERAL: Final = "$object"

_DECODERS: Final[dict[str, Callable[[Any], Any]]] = {
    "$decimal": Decimal,
    "$bytes": lambda text: base64.b64decode(text, validate=True),
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$time": time.fromisoformat,
    "$timedelta": _ISO_DURATION.validate_python,
    "$uuid": UUID,
    _LITERAL: lambda fields: {name: decode(item) for name, item in fields.items()},
}


def encode(value: Any) -> Any:
    """Return the JSON form of a value that `carried` let pass."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, list):
        return [encode(item) for item in cast("Sequence[Any]", value)]
    if isinstance(value, dict):
        fields = {name: encode(item) for name, item in cast("Mapping[str, Any]", value).items()}
        return {_LITERAL: fields} if len(fields) == 1 and next(iter(fields)) in _DECODERS else fields
    if isinstance(value, Decimal):
        return {"$decimal": str(value)}
    if isinstance(value, datetime):
        return {"$datetime": value.isoformat()}
    if isinstance(value, date):
        return {"$date": value.isoformat()}
    if isinstance(value, time):
        return {"$time": value.isoformat()}
    if isinstance(value, timedelta):
        return {"$timedelta": _ISO_DURATION.dump_python(value, mode="json")}
    if isinstance(value, UUID):
        return {"$uuid": str(value)}
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    return value


def decode(value: Any) -> Any:
    """Return the value of a JSON form.

    Raises:
        ValueError: What stands under a tag is not of its type.
    """
    if isinstance(value, list):
        return [decode(item) for item in cast("Sequence[Any]", value)]
    if not isinstance(value, dict):
        return value
    fields = cast("Mapping[str, Any]", value)
    if len(fields) == 1:
        ((name, item),) = fields.items()
        if decoder := _DECODERS.get(name):
            try:
                return decoder(item)
            except (ArithmeticError, AttributeError, TypeError, ValueError):
                raise ValueError(f"{name} holds no {name[1:]}") from None
    return {name: decode(item) for name, item in fields.items()}


def carried(value: Any) -> Any:
    """Return a value as it is carried: itself, an enum's value, a tuple as a list.

    Raises:
        ValueError: It cannot be carried. The message is a phrase without the value: "is a Range, which …".
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, enum.Enum):
        return carried(value.value)
    if isinstance(value, (float, Decimal)):
        if not isfinite(value):
            raise ValueError(f"is {value!r}, which JSON cannot carry: use NULL or text for it")
        return value
    if isinstance(value, (int, str, bytes, datetime, date, time, timedelta, UUID)):
        return value
    if isinstance(value, list) or type(value) is tuple:
        return [carried(item) for item in cast("Sequence[Any]", value)]
    if isinstance(value, dict):
        fields = cast("Mapping[Any, Any]", value)
        if not all(isinstance(name, str) for name in fields):
            raise ValueError("is an object with keys that are not text, which JSON cannot carry")
        return {name: carried(item) for name, item in fields.items()}
    raise ValueError(
        f"is a {type(value).__name__}, which is not carried: convert it in the statement, as in CAST(… AS text)"
    )


def _validate(value: Any, info: ValidationInfo) -> Any:
    """Take JSON by its tags, and Python values as they are: only what came over the wire was encoded."""
    return carried(decode(value) if info.mode == "json" else value)


Value = Annotated[Cell, PlainValidator(_validate), PlainSerializer(encode, when_used="json"), WithJsonSchema({})]
"""The type of a cell and of a parameter in a model: a `Cell`, carried faithfully."""
