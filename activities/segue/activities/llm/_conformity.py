"""Whether a value conforms to a JSON schema, and where it does not: of the vocabulary that types are described with.

    check_schema(schema)                  # InvalidSchema: what could not be checked is refused before anybody is asked
    problems(schema, value)               # ("claims[0].quote: is missing", ...)

This is the part of JSON Schema 2020-12 that pydantic writes, so that an answer can be checked by a step that knows the
schema and not the type. What is wrong is told without repeating the value, which would end in a history.
"""

from __future__ import annotations

import datetime
import math
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from segue.activities.llm._errors import InvalidSchema
from segue.activities.llm._json import canonical, fields, items

__all__ = ["check_schema", "problems"]

_MAXIMUM_PROBLEMS: Final = 20
_DEEPEST: Final = 100

_TYPES: Final = ("object", "array", "string", "integer", "number", "boolean", "null")
_ONE: Final = ("items", "additionalProperties", "propertyNames", "not")
_SEVERAL: Final = ("anyOf", "oneOf", "allOf", "prefixItems")
_BY_NAME: Final = ("properties", "patternProperties", "$defs", "definitions")
# Conditions that are not looked at here. Any other word that is unknown is none, and says something to its reader.
_UNCHECKED: Final = frozenset(
    {
        *("if", "then", "else", "contains", "minContains", "maxContains", "dependentRequired", "dependentSchemas"),
        *("dependencies", "additionalItems", "unevaluatedItems", "unevaluatedProperties", "$dynamicRef"),
    }
)
_FORMATS: Final[Mapping[str, Callable[[str], Any]]] = {
    "date": datetime.date.fromisoformat,
    "date-time": lambda text: datetime.datetime.fromisoformat(text.replace("Z", "+00:00")),
    "time": lambda text: datetime.time.fromisoformat(text.replace("Z", "+00:00")),
    "uuid": uuid.UUID,
}


def check_schema(schema: Mapping[str, Any]) -> None:
    """Do nothing if all that a schema says can be checked here.

    Raises:
        InvalidSchema: Not all of it can.
    """
    _check(dict(schema), dict(schema), "")


def problems(schema: Mapping[str, Any], value: Any) -> tuple[str, ...]:
    """Return where a value does not conform to a schema and how, at most twenty; empty if it does."""
    found: list[str] = []
    for problem in _Checker(dict(schema)).problems(dict(schema), value, "", 0):
        found.append(problem)
        if len(found) == _MAXIMUM_PROBLEMS:
            break
    return tuple(found)


class _Checker:
    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root

    def problems(self, schema: Any, value: Any, path: str, depth: int) -> Iterator[str]:
        if schema is True:
            return
        if schema is False:
            yield _said(path, "must not be there")
            return
        if depth > _DEEPEST:
            yield _said(path, "lies too deep")
            return
        rules = fields(schema)
        if "$ref" in rules:
            yield from self.problems(_referred(self._root, rules["$ref"]), value, path, depth + 1)
        kind = _kind(value)
        wanted = rules.get("type")
        if wanted is not None and not any(_is(value, one) for one in (items(wanted) or [wanted])):
            yield _said(path, f"must be {_listed(items(wanted) or [wanted])}, and is {_article(kind)}")
            return
        if "const" in rules and not _equal(value, rules["const"]):
            yield _said(path, f"must be {_shown(rules['const'])}")
        if "enum" in rules and not any(_equal(value, one) for one in items(rules["enum"])):
            yield _said(path, f"must be one of {', '.join(map(_shown, items(rules['enum'])))}")
        match value:
            case str():
                yield from _of_text(rules, value, path)
            case bool() | None:
                pass
            case int() | float():
                yield from _of_number(rules, value, path)
            case list():
                yield from self._of_array(rules, items(value), path, depth)
            case dict():
                yield from self._of_object(rules, fields(value), path, depth)
            case _:
                pass
        yield from self._combined(rules, value, path, depth)

    def _of_array(self, rules: dict[str, Any], value: list[Any], path: str, depth: int) -> Iterator[str]:
        if len(value) < rules.get("minItems", 0):
            yield _said(path, f"must have at least {rules['minItems']} items, and has {len(value)}")
        if len(value) > rules.get("maxItems", math.inf):
            yield _said(path, f"must have at most {rules['maxItems']} items, and has {len(value)}")
        if rules.get("uniqueItems") and len({canonical(item) for item in value}) < len(value):
            yield _said(path, "has an item twice")
        first = items(rules.get("prefixItems"))
        for index, item in enumerate(value):
            rule = first[index] if index < len(first) else rules.get("items", True)
            yield from self.problems(rule, item, f"{path}[{index}]", depth + 1)

    def _of_object(self, rules: dict[str, Any], value: dict[str, Any], path: str, depth: int) -> Iterator[str]:
        for name in items(rules.get("required")):
            if name not in value:
                yield _said(_below(path, str(name)), "is missing")
        if len(value) < rules.get("minProperties", 0):
            yield _said(path, f"must have at least {rules['minProperties']} fields, and has {len(value)}")
        if len(value) > rules.get("maxProperties", math.inf):
            yield _said(path, f"must have at most {rules['maxProperties']} fields, and has {len(value)}")
        known, patterns = fields(rules.get("properties")), fields(rules.get("patternProperties"))
        for name, item in value.items():
            below = _below(path, name)
            if "propertyNames" in rules and any(self.problems(rules["propertyNames"], name, "", depth + 1)):
                yield _said(path, "has a field whose name is not allowed")
            matching = [rule for pattern, rule in patterns.items() if re.search(pattern, name)]
            if name in known:
                matching.append(known[name])
            for rule in matching or [rules.get("additionalProperties", True)]:
                if rule is False:
                    # The name is the model's own, and may be anything.
                    yield _said(path, "has a field that is not allowed")
                else:
                    yield from self.problems(rule, item, below, depth + 1)

    def _combined(self, rules: dict[str, Any], value: Any, path: str, depth: int) -> Iterator[str]:
        for rule in items(rules.get("allOf")):
            yield from self.problems(rule, value, path, depth + 1)
        if "anyOf" in rules or "oneOf" in rules:
            alternatives = items(rules.get("anyOf", rules.get("oneOf")))
            tried = [tuple(self.problems(rule, value, path, depth + 1)) for rule in alternatives]
            passed = sum(not found for found in tried)
            if not passed:
                # Of the alternatives, what is wrong with the one that comes nearest tells most.
                yield from min(tried, key=lambda found: (len(found), found), default=(_said(path, "is not allowed"),))
            elif passed > 1 and "anyOf" not in rules:
                yield _said(path, f"fits {passed} of the alternatives, and must fit one")
        if "not" in rules and not any(self.problems(rules["not"], value, path, depth + 1)):
            yield _said(path, "is what it must not be")


def _of_text(rules: dict[str, Any], value: str, path: str) -> Iterator[str]:
    if len(value) < rules.get("minLength", 0):
        yield _said(path, f"must have at least {rules['minLength']} characters, and has {len(value)}")
    if len(value) > rules.get("maxLength", math.inf):
        yield _said(path, f"must have at most {rules['maxLength']} characters, and has {len(value)}")
    if "pattern" in rules and not re.search(rules["pattern"], value):
        yield _said(path, f"does not match the pattern {rules['pattern']}")
    if (reads := _FORMATS.get(rules.get("format", ""))) is not None:
        try:
            reads(value)
        except ValueError:
            yield _said(path, f"is no {rules['format']}")


def _of_number(rules: dict[str, Any], value: float, path: str) -> Iterator[str]:
    if not math.isfinite(value):
        yield _said(path, "is not a finite number")
    if value < rules.get("minimum", -math.inf):
        yield _said(path, f"must be at least {rules['minimum']}")
    if value > rules.get("maximum", math.inf):
        yield _said(path, f"must be at most {rules['maximum']}")
    if value <= rules.get("exclusiveMinimum", -math.inf):
        yield _said(path, f"must be more than {rules['exclusiveMinimum']}")
    if value >= rules.get("exclusiveMaximum", math.inf):
        yield _said(path, f"must be less than {rules['exclusiveMaximum']}")
    if (step := rules.get("multipleOf")) and abs(value / step - round(value / step)) > 1e-9:
        yield _said(path, f"must be a multiple of {step}")


def _check(root: dict[str, Any], schema: Any, path: str) -> None:
    if isinstance(schema, bool):
        return
    if not isinstance(schema, dict):
        raise InvalidSchema(f"A JSON schema is an object, and {path or 'this one'} is {_article(_kind(schema))}")
    rules = fields(schema)
    where = path or "the schema"
    if unknown := sorted(_UNCHECKED & set(rules)):
        raise InvalidSchema(
            f"{where} says {unknown[0]!r}, which cannot be checked here: leave it out, or say otherwise"
        )
    for kind in items(rules.get("type")) or [rules.get("type", "object")]:
        if kind not in _TYPES:
            raise InvalidSchema(f"{where} says type {kind!r}, which is none of {', '.join(_TYPES)}")
    for pattern in (rules.get("pattern"), *fields(rules.get("patternProperties"))):
        try:
            re.compile(pattern or "")
        except re.error as error:
            raise InvalidSchema(f"{where} says pattern {pattern!r}, which is none: {error}") from None
    if "$ref" in rules:
        _referred(root, rules["$ref"])
    for name in _ONE:
        if name in rules:
            _check(root, rules[name], _below(path, name))
    for name in _SEVERAL:
        for index, one in enumerate(items(rules.get(name))):
            _check(root, one, f"{_below(path, name)}[{index}]")
    for name in _BY_NAME:
        for key, one in fields(rules.get(name)).items():
            _check(root, one, _below(_below(path, name), key))


def _referred(root: dict[str, Any], ref: Any) -> Any:
    """Return what a reference within a schema refers to."""
    found: Any = root
    if isinstance(ref, str) and ref.startswith("#"):
        for part in filter(None, ref[1:].split("/")):
            found = fields(found).get(part.replace("~1", "/").replace("~0", "~"))
        if found is not None:
            return found
    raise InvalidSchema(f"The schema refers to {ref!r}, which is not in it")


def _is(value: Any, kind: Any) -> bool:
    actual = _kind(value)
    return (
        actual == kind
        or (kind == "number" and actual == "integer")
        or (
            # 1.0 is an integer to JSON Schema.
            kind == "integer" and actual == "number" and isinstance(value, float) and value.is_integer()
        )
    )


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _equal(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _article(kind: str) -> str:
    return kind if kind == "null" else f"{'an' if kind[0] in 'aio' else 'a'} {kind}"


def _listed(kinds: list[Any]) -> str:
    return " or ".join(_article(str(kind)) for kind in kinds)


def _shown(value: Any) -> str:
    return canonical(value).decode()


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _said(path: str, problem: str) -> str:
    return f"{path or '(value)'}: {problem}"
