"""A form filled in: values put together as its pydantic model takes them, and what it refuses, by field.

filled = fill(Lease, {"rent": [Money(...)], "parties": ["Ann", "Bo"]})
filled.refused                      # {"rent": "Input should be less than 10000"}
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pydantic
from pydantic import BaseModel

from segue.activities.extraction.form import FormField

__all__ = ["Filled", "fill"]


@dataclasses.dataclass(frozen=True)
class Filled:
    """What a form's model says to values.

    Attributes:
        instance: The model's instance; None if it refuses anything.
        refused: What is wrong with which field; under the empty name what is wrong with the whole.
        missing: The fields that need a value and have none.
    """

    instance: BaseModel | None
    refused: Mapping[str, str]
    missing: Sequence[str]


def fill(model: type[BaseModel], fields: Sequence[FormField], values: Mapping[str, Sequence[Any]]) -> Filled:
    """Return what a model says to values.

    Args:
        model: The form's model.
        fields: Its fields.
        values: The values of each field, one or none for a field that takes one.
    """
    given: dict[str, Any] = {}
    for field in fields:
        found = values.get(field.name, ())
        if field.many and (found or field.required):
            given[_alias(model, field.name)] = list(found)
        elif found:
            given[_alias(model, field.name)] = found[0]
    missing = [field.name for field in fields if field.required and not values.get(field.name)]
    try:
        return Filled(model.model_validate(given), {}, missing) if not missing else _judged(model, given, missing)
    except pydantic.ValidationError as error:
        return Filled(None, _refused(model, error, missing), missing)


def _judged(model: type[BaseModel], given: dict[str, Any], missing: Sequence[str]) -> Filled:
    """Validate what is there though something is missing: what is wrong with it is known either way."""
    try:
        model.model_validate(given)
    except pydantic.ValidationError as error:
        return Filled(None, _refused(model, error, missing), missing)
    return Filled(None, {}, missing)


def _refused(model: type[BaseModel], error: pydantic.ValidationError, missing: Sequence[str]) -> dict[str, str]:
    names = {_alias(model, name): name for name in model.model_fields}
    refused: dict[str, str] = {}
    # Inputs are left out: they are the document's text.
    for one in error.errors(include_input=False, include_url=False, include_context=False):
        at = names.get(str(one["loc"][0]), "") if one["loc"] else ""
        if at not in missing:
            refused.setdefault(at, one["msg"])
    return refused


def _alias(model: type[BaseModel], name: str) -> str:
    info = model.model_fields[name]
    alias = info.validation_alias if info.validation_alias is not None else info.alias
    by_name = model.model_config.get("populate_by_name") or model.model_config.get("validate_by_name")
    return alias if isinstance(alias, str) and not by_name else name
