"""Cross references, and whether they still lead where they led.

`Section 4.2` names a clause by its number. When clauses are renumbered, a reference that follows its clause is no
change of substance, and one that does not is: it now leads to another clause.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from segue.activities.comparison._align import Link
from segue.activities.comparison._rules import Concern, Place
from segue.activities.comparison._words import Unit
from segue.activities.comparison.values import Value, label_of, values_of

__all__ = ["References"]

_OWN: Final = re.compile(r"(?:section|article|clause|paragraph)s?\s", re.IGNORECASE)
# `Section 5 of the Exchange Act` is no clause of this document.
_FOREIGN: Final = re.compile(r"\s+(?:of|to|in|under)\s+(?:the|such|that|any)?\s*(?!Agreement|Contract)[A-Z]")
_DECIMAL: Final = re.compile(r"\d+(?:\.\d+)*|[IVXLC]+")
_ROMAN: Final = re.compile(r"[ivxlc]+")


class References:
    """Which clause each number names, in both versions.

    Args:
        texts: The text of both versions.
        units: Their clauses.
        links: How the clauses belong together.
    """

    def __init__(
        self, texts: tuple[str, str], units: tuple[Sequence[Unit], Sequence[Unit]], links: Sequence[Link]
    ) -> None:
        self._texts = texts
        self._units = units
        self._named = _named(units[0])
        self._labels = {index: label for label, index in _named(units[1]).items()}
        self._links = {i: link for link in links for i in link.before}

    def follows(self, before: str, after: str) -> bool:
        """Return whether a reference that changed leads where it led before."""
        here, there = list(label_of(before)), list(label_of(after))
        return len(here) == len(there) and all(
            other in self._now(label) for label, other in zip(here, there, strict=True)
        )

    def left_behind(self, link: Link) -> Iterator[Concern]:
        """Yield the references of a clause that stayed as they were while the clause that they name did not."""
        if not link.before or not link.after:
            return
        kept: dict[str, Place] = {}
        for i in link.before:
            unit = self._units[0][i]
            for reference in self._own(0, unit):
                for label in label_of(self._texts[0][reference.start : reference.end]):
                    kept.setdefault(label, (reference.start, reference.end))
        for j in link.after:
            for reference in self._own(1, self._units[1][j]):
                for label in label_of(self._texts[1][reference.start : reference.end]):
                    if label in kept and label in self._named and (told := self._told(label)):
                        yield Concern("reference", kept.pop(label), (reference.start, reference.end), told)

    def _told(self, label: str) -> str:
        """Return what became of the clause that a label names, if the label no longer names it."""
        link = self._links[self._named[label]]
        if not link.after:
            return f"the reference leads to {label}, which is deleted"
        now = self._now(label)
        if not now or label in now:
            return ""
        return f"the reference still says {label}, but that clause is now {' and '.join(sorted(now))}"

    def _now(self, label: str) -> set[str]:
        """Return the labels that the clause which a label named has now."""
        index = self._named.get(label)
        if index is None:
            return set()
        return {self._labels[j] for j in self._links[index].after if j in self._labels}

    def _own(self, side: int, unit: Unit) -> Iterator[Value]:
        text = self._texts[side]
        for value in values_of(text, unit.start, unit.end):
            if value.rule == "reference" and _OWN.match(text, value.start) and not _FOREIGN.match(text, value.end):
                yield value


def _named(units: Sequence[Unit]) -> dict[str, int]:
    """Return the clause that each label names: `4.2(a)` is an `(a)` below `4.2`. What names several is left out."""
    found: dict[str, int] = {}
    ambiguous: set[str] = set()
    section = letter = ""
    for unit in units:
        if not unit.number:
            continue
        if _DECIMAL.fullmatch(unit.number):
            section, letter, label = unit.number, "", unit.number
        elif _ROMAN.fullmatch(unit.number) and not _follows(letter, unit.number):
            label = f"{section}{letter and f'({letter})'}({unit.number})"
        else:
            letter = unit.number
            label = f"{section}({letter})"
        if label in found:
            ambiguous.add(label)
        found.setdefault(label, unit.index)
    return {label: index for label, index in found.items() if label not in ambiguous}


def _follows(letter: str, number: str) -> bool:
    """Return whether a number that may be Roman is the next letter."""
    return len(number) == 1 and len(letter) == 1 and ord(number) == ord(letter) + 1
