"""What a person would call a step: `charge • order-17`, made from the arguments of the call.

The Web UI and the operator's screens show it beside the activity's type. It names things and carries no content: short
identifying values only, under a fixed set of names.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from pydantic import BaseModel

__all__ = ["summarize"]

_LIMIT: Final = 60

# What tells one thing from another, most telling first.
_NAMES: Final = ("id", "key", "number", "name", "title", "url", "path", "source", "prefix", "subject", "database")
# A field may also end in one of these, as `order_id` does, but in no other: `api_key` and `card_number` name nothing.
_ENDINGS: Final = ("_id", "_url", "_path")
_SECRET: Final = re.compile("secret|token|passw|private|access|credential|auth|api_?key|session", re.IGNORECASE)


def summarize(args: Sequence[Any]) -> str | None:
    """Return a short text that tells this call from others of its type; None if nothing in its arguments does."""
    parts: list[str] = []
    for arg in args:
        if (text := _identify(arg)) is not None and text not in parts:
            parts.append(text)
        if len(parts) == 2:
            break
    return _cut(", ".join(parts)) or None


def _identify(value: Any) -> str | None:
    if isinstance(value, str):
        # A long or many-lined text is content, not a name.
        return _cut(value) if 0 < len(value) <= _LIMIT and value.isprintable() else None
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, uuid.UUID)):
        return str(value)
    if isinstance(value, Mapping):
        fields: Mapping[Any, Any] = value  # pyright: ignore[reportUnknownVariableType]
        return _first(fields.get(name) for name in _telling(tuple(key for key in fields if isinstance(key, str))))
    if isinstance(value, BaseModel) or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
        telling, wrapped = _fields_of(type(value))
        if (text := _first(getattr(value, name, None) for name in telling)) is not None:
            return text
        # A wrapper such as Shipment(order, stock) is known by what it wraps.
        inner = getattr(value, wrapped, None) if wrapped is not None else None
        return _identify(inner) if isinstance(inner, BaseModel) or dataclasses.is_dataclass(inner) else None
    if isinstance(value, (list, tuple)):
        return f"{len(cast('Sequence[Any]', value))} items"
    return None


def _first(values: Iterable[Any]) -> str | None:
    """Return the first value that is short enough to be a name."""
    for value in values:
        if isinstance(value, (str, int, uuid.UUID)) and not isinstance(value, bool) and (text := _cut(str(value))):
            return text
    return None


@functools.lru_cache(maxsize=1024)
def _fields_of(kind: type) -> tuple[tuple[str, ...], str | None]:
    """Return the fields that tell instances of a class apart, and the first of its fields."""
    if issubclass(kind, BaseModel):
        names = tuple(kind.model_fields)
    else:
        names = tuple(field.name for field in dataclasses.fields(cast("Any", kind)))
    return _telling(names), names[0] if names else None


def _telling(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of some names that stand for names of things, most telling first."""
    exact = [wanted for wanted in _NAMES if wanted in names]
    ending = [name for wanted in _ENDINGS for name in names if name.endswith(wanted) and not _SECRET.search(name)]
    return (*exact, *ending)


def _cut(text: str) -> str:
    if "://" in text:
        # The query and the user part of a URL may hold credentials.
        scheme, _, rest = text.partition("://")
        authority, slash, path = rest.partition("?")[0].partition("/")
        text = f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"
    text = " ".join(text.split())
    return text if len(text) <= _LIMIT else f"{text[: _LIMIT - 1]}…"
