"""What rules look at: a document's text, where its parts are, and what stands around a place in it."""

from __future__ import annotations

import bisect
import dataclasses
import functools
import re
from typing import Any, Final

from segue.activities.documents import Clause, ParsedDocument, Span

__all__ = ["Candidate", "Ground"]

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
        """Return the sentence around a place, as far as its clause reaches."""
        clause = self.clause_at(position)
        start, end = (clause.start, clause.end) if clause is not None else (0, len(self.text))
        for match in _SENTENCE.finditer(self.text, start, end):
            if match.end() <= position:
                start = match.end()
            elif match.start() > position:
                end = match.start()
                break
        return Span(start=start, end=end)

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
