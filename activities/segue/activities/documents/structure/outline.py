"""Sections and clauses out of blocks: which blocks hold several clauses, what heads what, where one clause ends.

    sections, clauses = outline(reading)

A number within running text is taken for one only if it stands where a sentence or an item may begin and is the one
that comes next, so that "as set out in 4.2" begins no clause. At the start of a block the form is enough, so that
numbers that are missing, repeated or misread do not stop anything.
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
from segue.activities.documents.structure.marks import mark
from segue.activities.documents.structure.numbers import Numbers, Open
from segue.activities.documents.structure.sentences import cut

__all__ = ["outline"]

# Numbers within running text may leave out this many.
_FURTHEST: Final = 3
_TITLE: Final = 120
_TAIL: Final = 90
_SETS_APART: Final = 5

_SPACE: Final = re.compile(r"\s*")
_ITEM_END: Final = re.compile(
    r"[.:;?!][\"\u201d\u2019')\]]*\s+(?:(?:and|or|and/or)\s+)?$|[\u2014\u2013-]\s+$|\s{3,}$", re.IGNORECASE
)
_LIST_OPENS: Final = re.compile(r"[.:;?!\u2014\u2013][\"\u201d\u2019')\]]*\s+$|\s{3,}$")
_SENTENCE_END: Final = re.compile(r"[.:;?!][\"\u201d\u2019')\]]*\s")
_REFERENCE: Final = re.compile(
    r"(?:\b(?:sections?|articles?|clauses?|paragraphs?|sub-?(?:sections?|clauses?|paragraphs?)|exhibits?|schedules?|annex"
    r"|appendix|items?|parts?|chapters?|rules?|nos?\.|of|in|to|under|through|by|with)|§+)\s*$",
    re.IGNORECASE,
)
_CAPITALS: Final = re.compile(r"[A-Z]{3}")
_TITLE_PUNCTUATION: Final = re.compile(r"[-\u2013\u2014:.\s]*")


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
    mark(reading.text, reading.blocks)
    outliner = _Outliner(reading)
    for index, block in enumerate(reading.blocks):
        following = reading.blocks[index + 1 : index + 4]
        outliner.take(block, next((other for other in following if other.kind != "furniture"), None))
    return outliner.finished()


class _Outliner:
    def __init__(self, reading: Reading) -> None:
        self._text = reading.text
        # Where the source says what its headings are, a look is not enough to be one.
        self._declares = sum(block.level > 0 for block in reading.blocks) > 1
        # Where headings are set in a type of their own, capitals alone make none.
        self._sets_apart = sum(block.strong and self._is_title(block) for block in reading.blocks) >= _SETS_APART
        self._numbers = Numbers()
        self._sections: list[_Section] = []
        self._clauses: list[Clause] = []
        self._end = 0
        # A number that stands in a block of its own, before the text that it numbers.
        self._alone: tuple[int, int, Label] | None = None
        self._following: Block | None = None
        # The section of "ARTICLE I" on a line of its own, before its title.
        self._untitled: _Section | None = None

    def take(self, block: Block, following: Block | None) -> None:
        """Take the next block; the one after it tells a heading from an item of a list."""
        self._following = following
        if self._alone is not None and not self._is_plain(block):
            self._leave_alone()
        untitled = self._untitled
        if block.kind in ("row", "furniture", "contents"):
            self._clause(block.start, block.end, kind=block.kind)
        elif block.speaker:
            self._clause(block.start, block.end, speaker=block.speaker)
        elif block.level:
            self._declared(block)
        else:
            self._paragraph(block)
        if block.kind != "furniture" and self._untitled is untitled:
            self._untitled = None

    def finished(self) -> tuple[tuple[Section, ...], tuple[Clause, ...]]:
        """Return the sections and clauses."""
        if self._alone is not None:
            self._leave_alone()
        self._close(0)
        return tuple(
            Section(
                start=section.start,
                end=section.end,
                title=section.title,
                number=section.number,
                level=section.level,
                heading=Span(start=section.heading[0], end=section.heading[1]),
            )
            for section in self._sections
        ), tuple(self._clauses)

    # Kinds of blocks

    def _declared(self, block: Block) -> None:
        """Take a heading that the source declares as one."""
        label = labels.at(self._text, block.start, block.end)
        if label is not None and not block.label and not self._begins_block(label, block.end, strong=True):
            label = None
        # What only looked like a heading ends at one that is declared, and so do lists.
        above = [index for index, entry in enumerate(self._numbers.open) if 0 < entry.declared < block.level]
        self._close(above[-1] + 1 if above else 0)
        entry = Open("declared", declared=block.level)
        if label is not None:
            style, value = label.values[0]
            entry = Open(style, value, label.path, label.word, block.level)
        self._numbers.open.append(entry)
        self._section(block.start, block.end, label, label.end if label is not None else block.start, block.end)
        self._clause(block.start, block.end, label, "heading")

    def _paragraph(self, block: Block) -> None:
        """Take a block that may hold several numbered clauses one after another, as flattened texts do."""
        start, label = block.start, None
        if self._alone is not None:
            start, _, label = self._alone
            self._alone = None
            self._piece_by_piece(start, label, block.start, block, placed=True)
            return
        if block.label:
            label = labels.at(self._text, block.start, block.label)
        elif (found := labels.at(self._text, start, block.end)) is not None and self._begins_block(
            found, block.end, strong=block.strong
        ):
            label = found
        if label is None and (self._looks_like_heading(block) or self._titles_number(block)):
            self._heading(block.start, block.end, block)
            return
        if label is not None and not label.word and not self._text[label.end : block.end].strip():
            self._enter(label, block, block.depth)
            self._alone = (block.start, block.end, label)
            return
        self._piece_by_piece(start, label, label.end if label is not None else start, block)

    def _piece_by_piece(
        self, start: int, label: Label | None, content: int, block: Block, *, placed: bool = False
    ) -> None:
        depth, prefix = block.depth, ""
        while True:
            # Whether the next number counts on depends on this one, so this one is placed first.
            if label is not None and not placed:
                self._enter(label, block, depth)
            following = self._next(content, block.end)
            stop = following.start if following is not None else block.end
            if following is not None and not self._text[content:stop].strip() and label is not None:
                # "(a) (i) a fee": two numbers, one clause.
                prefix += label.printed
            else:
                tail = self._tail(content, following) if following is not None else stop
                piece_end = _trimmed(self._text, start, tail)
                if label is None and following is not None and headings.is_title(self._text[start:piece_end]):
                    self._heading(start, piece_end)
                else:
                    self._piece(start, piece_end, label, block, prefix)
                if tail < stop:
                    begin = _after_space(self._text, tail, stop)
                    self._heading(begin, _trimmed(self._text, begin, stop))
                start, prefix = stop, ""
            if following is None:
                return
            label, content, depth, placed = following, following.end, 0, False

    def _piece(self, start: int, end: int, label: Label | None, block: Block, prefix: str) -> None:
        """Write one clause, and the section that it begins if its number is followed by a title."""
        if label is None:
            self._clause(start, end)
            return
        title_start = _after_space(self._text, label.end, max(end, label.end))
        if title_start >= end:
            if label.word and not self._opens_document(label):
                self._untitled = self._section(start, end, label, start, end)
            self._clause(start, end, label, "heading" if label.word else "text", prefix)
            return
        title_end = self._title(label, title_start, end, block.strong)
        if title_end is None or self._opens_document(label):
            self._clause(start, end, label, prefix=prefix)
            return
        whole = not self._text[title_end:end].strip(" \t\n.:-\u2013\u2014")
        listed = whole and not label.word and not block.strong
        if listed and (block.depth or self._item_follows(label)):
            self._clause(start, end, label, prefix=prefix)
            return
        self._section(start, end if whole else title_end, label, title_start, title_end)
        self._clause(start, end, label, "heading" if whole else "text", prefix)

    def _heading(self, start: int, end: int, block: Block | None = None) -> None:
        """Take a heading that has no number, and only looks like one."""
        if self._untitled is not None:
            # "ARTICLE I" on one line, its title on the next.
            self._untitled.title = _title_text(self._text[start:end])
            self._untitled.heading = (self._untitled.heading[0], end)
            self._untitled = None
            self._clause(start, end, kind="heading")
            return
        style = (
            "caps"
            if headings.is_caps(self._text[start:end])
            else ("strong" if block is not None and block.strong else "title")
        )
        size = block.size if block is not None else 0.0
        self._close(self._numbers.below_headings(style, size))
        self._numbers.open.append(Open(style, size=size))
        self._section(start, end, None, start, end)
        self._clause(start, end, kind="heading")

    def _leave_alone(self) -> None:
        """Write the number that no text follows."""
        if self._alone is not None:
            start, end, label = self._alone
            self._alone = None
            self._clause(start, end, label)

    # What begins where

    def _begins_block(self, label: Label, end: int, *, strong: bool = False) -> bool:
        """Return whether what has a number's form at the start of a block is one."""
        text = self._text
        position = _after_space(text, label.end, end)
        following = text[position : position + 1] if position < end else ""
        if label.word:
            # "Section 4.2 of this Agreement applies" is a sentence that begins with a reference.
            if label.word in ATTACHMENT and end - label.start > 200 and not self._has_title(label, end):
                return False
            closed = text[label.end - 1] in ".:)"
            return not following or following.isupper() or following in '-\u2013\u2014:."\u201c([' or closed
        distance = self._numbers.place(label, text).distance
        if label.path:
            if label.doubt:
                return distance == 1 and (label.doubt == 1 or strong)
            return distance == 1 or not (following.islower() or following in "%,")
        if label.printed.startswith("("):
            return True
        # "A. Smith" is a name, "I. Introduction" is not.
        return distance == 1 and following != ""

    def _next(self, content: int, end: int) -> Label | None:
        """Return the next number within a block at which a clause begins."""
        return next(
            (label for label in labels.inline(self._text, content, end) if self._begins_within(label, content, end)),
            None,
        )

    def _begins_within(self, label: Label, content: int, end: int) -> bool:
        text = self._text
        position = _after_space(text, label.end, end)
        following = text[position] if position < end else ""
        before = text[max(content, label.start - _TAIL) : label.start]
        if _REFERENCE.search(before) or not (following or label.word):
            return False
        place = self._numbers.place(label, text)
        ended = _ITEM_END.search(before) is not None
        if not before.strip():
            # Right after another number, only the first of a list.
            return label.printed.startswith("(") and place.value == 1
        if label.word:
            if ended and place.distance and _CAPITALS.match(text, position, end):
                return True
            heads = ended or headings.is_caps(before.strip()[-20:])
            return place.distance == 1 and heads and (following.isupper() or following in '-\u2013\u2014:"\u201c')
        if not label.path:
            if place.value == 1:
                titled = headings.is_title(text[content : label.start]) or self._tail(content, label) < label.start
                return titled or _LIST_OPENS.search(before) is not None
            return ended and 1 <= place.distance <= 2
        if following.islower() or following in "%,)" or text[label.start - 1] == "(":
            return False
        if label.doubt > 1:
            return False
        if ended and not label.doubt:
            return 1 <= place.distance <= _FURTHEST
        between = text[content : label.start].strip()
        titled = headings.is_title(between) or (len(label.path) == 1 and self._tail(content, label) < label.start)
        return place.distance == 1 and titled

    def _tail(self, content: int, label: Label) -> int:
        """Return where the heading begins that the text before a number ends with; the number's start if it has none.

        Flattened texts have "... as follows: Formation 1. By this Agreement ...".
        """
        stop = label.start
        begin = max(content, stop - _TAIL)
        window = self._text[begin:stop].rstrip()
        ends = list(_SENTENCE_END.finditer(window))
        if not ends:
            return stop
        tail = window[ends[-1].end() :]
        plain = len(tail.split()) <= 6 and "," not in tail and not any(character.isdigit() for character in tail)
        # "In this Agreement: (a) ..." opens a list.
        heads = headings.is_caps(tail) or (not tail.endswith(":") and bool(label.path or label.word))
        return begin + ends[-1].end() if plain and heads and headings.is_title(tail) else stop

    def _item_follows(self, label: Label) -> bool:
        """Return whether the next block has the number that counts on from this one: a heading has text below it."""
        following = self._following
        if following is None or following.kind != "text" or following.level:
            return False
        other = labels.at(self._text, following.start, following.end)
        if other is None:
            return False
        last = self._numbers.open[-1]
        if label.path and other.path[:-1] != label.path[:-1]:
            return False
        return any(style == last.style and value == last.value + 1 for style, value in other.values)

    def _is_plain(self, block: Block) -> bool:
        """Return whether a block is text without a number of its own, that may belong to one that stands alone."""
        if block.kind not in ("text", "heading") or block.level or block.label or block.speaker:
            return False
        label = labels.at(self._text, block.start, block.end)
        return label is None or not self._begins_block(label, block.end)

    # Titles

    def _looks_like_heading(self, block: Block) -> bool:
        text = self._text[block.start : block.end]
        if block.depth or text[0].isdigit() or "\t" in text or not self._is_title(block):
            return False
        caps = headings.is_caps(text) and not self._sets_apart
        return caps or block.strong or (block.kind == "heading" and not self._declares)

    def _is_title(self, block: Block) -> bool:
        return headings.is_title(self._text[block.start : block.end], strong=block.strong)

    def _titles_number(self, block: Block) -> bool:
        """Return whether a block is the title of the number that stands in the block before it."""
        return self._untitled is not None and headings.is_title(self._text[block.start : block.end])

    def _has_title(self, label: Label, end: int) -> bool:
        start = _after_space(self._text, label.end, max(end, label.end))
        return start < end and self._title(label, start, end, False) is not None

    def _title(self, label: Label, start: int, end: int, strong: bool) -> int | None:
        """Return where the title ends that follows a number; None if none follows."""
        text = self._text
        if label.word and (punctuation := _TITLE_PUNCTUATION.match(text, start, end)) is not None:
            start = punctuation.end()
        if start >= end:
            return None
        if end - start <= _TITLE and headings.is_title(text[start:end], strong=strong, numbered=True):
            return end
        title_end = headings.run_in(text, start, end)
        return headings.before_sentence(text, start, end) if title_end is None and label.word else title_end

    def _opens_document(self, label: Label) -> bool:
        """Return whether `Exhibit 10.1` is the number that the whole document is filed under."""
        return label.word == "exhibit" and all(clause.kind == "furniture" for clause in self._clauses)

    # What is written

    def _enter(self, label: Label, block: Block, depth: int) -> None:
        """Open a number."""
        place = self._numbers.place(label, self._text, titled=self._has_title(label, block.end), depth=depth)
        self._close(place.kept)
        self._numbers.open.append(Open(place.style, place.value, label.path, label.word, depth=depth, size=block.size))

    def _close(self, kept: int) -> None:
        """Close all but the first so many of what is open."""
        for entry in self._numbers.open[kept:]:
            if entry.section is not None:
                section = self._sections[entry.section]
                section.end = max(self._end, section.end)
        del self._numbers.open[kept:]

    def _section(self, start: int, end: int, label: Label | None, title_start: int, title_end: int) -> _Section:
        """Begin a section at what was opened last. Its heading is from `start` to `end`."""
        level = 1 + sum(entry.section is not None for entry in self._numbers.open)
        # What is attached is known by its word: "Exhibit A", "Schedule 2: Prices".
        title = self._text[start if label is not None and label.word in ATTACHMENT else title_start : title_end]
        self._numbers.open[-1].section = len(self._sections)
        section = _Section(start, end, _title_text(title), label.printed if label else "", level, (start, end))
        self._sections.append(section)
        return section

    def _clause(
        self,
        start: int,
        end: int,
        label: Label | None = None,
        kind: Kind = "text",
        prefix: str = "",
        speaker: str = "",
    ) -> None:
        """Write a clause; one that is too long, as several, of which the first has the number."""
        titles = tuple(self._sections[entry.section].title for entry in self._numbers.open if entry.section is not None)
        number = prefix + label.printed if label is not None else ""
        for piece_start, piece_end in cut(self._text, start, end) if kind == "text" else ((start, end),):
            self._clauses.append(
                Clause(start=piece_start, end=piece_end, kind=kind, number=number, section=titles, speaker=speaker)
            )
            number = ""
        self._end = end


def _after_space(text: str, position: int, end: int) -> int:
    match = _SPACE.match(text, position, end)
    return match.end() if match is not None else position


def _trimmed(text: str, start: int, end: int) -> int:
    return start + len(text[start:end].rstrip())


def _title_text(text: str) -> str:
    return " ".join(text.split()).strip(" .:-\u2013\u2014\t")
