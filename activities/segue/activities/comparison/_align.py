"""Which clause of the later version is which of the earlier one.

    links = align(units_of(before), units_of(after))

First what is equal (`_exact`), then what is similar: one to one, one to several that it was split into, several that
were merged into one. All of these compete in one list, the best first, so that half of a split clause does not pass for
the clause edited. What stands around a pair, and its number, count as evidence; they decide nothing alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

from segue.activities.comparison._exact import Matching, match_equal
from segue.activities.comparison._gaps import paired
from segue.activities.comparison._order import gaps, in_order
from segue.activities.comparison._similar import Candidate, Text, Texts, candidates
from segue.activities.comparison._surroundings import Group, Surroundings
from segue.activities.comparison._words import Unit

__all__ = ["Link", "align"]

# What is taken in each round, best first; then what stands around the rest is looked at anew.
_ROUNDS: Final = (0.95, 0.8, 0.65, 0.5)
_NEIGHBOUR: Final = 0.08
_NUMBER: Final = 0.06
_SECTION: Final = 0.04
# One that stands alone on both sides, where its neighbours did not change, may have been rewritten so far.
_ALONE: Final = 0.25
# A clause falls into so many parts, at most.
_PARTS: Final = 8
# A part has this share of its words from the whole, words that no other part has.
_OWN: Final = 0.6
# Fewer words than these move from one clause to the next by chance.
_SHIFTED_WORDS: Final = 5


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """Clauses of both versions that are the same, or one that stands in one version only.

    Attributes:
        before: Places among the earlier version's units; several where clauses were merged, none for what was inserted.
        after: Places among the later version's units; several where a clause was split, none for what was deleted.
        similarity: How alike they are, from 0 to 1; 1 for equal words.
        moved: Whether it stands elsewhere among its neighbours.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    similarity: float
    moved: bool = False


def align(before: Sequence[Unit], after: Sequence[Unit]) -> list[Link]:
    """Return how the clauses of two versions belong together, in the order of the later one.

    What was deleted stands behind what stood before it. Each clause is in one link.
    """
    matching = Matching(len(before), len(after))
    numbers = [unit.number for unit in before], [unit.number for unit in after]
    words = [len(unit.bare) for unit in before]
    # First to the letter, then but for case and punctuation.
    for keys in (
        ([unit.key for unit in before], [unit.key for unit in after]),
        ([unit.bare or unit.key for unit in before], [unit.bare or unit.key for unit in after]),
    ):
        match_equal(*keys, matching, numbers=numbers, words=words)
    groups = _Groups(before, after, matching)
    groups.take_similar()
    groups.take_parts()
    groups.take_left()
    groups.join_shifted()
    return groups.links()


# What might belong together, and how alike it is.
_Offers = dict[tuple[tuple[int, ...], tuple[int, ...]], float]


class _Groups:
    """The clauses that were found to belong together so far."""

    def __init__(self, before: Sequence[Unit], after: Sequence[Unit], matching: Matching) -> None:
        self._before, self._after = before, after
        self._texts = Texts(before, after)
        self._contained: list[Candidate] = []
        self._of_before: list[Group | None] = [None] * len(before)
        self._of_after: list[Group | None] = [None] * len(after)
        for i, j in enumerate(matching.after):
            if j is not None:
                self._add([i], [j], 1.0, exact=True)

    def take_similar(self) -> None:
        """Take the pairs, splits and merges among what is free, best first."""
        free_before = [i for i, group in enumerate(self._of_before) if group is None]
        free_after = [j for j, group in enumerate(self._of_after) if group is None]
        found = list(candidates(self._texts, free_before, free_after))
        self._contained = [one for one in found if one.contained]
        offers: _Offers = {((one.before,), (one.after,)): one.similarity for one in found}
        offers |= self._runs(found)
        for least in _ROUNDS:
            surroundings = Surroundings(self._of_before, self._of_after)
            scored = sorted(
                (
                    (-self._score(i, j, similarity, surroundings), surroundings.offset(i[0], j[0]), i, j)
                    for (i, j), similarity in offers.items()
                    if self._are_free(i, j)
                ),
            )
            for score, _, i, j in scored:
                if -score < least:
                    break
                if self._are_free(i, j):
                    self._add(list(i), list(j), offers[i, j])

    def take_parts(self) -> None:
        """Take what is free and holds just the words that another clause has lost, or won.

        A short text must stand beside that clause, as a heading that was taken out of it does.
        """
        for of_before, owners in ((True, self._of_before), (False, self._of_after)):
            for index, owner in enumerate(owners):
                if owner is None:
                    beside = [owners[one] for one in (index - 1, index + 1) if 0 <= one < len(owners)]
                    self._take_part(index, beside, 1, of_before=of_before)
        for one in self._contained:
            of_before = one.contained == "before"
            index, group = (
                (one.before, self._of_after[one.after]) if of_before else (one.after, self._of_before[one.before])
            )
            if (self._of_before if of_before else self._of_after)[index] is None:
                self._take_part(index, [group], _SHIFTED_WORDS, of_before=of_before)

    def take_left(self) -> None:
        """Pair what is left between two clauses that have kept their order, where its place tells what it is."""
        anchors = ((group.before[-1], group.after[0]) for group in self._groups())
        for here, there in list(gaps(anchors, len(self._before), len(self._after))):
            left = [self._before[i] for i in here if self._of_before[i] is None]
            free = [self._after[j] for j in there if self._of_after[j] is None]
            pairs = list(paired(left, free))
            if not pairs and len(left) == len(free) == 1:
                pairs = [(left[0].index, free[0].index)]
                if self._texts.similarity(self._texts.before[pairs[0][0]], self._texts.after[pairs[0][1]]) < _ALONE:
                    continue
            for i, j in pairs:
                self._add([i], [j], self._texts.similarity(self._texts.before[i], self._texts.after[j]))

    def join_shifted(self) -> None:
        """Join neighbours between which words have moved, as where a paragraph now ends earlier."""
        for i in range(len(self._before) - 1):
            one, other = self._of_before[i], self._of_before[i + 1]
            if one is None or other is None or one is other or (one.exact and other.exact):
                continue
            if max(one.after) + 1 == min(other.after) and self._has_shifted(one, other):
                self._join(one, other)

    def links(self) -> list[Link]:
        """Return what belongs together, and what does not."""
        ordered = self._groups()
        sizes = [sum(len(self._texts.before[i].all) for i in group.before) for group in ordered]
        kept = {id(ordered[index]) for index in in_order([group.after[0] for group in ordered], sizes)}
        found: list[tuple[tuple[float, int], Link]] = []
        behind = -1.0
        for i, group in enumerate(self._of_before):
            if group is None:
                found.append(((behind, i), Link((i,), (), 0.0)))
            else:
                if id(group) in kept:
                    behind = max(group.after) + 0.5
                if group.before[0] == i:
                    link = Link(tuple(group.before), tuple(group.after), group.similarity, id(group) not in kept)
                    found.append(((group.after[0], -1), link))
        for j, group in enumerate(self._of_after):
            if group is None:
                found.append(((j, -1), Link((), (j,), 0.0)))
        return [link for _, link in sorted(found, key=lambda one: one[0])]

    def _groups(self) -> list[Group]:
        """Return what belongs together so far, in the earlier version's order."""
        return list({id(group): group for group in self._of_before if group is not None}.values())

    def _runs(self, found: Iterable[Candidate]) -> _Offers:
        """Return what may be splits and merges: a clause, and the neighbours that are alike to it together."""
        offers: _Offers = {}
        for one in found:
            if one.contained == "after":
                run, similarity = self._grown(self._texts.before[one.before], one.after, one.similarity, False)
                if len(run) > 1:
                    offers[(one.before,), run] = similarity
            elif one.contained == "before":
                run, similarity = self._grown(self._texts.after[one.after], one.before, one.similarity, True)
                if len(run) > 1:
                    offers[run, (one.after,)] = similarity
        return offers

    def _grown(self, whole: Text, part: int, similarity: float, of_before: bool) -> tuple[tuple[int, ...], float]:
        """Return a part of a clause with the neighbours that are parts of it too, and how alike they are together."""
        texts = self._texts.before if of_before else self._texts.after
        owners = self._of_before if of_before else self._of_after
        first = last = part
        text = texts[part]
        shared = self._texts.shared(whole, text)
        grew = True
        while grew and last - first + 1 < _PARTS:
            grew = False
            for index in (first - 1, last + 1):
                if not 0 <= index < len(texts) or owners[index] is not None:
                    continue
                longer = texts[index] + text if index < first else text + texts[index]
                with_it = self._texts.shared(whole, longer)
                if _is_own(texts[index], with_it[0] - shared[0], with_it[1] - shared[1]):
                    first, last = min(first, index), max(last, index)
                    text, shared, grew = longer, with_it, True
        run = tuple(range(first, last + 1))
        return run, self._texts.similarity(whole, text) if len(run) > 1 else similarity

    def _score(self, i: tuple[int, ...], j: tuple[int, ...], similarity: float, around: Surroundings) -> float:
        here, there = self._before[i[0]], self._after[j[0]]
        score = similarity + _NEIGHBOUR * around.agreeing(i, j)
        if here.number and here.number == there.number:
            score += _NUMBER
        if here.section and here.section == there.section:
            score += _SECTION
        return score

    def _take_part(self, index: int, groups: Iterable[Group | None], least: int, *, of_before: bool) -> None:
        """Take a free clause into the one of some groups that has lost the most of its words, if one has."""
        texts = self._texts.before if of_before else self._texts.after
        part = texts[index]
        best: tuple[int, Group] | None = None
        for group in groups:
            if group is None or group.exact:
                continue
            members = group.before if of_before else group.after
            own, whole = self._sides(group, of_before)
            longer = _joined(texts[one] for one in sorted([*members, index]))
            shared, with_it = self._texts.shared(whole, own), self._texts.shared(whole, longer)
            gain, telling = with_it[0] - shared[0], with_it[1] - shared[1]
            if gain >= least and _is_own(part, gain, telling) and (best is None or gain > best[0]):
                best = gain, group
        if best is not None:
            group = best[1]
            members = group.before if of_before else group.after
            members.append(index)
            members.sort()
            (self._of_before if of_before else self._of_after)[index] = group
            group.similarity = self._texts.similarity(*self._sides(group, of_before))

    def _has_shifted(self, one: Group, other: Group) -> bool:
        first, second = self._sides(one, True), self._sides(other, True)
        apart = self._texts.shared(*first)[1], self._texts.shared(*second)[1]
        together = self._texts.shared(first[0] + second[0], first[1] + second[1])[1]
        lost = len(first[0].telling) - apart[0], len(second[0].telling) - apart[1]
        won = len(first[1].telling) - apart[0], len(second[1].telling) - apart[1]
        shifted = max(min(lost[0], won[1]), min(lost[1], won[0]))
        gain = together - sum(apart)
        return gain >= _SHIFTED_WORDS and gain >= _OWN * shifted

    def _join(self, one: Group, other: Group) -> None:
        one.before = sorted({*one.before, *other.before})
        one.after = sorted({*one.after, *other.after})
        one.exact = False
        for i in one.before:
            self._of_before[i] = one
        for j in one.after:
            self._of_after[j] = one
        one.similarity = self._texts.similarity(*self._sides(one, True))

    def _sides(self, group: Group, own_is_before: bool) -> tuple[Text, Text]:
        before = _joined(self._texts.before[i] for i in group.before)
        after = _joined(self._texts.after[j] for j in group.after)
        return (before, after) if own_is_before else (after, before)

    def _are_free(self, i: Iterable[int], j: Iterable[int]) -> bool:
        return all(self._of_before[one] is None for one in i) and all(self._of_after[one] is None for one in j)

    def _add(self, i: list[int], j: list[int], similarity: float, exact: bool = False) -> None:
        group = Group(i, j, similarity, exact)
        for one in i:
            self._of_before[one] = group
        for one in j:
            self._of_after[one] = group


def _is_own(part: Text, gain: int, telling: int) -> bool:
    """Return whether a part's words are words of the whole: so many more are shared with it."""
    return gain >= max(_OWN * len(part.all), 1) and telling >= _OWN * len(part.telling)


def _joined(texts: Iterable[Text]) -> Text:
    whole = Text("", "")
    for text in texts:
        whole += text
    return whole
