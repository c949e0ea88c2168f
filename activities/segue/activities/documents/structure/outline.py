"""Sections and clauses out of blocks: which numbers count on from which, what heads what, where one clause ends.

    sections, clauses = outline(reading)

Numbers are followed as a reader follows them, by a stack of those that are open: `4.2` stands below `4`, `(b)` counts on
from `(a)`, `(i)` after `(h)` is a letter if `(j)` comes next and a first item if `(ii)` does, `Exhibit A` ends them all.
A number within running text is taken for one only if it stands where a sentence or an item may begin and is the one that
comes next, so that "as set out in 4.2" begins no clause. At the start of a block the form is enough, so that numbers that
are missing, repeated or misread do not stop anything.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Final

from segue.activities.documents.parsed import Clause, Section
from segue.activities.documents.spans import Span
from segue.activities.documents.structure import headings, labels
from segue.activities.documents.structure.blocks import Block, Kind, Reading
from segue.activities.documents.structure.labels import ATTACHMENT, Label
from segue.activities.documents.structure.sentences import cut

__all__ = ["outline"]

_RANKS: Final = {"part": 1, "title": 1, "chapter": 2, "article": 3}
_SPACE: Final = re.compile(r"\s*")
_SENTENCE_END: Final = re.compile(
    r"[.:;?!][\"\u201d\u2019')\]]*\s+(?:(?:and|or|and/or)\s+)?$|[\u2014\u2013-]\s+$|\s{3,}$", re.IGNORECASE
)
_LIST_OPENS: Final = re.compile(r"[.:;?!\u2014\u2013][\"\u201d\u2019')\]]*\s+$|\s{3,}$")
_LAST_END: Final = re.compile(r"[.:;?!][\"\u201d\u2019')\]]*\s")
_REFERENCE: Final = re.compile(
    r"\b(?:sections?|articles?|clauses?|paragraphs?|sub-?(?:sections?|clauses?|paragraphs?)|exhibits?|schedules?|annex"
    r"|appendix|items?|parts?|chapters?|rules?|nos?\.|§+|and|or|of|in|to|under|through|by|with)\s*$",
    re.IGNORECASE,
)


@dataclasses.dataclass(slots=True)
class _Open:
    """A number or heading that is open: what stands below it, until one that counts on from it or from one above."""

    style: str
    value: int = 0
    path: tuple[int, ...] = ()
    word: str = ""
    declared: int = 0
    depth: int = 0
    section: int | None = None


@dataclasses.dataclass(slots=True)
class _Section:
    start: int
    end: int
    title: str
    number: str
    level: int
    heading: tuple[int, int]


def outline(reading: Reading) -> tuple[tuple[Section, ...], tuple[Clause, ...]]:
    """Return the sections and clauses of a document."""
    builder = _Outline(reading)
    for block in reading.blocks:
        builder.take(block)
    return builder.finished()


class _Outline:
    def __init__(self, reading: Reading) -> None:
        self._text = reading.text
        # Where the source says what its headings are, a look is not enough to be one.
        self._declared = sum(block.level > 0 for block in reading.blocks) > 1
        self._stack: list[_Open] = []
        self._sections: list[_Section] = []
        self._clauses: list[Clause] = []
        self._end = 0
        self._titleless: _Section | None = None
        self._after_heading = True

    def finished(self) -> tuple[tuple[Section, ...], tuple[Clause, ...]]:
        self._close(0)
        sections = tuple(
            Section(
                start=section.start,
                end=section.end,
                title=section.title,
                number=section.number,
                level=section.level,
                heading=Span(start=section.heading[0], end=section.heading[1]),
            )
            for section in self._sections
        )
        return sections, tuple(self._clauses)

    def take(self, block: Block) -> None:
        """Take the next block."""
        if block.kind in ("row", "furniture", "contents"):
            self._clause(block.start, block.end, kind=block.kind)
        elif block.speaker:
            self._clause(block.start, block.end, speaker=block.speaker)
        elif block.level:
            self._heading(block)
        else:
            self._paragraph(block)

    def _heading(self, block: Block) -> None:
        """Take a heading that the source declares as one."""
        label = labels.at(self._text, block.start, block.end)
        if label is not None and not block.label and not self._begins(label, block.end):
            label = None
        declared = [index for index, entry in enumerate(self._stack) if entry.declared]
        above = [index for index in declared if self._stack[index].declared < block.level]
        # What only looked like a heading ends at one that is declared, and so do lists.
        self._close(above[-1] + 1 if above else 0, block.start)
        entry = _Open("declared", declared=block.level)
        if label is not None:
            style, value = label.values[0]
            entry = _Open(style, value, label.path, label.word, block.level)
        self._stack.append(entry)
        self._section(block.start, block.end, label, (block.start, block.end))
        self._clause(block.start, block.end, label, "heading")

    def _paragraph(self, block: Block) -> None:
        """Take a block that may hold several numbered clauses one after another, as flattened texts do."""
        start, label = block.start, None
        if block.label:
            label = labels.at(self._text, block.start, block.label)
        elif (found := labels.at(self._text, start, block.end)) is not None and self._begins(found, block.end):
            label = found
        if label is None and self._is_heading(block):
            self._unnumbered(block.start, block.end, block.strong)
            return
        # The first piece is placed before the next number is looked for: whether that counts on depends on it.
        depth = block.depth
        while True:
            content = self._enter(start, label, depth, block.end)
            following = self._next(start, content, block.end)
            stop = following.start if following is not None else block.end
            tail = self._tail(content, stop) if following is not None else stop
            self._piece(start, _trimmed(self._text, start, tail), label, block.strong)
            if tail < stop:
                self._unnumbered(_SPACE.match(self._text, tail).end(), _trimmed(self._text, tail, stop), False)  # type: ignore[union-attr]
            if following is None:
                return
            start, label, depth = following.start, following, 0

    def _enter(self, start: int, label: Label | None, depth: int, end: int) -> int:
        """Open a number, and the one that may follow it at once, as in `(a) (i)`. Return where its text begins."""
        if label is None:
            return start
        titled = self._has_title(label, end)
        cut_at, style, value, _ = self._place(label, titled, depth)
        self._close(cut_at, start)
        self._stack.append(_Open(style, value, label.path, label.word, depth=depth))
        return label.end

    def _piece(self, start: int, end: int, label: Label | None, strong: bool) -> None:
        """Write one clause, and the section that it begins if it has a title."""
        if label is None:
            self._clause(start, end)
            return
        begin = _SPACE.match(self._text, label.end, max(end, label.end))
        title_start = begin.end() if begin is not None else label.end
        if title_start >= end:
            if label.word:
                self._section(start, end, label, (start, end))
                self._titleless = self._sections[-1]
                self._clause(start, end, label, "heading")
            else:
                self._clause(start, end, label)
            return
        title_end = self._title(label, title_start, end, strong)
        if title_end is not None:
            whole = not self._text[title_end:end].strip(" \t\n.:-\u2013\u2014")
            self._section(start, end if whole else title_end, label, (title_start, title_end))
            self._clause(start, end, label, "heading" if whole else "text")
        else:
            self._clause(start, end, label)

    def _unnumbered(self, start: int, end: int, strong: bool) -> None:
        """Take a heading that has no number, and only looks like one."""
        if self._titleless is not None and self._titleless.heading[1] == self._end:
            # "ARTICLE I" on one line, its title on the next.
            section = self._titleless
            section.title = f"{_title_text(self._text[start:end])}"
            section.heading = (section.heading[0], end)
            self._titleless = None
            self._clause(start, end, kind="heading")
            return
        style = "caps" if headings.is_caps(self._text[start:end]) else ("strong" if strong else "title")
        same = [index for index, entry in enumerate(self._stack) if entry.style == style]
        if same:
            keep = same[0]
        else:
            keep = 0
            for entry in self._stack:
                if not (entry.declared or entry.word in ATTACHMENT or (style != "caps" and _heads(entry))):
                    break
                keep += 1
        self._close(keep, start)
        self._stack.append(_Open(style))
        self._section(start, end, None, (start, end))
        self._clause(start, end, kind="heading")

    # What stands where

    def _begins(self, label: Label, end: int) -> bool:
        """Return whether what has a number's form at the start of a block is one."""
        text = self._text
        rest = _SPACE.match(text, label.end, end)
        position = rest.end() if rest is not None else label.end
        following = text[position : position + 1] if position < end else ""
        if label.word:
            # "Section 4.2 of this Agreement applies" is a sentence that begins with a reference.
            if label.word in ATTACHMENT and end - label.start > 200 and not self._has_title(label, end):
                return False
            return (
                not following
                or following.isupper()
                or following in '-\u2013\u2014:."\u201c(['
                or text[label.end - 1] in ".:)"
            )
        expected = self._place(label, False, 0)[3]
        if label.style.startswith("decimal"):
            if len(label.path) == 1 and text[label.end - 1].isspace():
                return expected
            return expected or not (following.islower() or following in "%,")
        if label.printed.startswith("("):
            return following != ""
        # "A. Smith" is a name, "I. Introduction" is not.
        return expected and following != ""

    def _next(self, start: int, content: int, end: int) -> Label | None:
        """Return the next number within a block at which a clause begins."""
        for label in labels.inline(self._text, content, end):
            if self._begins_inline(label, start, content, end):
                return label
        return None

    def _begins_inline(self, label: Label, start: int, content: int, end: int) -> bool:
        text = self._text
        before = text[max(content, label.start - 60) : label.start]
        if not before.strip() and not label.printed.startswith("("):
            return False
        rest = _SPACE.match(text, label.end, end)
        following = text[rest.end() : rest.end() + 1] if rest is not None else ""
        if not following:
            return False
        if _REFERENCE.search(before):
            tail = before.rstrip().rsplit(None, 1)[-1].lower()
            # Between two items stands "and"; before a reference too, but that has no end of an item in front.
            if tail not in ("and", "or") or not _SENTENCE_END.search(before):
                return False
        _, _, value, expected = self._place(label, False, 0)
        if not expected:
            return False
        if label.word:
            return (
                (following.isupper() or following in "-\u2013\u2014:")
                and not following.islower()
                and (
                    bool(_SENTENCE_END.search(before)) or label.word in _RANKS or headings.is_caps(before.strip()[-20:])
                )
            )
        if label.style.startswith("decimal"):
            if following.islower() or following in "%,":
                return False
            if _SENTENCE_END.search(before):
                return True
            between = text[content : label.start].strip()
            if headings.is_title(between):
                return True
            return len(label.path) == 1 and self._tail(content, label.start) < label.start
        if not before.strip():
            return value == 1
        return bool((_LIST_OPENS if value == 1 else _SENTENCE_END).search(before))

    def _tail(self, content: int, stop: int) -> int:
        """Return where the heading begins that the text before a number ends with; `stop` if it ends with none.

        Flattened texts have "... as follows: Formation 1. By this Agreement ...".
        """
        window = self._text[max(content, stop - 90) : stop]
        ends = list(_LAST_END.finditer(window))
        if not ends:
            return stop
        tail = window[ends[-1].end() :]
        position = stop - len(tail)
        if position > content and tail.strip() and len(tail.split()) <= 6 and headings.is_title(tail.strip()):
            return position
        return stop

    def _place(self, label: Label, titled: bool, depth: int) -> tuple[int, str, int, bool]:
        """Return where a number stands: how many of the open ones stay open, its style, its value, and whether it is
        the one that comes next."""
        stack = self._stack
        style, value = label.values[0]
        if depth:
            kept = next((index for index, entry in enumerate(stack) if entry.depth >= depth), len(stack))
            return kept, style, value, True
        if label.word in ATTACHMENT:
            return 0, style, value, True
        if label.word in _RANKS:
            return self._place_named(label)
        if len(label.path) > 1:
            return self._place_decimal(label)
        for index in range(len(stack) - 1, -1, -1):
            for style, value in label.values:
                if stack[index].style == style and stack[index].value + 1 == value:
                    first = next((other for other in label.values if other[1] == 1 and other[0] != style), None)
                    if first is not None and self._is_roman(label, first[0]):
                        return len(stack), *first, True
                    return index, style, value, True
        style, value = next((other for other in label.values if other[1] == 1), label.values[0])
        same = [index for index, entry in enumerate(stack) if entry.style == style]
        if value == 1:
            if titled and same and stack[same[-1]].section is not None:
                return same[-1], style, value, True
            if titled and style == "decimal-1" and not same:
                return self._top(), style, value, True
            return len(stack), style, value, True
        if same:
            return same[-1], style, value, False
        return (self._top() if titled and style == "decimal-1" else len(stack)), style, value, False

    def _place_named(self, label: Label) -> tuple[int, str, int, bool]:
        rank = _RANKS[label.word]
        kept, expected = 0, False
        for entry in self._stack:
            if not (entry.word in ATTACHMENT or entry.declared or _RANKS.get(entry.word, 9) < rank):
                break
            kept += 1
        style, value = label.values[0]
        last = next((entry for entry in self._stack if entry.word == label.word), None)
        for style_, value_ in label.values:
            if value_ == (last.value + 1 if last is not None else 1):
                style, value, expected = style_, value_, True
        return kept, style, value, expected

    def _place_decimal(self, label: Label) -> tuple[int, str, int, bool]:
        stack, path = self._stack, label.path
        style, value = label.values[0]
        for index in range(len(stack) - 1, -1, -1):
            entry = stack[index]
            if entry.path == path[:-1] or (len(path) == 2 and entry.word in _RANKS and entry.value == path[0]):
                last = stack[index + 1] if index + 1 < len(stack) else None
                counts_on = last.value + 1 == value if last is not None and last.style == style else value <= 1
                return index + 1, style, value, counts_on
        same = [index for index, entry in enumerate(stack) if entry.style == style]
        if same:
            last = stack[same[-1]]
            next_prefix = len(last.path) > 1 and path[:-1] == (*last.path[:-2], last.path[-2] + 1) and value <= 1
            counts_on = (last.path[:-1] == path[:-1] and last.value + 1 == value) or next_prefix
            return same[-1], style, value, counts_on
        kept = 0
        for index, entry in enumerate(stack):
            if entry.word or entry.declared or (entry.path and len(entry.path) < len(path)):
                kept = index + 1
        return kept, style, value, value <= 1

    def _top(self) -> int:
        """Return how many of the open ones a numbered section of the first rank stands below."""
        kept = 0
        for index, entry in enumerate(self._stack):
            if entry.word or entry.declared:
                kept = index + 1
        return kept

    def _is_roman(self, label: Label, style: str) -> bool:
        """Return whether `(i)` after `(h)` begins a list: whether `(ii)` comes before `(j)`."""
        shape = style.replace("i", "%s").replace("I", "%s")
        letter = label.printed.strip("().")
        second = shape % ("ii" if letter.islower() else "II")
        after = shape % chr(ord(letter) + 1)
        text = self._text
        found = text.find(second, label.end, label.end + 20_000)
        if found < 0:
            return False
        other = text.find(after, label.end, found)
        return other < 0

    # Titles

    def _is_heading(self, block: Block) -> bool:
        text = self._text[block.start : block.end]
        if block.depth or "\t" in text:
            return False
        if not headings.is_title(text, strong=block.strong):
            return False
        if headings.is_caps(text) or block.strong:
            return True
        return not self._declared and block.kind == "heading"

    def _has_title(self, label: Label, end: int) -> bool:
        begin = _SPACE.match(self._text, label.end, max(end, label.end))
        start = begin.end() if begin is not None else label.end
        return start < end and self._title(label, start, end, False) is not None

    def _title(self, label: Label, start: int, end: int, strong: bool) -> int | None:
        """Return where the title ends that follows a number; None if none follows."""
        text = self._text
        if label.word and text[start] in "-\u2013\u2014:.":
            begin = re.compile(r"[-\u2013\u2014:.\s]*").match(text, start, end)
            start = begin.end() if begin is not None else start
            if start >= end:
                return None
        if end - start <= 120 and headings.is_title(text[start:end], strong=strong or bool(label.path or label.word)):
            return end
        return headings.run_in(text, start, end)

    # What is written

    def _section(self, start: int, end: int, label: Label | None, title: tuple[int, int]) -> None:
        level = 1 + sum(entry.section is not None for entry in self._stack)
        text = self._text[title[0] : title[1]]
        if label is not None and title[0] <= label.start < label.end < title[1] and label.word not in ATTACHMENT:
            text = self._text[label.end : title[1]]
        if label is not None and label.word in ATTACHMENT:
            text = self._text[start : title[1]]
        self._stack[-1].section = len(self._sections)
        self._sections.append(
            _Section(start, end, _title_text(text), label.printed if label else "", level, (start, end))
        )

    def _clause(self, start: int, end: int, label: Label | None = None, kind: Kind = "text", speaker: str = "") -> None:
        if start >= end:
            return
        titles = tuple(self._sections[entry.section].title for entry in self._stack if entry.section is not None)
        number = label.printed if label is not None else ""
        for piece in cut(self._text, start, end) if kind == "text" else ((start, end),):
            self._clauses.append(
                Clause(start=piece[0], end=piece[1], kind=kind, number=number, section=titles, speaker=speaker)
            )
            number = ""
        self._end = end

    def _close(self, keep: int, start: int | None = None) -> None:
        """Close all but the first so many of what is open."""
        for entry in self._stack[keep:]:
            if entry.section is not None:
                self._sections[entry.section].end = max(self._end, self._sections[entry.section].end)
        del self._stack[keep:]


def _heads(entry: _Open) -> bool:
    return entry.word in _RANKS or entry.style == "caps"


def _trimmed(text: str, start: int, end: int) -> int:
    while end > start and text[end - 1].isspace():
        end -= 1
    return end


def _title_text(text: str) -> str:
    return " ".join(text.split()).strip(" .:-\u2013\u2014\t").strip()
