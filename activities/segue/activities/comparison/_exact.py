"""Clauses whose text is the same in both versions, wherever they stand.

A text that stands once in each version is an anchor. From anchors the matching spreads to the neighbours that are equal
too; what stands many times, as a page's footer or "Reserved." does, is matched in order between the anchors.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Final

from segue.activities.comparison._order import gaps
from segue.activities.comparison._similar import kernels
from segue.activities.comparison._words import Vocabulary

__all__ = ["Matching", "match_equal"]

# A text that stands several times is taken for the same clause elsewhere only if it is as long as this; else it says
# too little, as "None." does.
_TELLING_WORDS: Final = 6


class Matching:
    """Which clause is which: a one-to-one matching that grows.

    Attributes:
        after: For each clause of the earlier version its counterpart in the later one; None while it has none.
        before: The same the other way.
    """

    def __init__(self, before: int, after: int) -> None:
        self.after: list[int | None] = [None] * before
        self.before: list[int | None] = [None] * after

    def add(self, i: int, j: int) -> None:
        """Match clause `i` of the earlier version with clause `j` of the later one. Both must be free."""
        self.after[i] = j
        self.before[j] = i

    def is_free(self, i: int, j: int) -> bool:
        """Return whether both exist and neither is matched."""
        return (
            0 <= i < len(self.after) and 0 <= j < len(self.before) and self.after[i] is None and self.before[j] is None
        )

    def pairs(self) -> list[tuple[int, int]]:
        """Return what is matched, in the earlier version's order."""
        return [(i, j) for i, j in enumerate(self.after) if j is not None]


def match_equal(
    before: Sequence[Hashable],
    after: Sequence[Hashable],
    matching: Matching,
    *,
    numbers: tuple[Sequence[str], Sequence[str]],
    words: Sequence[int],
) -> None:
    """Match clauses whose keys are equal.

    Args:
        before: The earlier version's keys.
        after: The later version's.
        matching: What is matched so far; it grows.
        numbers: Numbers of both versions' clauses, by which those with the same text are told apart.
        words: How many words each clause of the earlier version has.
    """
    places: dict[Hashable, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for side, keys in enumerate((before, after)):
        taken = matching.before if side else matching.after
        for index, key in enumerate(keys):
            if taken[index] is None:
                places[key][side].append(index)
    for here, there in places.values():
        if len(here) == len(there) == 1:
            matching.add(here[0], there[0])
    _spread(before, after, matching)
    numbered = list(zip(before, numbers[0], strict=True)), list(zip(after, numbers[1], strict=True))
    for keys in (numbered, (before, after)):
        for between in gaps(matching.pairs(), len(before), len(after)):
            _match_between(*keys, matching, *between)
    for here, there in places.values():
        left = [i for i in here if matching.after[i] is None]
        if left and words[left[0]] >= _TELLING_WORDS:
            for i, j in zip(left, (j for j in there if matching.before[j] is None), strict=False):
                matching.add(i, j)


def _spread(before: Sequence[Hashable], after: Sequence[Hashable], matching: Matching) -> None:
    """Match the equal neighbours of what is matched, and theirs."""
    for step, indexes in ((1, range(len(before))), (-1, range(len(before) - 1, -1, -1))):
        for i in indexes:
            j = matching.after[i]
            if j is not None and matching.is_free(i + step, j + step) and before[i + step] == after[j + step]:
                matching.add(i + step, j + step)


def _match_between(
    before: Sequence[Hashable], after: Sequence[Hashable], matching: Matching, here: range, there: range
) -> None:
    """Match as much as can be matched in order between two anchors."""
    left = [i for i in here if matching.after[i] is None]
    free = [j for j in there if matching.before[j] is None]
    if not left or not free:
        return
    letters = Vocabulary[Hashable]()
    some, others = letters.encode(before[i] for i in left), letters.encode(after[j] for j in free)
    for start, end, low, _ in kernels().equal(some, others):
        for step in range(end - start):
            matching.add(left[start + step], free[low + step])
