"""Two versions of a document compared: clauses aligned, words compared, what matters flagged.

comparison = compare(before, after)
comparison.material            # what matters, the weightiest first; each finding with both citations
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from segue.activities.comparison._align import Link, align
from segue.activities.comparison._changes import Run, runs
from segue.activities.comparison._findings import Change, Comparison, Finding, Flag, Kind, Version
from segue.activities.comparison._references import References
from segue.activities.comparison._rules import WEIGHTS, Concern, Place, concerns, whole
from segue.activities.comparison._terms import Terms
from segue.activities.comparison._words import Unit, Word, units_of
from segue.activities.comparison.language import is_english
from segue.activities.documents.parsed import ParsedDocument
from segue.activities.documents.spans import Citation

__all__ = ["compare"]

# More of a text is not looked at to tell its language.
_LOOKED_AT: Final = 20_000
# With fewer small words among them words are names, and no sentence.
_SMALL: Final = 0.3


def compare(before: ParsedDocument, after: ParsedDocument, *, names: tuple[str, str] | None = None) -> Comparison:
    """Return what differs between two versions of a document, as the rules find it.

    What the pages repeat, and the table of contents, is not compared. The time grows with the clauses that differ, and
    with the square of their number; a hundred pages take a second or two.

    Args:
        before: The earlier version.
        after: The later version.
        names: What the reports call them; by default the documents' names.

    Raises:
        ImportError: rapidfuzz or numpy is not installed.
    """
    return _Comparing(before, after, names or (before.name, after.name)).comparison()


@dataclasses.dataclass(frozen=True, slots=True)
class _Around:
    """Where in both versions the text ends that stands before what is looked at."""

    before: int
    after: int


class _Comparing:
    def __init__(self, before: ParsedDocument, after: ParsedDocument, names: tuple[str, str]) -> None:
        self._names = names
        self._documents = before, after
        self._texts = before.text, after.text
        self._units = units_of(before), units_of(after)
        self._links = align(*self._units)
        self._terms = Terms(*zip(self._texts, self._units, strict=True))
        self._english = tuple(is_english(text[:_LOOKED_AT]) is not False for text in self._texts)
        self._references = References(self._texts, self._units, self._links)

    def comparison(self) -> Comparison:
        findings: list[Finding] = []
        unchanged = 0
        around = _Around(0, 0)
        for link in self._links:
            finding = self._finding(link, around, f"F{len(findings) + 1}")
            if finding is None:
                unchanged += 1
            else:
                unchanged += finding.kind == "unchanged"
                findings.append(finding)
            if link.before and link.after and not link.moved:
                around = _Around(self._clauses(0, link)[-1][1], self._clauses(1, link)[-1][1])
        versions = [
            Version(name=name, document=document.digest, clauses=len(units))
            for name, document, units in zip(self._names, self._documents, self._units, strict=True)
        ]
        return Comparison(before=versions[0], after=versions[1], findings=tuple(findings), unchanged=unchanged)

    def _finding(self, link: Link, around: _Around, id: str) -> Finding | None:
        """Return what became of the clauses of a link; None if nothing did."""
        here = [self._units[0][i] for i in link.before]
        there = [self._units[1][j] for j in link.after]
        kind = _kind(link, here, there)
        before, after = self._clauses(0, link), self._clauses(1, link)
        changes = self._changes(here, there) if link.before and link.after else []
        judged = self._changes(here, there, folded=True) if changes else []
        found = list(self._concerns(link, before, after, judged))
        if kind == "unchanged" and not found:
            return None
        points = (around.before, around.before), (around.after, around.after)
        places = before or [points[0]], after or [points[1]]
        return Finding(
            id=id,
            kind=kind,
            before=tuple(self._citation(0, place) for place in places[0]),
            after=tuple(self._citation(1, place) for place in places[1]),
            number_before=here[0].number if here else "",
            number_after=there[0].number if there else "",
            section=(there or here)[0].section,
            moved=link.moved,
            similarity=round(link.similarity, 3),
            changes=tuple(
                Change(before=self._citation(0, one), after=self._citation(1, other)) for one, other in changes
            ),
            flags=tuple(
                Flag(
                    rule=one.rule,
                    before=self._citation(0, one.before or _point(places[0])),
                    after=self._citation(1, one.after or _point(places[1])),
                    reason=one.reason,
                )
                for one in found
            ),
            weight=max((WEIGHTS[one.rule] for one in found), default=0),
            judged=bool(found) or self._reads(before, after, changes),
        )

    def _reads(self, before: Sequence[Place], after: Sequence[Place], changes: Sequence[tuple[Place, Place]]) -> bool:
        """Return whether the rules, which are English, can read what was changed."""
        if before and after and not changes:
            return True
        return all(
            self._is_english(side, " ".join(self._texts[side][slice(*place)] for place in places))
            for side, places in enumerate((before, after))
            if places
        )

    def _is_english(self, side: int, text: str) -> bool:
        said = is_english(text)
        # Names and headings, of which most words have capitals, are of no other language than their document.
        words = text.split()
        small = sum(word[0].islower() for word in words)
        if said is None or (self._english[side] and text.isascii() and small < _SMALL * len(words)):
            return self._english[side]
        return said

    def _concerns(
        self, link: Link, before: Sequence[Place], after: Sequence[Place], changes: Sequence[tuple[Place, Place]]
    ) -> Iterator[Concern]:
        if not before or not after:
            yield from self._of_a_whole(link)
            return
        yield from self._of_definitions(link, changes)
        for one in concerns(self._texts, (before, after), changes, self._terms):
            if one.rule == "reference" and one.before and one.after:
                quotes = self._texts[0][slice(*one.before)], self._texts[1][slice(*one.after)]
                if self._references.follows(*quotes):
                    continue
            yield one
        yield from self._references.left_behind(link)

    def _of_a_whole(self, link: Link) -> Iterator[Concern]:
        side = 1 if link.after else 0
        units = [self._units[side][index] for index in link.after or link.before]
        for unit in units:
            for term in sorted(self._terms.defined_in(side, unit.index) - self._terms.parties):
                place = unit.start, unit.end
                reason = f"the definition of {term} is {'inserted' if side else 'deleted'}"
                yield Concern("definition", None if side else place, place if side else None, reason)
        if any(unit.kind != "heading" for unit in units):
            yield from whole(self._texts[side], [(unit.start, unit.end) for unit in units], inserted=bool(side))

    def _of_definitions(self, link: Link, changes: Sequence[tuple[Place, Place]]) -> Iterator[Concern]:
        defined = [
            {term for index in indexes for term in self._terms.defined_in(side, index)}
            for side, indexes in enumerate((link.before, link.after))
        ]
        if not changes:
            return
        for term in sorted((defined[0] | defined[1]) - self._terms.parties):
            both = term in defined[0] and term in defined[1]
            what = "changes" if both else "is deleted" if term in defined[0] else "is inserted"
            # A clause that defines one term says little else; in a longer one the term's own sentence must be touched.
            if not both or self._is_near(term, changes):
                yield Concern("definition", changes[0][0], changes[0][1], f"the definition of {term} {what}")

    def _is_near(self, term: str, changes: Sequence[tuple[Place, Place]]) -> bool:
        for side, text in enumerate(self._texts):
            for change in changes:
                start, end = change[side]
                begin = text.rfind(". ", 0, start) + 1
                if f'"{term}' in text[begin:end].replace("\u201c", '"'):
                    return True
        return False

    def _changes(
        self, here: Sequence[Unit], there: Sequence[Unit], *, folded: bool = False
    ) -> list[tuple[Place, Place]]:
        """Return what changed, each within one clause on either side; with `folded`, what is more than capitals."""
        before, after = [word for unit in here for word in unit.words], [word for unit in there for word in unit.words]
        if folded:
            before, after = _folded(before), _folded(after)
        ends = _ends(here), _ends(there)
        found: list[tuple[Place, Place]] = []
        for run in runs(before, after):
            lefts = list(_parted(run.start, run.end, ends[0])) or [(run.start, run.start)]
            rights = list(_parted(run.low, run.high, ends[1])) or [(run.low, run.low)]
            last = Run(*lefts[-1], *rights[-1])
            for index in range(max(len(lefts), len(rights))):
                left = lefts[index] if index < len(lefts) else (last.end, last.end)
                right = rights[index] if index < len(rights) else (last.high, last.high)
                found.append((_place(before, left, here), _place(after, right, there)))
        return found

    def _clauses(self, side: int, link: Link) -> list[Place]:
        document = self._documents[side]
        clauses = (document.clauses[self._units[side][index].clause] for index in (link.after if side else link.before))
        return [(clause.start, clause.end) for clause in clauses]

    def _citation(self, side: int, place: Place) -> Citation:
        return Citation(document=self._documents[side].digest, start=place[0], end=place[1])


def _kind(link: Link, here: Sequence[Unit], there: Sequence[Unit]) -> Kind:
    if not here:
        return "inserted"
    if not there:
        return "deleted"
    if len(here) > 1 or len(there) > 1:
        return "split" if len(here) == 1 else "merged" if len(there) == 1 else "redivided"
    if here[0].key != there[0].key:
        return "edited"
    if link.moved:
        return "moved"
    return "renumbered" if here[0].number != there[0].number else "unchanged"


def _folded(words: Iterable[Word]) -> list[Word]:
    return [word._replace(text=word.text.casefold()) for word in words]


def _ends(units: Iterable[Unit]) -> list[int]:
    ends, count = list[int](), 0
    for unit in units:
        count += len(unit.words)
        ends.append(count)
    return ends


def _parted(start: int, end: int, ends: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the parts of a range of words that stand in one clause each."""
    for bound in ends:
        if start < min(end, bound):
            yield start, min(end, bound)
            start = bound


def _place(words: Sequence[Word], part: tuple[int, int], units: Sequence[Unit]) -> Place:
    start, end = part
    if end > start:
        return words[start].start, words[end - 1].end
    if start > 0:
        return words[start - 1].end, words[start - 1].end
    return (words[0].start, words[0].start) if words else (units[0].start, units[0].start)


def _point(places: Sequence[Place]) -> Place:
    """Return the empty place at the end of some."""
    return places[-1][1], places[-1][1]
