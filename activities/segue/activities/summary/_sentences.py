"""Sentences, each with the place where it stands. A dot after an abbreviation, an initial or a number ends none."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Final

from segue.activities.documents.parsed import Clause, ParsedDocument
from segue.activities.documents.spans import Span

__all__ = ["Sentence", "length_of", "sentences_of"]

_END: Final = re.compile(r"[.!?\u3002\uff01\uff1f]+[\"'\u201d\u2019)\]]*(?=\s|$|[\u3002-\uffef])|\n\s*\n")
_ABBREVIATION: Final = re.compile(
    r"(?:\b(?:Inc|Ltd|Co|Corp|LLC|No|Nos|Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|Art|Sec|vs|etc|approx|est|fig|eq|al|cf|ca|e\.g|i\.e"
    r"|U\.S|U\.K|a\.m|p\.m|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec)|\b[A-Z]|\b\d{1,3})\.$",
    re.IGNORECASE,
)
_BULLETS: Final = "\u2022\u25cf\u25aa\u2023\u00b7*"
# Scripts that put no space between words, of which a word has two characters or so.
_UNSPACED: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# A line that ends so is none of a heading, however short it is.
_STOPS: Final = ("\u3002", "\uff01", "\uff1f")
_LOWER: Final = re.compile(r"\s+[a-z]")


@dataclasses.dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a document.

    Attributes:
        span: Where it stands.
        text: What it says, on one line.
        clause: Which clause it is of.
        place: Which sentence of that clause it is, from 0.
        section: The sections around it.
        speaker: Who says it, in a transcript.
    """

    span: Span
    text: str
    clause: int
    place: int
    section: tuple[str, ...]
    speaker: str


def sentences_of(document: ParsedDocument) -> list[Sentence]:
    """Return the sentences of a document's text; headings, and what its pages repeat, are none."""
    found: list[Sentence] = []
    for index, clause in enumerate(document.clauses):
        said = clause.kind in ("text", "row") or document.text[clause.start : clause.end].endswith(_STOPS)
        if not said or clause.kind in ("furniture", "contents"):
            continue
        start = _start(document.text, clause)
        section = tuple(title for title in clause.section if not title.endswith(_STOPS))
        for place, (low, high) in enumerate(_split(document.text, start, clause.end)):
            text = " ".join(document.text[low:high].split())
            span = Span(start=low, end=high)
            found.append(Sentence(span, text, index, place, section, clause.speaker))
    return found


def length_of(text: str) -> int:
    """Return how many words a text has, in a script without spaces half as many as characters."""
    rest, characters = _UNSPACED.subn(" ", text)
    if not characters:
        return len(text.split())
    return sum(any(one.isalnum() for one in word) for word in rest.split()) + (characters + 1) // 2


def _start(text: str, clause: Clause) -> int:
    """Return where a clause says something: behind its speaker's name, or its number."""
    label = clause.speaker or clause.number.strip("().: ")
    if not label:
        return clause.start
    stated = re.compile(r"\s*(?:[A-Za-z]+\s+)?[(]?" + re.escape(label) + r"[.):]*\s+").match(
        text, clause.start, clause.end
    )
    return stated.end() if stated else clause.start


def _split(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    low = start
    for match in _END.finditer(text, start, end):
        stop = match.end()
        if match[0].startswith(".") and _goes_on(text, low, match.start() + 1, end):
            continue
        yield from _stripped(text, low, stop)
        low = stop
    yield from _stripped(text, low, end)


def _goes_on(text: str, low: int, dot: int, end: int) -> bool:
    """Return whether a sentence goes on behind a dot."""
    if _LOWER.match(text, dot, end) or text.count("(", low, dot) > text.count(")", low, dot):
        return True
    return _ABBREVIATION.search(text[max(low, dot - 12) : dot]) is not None


def _stripped(text: str, low: int, high: int) -> Iterator[tuple[int, int]]:
    # A list's bullet is no word of its item.
    while low < high and (text[low].isspace() or text[low] in _BULLETS):
        low += 1
    while high > low and text[high - 1].isspace():
        high -= 1
    if high > low:
        yield low, high
