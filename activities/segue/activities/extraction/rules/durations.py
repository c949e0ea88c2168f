"""Lengths of time: `three (3) years`, `30 days`, `an eighteen-month period`, `the fifth (5th) anniversary`."""

from __future__ import annotations

import re
from typing import Final, cast

from segue.activities.extraction.rules.ground import Candidate, Ground
from segue.activities.extraction.rules.numbers import ORDINAL_WORD, WORD, ordinal_of, words_of
from segue.activities.extraction.values import Duration, Unit

__all__ = ["duration_of", "durations"]

# Recognised text has a letter for a one: `one (I) year`.
_DIGITS: Final = r"\d{1,4}|[Il](?=\s*\))"
_COUNT: Final = (
    rf"(?:(?P<word>{WORD}|an?)\s*(?:\(\s*(?P<inner>{_DIGITS})\s*\))?|(?P<digits>\d{{1,4}})\s*(?:\(\s*(?:{WORD}|"
    rf"\d+)\s*\))?"
    rf"|\(\s*(?P<alone>\d{{1,4}})\s*\))"
)
_UNIT: Final = r"(?P<unit>years?|yrs?|months?|mos?\b\.|weeks?|days?|hours?|quarters?)"
_BETWEEN: Final = (
    r"(?:[\s-]+(?:calendar|consecutive|successive|full|additional|business|working|trading|"
    r"contract|further|more))*[\s-]*"
)
_DURATION: Final = re.compile(rf"(?<![\w$.,/-]){_COUNT}{_BETWEEN}{_UNIT}(?![\w])", re.IGNORECASE)
_ANNIVERSARY: Final = re.compile(
    rf"\b(?P<ordinal>{ORDINAL_WORD}|\d{{1,2}}(?:st|nd|rd|th))\s*(?:\(\s*\d{{1,2}}\s*(?:st|nd|rd|th)?\s*\))?\s*"
    rf"(?:yearly\s+|annual\s+)?anniversary\b|\b(?P<count>{WORD}|\d{{1,2}})\s*(?:\(\s*\d{{1,2}}\s*\))"
    rf"?[\s-]*years?\s+anniversary\b",
    re.IGNORECASE,
)
_AND: Final = re.compile(r"\s*(?:,\s*)?and\s+", re.IGNORECASE)


def durations(ground: Ground) -> list[Candidate]:
    """Return the lengths of time in a document, in their order."""
    return _found(ground.text)


def duration_of(text: str) -> Duration | None:
    """Return the length of time that a text says; None if it says none, or several."""
    found = {str(candidate.value): candidate.value for candidate in _found(text)}
    return found.popitem()[1] if len(found) == 1 else None


def _found(text: str) -> list[Candidate]:
    found = [
        Candidate(match.start(), match.end(), value)
        for match in _ANNIVERSARY.finditer(text)
        if (value := _anniversary(match)) is not None
    ]
    taken = [(one.start, one.end) for one in found]
    for match in _DURATION.finditer(text):
        value = _duration(match)
        if value is None or any(match.start() < end and start < match.end() for start, end in taken):
            continue
        if found and (joined := _joined(text, found[-1], match, value)) is not None:
            found[-1] = joined
        else:
            found.append(Candidate(match.start(), match.end(), value))
    return sorted(found, key=lambda one: one.start)


def _duration(match: re.Match[str]) -> Duration | None:
    count = _count(match)
    if count is None or count == 0:
        return None
    unit = match["unit"].lower()
    if unit.startswith("q"):
        return Duration(months=3 * count)
    names: dict[str, Unit] = {"y": "years", "m": "months", "w": "weeks", "d": "days", "h": "hours"}
    return Duration(**{names[unit[0]]: count})


def _count(match: re.Match[str]) -> int | None:
    if digits := match["digits"] or match["alone"]:
        return int(digits)
    word = match["word"].lower()
    if word in ("a", "an"):
        # "a day" and "a year" are rates as often as lengths; with a number in brackets, or "an additional", lengths.
        return int(match["inner"]) if (match["inner"] or "").isdigit() else None
    said = words_of(word)
    inner = match["inner"]
    # Where words and digits differ, the words are what counts in law, and digits what a slip of recognition spoils.
    return said if said is not None else int(inner) if inner and inner.isdigit() else None


def _anniversary(match: re.Match[str]) -> Duration | None:
    years = ordinal_of(match["ordinal"]) if match["ordinal"] else _number(match["count"])
    return Duration(years=years) if years else None


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else words_of(text)


def _joined(text: str, one: Candidate, match: re.Match[str], value: Duration) -> Candidate | None:
    """Return two lengths as one, where the second is the first's smaller part: two years and six months."""
    if not _AND.fullmatch(text, one.end, match.start()):
        return None
    order = ("years", "months", "weeks", "days", "hours")
    first = cast("Duration", one.value).model_copy()
    counts = {unit: (getattr(first, unit), getattr(value, unit)) for unit in order}
    mine = [unit for unit in order if counts[unit][0]]
    other = [unit for unit in order if counts[unit][1]]
    if not mine or not other or order.index(other[0]) <= order.index(mine[-1]):
        return None
    return Candidate(one.start, match.end(), Duration(**{unit: sum(pair) for unit, pair in counts.items()}))
