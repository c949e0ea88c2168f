"""Which clauses have kept their order, and what stands between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

__all__ = ["gaps", "in_order"]


def in_order(places: Sequence[int], sizes: Sequence[int] | None = None) -> list[int]:
    """Return the indexes of the longest increasing run of some places: what has not moved, if as little as may be has.

    Of runs of the same length it is the one with the most in it, by the sizes; the same input gives the same run.

    Args:
        places: Where each stands now. No two stand in the same place.
        sizes: How much each weighs among runs of the same length.
    """
    ranks = {place: rank for rank, place in enumerate(sorted(places), 1)}
    # For each rank the best run that ends at or below it: its length, its size, the index that ends it (Fenwick tree).
    tree: list[tuple[int, int, int]] = [(0, 0, -1)] * (len(places) + 1)
    previous: list[int] = []
    for index, place in enumerate(places):
        best, rank = (0, 0, -1), ranks[place]
        below = rank - 1
        while below > 0:
            best = max(best, tree[below])
            below -= below & -below
        previous.append(best[2])
        run = (best[0] + 1, best[1] + (sizes[index] if sizes is not None else 0), index)
        while rank < len(tree):
            tree[rank] = max(tree[rank], run)
            rank += rank & -rank
    kept: list[int] = []
    index = max(tree)[2]
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
