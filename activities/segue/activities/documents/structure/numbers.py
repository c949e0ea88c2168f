"""Which number counts on from which: the numbers and headings that are open, as a reader holds them in mind.

    place = numbers.place(label, text)
    numbers.open(place, label)

`4.2` stands below `4`, `(b)` counts on from `(a)`, `(i)` after `(h)` is a letter if `(j)` comes before `(ii)` and the
first of a list if not, `Exhibit A` ends them all.
"""

from __future__ import annotations

import dataclasses
from typing import Final, NamedTuple

from segue.activities.documents.structure.labels import ATTACHMENT, Label

__all__ = ["RANKS", "Numbers", "Open", "Place"]

RANKS: Final = {"part": 1, "title": 1, "chapter": 2, "article": 3, "item": 3}
"""Words of numbers that stand above plain ones, by how high they stand."""

DEEPEST: Final = 24
"""Most that is open at once."""

_LARGER: Final = 1.05

# How far ahead it is looked for what `(i)` counts as.
_AHEAD: Final = 20_000


@dataclasses.dataclass(slots=True)
class Open:
    """A number or heading that is open: until one that counts on from it, or stands above it.

    Attributes:
        style: Of its label; "caps", "title" or "strong" for a heading without a number, "declared" for one that the
            source declares.
        value: What it counts as.
        path: The numbers of a decimal label.
        word: The word in front of it.
        declared: The level of a heading that the source declares; else 0.
        depth: How deep in the source's own lists.
        section: Index of the section that it begins.
        size: Size of its type, if the source says so; else 0.
    """

    style: str
    value: int = 0
    path: tuple[int, ...] = ()
    word: str = ""
    declared: int = 0
    depth: int = 0
    section: int | None = None
    size: float = 0.0


class Place(NamedTuple):
    """Where a number stands.

    Attributes:
        kept: How many of the open ones stay open.
        style: In which style it counts.
        value: What it counts as.
        distance: 1 if it is the one that comes next, 2 or more if some are left out, 0 if it does not count on.
    """

    kept: int
    style: str
    value: int
    distance: int


class Numbers:
    """The numbers and headings that are open, the outermost first."""

    def __init__(self) -> None:
        self.open: list[Open] = []

    def place(self, label: Label, text: str, *, titled: bool = False, depth: int = 0) -> Place:
        """Return where a number stands.

        Args:
            label: The number.
            text: The text that it stands in, to look ahead.
            titled: Whether a title follows it.
            depth: How deep the source has it in lists, if it says so.
        """
        place = self._placed(label, text, titled, depth)
        if place.kept < DEEPEST:
            return place
        return place._replace(kept=DEEPEST - 1, distance=0)

    def _placed(self, label: Label, text: str, titled: bool, depth: int) -> Place:
        style, value = label.values[0]
        if depth:
            kept = next((index for index, entry in enumerate(self.open) if entry.depth >= depth), len(self.open))
            return Place(kept, style, value, 1)
        if label.word in ATTACHMENT:
            return Place(0, style, value, 1)
        if label.word in RANKS:
            return self._named(label)
        if len(label.path) > 1:
            return self._decimal(label)
        return self._single(label, text, titled)

    def below_headings(self, style: str, size: float) -> int:
        """Return how many stay open at a heading without a number: those in larger type, if sizes are known."""
        if size:
            larger = (index + 1 for index, entry in enumerate(self.open) if entry.size > _LARGER * size)
            return max(larger, default=0)
        for index, entry in enumerate(self.open):
            if entry.style == style:
                return index
        kept = 0
        for entry in self.open:
            above = entry.word in RANKS or entry.style == "caps"
            if not (entry.declared or entry.word in ATTACHMENT or (style != "caps" and above)):
                break
            kept += 1
        return kept

    def _single(self, label: Label, text: str, titled: bool) -> Place:
        """Place a number that does not say itself what it stands below."""
        for index in reversed(range(len(self.open))):
            entry = self.open[index]
            for style, value in label.values:
                if entry.style == style and entry.value + 1 == value:
                    first = next((other for other in label.values if other[1] == 1 and other[0] != style), None)
                    if first is not None and _begins_list(label, first[0], text):
                        return Place(len(self.open), *first, 1)
                    return Place(index, style, value, 1)
        style, value = next((other for other in label.values if other[1] == 1), label.values[0])
        same = next((index for index in reversed(range(len(self.open))) if self.open[index].style == style), None)
        if value == 1:
            if titled and same is not None and self.open[same].section is not None:
                return Place(same, style, value, 1)
            if titled and same is None and style == "decimal-1":
                return Place(self._below_words(), style, value, 1)
            return Place(len(self.open), style, value, 1)
        if same is not None:
            return Place(same, style, value, max(0, value - self.open[same].value))
        return Place(self._below_words() if titled and style == "decimal-1" else len(self.open), style, value, 0)

    def _named(self, label: Label) -> Place:
        """Place a number with a word in front that says how high it stands."""
        kept = 0
        for entry in self.open:
            if not (entry.word in ATTACHMENT or entry.declared or RANKS.get(entry.word, 9) < RANKS[label.word]):
                break
            kept += 1
        last = next((entry.value for entry in self.open if entry.word == label.word), 0)
        style, value = next((other for other in label.values if other[1] == last + 1), label.values[0])
        return Place(kept, style, value, max(0, value - last))

    def _decimal(self, label: Label) -> Place:
        """Place a number that says itself what it stands below."""
        path = label.path
        style, value = label.values[0]
        for index in reversed(range(len(self.open))):
            entry = self.open[index]
            if entry.path == path[:-1] or (len(path) == 2 and entry.word in RANKS and entry.value == path[0]):
                last = self.open[index + 1] if index + 1 < len(self.open) else None
                before = last.value if last is not None and last.style == style else 0
                return Place(index + 1, style, value, max(0, value - before) or (value == 0 == before))
        same = next((index for index in reversed(range(len(self.open))) if self.open[index].style == style), None)
        if same is not None:
            last = self.open[same]
            if last.path[:-1] == path[:-1]:
                return Place(same, style, value, max(0, value - last.value))
            # "8.1" after "7.4" stands below neither "7" nor Article VII, even if nothing says "8".
            above = next(
                (
                    index
                    for index, entry in enumerate(self.open[:same])
                    if (0 < len(entry.path) < len(path) and entry.path != path[: len(entry.path)])
                    or (entry.word in RANKS and entry.value == last.path[0])
                ),
                same,
            )
            next_above = path[:-2] == last.path[:-2] and path[-2] == last.path[-2] + 1
            return Place(above, style, value, value if next_above else 0)
        kept = 0
        for index, entry in enumerate(self.open):
            if entry.word or entry.declared or 0 < len(entry.path) < len(path):
                kept = index + 1
        return Place(kept, style, value, value)

    def _below_words(self) -> int:
        """Return how many stay open at a numbered section of the first rank."""
        return max((index + 1 for index, entry in enumerate(self.open) if entry.word or entry.declared), default=0)


def _begins_list(label: Label, style: str, text: str) -> bool:
    """Return whether `(i)` after `(h)` begins a list: whether `(ii)` comes before `(j)`."""
    shape = style.replace("i", "%s").replace("I", "%s")
    letter = label.printed.strip("().")
    second = text.find(shape % ("ii" if letter.islower() else "II"), label.end, label.end + _AHEAD)
    return second >= 0 and text.find(shape % chr(ord(letter[0]) + 1), label.end, second) < 0
