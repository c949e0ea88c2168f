"""What an extraction finds: values, each with the text that says it, and what a person is to look at."""

from __future__ import annotations

import enum
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from segue.activities.documents import Digest
from segue.activities.extraction.values import Duration, Money
from segue.activities.llm import Usage

__all__ = ["Extraction", "Question", "Reason", "Value", "plain"]

Reason = Literal["missing", "unsure", "invalid"]
"""Why a person is to look: nothing was found, it was found but is not sure, or it was found and the form refuses it."""

_CONFIG = ConfigDict(frozen=True, extra="forbid")


class Value(BaseModel):
    """One value of one field, and where it stands.

    Attributes:
        field: The field.
        position: Its place in a list; 0 for a field that takes one value.
        value: The value, normalised: a date and a duration as ISO 8601 writes it, an amount as a plain decimal.
        unit: The currency of an amount; `%` of a percentage; else empty.
        raw: The text that says so, letter for letter.
        start: Where that text begins.
        end: Where it ends.
        engine: What found it: "rules", a model, or "person".
        confidence: How sure it is, from 0 to 1.
    """

    model_config = _CONFIG

    field: str
    position: int = Field(default=0, ge=0)
    value: str
    unit: str = ""
    raw: str
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    engine: str
    confidence: float = Field(ge=0, le=1)


class Question(BaseModel):
    """What a person is to look at.

    Attributes:
        field: The field; empty where the form as a whole refuses the values.
        reason: Why.
        detail: What is wrong, without the document's text.
        start: Where the value stands that is in doubt; None if there is none.
        end: Where it ends.
    """

    model_config = _CONFIG

    field: str
    reason: Reason
    detail: str
    start: int | None = None
    end: int | None = None


class Extraction(BaseModel):
    """What one document says to a form's fields.

    Attributes:
        document: Digest of the document's source.
        name: The document's name.
        form: The form's name.
        values: What was found and accepted, in the order of the fields.
        questions: What a person is to look at.
        usage: What models took.
        seconds: How long it took.
    """

    model_config = _CONFIG

    document: Digest
    name: str
    form: str
    values: tuple[Value, ...] = ()
    questions: tuple[Question, ...] = ()
    usage: Usage = Usage()
    seconds: float = Field(default=0.0, ge=0)


def plain(value: Any) -> tuple[str, str]:
    """Return a value as text, normalised, and its unit."""
    match value:
        case bool():
            return ("true" if value else "false"), ""
        case Money():
            return f"{value.amount:f}", value.currency
        case datetime() | date():
            return value.isoformat(), ""
        case timedelta():
            return _TIMEDELTA.dump_python(value, mode="json"), ""
        case Duration():
            return str(value), ""
        case Decimal():
            return f"{value:f}", ""
        case enum.Enum():
            return str(value.value), ""
        case _:
            return str(value), ""


_TIMEDELTA: TypeAdapter[timedelta] = TypeAdapter(timedelta)
