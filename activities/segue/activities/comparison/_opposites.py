"""Words that turn a sentence round where one stands for the other: before and after, increase and decrease, and, or.

[one.rule for one in opposites("thirty days before delivery", "thirty days after delivery")]      # ["opposite"]
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

__all__ = ["Turned", "opposites"]

_Rule = Literal["opposite", "conjunction"]

# The poles of each axis. Where a change has one of them before and another after, it is turned round.
_AXES: Final[tuple[tuple[_Rule, tuple[str, ...]], ...]] = (
    ("conjunction", (r"and(?!/or)", r"(?<!/)or", r"and/or")),
    ("opposite", (r"before|prior\s+to|preceding", r"after|following|subsequent\s+to")),
    (
        "opposite",
        (
            r"increas(?:e[sd]?|ing)|rais(?:e[sd]?|ing)",
            r"decreas(?:e[sd]?|ing)|lower(?:s|ed|ing)?|reduc(?:e[sd]?|ing|tion)",
        ),
    ),
    (
        "opposite",
        (r"ris(?:es?|en|ing)|rose|grow(?:s|n|th|ing)?|grew", r"falls?|fell|fallen|falling|declin(?:e[sd]?|ing)"),
    ),
    ("opposite", (r"upwards?", r"downwards?")),
    ("opposite", (r"minimum", r"maximum")),
    ("opposite", (r"gross", r"net")),
    ("opposite", (r"above|exceed(?:s|ed|ing)?", r"below")),
    ("opposite", (r"more", r"less|fewer")),
    ("opposite", (r"includ(?:es?|ed|ing)", r"exclud(?:es?|ed|ing)")),
    ("opposite", (r"direct(?:ly)?", r"indirect(?:ly)?")),
    ("opposite", (r"oral(?:ly)?|verbal(?:ly)?", r"written|(?:in\s+)?writing")),
    ("opposite", (r"extend(?:s|ed|ing)?|renew(?:s|ed|ing|al)?", r"terminat(?:es?|ed|ing|ion)|expir(?:es?|ed|ing|y)")),
    ("opposite", (r"valid", r"invalid|void")),
    ("opposite", (r"credit(?:s|ed)?", r"debit(?:s|ed)?")),
    ("opposite", (r"jointly", r"severally")),
)
_PATTERNS: Final[tuple[tuple[_Rule, tuple[re.Pattern[str], ...]], ...]] = tuple(
    (rule, tuple(re.compile(rf"\b(?:{pole})\b", re.IGNORECASE) for pole in poles)) for rule, poles in _AXES
)


class Turned(NamedTuple):
    """One word that became another which says the opposite.

    Attributes:
        rule: What kind of word it is.
        before: Where it stands in the earlier text.
        after: Where the other stands in the later one.
    """

    rule: _Rule
    before: tuple[int, int]
    after: tuple[int, int]


def opposites(before: str, after: str) -> Iterator[Turned]:
    """Yield the words of a change that became their opposites, the first of each axis."""
    for rule, poles in _PATTERNS:
        here, there = _poles(poles, before), _poles(poles, after)
        turned = set(here).isdisjoint(there) or (sorted(here) == sorted(there) and list(here) != list(there))
        if here and there and turned:
            yield Turned(rule, next(iter(here.values())), next(iter(there.values())))


def _poles(poles: tuple[re.Pattern[str], ...], text: str) -> dict[int, tuple[int, int]]:
    """Return which poles stand in a text, in its order, and where each stands first."""
    found = [(match.start(), number, match.end()) for number, pole in enumerate(poles) if (match := pole.search(text))]
    return {number: (start, end) for start, number, end in sorted(found)}
