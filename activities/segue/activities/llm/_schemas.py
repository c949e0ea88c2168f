"""JSON schemas of answers: made of types, checked against, and found in what a model wraps around its JSON."""

from __future__ import annotations

import re
from typing import Any, Final

import pydantic_core

from segue.activities import faithful
from segue.activities.llm._json import fields, items

__all__ = ["is_strict", "json_in", "schema_of"]

_FENCE: Final = re.compile(r"```[A-Za-z0-9]*\s*\n(.*?)```", re.DOTALL)


def schema_of(type: Any) -> dict[str, Any]:
    """Return the JSON schema of a type: a pydantic model, a dataclass, or a hint such as `list[Claim]`."""
    return faithful.adapter(type).json_schema()


def json_in(text: str) -> str | None:
    """Return the JSON in a text: the text itself, else what a code fence or the outermost braces hold; None if none is.

    Models that are asked for JSON in words like to explain it, and to fence it.
    """
    for candidate in _candidates(text):
        try:
            pydantic_core.from_json(candidate, allow_inf_nan=False)
        except ValueError:
            continue
        return candidate
    return None


def is_strict(schema: Any) -> bool:
    """Return whether a schema has the form that providers can hold a model to: each object closed, each field required.

    One that has not is refused by them if it is called strict.
    """
    rules = fields(schema)
    if "properties" in rules or rules.get("type") == "object":
        names = fields(rules.get("properties"))
        if rules.get("additionalProperties") is not False or set(items(rules.get("required"))) != set(names):
            return False
    inner = [*fields(rules.get("properties")).values(), *fields(rules.get("$defs")).values()]
    inner += [one for name in ("anyOf", "allOf", "oneOf", "prefixItems") for one in items(rules.get(name))]
    if "items" in rules:
        inner.append(rules["items"])
    return all(map(is_strict, inner))


def _candidates(text: str) -> list[str]:
    stripped = text.strip()
    found = [stripped, *(match.strip() for match in _FENCE.findall(text))]
    for first, last in ("{}", "[]"):
        start, end = stripped.find(first), stripped.rfind(last)
        if 0 <= start < end:
            found.append(stripped[start : end + 1])
    return found
