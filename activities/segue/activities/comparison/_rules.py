"""Which differences matter, and why: rules on what was deleted and what was inserted.

What stands on both sides is no change, however it is written. What was deleted and what was inserted in one place is
told as one change: `$500` that becomes `$750`, an obligation that becomes a permission.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from segue.activities.comparison._terms import Terms
from segue.activities.comparison.values import Rule, Value, strength, values_of

__all__ = ["WEIGHTS", "Concern", "Place", "concerns", "whole"]

WEIGHTS: Final[dict[Rule, int]] = {
    "money": 10,
    "party": 9,
    "modal": 9,
    "negation": 9,
    "percentage": 9,
    "duration": 8,
    "date": 8,
    "definition": 7,
    "number": 6,
    "qualifier": 5,
    "term": 4,
    "reference": 3,
    "clause": 2,
}
"""How much each rule weighs where several findings are put in order."""

# What is said of a clause that stands in one version only: what it is about, not each of its words.
_TOLD_OF_CLAUSES: Final[tuple[Rule, ...]] = ("money", "percentage", "date", "duration", "modal", "negation")

# Fewer words than these say nothing by themselves.
_SAYING: Final = 5

_NOUNS: Final[dict[Rule, str]] = {
    "money": "the amount",
    "percentage": "the percentage",
    "date": "the date",
    "duration": "the period",
    "number": "the number",
    "qualifier": "the qualifier",
    "reference": "the reference",
    "party": "the party",
    "term": "the defined term",
}

_OPPOSITE: Final = re.compile(r"\b(?:not|never|no|neither|nor|none|cannot)\b|n['\u2019]t\b", re.IGNORECASE)

Place = tuple[int, int]
"""Where words stand in one version's text: from a character to another."""


@dataclasses.dataclass(frozen=True, slots=True)
class Concern:
    """Why a difference matters, and where.

    Attributes:
        rule: The rule that says so.
        before: Where in the earlier version; None where it has nothing of it.
        after: Where in the later version.
        reason: What changed, in words.
    """

    rule: Rule
    before: Place | None
    after: Place | None
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Touched:
    """A value that a change touches, and the first such change."""

    value: Value
    change: int
    text: str


def concerns(
    texts: tuple[str, str],
    clauses: tuple[Sequence[Place], Sequence[Place]],
    changes: Sequence[tuple[Place, Place]],
    terms: Terms,
) -> Iterator[Concern]:
    """Yield why the changes of a clause matter.

    Args:
        texts: The text of both versions.
        clauses: Where the clause stands in each, in one or several parts.
        changes: What changed, in both; one of the two places may be empty.
        terms: The defined terms of both versions.
    """
    sides = [
        list(_touched(text, places, [change[side] for change in changes], terms))
        for side, (text, places) in enumerate(zip(texts, clauses, strict=True))
    ]
    shared = Counter(_identity(one) for one in sides[0]) & Counter(_identity(one) for one in sides[1])
    removed, added = (_without(side, Counter(shared)) for side in sides)
    for rule in WEIGHTS:
        gone = [one for one in removed if one.value.rule == rule]
        new = [one for one in added if one.value.rule == rule]
        yield from _told(rule, gone, new)


def whole(text: str, places: Sequence[Place], *, inserted: bool) -> Iterator[Concern]:
    """Yield why a clause that stands in one version only matters: what it holds, or that it is there at all."""
    found: dict[Rule, list[Value]] = {}
    for start, end in places:
        for value in values_of(text, start, end):
            if value.rule in _TOLD_OF_CLAUSES:
                found.setdefault(value.rule, []).append(value)
    what = "inserted" if inserted else "deleted"
    for rule in _TOLD_OF_CLAUSES:
        for told, values in _sorted(rule, text, found.get(rule, ())):
            shown = ", ".join(_shown(text[value.start : value.end]) for value in values[:3])
            more = f" and {len(values) - 3} more" if len(values) > 3 else ""
            place = values[0].start, values[0].end
            reason = f"the {what} clause holds {told} ({shown}{more})"
            yield Concern(rule, None if inserted else place, place if inserted else None, reason)
    if not found and sum(len(text[start:end].split()) for start, end in places) >= _SAYING:
        place = places[0]
        yield Concern("clause", None if inserted else place, place if inserted else None, f"a clause is {what}")


def _sorted(rule: Rule, text: str, values: Sequence[Value]) -> Iterator[tuple[str, list[Value]]]:
    """Yield what the values of one rule are called, with each value once."""
    once = list({value.canonical: value for value in values}.values())
    if not once:
        return
    if rule != "modal":
        noun = _NOUNS.get(rule, rule).removeprefix("the ")
        yield f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}", once
        return
    kinds: dict[str, list[Value]] = {}
    for value in once:
        kinds.setdefault(strength(text[value.start : value.end]), []).append(value)
    yield from kinds.items()


def _touched(text: str, clauses: Sequence[Place], changes: Sequence[Place], terms: Terms) -> Iterator[_Touched]:
    for start, end in clauses:
        for value in (*values_of(text, start, end), *terms.used(text, start, end)):
            for index, (low, high) in enumerate(changes):
                if value.start < high and low < value.end:
                    yield _Touched(value, index, _shown(text[value.start : value.end]))
                    break


def _identity(one: _Touched) -> tuple[object, ...]:
    return one.value.rule, *one.value.canonical


def _without(side: Sequence[_Touched], shared: Counter[tuple[object, ...]]) -> list[_Touched]:
    left: list[_Touched] = []
    for one in side:
        if shared[_identity(one)] > 0:
            shared[_identity(one)] -= 1
        else:
            left.append(one)
    return left


def _told(rule: Rule, gone: list[_Touched], new: list[_Touched]) -> Iterator[Concern]:
    """Yield what became of the values of one rule: those that one change touches on both sides belong together."""
    waiting = list(new)
    alone: list[_Touched] = []
    for one in gone:
        other = next((other for other in waiting if other.change == one.change), None)
        if other is None:
            alone.append(one)
            continue
        waiting.remove(other)
        yield Concern(rule, _place(one), _place(other), _became(rule, one, other))
    for left, what in ((alone, "removed"), (waiting, "added")):
        for same in {_identity(one): one for one in reversed(left)}.values():
            count = sum(_identity(one) == _identity(same) for one in left)
            reason = _alone(rule, same, what) + (f" ({count} times)" if count > 1 else "")
            place = _place(same)
            yield Concern(rule, place if what == "removed" else None, place if what == "added" else None, reason)


def _became(rule: Rule, one: _Touched, other: _Touched) -> str:
    if rule == "modal":
        here, there = strength(one.text), strength(other.text)
        if here != there:
            return f"{here} ({one.text}) becomes {there} ({other.text})"
        return f"{here} is worded otherwise: {one.text} becomes {other.text}"
    if rule == "negation":
        return f"the negation “{one.text}” becomes “{other.text}”"
    return f"{_NOUNS.get(rule, rule)} changes from {one.text} to {other.text}{_difference(one.value, other.value)}"


def _difference(one: Value, other: Value) -> str:
    """Return by how much an amount grows or shrinks, where both are in the same unit."""
    (before, *unit), (after, *same) = one.canonical or (None,), other.canonical or (None,)
    if not isinstance(before, Decimal) or not isinstance(after, Decimal) or unit != same or not before:
        return ""
    share = (after - before) / before * 100
    if one.rule == "percentage":
        return f" ({after - before:+f} points)"
    return f" ({share:+.0f} %)" if abs(share) >= 1 else ""


def _alone(rule: Rule, one: _Touched, what: str) -> str:
    if rule == "modal":
        return f"{strength(one.text)} ({one.text}) is {what}"
    if rule == "negation":
        opposite = ": what is said may now be its opposite" if _OPPOSITE.search(one.text) else ""
        return f"the negation “{one.text}” is {what}{opposite}"
    return f"{_NOUNS.get(rule, rule)} {one.text} is {what}"


def _place(one: _Touched) -> Place:
    return one.value.start, one.value.end


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"
