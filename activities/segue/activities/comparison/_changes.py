"""What changed within a clause: runs of words that were deleted, inserted, or replaced by others.

The fewest words that explain a change are not what a reader sees: a rewritten sentence shares "the" and "of" with any
other. So what two changes have between them goes with them where it is less than what changed around it, and a run that
may stand in several places, as the second of two commas, is put where a phrase begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from segue.activities.comparison._similar import kernels
from segue.activities.comparison._words import Vocabulary, Word

__all__ = ["Run", "runs"]

# Longer pieces that stayed the same are told apart from what changed around them.
_BETWEEN: Final = 4


class Run(NamedTuple):
    """Words that changed: `before[start:end]` became `after[low:high]`; one of the two may be empty."""

    start: int
    end: int
    low: int
    high: int


def runs(before: Sequence[Word], after: Sequence[Word]) -> list[Run]:
    """Return what changed from some words to others, in order."""
    vocabulary = Vocabulary[str]()
    codes = vocabulary.encode(word.text for word in before), vocabulary.encode(word.text for word in after)
    return [_slid(run, before, after) for run in _cleaned(_changed(*codes), before, after)]


def _changed(before: str, after: str) -> Iterator[Run]:
    """Yield the runs between what is equal, a deletion and an insertion in one place as one."""
    i = j = 0
    for start, end, low, high in kernels().equal(before, after):
        if start > i or low > j:
            yield Run(i, start, j, low)
        i, j = end, high
    if i < len(before) or j < len(after):
        yield Run(i, len(before), j, len(after))


def _cleaned(found: Iterator[Run], before: Sequence[Word], after: Sequence[Word]) -> list[Run]:
    kept: list[Run] = []
    for run in found:
        kept.append(run)
        while len(kept) > 1 and _belong_together(kept[-2], kept[-1], before, after):
            last = kept.pop()
            kept[-1] = Run(kept[-1].start, last.end, kept[-1].low, last.high)
    return kept


def _belong_together(one: Run, other: Run, before: Sequence[Word], after: Sequence[Word]) -> bool:
    between = before[one.end : other.start]
    if len(between) > _BETWEEN:
        return False
    size = sum(len(word.text) for word in between)
    return all(
        size <= max(_size(before[run.start : run.end]), _size(after[run.low : run.high])) for run in (one, other)
    ) or not any(word.text[0].isalnum() for word in between)


def _size(words: Sequence[Word]) -> int:
    return sum(len(word.text) for word in words)


def _slid(run: Run, before: Sequence[Word], after: Sequence[Word]) -> Run:
    """Return a pure insertion or deletion at the place, of those where it may stand, where it reads best."""
    if run.end > run.start and run.high > run.low:
        return run
    deleted = run.end > run.start
    words = before if deleted else after
    first, last = (run.start, run.end) if deleted else (run.low, run.high)
    places = [0]
    for step in (-1, 1):
        shift = 0
        while _may_slide(words, first + shift, last + shift, step):
            shift += step
            places.append(shift)
    best = max(places, key=lambda shift: (_reads(words, first + shift, last + shift), -abs(shift)))
    return Run(run.start + best, run.end + best, run.low + best, run.high + best)


def _may_slide(words: Sequence[Word], first: int, last: int, step: int) -> bool:
    if step < 0:
        return first > 0 and words[first - 1].text == words[last - 1].text
    return last < len(words) and words[first].text == words[last].text


def _reads(words: Sequence[Word], first: int, last: int) -> int:
    """Return how well a run reads as one: best as whole sentences, then as a phrase that ends where it should."""
    before = words[first - 1].text if first > 0 else "."
    score = 4 if before in ".!?" else 2 if before in ",;:(" else 0
    end = words[last - 1].text
    return score + (4 if end in ".!?" else 1 if end in ",;:" else 0)
