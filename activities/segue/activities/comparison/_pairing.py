"""Which value became which: those that changes touch, compared in their order and at their places.

What stands on both sides of a change, in one order, is no change. What left one place of a clause and came to another
has changed too if that turns round what is said: a negation or a qualifier anywhere, an amount past another one. A
whole sentence that moved takes what it holds along.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from typing import Final

from segue.activities.comparison.values import Rule, Value

__all__ = ["Pairs", "Place", "Seen", "paired"]

Place = tuple[int, int]
"""Where words stand in one version's text: from a character to another."""

# They say nothing by themselves, but of what stands beside them.
_SAID_OF_NEIGHBOURS: Final[tuple[Rule, ...]] = ("negation", "qualifier")
# They belong to whoever is named beside them.
_SAID_OF_PARTIES: Final[tuple[Rule, ...]] = ("money", "percentage", "modal")
# In another order they say something else.
_ORDERED: Final[tuple[Rule, ...]] = (
    "money",
    "percentage",
    "party",
    "modal",
    "date",
    "duration",
    "number",
)


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """A value of one version of a clause.

    Attributes:
        value: The value.
        change: The first change that touches it; None if none does.
        text: As it is shown.
    """

    value: Value
    change: int | None
    text: str

    @property
    def identity(self) -> tuple[object, ...]:
        """The same for the same value."""
        return self.value.rule, *self.value.canonical

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.value.start, self.value.end


@dataclasses.dataclass(slots=True)
class Pairs:
    """What became of the values of one rule.

    Attributes:
        became: Values that became others.
        moved: Values that stand elsewhere in the clause.
        exchanged: Values of one change that stand in another order.
        removed: Values that are gone.
        added: Values that are new.
    """

    became: list[tuple[Seen, Seen]] = dataclasses.field(default_factory=list[tuple[Seen, Seen]])
    moved: list[tuple[Seen, Seen]] = dataclasses.field(default_factory=list[tuple[Seen, Seen]])
    exchanged: list[tuple[list[Seen], list[Seen]]] = dataclasses.field(
        default_factory=list[tuple[list[Seen], list[Seen]]]
    )
    removed: list[Seen] = dataclasses.field(default_factory=list[Seen])
    added: list[Seen] = dataclasses.field(default_factory=list[Seen])


def paired(
    rule: Rule,
    sides: tuple[Sequence[Seen], Sequence[Seen]],
    changes: Sequence[tuple[Place, Place]],
    texts: tuple[str, str],
) -> Pairs:
    """Return what became of the values of one rule.

    Args:
        rule: The rule.
        sides: The values of both versions, of every rule, in order.
        changes: What changed, in order.
        texts: The text of both versions.
    """
    found = Pairs()
    here, there = ([one for one in side if one.value.rule == rule] for side in sides)
    for index in range(len(changes)):
        _within(
            rule,
            [one for one in here if one.change == index],
            [one for one in there if one.change == index],
            found,
        )
    for one in list(found.removed):
        other = next((other for other in found.added if other.identity == one.identity), None)
        if other is None:
            continue
        found.removed.remove(one)
        found.added.remove(other)
        if _matters(rule, one, other, sides, changes, texts):
            found.moved.append((one, other))
    return found


def _within(rule: Rule, here: list[Seen], there: list[Seen], found: Pairs) -> None:
    """Compare the values that one change touches."""
    names = [one.identity for one in here], [one.identity for one in there]
    if names[0] == names[1]:
        return
    if sorted(map(repr, names[0])) == sorted(map(repr, names[1])):
        if rule in _ORDERED:
            found.exchanged.append((here, there))
        return
    gone: list[Seen] = []
    new: list[Seen] = []
    for what, start, end, low, high in difflib.SequenceMatcher(None, *names, autojunk=False).get_opcodes():
        if what != "equal":
            gone += here[start:end]
            new += there[low:high]
    count = min(len(gone), len(new))
    for one, other in zip(gone[:count], new[:count], strict=True):
        if one.identity != other.identity:
            found.became.append((one, other))
        elif rule in _ORDERED:
            found.exchanged.append(([one], [other]))
    found.removed += gone[count:]
    found.added += new[count:]


def _matters(
    rule: Rule,
    one: Seen,
    other: Seen,
    sides: tuple[Sequence[Seen], Sequence[Seen]],
    changes: Sequence[tuple[Place, Place]],
    texts: tuple[str, str],
) -> bool:
    """Return whether it matters that a value stands where another change is."""
    assert one.change is not None
    assert other.change is not None
    if one.change == other.change or _is_moved_sentence(changes[one.change], changes[other.change], texts):
        return False
    if rule in _SAID_OF_NEIGHBOURS:
        return True
    past = (rule, "party") if rule in _SAID_OF_PARTIES else (rule,)
    first, last = sorted((one.change, other.change))
    return any(
        value.value.rule in past
        and value.value.start >= changes[first][side][1]
        and value.value.end <= changes[last][side][0]
        for side, values in enumerate(sides)
        for value in values
    )


def _is_moved_sentence(gone: tuple[Place, Place], new: tuple[Place, Place], texts: tuple[str, str]) -> bool:
    """Return whether a change takes out the whole sentence that another puts in."""
    words = texts[0][slice(*gone[0])].casefold().split(), texts[1][slice(*new[1])].casefold().split()
    return words[0] == words[1] and bool(words[0]) and words[0][-1].endswith((".", ";"))
