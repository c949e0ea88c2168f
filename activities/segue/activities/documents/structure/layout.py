"""Plain text taken apart into blocks by its look alone: blank lines, indents, widths, wide spaces, bullets.

    blocks = layout.blocks(text)

The text is not changed. Three habits are known, and may be mixed in one file: hard-wrapped lines, one line a paragraph,
and whole pages in one line with wide spaces, or nothing at all, where lines ended (as in texts out of PDF files).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from segue.activities.documents.structure import headings, labels, marks
from segue.activities.documents.structure.blocks import Block

__all__ = ["blocks"]

_WRAPPED_FROM: Final = 40
_WRAPPED_TO: Final = 140
_ROW: Final = 200
_CELL: Final = 60
_LONG: Final = 150
_FLAT: Final = 400

_SENTENCE_END: Final = re.compile(r"[.:;?!][\"\u201d\u2019')\]]*$")
# What a number at the start of the next line belongs to.
_REFERENCE: Final = re.compile(
    r"\b(?:sections?|articles?|clauses?|paragraphs?|exhibits?|schedules?|rules?|no\.|\u00a7+|and|or|of|in|to|under|through"
    r"|by|with|the|than|least|within|is|are|for|at|from)\s*$|[,(]$",
    re.IGNORECASE,
)
_WIDE: Final = re.compile(r"[ \t\u00a0]{3,}")
_CELLS: Final = re.compile(r"\t+| {3,}|\s\|\s")
_NUMBER_ENDS: Final = re.compile(r"\s\(?[A-Za-z0-9]{1,4}[.)]$")
_SPREAD: Final = re.compile(r"[a-z,] {2,3}[a-z(\"]")
_BULLETS: Final = re.compile(r"(?<=\s)[●•▪◦‣■□◆❖➢✓](?=\s*\w)")
_TRAILING_PAGE: Final = re.compile(
    r"\s+(Page\s+\d{1,4}(?:\s+of\s+\d{1,4})?|[-\u2013]\s?\d{1,3}\s?[-\u2013])\s*$"
    r"|[ \t\u00a0]{3,}(\d{1,3}|[ivx]{1,5})\s*$",
    re.IGNORECASE,
)


class _Line(NamedTuple):
    start: int
    end: int
    indent: int


def blocks(text: str) -> list[Block]:
    """Return the blocks of a text."""
    groups = list(_groups(text))
    width = _width(groups)
    found: list[Block] = []
    for group in groups:
        for start, end in _paragraphs(text, group, width):
            found.extend(_apart(text, start, end))
    marks.mark_repeated(text, found)
    return found


def _groups(text: str) -> Iterator[list[_Line]]:
    """Yield the lines that no blank line stands between."""
    group: list[_Line] = []
    position = 0
    for line in text.split("\n"):
        stripped = line.strip()
        if stripped:
            indent = len(line) - len(line.lstrip())
            group.append(_Line(position + indent, position + indent + len(stripped), indent))
        elif group:
            yield group
            group = []
        position += len(line) + 1
    if group:
        yield group


def _width(groups: list[list[_Line]]) -> int:
    """Return how wide lines are where they are hard-wrapped; 0 for a text whose lines are not."""
    inner = [line.indent + line.end - line.start for group in groups for line in group[:-1]]
    inner = sorted(length for length in inner if length >= _WRAPPED_FROM)
    if len(inner) < 3:
        return 0
    width = inner[int(len(inner) * 0.9)]
    full = sum(0.75 * width <= length <= 1.1 * width for length in inner)
    return width if width <= _WRAPPED_TO and full >= 0.5 * len(inner) else 0


def _paragraphs(text: str, group: list[_Line], width: int) -> Iterator[tuple[int, int]]:
    """Yield the paragraphs among lines that no blank line stands between."""
    start = group[0].start
    margin = min(line.indent for line in group)
    for line, following in itertools.pairwise(group):
        if not _goes_on(text, line, following, width, margin):
            yield start, line.end
            start = following.start
    yield start, group[-1].end


def _goes_on(text: str, line: _Line, following: _Line, width: int, margin: int) -> bool:
    """Return whether a paragraph goes on in the next line."""
    before, after = text[line.start : line.end], text[following.start : following.end]
    if labels.BULLET.match(after) or marks.SPEAKER.match(after):
        return False
    if len(after) < _ROW and _CELLS.search(after) and _CELLS.search(before):
        return False
    number = labels.at(after, 0) is not None
    if number and not _REFERENCE.search(before):
        return False
    if marks.is_page_number(before) or marks.is_page_number(after):
        return False
    if before.endswith(("-", "\u00ad")) and after[0].islower():
        return True
    ended = _SENTENCE_END.search(before) is not None
    if number:
        return True
    if not width:
        # Long text in capitals, such as a disclaimer, has no small letters to go on with.
        capitals = len(before) >= _WRAPPED_FROM and headings.is_caps(before) and headings.is_caps(after)
        return not ended and (after[0].islower() or capitals)
    if headings.is_title(before) and headings.is_caps(before) != headings.is_caps(after):
        return False
    if after[0].islower():
        return True
    if ended and following.indent >= line.indent + 2 and following.indent > margin:
        return False
    # If the next word would have fitted, the writer ended the line here.
    length = line.indent + line.end - line.start
    return length + 1 + len(after.split(None, 1)[0]) > 0.8 * width or (not ended and length > 0.6 * width)


def _apart(text: str, start: int, end: int) -> Iterator[Block]:
    """Yield the blocks of a paragraph that may be several, in a source that lost the ends of its lines."""
    page = _TRAILING_PAGE.search(text, max(start, end - 60), end)
    # A number alone may also be a table's last cell.
    if page is not None and page.start() > start and (page[1] or page.start() - start > _LONG):
        yield from _apart(text, start, start + len(text[start : page.start()].rstrip()))
        yield Block(*page.span(1 if page[1] else 2), "furniture")
        return
    content = text[start:end]
    begin, cuts = 0, list[re.Match[str]]()
    for gap in _WIDE.finditer(content):
        if _separates(content, begin, gap):
            cuts.append(gap)
            begin = gap.end()
    if not cuts and len(content) < _ROW and _is_row(content):
        yield Block(start, end, "row")
        return
    begin = 0
    for gap in cuts:
        yield from _flat(text, start + begin, start + gap.start())
        begin = gap.end()
    yield from _flat(text, start + begin, end)


def _is_row(content: str) -> bool:
    if "\n" in content:
        return False
    label = labels.at(content, 0)
    cells = _CELLS.split(content[label.end if label is not None else 0 :].strip())
    filled = [cell for cell in cells if any(character.isalnum() for character in cell)]
    # Where a cell begins with a small letter, or ends as a sentence does, the wide space was the end of a line.
    sentence = any(cell[0].islower() for cell in filled) or _SENTENCE_END.search(content)
    return len(filled) > 1 and not sentence and max(map(len, filled)) <= _CELL


def _separates(content: str, begin: int, gap: re.Match[str]) -> bool:
    """Return whether a wide space stands for the end of a paragraph that begins at `begin`."""
    before, after = content[max(begin, gap.start() - 300) : gap.start()].rstrip(), content[gap.end() : gap.end() + 100]
    if not before or not after or _is_number(before) or _NUMBER_ENDS.search(before):
        return False
    wide = gap.end() - gap.start()
    # Justified text is full of wide spaces.
    around = content[max(0, gap.start() - 300) : gap.end() + 300]
    if wide < 5 and len(_SPREAD.findall(around)) > len(around) / 80:
        return False
    if _SENTENCE_END.search(before) and not after[0].islower():
        return True
    if labels.at(after, 0) is not None and not _REFERENCE.search(before):
        return True
    return after[0].isupper() and len(content) >= _ROW and headings.is_title(before)


def _is_number(piece: str) -> bool:
    """Return whether a piece is only a number, whose text stands after the wide space."""
    label = labels.at(piece, 0)
    return label is not None and not label.word and not piece[label.end :].strip()


def _flat(text: str, start: int, end: int) -> Iterator[Block]:
    """Yield the blocks of running text: at bullets, and at headings in capitals between its sentences."""
    cuts = [(match.start(), match.start()) for match in _BULLETS.finditer(text, start + 1, end)]
    if end - start >= _FLAT:
        cuts.extend(headings.within(text, start, end))
    begin = start
    for first, last in sorted(cuts):
        if first < begin:
            continue
        yield from _block(text, begin, first)
        yield from _block(text, first, last)
        begin = last
    yield from _block(text, begin, end)


def _block(text: str, start: int, end: int) -> Iterator[Block]:
    content = text[start:end]
    stripped = content.strip()
    if stripped:
        start += len(content) - len(content.lstrip())
        yield Block(start, start + len(stripped))
