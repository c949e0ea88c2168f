"""A form: the fields that are to be filled from each document, told by a pydantic model.

    class Lease(BaseModel):
        parties: list[str] = Field(description="Who signs the lease")
        begin: date = Field(description="The date on which the lease begins")
        rent: Money
        notice: Duration | None = Field(None, description="Notice period for termination")
        law: Annotated[str | None, Kind("jurisdiction")] = None

    form = Form.of(Lease)

What kind of value a field takes is told by its type, and for texts and numbers by its name and description; `Kind` says
so where they do not. A form travels as the model's name: the worker imports the model, and refuses one that has changed
since.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import importlib
import json
import re
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo

from segue.activities.errors import Terminal
from segue.activities.extraction.values import Duration, Money, Unit

__all__ = ["FormField", "FieldKind", "Form", "InvalidForm", "Kind"]

FieldKind = Literal[
    "date", "duration", "money", "percentage", "number", "party", "jurisdiction", "title", "choice", "boolean", "text"
]
"""What a field takes; decides which rules look for it, and how what they find is put into one form."""


class InvalidForm(Terminal):
    """A model that cannot serve as a form, or that a worker does not have as the caller does."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """Says of a field what kind of value it takes: `Annotated[str, Kind("jurisdiction")]`.

    Attributes:
        name: The kind.
    """

    name: FieldKind


@dataclasses.dataclass(frozen=True)
class FormField:
    """One field of a form.

    Attributes:
        name: Its name.
        kind: What it takes.
        description: What it is to hold, in words.
        many: Whether it takes a list.
        required: Whether a document without it is to be looked at.
        choices: For a choice, the values that can be chosen.
        unit: For a number that counts time, in what.
        form: How its value is written: by the name of its type, in lower case.
    """

    name: str
    kind: FieldKind
    description: str = ""
    many: bool = False
    required: bool = True
    choices: tuple[str, ...] = ()
    unit: Unit | None = None
    form: str = "text"

    @property
    def question(self) -> str:
        """What is asked of a document."""
        return f"{self.name.replace('_', ' ')}: {self.description}" if self.description else self.name.replace("_", " ")


class Form(BaseModel):
    """A form, as workflows pass it on: `Form.of(Lease)` in code, `"app.leases:Lease"` where somebody writes JSON.

    Attributes:
        model: Where the pydantic model is: `package.module:Class`.
        digest: Of the model's JSON schema, so that a worker with another version of the model is noticed; None for
            whichever version the worker has that lists the documents.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(pattern=r"^[\w.]+:[\w.]+$")
    digest: str | None = Field(default=None, pattern=r"^[0-9a-f]{32}$")

    @model_validator(mode="before")
    @classmethod
    def _of_name(cls, given: Any) -> Any:
        return {"model": given} if isinstance(given, str) else given

    @classmethod
    def of(cls, model: type[BaseModel]) -> Self:
        """Return the form that a model tells.

        Raises:
            InvalidForm: A field has a type that no rule and no check can fill, or the model cannot be imported again.
        """
        if "<locals>" in model.__qualname__:
            raise InvalidForm(
                f"Model {model.__qualname__!r} cannot serve as a form: it is defined within a function, where a worker "
                "cannot import it"
            )
        fields_of(model)
        return cls(model=f"{model.__module__}:{model.__qualname__}", digest=_digest(model))

    def load(self) -> type[BaseModel]:
        """Return the model.

        Raises:
            InvalidForm: This worker does not have it, or has another version of it.
        """
        module, _, name = self.model.partition(":")
        try:
            found: Any = functools.reduce(getattr, name.split("."), importlib.import_module(module))
        except (ImportError, AttributeError) as error:
            raise InvalidForm(f"The form {self.model!r} is not on this worker: {error}") from error
        if not (isinstance(found, type) and issubclass(found, BaseModel)):
            raise InvalidForm(f"The form {self.model!r} is no pydantic model on this worker")
        if self.digest is not None and _digest(found) != self.digest:
            raise InvalidForm(
                f"The form {self.model!r} of this worker is another version than the caller's: deploy both alike"
            )
        return found

    def pinned(self) -> Self:
        """Return the form with the digest of the model that this worker has.

        Raises:
            InvalidForm: This worker does not have it, has another version of it, or it cannot serve as a form.
        """
        model = self.load()
        fields_of(model)
        return self.model_copy(update={"digest": _digest(model)})

    @property
    def name(self) -> str:
        """The model's own name."""
        return self.model.rpartition(":")[2].rpartition(".")[2]


def fields_of(model: type[BaseModel]) -> list[FormField]:
    """Return the fields of a model, in their order.

    Raises:
        InvalidForm: One has a type that cannot be filled.
    """
    if not model.model_fields:
        raise InvalidForm(f"Model {model.__qualname__!r} cannot serve as a form: it has no fields")
    return [_field(model, name, info) for name, info in model.model_fields.items()]


def _digest(model: type[BaseModel]) -> str:
    schema = json.dumps(model.model_json_schema(), sort_keys=True)
    return hashlib.sha256(schema.encode()).hexdigest()[:32]


def _field(model: type[BaseModel], name: str, info: FieldInfo) -> FormField:
    plain, many, optional = _unwrapped(info.annotation)
    words = f"{name.replace('_', ' ')} {info.description or ''}".lower()
    marks = [one for one in (*info.metadata, *_metadata(info.annotation)) if isinstance(one, Kind)]
    told = _told(plain, name, words)
    if told is None:
        raise InvalidForm(
            f"Field {name!r} of the form {model.__qualname__!r} has a type that cannot be extracted, {plain!r}: "
            f"use text, "
            "numbers, dates, Duration, Money, bool, a Literal or an enum, or lists of them"
        )
    kind, form = told
    return FormField(
        name=name,
        kind=marks[0].name if marks else kind,
        description=info.description or "",
        many=many,
        required=info.is_required() and not optional,
        choices=tuple(_choices(plain)),
        unit=_unit(words) if kind == "duration" and form == "int" else None,
        form=form,
    )


def _unwrapped(hint: Any) -> tuple[Any, bool, bool]:
    """Return a hint without lists and None around it, whether it takes a list, and whether it takes None."""
    many = optional = False
    while True:
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is Annotated:
            hint = arguments[0]
        elif origin in (typing.Union, types.UnionType):
            rest = [one for one in arguments if one is not type(None)]
            if len(rest) != 1 or len(rest) == len(arguments):
                return hint, many, optional
            hint, optional = rest[0], True
        elif origin in (list, set, frozenset) or (origin is tuple and arguments[1:] == (Ellipsis,)):
            if many:
                return hint, many, optional
            hint, many = arguments[0], True
        else:
            return hint, many, optional


def _metadata(hint: Any) -> Iterator[Any]:
    for argument in typing.get_args(hint):
        if typing.get_origin(hint) is Annotated:
            yield argument
        yield from _metadata(argument)


_MONEY: Final = re.compile(
    r"\b(amounts?|balance|bonus|budget|cap|charges?|commission|compensation|costs?|deposit|dollars|eur|euros?|"
    r"fees?|fines?|"
    r"fund(ing|s)|gbp|income|liability|limit|money|payments?|penalt(y|ies)|premium|prices?|proceeds|rent|revenue|"
    r"royalt(y|ies)|"
    r"salary|sum|turnover|usd|value|wages?)\b"
)
_PERCENTAGE: Final = re.compile(r"\b(percent(age)?|per cent|pct|rate|share|interest|margin)\b|%")
_TIME: Final = re.compile(r"\b(?:in |of )?(years|months|weeks|days|hours)\b")
_ROLE: Final = (
    r"part(?:y|ies)|signator(?:y|ies)|landlord|tenant|lessor|lessee|licensor|licensee|buyer|seller|vendor|"
    r"supplier|purchaser|"
    r"borrower|lender|employer|employee|company|companies|customer|client|contractor|guarantor|franchisor|franchisee|"
    r"distributor|manufacturer|provider|publisher|issuer|investor|counterpart(?:y|ies)"
)
_PARTY: Final = re.compile(rf"(?:.* )?(?:{_ROLE})(?: names?)?")
_PARTY_TOLD: Final = re.compile(
    rf"\b(?:names? of (?:the |each |all )?(?:two |other )?(?:{_ROLE})|(?:{_ROLE}) who sign|who signs?\b|who signed\b)"
)
_JURISDICTION: Final = re.compile(
    r"\b(governing law|applicable law|jurisdiction|choice of law|law(s)? (that )?govern|governed by|whose law)"
)
_TITLE: Final = re.compile(
    r"\b(title|document name|name of the (document|contract|agreement)|(document|contract|agreement) (type|title|"
    r"name))\b"
)


def _told(hint: Any, name: str, words: str) -> tuple[FieldKind, str] | None:
    """Return what kind of value a type takes, and how it is written; None for a type that takes none."""
    if not isinstance(hint, type):
        return ("choice", "text") if typing.get_origin(hint) is Literal else None
    exact: Mapping[type, tuple[FieldKind, str]] = {
        bool: ("boolean", "boolean"),
        datetime: ("date", "datetime"),
        date: ("date", "date"),
        timedelta: ("duration", "timedelta"),
        Duration: ("duration", "duration"),
        Money: ("money", "money"),
    }
    if hint in exact:
        return exact[hint]
    if issubclass(hint, enum.Enum):
        return "choice", "text"
    if hint in (int, float, Decimal):
        return _number(hint, words), hint.__name__.lower()
    if hint is str:
        return _text(name, words), "text"
    return None


def _number(hint: type, words: str) -> FieldKind:
    if hint is int and _TIME.search(words):
        return "duration"
    if _PERCENTAGE.search(words):
        return "percentage"
    return "money" if _MONEY.search(words) else "number"


def _text(name: str, words: str) -> FieldKind:
    if _JURISDICTION.search(words):
        return "jurisdiction"
    if _TITLE.search(words):
        return "title"
    named = name.replace("_", " ").lower()
    return "party" if _PARTY.fullmatch(named) or _PARTY_TOLD.search(words) else "text"


def _unit(words: str) -> Unit | None:
    found = _TIME.search(words)
    return typing.cast("Unit", found[1]) if found is not None else None


def _choices(hint: Any) -> Iterator[str]:
    if typing.get_origin(hint) is Literal:
        yield from map(str, typing.get_args(hint))
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        yield from (str(member.value) for member in hint)
