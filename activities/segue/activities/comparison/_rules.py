"""Which differences matter, and why: rules on what was deleted and what was inserted.

What stands on both sides of a change is none, however it is written. What was deleted and what was inserted in one
place is told as one change: `$500` that becomes `$750`, an obligation that becomes a permission. That two parties or
two amounts change places is told as well, and that a negation stands elsewhere.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from segue.activities.comparison._opposites import opposites
from segue.activities.comparison._pairing import Pairs, Place, Seen, paired
from segue.activities.comparison._terms import Terms
from segue.activities.comparison.values import Rule, Value, discrepancy, is_ambiguous, strength, values_of

__all__ = ["WEIGHTS", "Concern", "Place", "concerns", "whole"]

WEIGHTS: Final[dict[Rule, int]] = {
    "money": 10,
    "party": 9,
    "modal": 9,
    "negation": 9,
    "percentage": 9,
    "duration": 8,
    "date": 8,
    "discrepancy": 8,
    "law": 8,
    "opposite": 7,
    "definition": 7,
    "number": 6,
    "qualifier": 5,
    "term": 4,
    "conjunction": 4,
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
    "law": "the law or court",
}

_OPPOSITE: Final = re.compile(r"\b(?:not|never|no|neither|nor|none|cannot)\b|n['\u2019]t\b", re.IGNORECASE)


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
    sides = _seen(texts, clauses, changes, terms, 0), _seen(texts, clauses, changes, terms, 1)
    for rule in WEIGHTS:
        yield from _told(rule, paired(rule, sides, changes, texts))
    yield from _discrepancies(sides)
    yield from _turned(texts, changes)


def whole(text: str, places: Sequence[Place], *, inserted: bool) -> Iterator[Concern]:
    """Yield why a clause that stands in one version only matters: what it holds, or that it is there at all."""
    found: dict[Rule, list[Value]] = {}
    for start, end in places:
        for value in values_of(text, start, end):
            if value.rule in _TOLD_OF_CLAUSES:
                found.setdefault(value.rule, []).append(value)
    what = "inserted" if inserted else "deleted"
    if inserted:
        for value in (one for some in found.values() for one in some):
            shown = _shown(text[value.start : value.end])
            if (said := discrepancy(shown)) is not None:
                yield Concern("discrepancy", None, (value.start, value.end), _contradicts(shown, *said))
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


def _seen(
    texts: tuple[str, str],
    clauses: tuple[Sequence[Place], Sequence[Place]],
    changes: Sequence[tuple[Place, Place]],
    terms: Terms,
    side: int,
) -> list[Seen]:
    """Return the values of one version of a clause, in order."""
    text = texts[side]
    return [
        Seen(
            value,
            next(
                (
                    index
                    for index, change in enumerate(changes)
                    if value.start < change[side][1] and change[side][0] < value.end
                ),
                None,
            ),
            _shown(text[value.start : value.end]),
        )
        for start, end in clauses[side]
        for value in sorted((*values_of(text, start, end), *terms.used(text, start, end)), key=lambda one: one.start)
    ]


def _told(rule: Rule, found: Pairs) -> Iterator[Concern]:
    """Yield what became of the values of one rule, each thing that is said of several once."""
    told = [(_became(rule, one, other), one.place, other.place) for one, other in found.became]
    told += [(_moved(rule, one), one.place, other.place) for one, other in found.moved]
    told += [(_exchanged(rule, here, there), here[0].place, there[0].place) for here, there in found.exchanged]
    counts: dict[str, int] = {}
    for reason, _, _ in told:
        counts[reason] = counts.get(reason, 0) + 1
    for reason, before, after in told:
        if count := counts.pop(reason, 0):
            yield Concern(rule, before, after, reason + (f" ({count} times)" if count > 1 else ""))
    for left, what in ((found.removed, "removed"), (found.added, "added")):
        for same in {one.identity: one for one in reversed(left)}.values():
            count = sum(one.identity == same.identity for one in left)
            reason = _alone(rule, same, what) + (f" ({count} times)" if count > 1 else "")
            place = same.place
            yield Concern(rule, place if what == "removed" else None, place if what == "added" else None, reason)


def _discrepancies(sides: tuple[Sequence[Seen], Sequence[Seen]]) -> Iterator[Concern]:
    """Yield the values of the later version whose words and figures say two things, and did not before."""
    known = {one.text.casefold() for one in sides[0]}
    for one in sides[1]:
        if one.change is None or one.text.casefold() in known or (said := discrepancy(one.text)) is None:
            continue
        earlier = next(
            (seen.place for seen in sides[0] if seen.change == one.change and seen.value.rule == one.value.rule), None
        )
        yield Concern("discrepancy", earlier, one.place, _contradicts(one.text, *said))


def _contradicts(text: str, words: Decimal, figure: Decimal) -> str:
    return f"{text} says {words:f} in words and {figure:f} in figures"


def _turned(texts: tuple[str, str], changes: Sequence[tuple[Place, Place]]) -> Iterator[Concern]:
    """Yield the words that became their opposites."""
    for before, after in changes:
        words = texts[0][slice(*before)], texts[1][slice(*after)]
        for rule, here, there in opposites(*words):
            reason = f"{_shown(words[0][slice(*here)])} becomes {_shown(words[1][slice(*there)])}"
            yield Concern(
                rule,
                (before[0] + here[0], before[0] + here[1]),
                (after[0] + there[0], after[0] + there[1]),
                reason,
            )


def _moved(rule: Rule, one: Seen) -> str:
    if rule == "negation":
        return f"the negation “{one.text}” stands elsewhere: what it denies may now be something else"
    if rule == "modal":
        return f"{strength(one.text)} ({one.text}) stands elsewhere in the clause"
    return f"{_NOUNS.get(rule, rule)} {one.text} stands elsewhere in the clause"


def _exchanged(rule: Rule, here: Sequence[Seen], there: Sequence[Seen]) -> str:
    noun = _NOUNS.get(rule, "the modals").removeprefix("the ")
    plural = f"{noun[:-1]}ies" if noun.endswith("ty") else noun if noun.endswith("s") else f"{noun}s"
    before, after = (", ".join(dict.fromkeys(one.text for one in side)) for side in (here, there))
    return f"the {plural} change places: {before} becomes {after}"


def _became(rule: Rule, one: Seen, other: Seen) -> str:
    if rule == "modal":
        here, there = strength(one.text), strength(other.text)
        if here != there:
            return f"{here} ({one.text}) becomes {there} ({other.text})"
        return f"{here} is worded otherwise: {one.text} becomes {other.text}"
    if rule == "negation":
        return f"the negation “{one.text}” becomes “{other.text}”"
    difference = _difference(one.value, other.value, (one.text, other.text))
    return f"{_NOUNS.get(rule, rule)} changes from {one.text} to {other.text}{difference}"


def _difference(one: Value, other: Value, texts: tuple[str, str]) -> str:
    """Return by how much an amount grows or shrinks, where both are in the same unit."""
    (before, *unit), (after, *same) = one.canonical or (None,), other.canonical or (None,)
    if one.rule != "percentage" and (is_ambiguous(texts[0]) or is_ambiguous(texts[1])):
        return ""
    if not isinstance(before, Decimal) or not isinstance(after, Decimal) or unit != same or not before:
        return ""
    share = (after - before) / before * 100
    if one.rule == "percentage":
        return f" ({after - before:+f} points)"
    return f" ({share:+.0f} %)" if abs(share) >= 1 else ""


def _alone(rule: Rule, one: Seen, what: str) -> str:
    if rule == "modal":
        return f"{strength(one.text)} ({one.text}) is {what}"
    if rule == "negation":
        opposite = ": what is said may now be its opposite" if _OPPOSITE.search(one.text) else ""
        return f"the negation “{one.text}” is {what}{opposite}"
    return f"{_NOUNS.get(rule, rule)} {one.text} is {what}"


def _shown(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"
