"""Sentences out of passages, without a model: those that fit a question best, and say different things.

    notes = extracted("Who may terminate?", passages)       # verbatim, each with its span

A sentence is scored by the question's words that it has (BM25, among the sentences of all passages), and by how well
its passage was found.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from segue.activities.documents import Citation, ParsedDocument, Span
from segue.activities.research.evidence import Note, Passage
from segue.activities.research.terms import terms
from segue.activities.support.prose import sentences

__all__ = ["covered", "extracted", "missing", "note_of", "page_of"]

_LONGEST: Final = 700
_SHORTEST_TERMS: Final = 3
_SATURATION: Final = 1.2
_LENGTH: Final = 0.5
_ALIKE: Final = 0.7
_BY_PASSAGE: Final = 0.35
_BY_PLACE: Final = 0.4
# Of the best sentence's score: what has less has only a common word with the question.
_WORTH: Final = 0.3


class _Sentence(NamedTuple):
    passage: Passage
    parsed: ParsedDocument
    span: Span
    terms: list[str]
    about: frozenset[str]
    rank: int


def extracted(
    question: str, found: Sequence[tuple[Passage, ParsedDocument]], limit: int, *, first: int = 1
) -> list[Note]:
    """Return the sentences of passages that fit a question best, best first, none like another.

    Args:
        question: The question, or what was searched for it.
        found: The passages, best first, each with its document.
        limit: How many at most.
        first: Number of the first note.
    """
    wanted = set(terms(question))
    pool = list(_sentences(found))
    if not pool or not wanted:
        return []
    weights = _weights(wanted, pool)
    average = sum(len(one.terms) for one in pool) / len(pool)
    scored = sorted(
        ((_score(one, weights, average), -number, one) for number, one in enumerate(pool)),
        key=lambda pair: pair[:2],
        reverse=True,
    )
    chosen: list[tuple[float, _Sentence]] = []
    for score, _, one in scored:
        if score <= scored[0][0] * _WORTH or len(chosen) == limit:
            break
        if not any(_alike(one, other) for _, other in chosen):
            chosen.append((score, one))
    return [
        note_of(first + number, one.passage, one.parsed, one.span, score=round(score, 4))
        for number, (score, one) in enumerate(chosen)
    ]


def note_of(
    number: int, passage: Passage, parsed: ParsedDocument, span: Span, *, score: float = 0.0, claim: str = ""
) -> Note:
    """Return a note of the words at a span."""
    return Note(
        number=number,
        quote=parsed.quote(span),
        citation=Citation(document=parsed.digest, start=span.start, end=span.end),
        name=passage.document.name,
        page=page_of(parsed, span.start),
        source=passage.document.source.url,
        score=score,
        claim=claim,
        parsed=passage.document.parsed,
    )


def page_of(parsed: ParsedDocument, offset: int) -> int:
    """Return the page on which a character stands; 0 where there are none."""
    return next((page.number for page in parsed.pages if page.start <= offset < page.end), 0)


def missing(question: str, notes: Iterable[Note]) -> list[str]:
    """Return the words of a question that no note has, by their stems, in the question's order."""
    there = {term for note in notes for term in terms(note.quote)}
    return [term for term in dict.fromkeys(terms(question)) if term not in there]


def covered(question: str, notes: Sequence[Note]) -> float:
    """Return the share of a question's words that its notes have; 0 without notes."""
    wanted = set(terms(question))
    if not notes:
        return 0.0
    return 1 - len(missing(question, notes)) / len(wanted) if wanted else 1.0


def _sentences(found: Sequence[tuple[Passage, ParsedDocument]]) -> Iterator[_Sentence]:
    """Yield each sentence that a passage touches, once, however many passages do."""
    seen: set[tuple[str, int]] = set()
    for rank, (passage, parsed) in enumerate(found):
        for part, about in _parts(parsed, passage):
            for start, end in sentences(parsed.quote(part)):
                span = Span(start=part.start + start, end=part.start + end)
                if not span.overlaps(passage.span) or (parsed.digest, span.start) in seen:
                    continue
                seen.add((parsed.digest, span.start))
                found_terms = terms(parsed.quote(span))
                if len(found_terms) >= _SHORTEST_TERMS and len(span) <= _LONGEST:
                    yield _Sentence(passage, parsed, span, found_terms, about, rank)


def _parts(parsed: ParsedDocument, passage: Passage) -> list[tuple[Span, frozenset[str]]]:
    """Return the clauses that a passage touches, with the terms of what they stand under.

    No sentence goes from one clause to another.
    """
    name = passage.document.name
    clauses = [one for one in parsed.clauses if one.overlaps(passage.span) and one.kind in ("text", "row")]
    if not clauses:
        return [(passage.span, frozenset(terms(name)))]
    return [(one, frozenset(terms(" ".join((name, *one.section))))) for one in clauses]


def _weights(wanted: set[str], pool: Sequence[_Sentence]) -> dict[str, float]:
    counts = Counter(term for one in pool for term in set(one.terms) & wanted)
    total = len(pool)
    return {term: math.log(1 + (total - counts[term] + 0.5) / (counts[term] + 0.5)) for term in wanted}


def _score(one: _Sentence, weights: dict[str, float], average: float) -> float:
    counts = Counter(term for term in one.terms if term in weights and term not in one.about)
    length = 1 - _LENGTH + _LENGTH * len(one.terms) / average
    by_words = sum(
        weights[term] * count * (_SATURATION + 1) / (count + _SATURATION * length) for term, count in counts.items()
    )
    # What it stands under, it need not say, and says little by saying.
    by_place = _BY_PLACE * sum(weight for term, weight in weights.items() if term in one.about)
    return (by_words + by_place) * (1 + _BY_PASSAGE / (1 + one.rank)) if by_words else by_place / 2


def _alike(one: _Sentence, other: _Sentence) -> bool:
    a, b = set(one.terms), set(other.terms)
    return len(a & b) / len(a | b) > _ALIKE
