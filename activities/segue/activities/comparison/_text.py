"""A version's text with marks in it: what changed, and what a rule flags, as pieces in order.

for piece in pieces(text, place, finding, after=True): piece.text, piece.changed, piece.flagged
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Final

from segue.activities.comparison._findings import Change, Finding, Flag
from segue.activities.documents.spans import Citation, Span

__all__ = ["Piece", "location", "pieces", "title"]

_WHOLE: Final = ("clause", "definition")


@dataclasses.dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text of which one thing is true.

    Attributes:
        text: The text.
        changed: Whether it was deleted, or inserted.
        flagged: Whether a rule flags it.
        anchors: The marks that begin here: numbers of the finding's flags, from 1.
    """

    text: str
    changed: bool = False
    flagged: bool = False
    anchors: tuple[int, ...] = ()


def pieces(text: str, place: Span, finding: Finding, *, after: bool) -> Iterator[Piece]:
    """Yield the text of one clause of a finding, in pieces."""
    whole = finding.kind in ("inserted", "deleted")
    changes = [place] if whole else [_side(one, after) for one in finding.changes]
    flags = [_side(one, after) for one in finding.flags]
    # What is said of a whole clause needs no mark in it.
    marked = [span for span, flag in zip(flags, finding.flags, strict=True) if not whole or flag.rule not in _WHOLE]
    bounds = {place.start, place.end}
    for span in (*changes, *flags):
        bounds |= {bound for bound in (span.start, span.end) if place.start < bound < place.end}
    ordered = sorted(bounds)
    begun: set[int] = set()
    for start, end in itertools.pairwise(ordered):
        piece = Span(start=start, end=end)
        here = [
            number
            for number, span in enumerate(flags, 1)
            if number not in begun and start <= span.start < end and span.within(place)
        ]
        begun.update(here)
        yield Piece(
            text[start:end],
            changed=any(span.overlaps(piece) for span in changes),
            flagged=any(span.overlaps(piece) for span in marked),
            anchors=tuple(here),
        )
    # A mark at the end stands behind the text.
    if left := [number for number, span in enumerate(flags, 1) if number not in begun and span.start == place.end]:
        yield Piece("", anchors=tuple(left))


def title(finding: Finding) -> str:
    """Return what a reader calls the clause: its number, and the section around it."""
    numbers = list(dict.fromkeys(number for number in (finding.number_before, finding.number_after) if number))
    name = finding.section[-1] if finding.section else ""
    return " ".join(filter(None, (" → ".join(numbers), name))) or "Clause"


def location(citations: Sequence[Citation]) -> str:
    """Return where citations stand, by their characters: `120-164`, or `at 120` for an empty one."""
    return ", ".join(f"{one.start}-{one.end}" if len(one) else f"at {one.start}" for one in citations)


def _side(one: Change | Flag, after: bool) -> Span:
    return one.after if after else one.before
