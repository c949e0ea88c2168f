"""Schemas that are checked here, and values that do or do not conform to them."""

from __future__ import annotations

import datetime
import enum
from typing import Annotated, Any, Literal

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from segue.activities import llm


class Party(BaseModel):
    name: Annotated[str, Field(min_length=2, max_length=10, pattern="^[A-Z]")]
    role: Literal["tenant", "landlord"] = "tenant"


class Kind(enum.Enum):
    LEASE = "lease"
    LOAN = "loan"


class Contract(BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    kind: Kind
    parties: Annotated[list[Party], Field(min_length=1, max_length=2)]
    signed: datetime.date | None = None
    rent: Annotated[float, Field(ge=0, lt=10_000)] | str = 0.0
    terms: dict[str, int] = {}
    pair: tuple[int, str] | None = None


GOOD: dict[str, Any] = {"kind": "lease", "parties": [{"name": "Ada"}], "signed": "2026-11-26", "pair": [1, "a"]}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, ()),
        ({"signed": None, "rent": "none", "terms": {"a": 1}}, ()),
        ({"kind": "sale"}, ('kind: must be one of "lease", "loan"',)),
        ({"parties": []}, ("parties: must have at least 1 items, and has 0",)),
        ({"parties": [{"name": "Ada"}] * 3}, ("parties: must have at most 2 items, and has 3",)),
        ({"parties": [{"name": "a"}]}, ("parties[0].name: must have at least 2 characters, and has 1",
                                        "parties[0].name: does not match the pattern ^[A-Z]")),
        ({"parties": [{"role": "owner"}]}, ("parties[0].name: is missing",
                                            'parties[0].role: must be one of "tenant", "landlord"')),
        ({"signed": "yesterday"}, ("signed: is no date",)),
        ({"rent": 10_000}, ("rent: must be a string, and is an integer",)),
        ({"rent": True}, ("rent: must be a number, and is a boolean",)),
        ({"terms": {"a": "x"}}, ("terms.a: must be an integer, and is a string",)),
        ({"pair": [1]}, ("pair: must have at least 2 items, and has 1",)),
        ({"more": 1}, ("(value): has a field that is not allowed",)),
    ],
)  # fmt: skip
def test_where_a_value_does_not_conform(change: dict[str, Any], expected: tuple[str, ...]) -> None:
    """Each problem is told by its place and what must be there."""
    schema = llm.schema_of(Contract)
    llm.check_schema(schema)
    found = llm.problems(schema, GOOD | change)
    assert found == expected or (len(found) == 1 and found[0].startswith(expected[0].split(":")[0]))


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"contains": {}}, "the schema says 'contains', which cannot be checked here: leave it out"),
        ({"properties": {"a": {"if": {}}}}, "properties.a says 'if', which cannot be checked here: leave it out"),
        ({"type": "text"}, "the schema says type 'text', which is none of object, array, string, integer, number, "
                           "boolean, null"),
        ({"pattern": "("}, "the schema says pattern '(', which is none: "),
        ({"$ref": "#/$defs/A"}, "The schema refers to '#/$defs/A', which is not in it"),
        ({"items": 3}, "A JSON schema is an object, and items is an integer"),
    ],
)  # fmt: skip
def test_a_schema_that_cannot_be_checked(schema: dict[str, Any], problem: str) -> None:
    """What could not be checked is refused before anybody is asked."""
    with pytest.raises(llm.InvalidSchema) as refused:
        llm.check_schema(schema)
    assert refused.value.message.startswith(problem)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 10**5) | st.floats(-10, 10**5) | st.sampled_from(
        ["", "Ada", "ada", "lease", "tenant", "2026-11-26", "2026-13-01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["kind", "parties", "name", "role", "signed", "rent", "terms", "pair"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_pydantic_takes_what_conforms(value: Any) -> None:
    """A value that conforms to a model's schema is one that the model takes, and one that is not taken is found out."""
    found = llm.problems(llm.schema_of(Contract), value)
    try:
        Contract.model_validate_json(pydantic.TypeAdapter(Any).dump_json(value))
        taken = True
    except pydantic.ValidationError:
        taken = False
    # Pydantic takes more than its schema says: "1" for a number, a number of seconds for a date.
    assert taken or found
    if not found:
        assert taken


def test_json_is_found_in_what_is_around_it() -> None:
    """Code fences and explanations are left out; what holds no JSON is none."""
    assert llm.json_in("Here:\n```\n[1, 2]\n```") == "[1, 2]"
    assert llm.json_in('The answer is {"a": {"b": 1}}.') == '{"a": {"b": 1}}'
    assert llm.json_in("No idea {at all}") is None
