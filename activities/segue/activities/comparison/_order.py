"""Which clauses have kept their order, and what stands between them."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Sequence

__all__ = ["gaps", "in_order"]


def in_order(places: Sequence[int]) -> list[int]:
    """Return the indexes of the longest increasing run of some places: what has not moved, if as little as may be has.

    Of several such runs it is one; the same places give the same one.
    """
    ends: list[int] = []  # the smallest end of a run of each length
    at: list[int] = []  # the index that ends it
    previous: list[int] = [-1] * len(places)
    for index, place in enumerate(places):
        length = bisect.bisect_left(ends, place)
        previous[index] = at[length - 1] if length else -1
        ends[length : length + 1] = [place]
        at[length : length + 1] = [index]
    kept: list[int] = []
    index = at[-1] if at else -1
    while index >= 0:
        kept.append(index)
        index = previous[index]
    return kept[::-1]


def gaps(anchors: Iterable[tuple[int, int]], before: int, after: int) -> Iterator[tuple[range, range]]:
    """Yield what stands between the pairs of places that have kept their order, in both versions.

    Args:
        anchors: Places that belong together, in the earlier version's order.
        before: How many places the earlier version has.
        after: How many the later one has.
    """
    pairs = list(anchors)
    kept = [pairs[index] for index in in_order([j for _, j in pairs])]
    i, j = -1, -1
    for here, there in [*kept, (before, after)]:
        if here > i + 1 and there > j + 1:
            yield range(i + 1, here), range(j + 1, there)
        i, j = here, there
