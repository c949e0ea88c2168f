"""JSON from a server of which nothing is certain: looked into without an error, whatever is there."""

from __future__ import annotations

import hashlib
from typing import Any, TypeGuard, cast

import pydantic_core

__all__ = ["canonical", "digest_of", "fields", "is_count", "items"]


def fields(value: Any) -> dict[str, Any]:
    """Return an object's fields; none for what is no object."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """Return an array's items; none for what is no array."""
    found: Any = value
    return [*found] if isinstance(value, list) else []


def is_count(value: Any) -> TypeGuard[int]:
    """Return whether a value is a whole number that is not negative."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def canonical(value: Any) -> bytes:
    """Return a value as JSON with its keys in order, so that equal values are equal bytes."""
    return pydantic_core.to_json(_sorted(pydantic_core.to_jsonable_python(value)))


def digest_of(data: bytes | str) -> str:
    """Return a SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(item) for key, item in sorted(fields(value).items())}
    if isinstance(value, list):
        return [_sorted(item) for item in items(value)]
    return value
