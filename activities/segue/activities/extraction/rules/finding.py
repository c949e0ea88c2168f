"""The values of a form's fields in a document, by rules: candidates of the field's kind, judged by what is around them.

for found in find(parsed, fields_of(Lease)):
    parsed.text[found.start : found.end], found.value, found.confidence
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from segue.activities.documents import ParsedDocument
from segue.activities.extraction.form import FieldKind, FormField
from segue.activities.extraction.rules.amounts import amounts, numbers, percentages
from segue.activities.extraction.rules.dates import dates
from segue.activities.extraction.rules.durations import durations
from segue.activities.extraction.rules.ground import Candidate, Ground, squeezed
from segue.activities.extraction.rules.jurisdictions import jurisdictions
from segue.activities.extraction.rules.parties import alias_of, parties
from segue.activities.extraction.rules.roles import Role, role_of
from segue.activities.extraction.rules.texts import choices, labelled, titles
from segue.activities.extraction.values import Duration, Money

__all__ = ["Found", "as_typed", "find"]


@dataclasses.dataclass(frozen=True)
class Found:
    """A value with where it stands.

    Attributes:
        field: The field's name.
        value: As the field's type has it.
        start: Where the text begins that says it.
        end: Where that ends.
        confidence: How sure it is, from 0 to 1.
    """

    field: str
    value: Any
    start: int
    end: int
    confidence: float


def find(parsed: ParsedDocument, fields: Sequence[FormField]) -> list[Found]:
    """Return what rules find, in the order of the fields. A field of which nothing is found is left out."""
    shorter, back = squeezed(parsed)
    search = _Search(Ground(shorter))
    return [
        # The end is where its last character is, for what follows may have been cut.
        dataclasses.replace(found, start=back(found.start), end=back(found.end - 1) + 1)
        for field in fields
        for found in search.find(field)
    ]


def as_typed(field: FormField, value: Any) -> Any:
    """Return a value as the field's type has it; None where the type cannot hold it exactly."""
    match field.form, value:
        case "datetime", _:
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        case "timedelta", Duration():
            hours = value.in_units("hours")
            return None if hours is None else timedelta(hours=hours)
        case "int", Duration():
            return value.in_units(field.unit or "days")
        case (("int" | "float" | "decimal"), Money()):
            return as_typed(field, value.amount)
        case "int", Decimal():
            return int(value) if value == value.to_integral_value() else None
        case "float", Decimal():
            return float(value)
        case _:
            return value


class _Search:
    """One document's search: what several fields look at is looked for once."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self._known: dict[Any, list[Candidate]] = {}

    def find(self, field: FormField) -> list[Found]:
        ranked = self._ranked(field)
        if not ranked:
            return []
        role = role_of(field)
        least = role.least if role is not None else _LEAST.get(field.kind, _LEAST_WORDS)
        good = [one for one in ranked if one.score >= least]
        chosen = _several(self.ground, field, good) if field.many else good[:1]
        found: list[Found] = []
        for one in chosen:
            value = as_typed(field, one.value)
            if value is not None:
                rival = next(
                    (other.score for other in ranked if other.value != one.value and other not in chosen), None
                )
                found.append(Found(field.name, value, one.start, one.end, _confidence(one.score, least, rival)))
        return found

    def _ranked(self, field: FormField) -> list[Candidate]:
        """Return the candidates for a field, the most likely first."""
        candidates = self._candidates(field)
        role = role_of(field)
        if role is not None:
            scored = [one.scored(role.score(self.ground, one) - one.score) for one in candidates]
            if role.name == "effective":
                scored += self._by_reference(scored, role)
        elif field.kind in _SELF_TOLD:
            scored = (
                [one.scored(self._told(field, one)) for one in candidates]
                if field.kind == "party"
                else list(candidates)
            )
        else:
            words = _Words(self.ground, field)
            scored = [one.scored(words.near(one)) for one in candidates]
        # What stands after the field's own name, as in "Rent: 500 EUR", is what a form or an invoice says it is.
        scored += self._labelled(field, candidates)
        return sorted(scored, key=lambda one: (-one.score, one.start))

    def _candidates(self, field: FormField) -> list[Candidate]:
        key = (field.kind, field.choices)
        if key not in self._known:
            found = _FINDERS[field.kind](self.ground, field) if field.kind in _FINDERS else []
            self._known[key] = [one for one in found if not self.ground.is_skipped(one.start)]
        return self._known[key]

    def _labelled(self, field: FormField, candidates: Sequence[Candidate]) -> list[Candidate]:
        if field.kind == "boolean":
            return []
        found: list[Candidate] = []
        for label, text in self._labels:
            if not _is_label_of(label, field):
                continue
            if field.kind == "text":
                found.append(text.scored(_LABELLED))
            inside = [one for one in candidates if text.start <= one.start and one.end <= text.end]
            found += [one.scored(_LABELLED) for one in inside[:1]]
        return found

    @functools.cached_property
    def _labels(self) -> list[tuple[str, Candidate]]:
        return labelled(self.ground)

    def _told(self, field: FormField, candidate: Candidate) -> float:
        """Return whether a party is the one that a field names: its tenant, its licensor."""
        if field.many:
            return 0.0
        asked = set(_stems(field.name))
        alias = set(_stems(alias_of(self.ground, candidate)))
        before = set(_stems(self.ground.before(candidate.start, 30)))
        return 2.0 if asked & (alias | before) else -2.5

    def _by_reference(self, scored: Sequence[Candidate], role: Role) -> list[Candidate]:
        """Return the date of the contract where it says that it is effective from then."""
        if any(one.score >= role.least for one in scored) or not _AS_DATED.search(self.ground.text):
            return []
        dated = FormField(name="agreement_date", kind="date", form="date")
        signed = [one for one in self._ranked(dated) if one.score >= 2.5]
        return [dataclasses.replace(signed[0], score=role.least)] if signed else []


_AS_DATED: Final = re.compile(
    r"\b(?:effective|commenc\w*|begin\w*|in\s+(?:full\s+)?force|take\s+effect|term\b)[^.;]{0,80}?\b(?:as\s+of|on|"
    r"upon|from)\s+the\s+date\s+"
    r"(?:first|hereof|of\s+(?:this|its|the|execution|signature|signing)|last|set\s+forth|written|above|stated|"
    r"on\s+which|it\s+is\s+signed|this\s+agreement\s+is)"
    r"|\b(?:effective|commenc\w*)[^.;]{0,30}\b(?:upon|on)\s+(?:its\s+)?(?:execution|signature|signing)",
    re.IGNORECASE,
)

_LEAST: Final[Mapping[FieldKind, float]] = {"jurisdiction": 1.5, "party": 1.0, "title": 1.0, "text": 3.0, "choice": 1.5}
_LEAST_WORDS: Final = 2.5
_LABELLED: Final = 5.0
# Their rules judge by themselves.
_SELF_TOLD: Final = frozenset({"jurisdiction", "party", "title"})

_FINDERS: Final[Mapping[FieldKind, Callable[[Ground, FormField], list[Candidate]]]] = {
    "date": lambda ground, _: dates(ground),
    "duration": lambda ground, _: durations(ground),
    "money": lambda ground, _: amounts(ground),
    "percentage": lambda ground, _: percentages(ground),
    "number": lambda ground, _: numbers(ground),
    "party": lambda ground, _: parties(ground),
    "jurisdiction": lambda ground, _: jurisdictions(ground),
    "title": lambda ground, _: titles(ground),
    "choice": lambda ground, field: choices(ground, field.choices),
}


def _several(ground: Ground, field: FormField, good: Sequence[Candidate]) -> list[Candidate]:
    """Return the candidates of a list: each value once, in the document's order."""
    if field.kind == "jurisdiction" and good:
        # Two laws govern together where one sentence says so; another that is spoken of elsewhere does not.
        sentence = ground.sentence(good[0].start)
        good = [one for one in good if sentence.start <= one.start < sentence.end and one.score >= good[0].score - 1.6]
    once: dict[str, Candidate] = {}
    for one in good:
        once.setdefault(str(one.value), one)
    return sorted(once.values(), key=lambda one: one.start)


def _confidence(score: float, least: float, rival: float | None) -> float:
    """Return how sure a value is: by how much speaks for it, less if as much speaks for another."""
    sure = 1 / (1 + math.exp(-(score - least + 0.6) / 1.3))
    if rival is not None and score - rival < 1.0:
        sure *= 0.75 + 0.25 * max(0.0, score - rival)
    return round(min(sure, 0.99), 3)


class _Words:
    """How near to a value a field's own words stand."""

    def __init__(self, ground: Ground, field: FormField) -> None:
        self._ground = ground
        counts = Counter(_stems(ground.text))
        name = [stem for stem in _stems(field.name.replace("_", " ")) if stem not in _EMPTY]
        told = [stem for stem in _stems(field.description) if stem not in _EMPTY and stem not in name]
        # A word that stands everywhere tells little, and the name tells more than the description.
        self._weights = {stem: 1.0 / (1 + math.log1p(counts[stem]) / 4) for stem in told}
        self._weights |= {stem: 2.0 / (1 + math.log1p(counts[stem]) / 4) for stem in name}

    def near(self, candidate: Candidate) -> float:
        """Return how much the words around a value speak for it."""
        ground = self._ground
        sentence = ground.sentence(candidate.start)
        whole = set(_stems(ground.said(sentence)))
        close = set(_stems(ground.before(candidate.start, 70))) | set(_stems(ground.after(candidate.end, 40)))
        titles = set(_stems(ground.titles(candidate.start)))
        return sum(
            weight * ((stem in whole) * 1.0 + (stem in close) * 0.8 + (stem in titles) * 0.6)
            for stem, weight in self._weights.items()
        )


def _is_label_of(label: str, field: FormField) -> bool:
    """Whether a label says what a field is called: all its words are the field's, and most of the name's are there."""
    said = [stem for stem in _stems(label) if stem not in _FILLERS]
    name = [stem for stem in _stems(field.name.replace("_", " ")) if stem not in _FILLERS]
    if not said or not name:
        return False
    told = {*name, *_stems(field.description)}
    telling = set(name) - _EMPTY or set(name)
    if not telling & set(said):
        return False
    return set(name) <= set(said) or (set(said) <= told and len(set(said) & set(name)) * 2 >= len(name))


_WORD: Final = re.compile(r"[^\W_]+")
_FILLERS: Final = frozenset({
    "the", "a", "an", "of", "for", "in", "on", "at", "to", "and", "or", "is", "are", "be", "by", "with", "this",
    "that", "which", "what", "who", "how", "no", "nr"
})  # fmt: skip
# What a field's kind says already, or every field's description.
_EMPTY: Final = _FILLERS | frozenset({
    "date", "dat", "amount", "number", "value", "valu", "total", "period", "durat", "term", "time", "money",
    "price", "pric", "percent", "name", "nam", "text", "field", "contract", "agreement", "agree", "document"
})  # fmt: skip


def _stems(text: str) -> Iterable[str]:
    return [_stem(word) for word in _WORD.findall(text.lower())]


@functools.lru_cache(maxsize=50_000)
def _stem(word: str) -> str:
    """Return a word without its ending: enough to tell "terminates" and "termination" alike."""
    for ending in (
        "ations",
        "ation",
        "ments",
        "ment",
        "ings",
        "ing",
        "ions",
        "ion",
        "ers",
        "er",
        "ies",
        "es",
        "ed",
        "s",
        "y",
        "e",
    ):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word
