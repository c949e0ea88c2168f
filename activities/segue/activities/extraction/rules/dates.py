"""Dates, in the ways in which people and programs write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import Final

from segue.activities.extraction.rules.ground import Candidate, Ground
from segue.activities.extraction.rules.numbers import ORDINAL_WORD, ordinal_of

__all__ = ["date_of", "dates"]

_NAMES: Final = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
_MONTHS: Final = {name[:length]: number for number, name in enumerate(_NAMES, 1) for length in (3, 4, len(name))}
_MONTH: Final = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
# Recognised text parts what belongs together: `20t h`.
_SUFFIX: Final = r"(?:\s?(?:s\s?t|n\s?d|r\s?d|t\s?h))"
_DAY: Final = rf"(?P<day>\d{{1,2}}{_SUFFIX}?|{ORDINAL_WORD})"
_YEAR: Final = r"(?P<year>(?:19|20)\d{2}|['\u2019]\d{2})"
_FORMS: Final = tuple(
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"\b{_MONTH}\s*{_DAY}\s*,?\s*{_YEAR}(?!\d)",
        rf"(?<![\d/.-])(?:\b|(?<=\bof)|(?<=\bon)){_DAY}\s*(?:day\s+)?(?:of\s+)?[-\s]?{_MONTH}[-,\s]*(?:in\s+the\s+year\s+)?{_YEAR}(?!\d)",
    )
)
_ISO: Final = re.compile(r"(?<![\d/.-])(?P<year>(?:19|20)\d{2})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})(?![\d/-])")
_NUMBERS: Final = re.compile(r"(?<![\d/.$-])(\d{1,2})\s?([-/.])\s?(\d{1,2})\s?\2\s?((?:19|20)\d{2}|\d{2})(?![\d/-])")

_PIVOT: Final = 70  # of two digits: 69 is 2069, 70 is 1970


def dates(ground: Ground) -> list[Candidate]:
    """Return the dates of a document in their order. Of an impossible one, such as 31 June, there is none.

    Where numbers stand alone, as in 3/4/2020, another date of the document may tell which is the day; else the month
    comes first, and less speaks for it.
    """
    return sorted(_found(ground.text), key=lambda one: one.start)


def date_of(text: str) -> date | None:
    """Return the date that a text says; None if it says none, or several."""
    found = {candidate.value for candidate in _found(text)}
    return found.pop() if len(found) == 1 else None


def _found(text: str) -> Iterator[Candidate]:
    taken: list[tuple[int, int]] = []

    def free(match: re.Match[str]) -> bool:
        return all(match.end() <= start or end <= match.start() for start, end in taken)

    for form in (*_FORMS, _ISO):
        for match in form.finditer(text):
            value = _date(match["year"], match["month"], match["day"])
            if value is not None and free(match):
                taken.append(match.span())
                yield Candidate(match.start(), match.end(), value)
    numeric = [match for match in _NUMBERS.finditer(text) if free(match)]
    day_first = _day_first(numeric)
    for match in numeric:
        one, other = int(match[1]), int(match[3])
        certain = one > 12 or other > 12 or one == other or day_first is not None
        first = one > 12 or (other <= 12 and bool(day_first))
        value = _date(match[4], str(other if first else one), str(one if first else other))
        # A number with points is as often a version or a section.
        if value is not None and not (match[2] == "." and len(match[4]) == 2):
            yield Candidate(match.start(), match.end(), value, 0.0 if certain else -1.0)


def _day_first(numeric: list[re.Match[str]]) -> bool | None:
    """Return whether the day stands first in dates of numbers; None if none of them tells."""
    if any(int(match[1]) > 12 >= int(match[3]) for match in numeric):
        return True
    return False if any(int(match[3]) > 12 >= int(match[1]) for match in numeric) else None


def _date(year: str, month: str, day: str) -> date | None:
    year = year.strip("'\u2019")
    number = int(year)
    if len(year) == 2:
        number += 1900 if number >= _PIVOT else 2000
    months = int(month) if month.isdigit() else _MONTHS[month.lower().rstrip(".")[:4].strip()]
    days = ordinal_of(re.sub(r"(?<=\d)\s?[a-z\s]+$", "", day.lower()))
    try:
        return date(number, months, days or 0)
    except ValueError:
        return None
