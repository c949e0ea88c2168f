"""A summary of a document's own sentences: those worth most, within the words that each part may have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from segue.activities.documents.parsed import ParsedDocument
from segue.activities.documents.spans import Citation
from segue.activities.summary._plan import Candidate, Plan, planned
from segue.activities.summary._sentences import length_of
from segue.activities.summary._summary import Part, Statement, Summary
from segue.activities.summary._topics import Kind, Topic

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["drawn", "summarise"]

# How much of a sentence's worth is lost if it says what is said already.
_REPEATED: Final = 0.6
# More alike sentences say the same.
_SAME: Final = 0.7


def summarise(
    document: ParsedDocument, *, words: int = 300, kind: Kind | None = None, topics: Sequence[Topic] = ()
) -> Summary:
    """Return a summary of sentences of the document, word for word, each with its citation.

    Args:
        document: The document.
        words: How long the summary may be.
        kind: What the document is read as; by default what it seems to be.
        topics: What it is read for; by default what its kind is.

    Raises:
        ValueError: `words` is less than 20.
        ImportError: numpy is not installed.
    """
    if words < 20:
        raise ValueError(f"a summary of {words} words says nothing: give words=20 or more")
    return drawn(document, planned(document, words=words, kind=kind, topics=topics), words)


def drawn(document: ParsedDocument, plan: Plan, words: int) -> Summary:
    """Return the summary that a plan comes to, of the document's own sentences."""
    return Summary(
        name=document.name,
        document=document.digest,
        kind=plan.kind,
        parts=tuple(
            Part(title=part.title, statements=tuple(_statement(document, one) for one in some))
            for part, some in zip(plan.parts, _chosen(plan, words), strict=True)
            if some
        ),
        left_out=plan.left_out,
        sentences=plan.sentences,
    )


def _chosen(plan: Plan, words: int) -> list[list[Candidate]]:
    """Return each part's sentences in the document's order: first within its words, then with those left over."""
    taken: list[int] = []
    chosen = [_worthiest(part.candidates, plan.vectors, taken, part.words) for part in plan.parts]
    left = words - sum(_length(one) for some in chosen for one in some)
    for part, some in zip(plan.parts, chosen, strict=True):
        # One sentence of each part, though it may be longer than the part's share.
        if not some and (first := _worthiest(part.candidates, plan.vectors, taken, left, most=1)):
            some += first
            left -= _length(first[0])
    homes = {one.index: number for number, part in enumerate(plan.parts) for one in part.candidates}
    others = [one for part in plan.parts for one in part.candidates]
    for one in _worthiest(others, plan.vectors, taken, left):
        chosen[homes[one.index]].append(one)
    return [sorted(some, key=lambda one: one.index) for some in chosen]


def _length(one: Candidate) -> int:
    return length_of(one.sentence.text)


def _worthiest(
    candidates: Sequence[Candidate], vectors: NDArray[np.float32], taken: list[int], words: int, most: int = 1_000
) -> list[Candidate]:
    """Return the candidates that are worth most, none of which repeats another; `taken` grows."""
    waiting = [one for one in candidates if one.index not in taken and one.worth > 0]
    found: list[Candidate] = []
    while waiting and len(found) < most:
        alike = _alike(waiting, vectors, taken)
        best = max(
            (
                (one.worth - _REPEATED * likeness, -one.index, one)
                for one, likeness in zip(waiting, alike, strict=True)
                if _length(one) <= words and likeness < _SAME
            ),
            default=None,
        )
        if best is None or best[0] <= 0:
            break
        found.append(best[2])
        taken.append(best[2].index)
        words -= _length(best[2])
        waiting.remove(best[2])
    return found


def _alike(waiting: Sequence[Candidate], vectors: Any, taken: Sequence[int]) -> list[float]:
    """Return how much each candidate says what is said already."""
    if not taken:
        return [0.0] * len(waiting)
    likeness: list[float] = (vectors[[one.index for one in waiting]] @ vectors[list(taken)].T).max(axis=1).tolist()
    return likeness


def _statement(document: ParsedDocument, one: Candidate) -> Statement:
    span = one.sentence.span
    return Statement(
        text=one.sentence.text,
        citations=(Citation(document=document.digest, start=span.start, end=span.end),),
        speaker=one.sentence.speaker,
    )
