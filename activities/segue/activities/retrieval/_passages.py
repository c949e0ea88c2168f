"""Passages: what an index finds. Clauses, put together or taken apart to a size that answers a question.

for passage in passages(parsed):
    parsed.text[passage.start : passage.end]
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Final

from segue.activities.documents import Clause, ParsedDocument

__all__ = ["CHARACTERS", "Passage", "passages"]

CHARACTERS: Final = 800
"""How long a passage is about: a long paragraph. Clauses are put together up to it, and taken apart from twice that."""

_CONTEXT_CHARACTERS: Final = 400
# What a reader skips: it would be found in place of what it stands beside.
_SKIPPED: Final = frozenset({"furniture", "contents"})
# After the end of a sentence or of a list's item. An abbreviation here and there splits early, which does no harm: no
# text is lost, for passages of one clause stand side by side.
_BREAK: Final = re.compile(r"(?<=[.;:!?])[\"”')\]]*\s+(?=[\"“'(\[]*\w)|\n+")


@dataclasses.dataclass(frozen=True, slots=True)
class Passage:
    """Characters `start` to `end` of a document.

    Attributes:
        start: Offset of the first character.
        end: Offset after the last.
        body: Its text, without what the source repeats on its pages.
        context: What the passage needs to be understood and does not say itself: the titles above it, and who speaks.
    """

    start: int
    end: int
    body: str
    context: str = ""


def passages(document: ParsedDocument, characters: int = CHARACTERS) -> list[Passage]:
    """Return the passages of a document, in order. They cover every clause of its own, and none overlaps another.

    Args:
        document: The document. If it has no clauses, its paragraphs serve.
        characters: How long a passage is about.
    """
    found: list[Passage] = []
    gathered: list[_Piece] = []
    for piece in _pieces(document, characters):
        if gathered and not _fits(gathered, piece, characters):
            found.append(_put_together(gathered))
            gathered = []
        gathered.append(piece)
    if gathered:
        found.append(_put_together(gathered))
    return found


@dataclasses.dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    end: int
    text: str
    clause: Clause


def _fits(gathered: list[_Piece], piece: _Piece, characters: int) -> bool:
    """Whether a piece belongs to what was gathered: a heading begins something new, and goes with what follows."""
    if piece.end - gathered[0].start > characters or piece.clause.speaker != gathered[0].clause.speaker:
        return False
    return piece.clause.kind != "heading" or all(one.clause.kind == "heading" for one in gathered)


def _put_together(pieces: list[_Piece]) -> Passage:
    titles = dict.fromkeys(title for piece in pieces for title in piece.clause.section)
    context = " · ".join(filter(None, (pieces[0].clause.speaker, *titles)))
    body = " ".join(piece.text for piece in pieces)
    return Passage(pieces[0].start, pieces[-1].end, body, context[:_CONTEXT_CHARACTERS])


def _pieces(document: ParsedDocument, characters: int) -> Iterator[_Piece]:
    text = document.text
    for clause in document.clauses or _paragraphs(text):
        if clause.kind not in _SKIPPED:
            for start, end in _cut(text, clause.start, clause.end, characters):
                yield _Piece(start, end, text[start:end], clause)


def _cut(text: str, start: int, end: int, characters: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of a clause, or of the parts of one that is too long."""
    if end - start <= 2 * characters:
        yield start, end
        return
    last = start
    for position in (*(match.start() for match in _BREAK.finditer(text, start, end)), end):
        if position - start > characters and last > start:
            yield start, last
            start = _skipped(text, last, end)
        while position - start > 2 * characters:  # a table, or a text without an end of a sentence
            space = text.rfind(" ", start + 1, start + characters)
            cut = space if space > start else start + characters
            yield start, cut
            start = _skipped(text, cut, end)
        last = position
    if last > start:
        yield start, last


def _skipped(text: str, position: int, end: int) -> int:
    while position < end and text[position].isspace():
        position += 1
    return position


def _paragraphs(text: str) -> Iterator[Clause]:
    for match in re.finditer(r"\S(?:[^\n]*\S)?", text):
        yield Clause(start=match.start(), end=match.end())
