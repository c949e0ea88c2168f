"""A claim that a document says something, checked against the document: the quote must stand there, and say the value.

    checked = check(field, Claim(quote="a term of three (3) years", value="P3Y"), parsed)

A model's value is taken only for what its quote says: dates, durations, amounts and places are read out of the quote by
the same rules that read documents, and a name or text must stand in the quote letter for letter.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from segue.activities.documents import ParsedDocument, Span, locate
from segue.activities.extraction.form import FieldKind, FormField
from segue.activities.extraction.rules.amounts import amounts, numbers, percentages
from segue.activities.extraction.rules.dates import dates
from segue.activities.extraction.rules.durations import durations
from segue.activities.extraction.rules.finding import as_typed
from segue.activities.extraction.rules.ground import Candidate, Ground
from segue.activities.extraction.rules.places import PLACE_PATTERN, place_of

__all__ = ["Checked", "Claim", "Rejected", "check"]


class Claim(BaseModel):
    """What somebody says that a document says.

    Attributes:
        quote: The document's own words.
        value: What they say.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    quote: str = Field(min_length=1, max_length=4000)
    value: str = Field(min_length=1, max_length=4000)


@dataclasses.dataclass(frozen=True)
class Checked:
    """A claim that holds.

    Attributes:
        value: As the field's type has it.
        start: Where the text begins that says it.
        end: Where that ends.
    """

    value: Any
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class Rejected:
    """A claim that does not hold.

    Attributes:
        why: What is wrong with it, without the document's text.
    """

    why: str


def check(field: FormField, claim: Claim, parsed: ParsedDocument, within: Sequence[Span] = ()) -> Checked | Rejected:
    """Return the value that a claim proves, or what is wrong with it.

    Args:
        field: The field.
        claim: The claim.
        parsed: The document.
        within: Where the quote must stand; empty for anywhere.
    """
    places = (locate(claim.quote, parsed, one) for one in within) if within else iter((locate(claim.quote, parsed),))
    span = next((place for place in places if place is not None), None)
    if span is None:
        return Rejected("the quote does not stand in the document")
    match field.kind:
        case "boolean":
            said = {"true": True, "yes": True, "false": False, "no": False}.get(claim.value.strip().lower())
            return (
                Checked(said, span.start, span.end) if said is not None else Rejected("the value is not true or false")
            )
        case "choice":
            chosen = next((one for one in field.choices if one.lower() == claim.value.strip().lower()), None)
            if chosen is None:
                return Rejected(f"the value is none of {', '.join(map(repr, field.choices))}")
            return Checked(chosen, span.start, span.end)
        case "jurisdiction":
            return _place(claim, parsed, span)
        case "party" | "title" | "text":
            return _verbatim(claim, parsed, span)
        case _:
            return _read(field, claim, parsed, span)


_READERS: Final[Mapping[FieldKind, tuple[str, Callable[[Ground], list[Candidate]]]]] = {
    "date": ("a date", dates),
    "duration": ("a length of time", durations),
    "money": ("an amount of money with its currency", amounts),
    "percentage": ("a percentage with its sign", percentages),
    "number": ("a number", numbers),
}


def _read(field: FormField, claim: Claim, parsed: ParsedDocument, span: Span) -> Checked | Rejected:
    """Read the value out of the quote."""
    called, reader = _READERS[field.kind]
    quoted = ParsedDocument.model_construct(text=parsed.quote(span), clauses=())
    found = reader(Ground(quoted))
    if not found:
        return Rejected(f"the quote does not say {called}")
    typed = [(one, as_typed(field, one.value)) for one in found]
    said = {str(value) for _, value in typed}
    wanted = _squeezed(claim.value)
    for one, value in typed:
        if len(said) == 1 or wanted in (_squeezed(str(value)), _squeezed(_text(value))):
            if value is None:
                return Rejected("what the quote says is no whole number of what the field counts")
            return Checked(value, span.start + one.start, span.start + one.end)
    return Rejected(f"the quote says {called} more than once, and none is the value: quote the value alone")


def _place(claim: Claim, parsed: ParsedDocument, span: Span) -> Checked | Rejected:
    quoted = parsed.quote(span)
    wanted = place_of(claim.value)
    for match in re.finditer(rf"(?<!\w)(?:{PLACE_PATTERN})(?!\w)", quoted, re.IGNORECASE):
        if place_of(match[0]) == wanted or wanted is None:
            value = place_of(match[0]) or match[0]
            return Checked(value, span.start + match.start(), span.start + match.end())
    return _verbatim(claim, parsed, span)


def _verbatim(claim: Claim, parsed: ParsedDocument, span: Span) -> Checked | Rejected:
    """Find the value in the quote, and narrow the evidence to it."""
    place = locate(claim.value, parsed, span)
    if place is None:
        return Rejected("the value does not stand in the quote as it is: copy it letter for letter")
    return Checked(" ".join(parsed.quote(place).split()), place.start, place.end)


def _text(value: Any) -> str:
    from segue.activities.extraction.records import plain

    return plain(value)[0]


def _squeezed(text: str) -> str:
    return re.sub(r"[\s,$€£%]", "", text).lower()
