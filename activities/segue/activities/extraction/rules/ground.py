"""What rules look at: a document's text, where its parts are, and what stands around a place in it."""

from __future__ import annotations

import bisect
import dataclasses
import functools
import re
from collections.abc import Callable
from typing import Any, Final

from segue.activities.documents import Clause, ParsedDocument, Span

__all__ = ["Candidate", "Ground", "squeezed"]

_SKIPPED: Final = frozenset({"furniture", "contents"})
_SENTENCE: Final = re.compile(r"(?<=[.;!?])[\"”\u2019)\]]*\s+(?=[\"“\u2018'(\[]*[A-Z(\d])|\n\s*\n")


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """A value that the document may be saying.

    Attributes:
        start: Where it stands.
        end: Where that ends.
        value: What it says, as Python has it: a date, a Decimal, a Money, a Duration, a text.
        score: How much speaks for it. 0 says nothing either way, each cue adds about one to four.
    """

    start: int
    end: int
    value: Any
    score: float = 0.0

    def scored(self, more: float) -> Candidate:
        """Return the same with more speaking for it."""
        return dataclasses.replace(self, score=self.score + more)


class Ground:
    """A document, as rules look at it.

    Attributes:
        parsed: The document.
        text: Its text.
    """

    def __init__(self, parsed: ParsedDocument) -> None:
        self.parsed = parsed
        self.text = parsed.text
        self._clauses = list(parsed.clauses)
        self._starts = [clause.start for clause in self._clauses]
        self._sentences: dict[tuple[int, int], tuple[list[int], list[int]]] = {}

    def clause_at(self, position: int) -> Clause | None:
        """Return the clause in which a place is."""
        at = bisect.bisect_right(self._starts, position) - 1
        return self._clauses[at] if at >= 0 and position < self._clauses[at].end else None

    def is_skipped(self, position: int) -> bool:
        """Whether a place is in what the source repeats on its pages, or in its table of contents."""
        clause = self.clause_at(position)
        return clause is not None and clause.kind in _SKIPPED

    def before(self, position: int, characters: int = 160) -> str:
        """Return what stands before a place, in one line, with a space at its end."""
        return _line(self.text[max(0, position - characters) : position]) + " "

    def after(self, position: int, characters: int = 120) -> str:
        """Return what stands after a place, in one line."""
        return _line(self.text[position : position + characters])

    def sentence(self, position: int) -> Span:
        """Return the sentence around a place, as far as its clause reaches; of a very long one, what is near."""
        clause = self.clause_at(position)
        whole = (clause.start, clause.end) if clause is not None else (0, len(self.text))
        if whole not in self._sentences:
            breaks = [match.span() for match in _SENTENCE.finditer(self.text, *whole)]
            self._sentences[whole] = (
                [whole[0], *(end for _, end in breaks)],
                [*(start for start, _ in breaks), whole[1]],
            )
        starts, ends = self._sentences[whole]
        at = bisect.bisect_right(starts, position) - 1
        start, end = max(starts[at], position - _REACH), min(max(ends[at], starts[at]), position + _REACH)
        return Span(start=min(start, end), end=end)

    def said(self, span: Span) -> str:
        """Return a span's text in one line."""
        return _line(self.text[span.start : span.end])

    def titles(self, position: int) -> str:
        """Return the titles of the sections around a place, in one line."""
        clause = self.clause_at(position)
        return " · ".join(clause.section) if clause is not None else ""

    @functools.cached_property
    def preamble(self) -> Span:
        """Where a contract names its parties and its date: its beginning, up to where it says what is agreed."""
        end = min(len(self.text), _PREAMBLE_CHARACTERS)
        for match in _AGREED.finditer(self.text, 200, end):
            if not self.is_skipped(match.start()):
                return Span(start=0, end=max(match.end(), 1500))
        return Span(start=0, end=end)

    @functools.cached_property
    def signatures(self) -> Span:
        """Where a contract is signed: its last pages."""
        start = 0
        for match in _SIGNED.finditer(self.text):
            start = match.start()
        # What is signed somewhere in the first half is a form that is attached.
        if start < len(self.text) // 2:
            start = max(0, len(self.text) - 4000)
        return Span(start=start, end=min(len(self.text), start + 6000))


def squeezed(parsed: ParsedDocument) -> tuple[ParsedDocument, Callable[[int], int]]:
    """Return a document with no long run of white space, and what tells where a place of it is in the document itself.

    Rules allow any white space between words, and look at a run of it from each of its characters: for one of a
    megabyte that would take for ever.
    """
    cuts = [(match.start() + _KEPT, match.end()) for match in _LONG_RUN.finditer(parsed.text)]
    if not cuts:
        return parsed, lambda position: position
    pieces: list[str] = []
    # Where each piece begins in the shorter text, and in the document.
    shorter, longer = [0], [0]
    at = 0
    for start, end in cuts:
        pieces.append(parsed.text[at:start])
        # What the run says is kept: that a line, or a paragraph, ends there.
        lines = parsed.text.count("\n", start, end)
        pieces.append("\n" * min(lines, 2))
        shorter.append(shorter[-1] + (start - at) + min(lines, 2))
        longer.append(end)
        at = end
    pieces.append(parsed.text[at:])

    def back(position: int) -> int:
        index = bisect.bisect_right(shorter, position) - 1
        following = longer[index] + position - shorter[index]
        return min(following, cuts[index][0] if index < len(cuts) else following)

    def there(position: int) -> int:
        index = bisect.bisect_right(longer, position) - 1
        limit = shorter[index + 1] if index + 1 < len(shorter) else None
        moved = shorter[index] + position - longer[index]
        return moved if limit is None else min(moved, limit)

    clauses = tuple(
        clause.model_copy(update={"start": there(clause.start), "end": there(clause.end)}) for clause in parsed.clauses
    )
    return parsed.model_copy(update={"text": "".join(pieces), "clauses": clauses, "sections": (), "pages": ()}), back


_REACH: Final = 1000
_KEPT: Final = 8
_LONG_RUN: Final = re.compile(r"\s{12,}")
_PREAMBLE_CHARACTERS: Final = 8000
_AGREED: Final = re.compile(
    r"NOW,?\s+THEREFORE|\bagree as follows|hereby agree|(?:it is|IT IS)\s+(?:hereby\s+)?(?:agreed|AGREED)",
    re.IGNORECASE,
)
_SIGNED: Final = re.compile(
    r"IN\s+WITNESS\s+WHERE?OF|\bsigned by the parties\b|^\s*SIGNATURES?\b", re.IGNORECASE | re.MULTILINE
)


def _line(text: str) -> str:
    return " ".join(text.split())
