"""The words that a contract gives a meaning of its own: its defined terms, and its parties.

    "Confidential Information" means ...        ("Customer")        (collectively, the "Licensed Marks")

A term is known by the quotes around it where it is defined, so it may be used without them everywhere. The parties are
the terms defined between "between" and the end of that clause, and the companies named there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from segue.activities.comparison._words import Unit
from segue.activities.comparison.values import Value

__all__ = ["Terms"]

_QUOTED: Final = re.compile(r"[\"\u201c]\s?([A-Z][^\"\u201c\u201d\n]{0,60}?)[,.]?\s?[\"\u201d]")
_MEANS: Final = re.compile(
    r"\s*(?:\([^)]{0,60}\)\s*)?(?:,?\s*(?:and|or)\s+[\"\u201c][^\"\u201d]{1,60}[\"\u201d]\s*)?(?:shall\s+)?"
    r"(?:means?|has\s+the\s+meaning|have\s+the\s+meanings?|is\s+defined|refers?\s+to|includes?|will\s+mean)\b"
)
_ENTERED: Final = re.compile(r"\b(?:by\s+and\s+)?(?:between|among)\b", re.IGNORECASE)
_COMPANY: Final = re.compile(
    r"\b((?!Limited|Liability)(?:[A-Z][\w&'.-]*\s+){1,5}?(?:Inc|LLC|L\.L\.C|Ltd|Limited|Corp(?:oration)?|Company|GmbH|AG|S\.?A|B\.?V|N\.?V|PLC|plc|LLP"
    r"|L\.P|LP)\b\.?)(?!\s+Liability)"
)
# The parties are named near the beginning, in so many characters, before the reasons for the contract.
_PREAMBLE: Final = 6_000
_NAMING: Final = 1_500
_RECITALS: Final = re.compile(
    r"\b(?:WHEREAS|Whereas|RECITALS?|Recitals?|WITNESSETH|BACKGROUND|Background|NOW,)|\n\s*1[.)]\s"
)
_GENERIC: Final = re.compile(r"\b(?:Part(?:y|ies)|Agreements?|Date|Contract|Amendment|Application|Term|Territory)\b")
_MOST: Final = 6


class Terms:
    """The defined terms of both versions of a document.

    Args:
        versions: The text and the clauses of each.
    """

    def __init__(self, *versions: tuple[str, Sequence[Unit]]) -> None:
        self._defined: list[dict[str, int]] = []
        parties: frozenset[str] = frozenset()
        for text, units in versions:
            found: dict[str, int] = {}
            for unit in units:
                for term in _defined(text, unit.start, unit.end):
                    found.setdefault(term, unit.index)
            self._defined.append(found)
            parties |= frozenset(_parties(text))
        self.parties = parties
        names = sorted({*self.parties, *(term for found in self._defined for term in found)}, key=len, reverse=True)
        # A clause may be set in capitals.
        spelled = dict.fromkeys(one for name in names for one in (name, name.upper()))
        pattern = "|".join(re.escape(name).replace(r"\ ", r"\s+") for name in spelled)
        self._pattern = re.compile(rf"(?<![\w-])(?:{pattern})(?:s|es|S|ES)?(?![\w-])") if names else None
        self._canonical = {_canonical(name.upper()): name for name in names} | {
            _canonical(name): name for name in names
        }

    def defined_in(self, side: int, index: int) -> frozenset[str]:
        """Return the terms that a clause of one version defines: 0 for the earlier version, 1 for the later."""
        return frozenset(term for term, place in self._defined[side].items() if place == index)

    def used(self, text: str, start: int, end: int) -> Iterator[Value]:
        """Yield the parties and terms in `text[start:end]`."""
        if self._pattern is None:
            return
        for match in self._pattern.finditer(text, start, end):
            words = _canonical(match[0])
            name = self._canonical.get(words) or self._canonical.get(words.rstrip("sS"), match[0])
            yield Value("party" if name in self.parties else "term", match.start(), match.end(), (name,))


def _canonical(name: str) -> str:
    return " ".join(name.split())


def _defined(text: str, start: int, end: int, *, named_only: bool = False) -> Iterator[str]:
    """Yield the terms that are defined from a place to another; with `named_only`, those that stand for a name."""
    for match in _QUOTED.finditer(text, start, end):
        before = text[max(start, match.start() - 60) : match.start()]
        opened = before.rpartition("(")[2] if "(" in before else None
        in_parentheses = opened is not None and ")" not in opened
        if in_parentheses or (not named_only and _MEANS.match(text, match.end(), end)):
            yield _canonical(match[1])


def _parties(text: str) -> list[str]:
    """Return the parties that are named behind the first "between" or "among" that names two."""
    for entered in _ENTERED.finditer(text, 0, _PREAMBLE):
        ended = _RECITALS.search(text, entered.end(), entered.end() + _NAMING)
        end = ended.start() if ended else min(entered.end() + _NAMING, len(text))
        named = _defined(text, entered.end(), end, named_only=True)
        aliases = [term for term in named if not _GENERIC.search(term)][:_MOST]
        if len(aliases) >= 2:
            companies = (match[1] for match in _COMPANY.finditer(text, entered.end(), end))
            return [*aliases, *(_canonical(one).strip(" .,") for one in companies if len(one.split()) > 1)]
    return []
