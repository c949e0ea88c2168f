"""Clauses that belong together, and what stands beside a clause: evidence of what it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from segue.activities.comparison._order import in_order

__all__ = ["Group", "Surroundings"]


@dataclasses.dataclass(slots=True)
class Group:
    """Clauses of both versions that belong together.

    Attributes:
        before: Places in the earlier version, in order.
        after: Places in the later version, in order.
        similarity: How alike they are, from 0 to 1.
        exact: Whether they are equal.
    """

    before: list[int]
    after: list[int]
    similarity: float
    exact: bool = False


class Surroundings:
    """What stands beside each clause: the next on both sides, and the next that has kept its order."""

    def __init__(self, before: Sequence[Group | None], after: Sequence[Group | None]) -> None:
        ordered = list({id(group): group for group in before if group is not None}.values())
        kept = {id(ordered[index]) for index in in_order([group.after[0] for group in ordered])}
        self._sides = [(_nearest(before, kept, step), _nearest(after, kept, step)) for step in (-1, 1)]
        self._beside = before, after

    def agreeing(self, i: tuple[int, ...], j: tuple[int, ...]) -> int:
        """Return on how many sides what stands beside two clauses belongs together."""
        count = 0
        for (before, after), here, there, step in zip(self._sides, (i[0], i[-1]), (j[0], j[-1]), (-1, 1), strict=True):
            near = before[here][0] is after[there][0]
            count += near or self._are_beside(here + step, there + step)
        return count

    def offset(self, i: int, j: int) -> int:
        """Return how much farther from its neighbour one stands than the other: for what is as alike."""
        before, after = self._sides[0]
        return abs(before[i][1] - after[j][1])

    def _are_beside(self, i: int, j: int) -> bool:
        before, after = self._beside
        if not (0 <= i < len(before) and 0 <= j < len(after)):
            return False
        return before[i] is not None and before[i] is after[j]


def _nearest(owners: Sequence[Group | None], kept: set[int], step: int) -> list[tuple[Group | None, int]]:
    """Return for each place the next group on one side that has kept its order, and how far away it is."""
    nearest: list[tuple[Group | None, int]] = []
    last: Group | None = None
    distance = 0
    for owner in owners if step < 0 else reversed(owners):
        distance += 1
        nearest.append((last, distance))
        if owner is not None and id(owner) in kept:
            last, distance = owner, 0
    return nearest if step < 0 else nearest[::-1]
