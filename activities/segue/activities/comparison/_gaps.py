"""What is left between two clauses that have kept their order: short texts, whose place alone tells what they are.

Their words say little, as those of "Name:", of an amount, of a page's number. So equal texts are paired in order, then
those that are equal but for their numbers, then what is alike by its characters, as scanned text is, and at last what
is as many on both sides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Final

from segue.activities.comparison._similar import kernels
from segue.activities.comparison._words import Unit, Vocabulary

__all__ = ["paired"]

# Longer texts say themselves whether they are the same.
_SHORT: Final = 3
_ALIKE: Final = 0.6
_NUMBER: Final = 0.25
# More pairs than these are not looked at one by one.
_PAIRS: Final = 900

_DIGITS: Final = re.compile(r"\d+")


def paired(left: Sequence[Unit], free: Sequence[Unit]) -> Iterator[tuple[int, int]]:
    """Yield places in the earlier and later version that belong together, of clauses given in order."""
    yield from _equal(left, free, (_key, _masked))


def _key(unit: Unit) -> Hashable:
    return unit.key


def _masked(unit: Unit) -> Hashable:
    return tuple(_DIGITS.sub("0", word) for word in unit.key)


def _equal(
    left: Sequence[Unit], free: Sequence[Unit], keys: Sequence[Callable[[Unit], Hashable]]
) -> Iterator[tuple[int, int]]:
    """Yield what is equal by the first key, and between that, what is by the next, and at last what is alike."""
    if not left or not free:
        return
    if not keys:
        yield from _alike(left, free)
        return
    letters = Vocabulary[Hashable]()
    some, others = (letters.encode(keys[0](unit) for unit in units) for units in (left, free))
    i = j = 0
    for start, end, low, high in kernels().equal(some, others):
        yield from _equal(left[i:start], free[j:low], keys[1:])
        for step in range(end - start):
            yield left[start + step].index, free[low + step].index
        i, j = end, high
    yield from _equal(left[i:], free[j:], keys[1:])


def _alike(left: Sequence[Unit], free: Sequence[Unit]) -> Iterator[tuple[int, int]]:
    """Yield the most alike pair, and what is on both sides of it; or what is short, if there are as many of it."""
    if not left or not free:
        return
    if len(left) * len(free) <= _PAIRS:
        best, i, j = max(
            (_characters(unit, other), -i, -j) for i, unit in enumerate(left) for j, other in enumerate(free)
        )
        if best >= _ALIKE:
            yield from _alike(left[:-i], free[:-j])
            yield left[-i].index, free[-j].index
            yield from _alike(left[1 - i :], free[1 - j :])
            return
    if len(left) == len(free):
        for unit, other in zip(left, free, strict=True):
            if _are_of_a_kind(unit, other):
                yield unit.index, other.index


def _characters(unit: Unit, other: Unit) -> float:
    """Return which share of their characters two texts have in common; headings of the same number are the same."""
    ratio = kernels().ratio(" ".join(unit.key).casefold(), " ".join(other.key).casefold())
    if unit.number and unit.number == other.number:
        ratio += 1 if max(len(unit.bare), len(other.bare)) <= _SHORT else _NUMBER
    return ratio


def _are_of_a_kind(unit: Unit, other: Unit) -> bool:
    if unit.kind == other.kind == "heading":
        return True
    return max(len(unit.bare), len(other.bare)) <= _SHORT and _has_words(unit) == _has_words(other)


def _has_words(unit: Unit) -> bool:
    return any(word[0].isalpha() for word in unit.bare)
