"""Plain text taken apart into blocks by its look alone: blank lines, indents, widths, wide spaces, speakers, bullets.

    blocks = layout.blocks(text)

The text is not changed. Three habits are known, and may be mixed in one file: hard-wrapped lines, one line a paragraph,
and whole pages in one line with wide spaces, or nothing at all, where lines ended (texts taken out of PDF files).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from segue.activities.documents.structure import headings, labels
from segue.activities.documents.structure.blocks import Block

__all__ = ["blocks", "is_contents", "is_page_number", "shape"]

_WRAPPED_FROM: Final = 40
_WRAPPED_TO: Final = 140
_SENTENCE_END: Final = re.compile(r"[.:;?!][\"\u201d\u2019')\]]*$")
_SPEAKER: Final = re.compile(
    r"(?:Speaker\s+\d{1,3}|[A-Z][\w.'\u2019-]*(?:\s+[A-Z][\w.'\u2019-]*){0,4}(?:\s+[-\u2013\u2014]{1,2}\s+[^:\n]{2,60})?):\s+(?=\S)"
)
_REFERENCE: Final = re.compile(
    r"\b(?:sections?|articles?|clauses?|paragraphs?|exhibits?|schedules?|rules?|no\.|§+|and|or|of|in|to|under|through|by"
    r"|with|the|than|least|within|is|are|for|at|from)\s*$|[,(]$",
    re.IGNORECASE,
)
_WIDE: Final = re.compile(r"[ \t\u00a0]{3,}")
_CELLS: Final = re.compile(r"\t+| {3,}|\s\|\s")
_PAGE_NUMBER: Final = re.compile(
    r"[-\u2013\u2014\[(\s]*(?:page\s*)?(?:[A-Z]{1,2}-)?(?:\d{1,4}|[ivxl]{1,7})(?:\s*(?:of|/)\s*\d{1,4})?[-\u2013\u2014\])\s]*",
    re.IGNORECASE,
)
_PAGE_OF: Final = re.compile(r"\s+(Page\s+\d{1,4}\s+of\s+\d{1,4}|-\s?\d{1,3}\s?-)\s*$", re.IGNORECASE)
_LEADER: Final = re.compile(r"(?:\.\s?){4,}\s*(?:[A-Z]{0,2}-?\d{1,4}|[ivxl]+)?\s*$")
_DIGITS: Final = re.compile(r"\d+")


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
    _mark_furniture(text, found)
    _mark_contents(text, found)
    _mark_speakers(text, found)
    return found


def shape(text: str) -> str:
    """Return a line as running headers and footers are compared: without its numbers and its spacing."""
    return _DIGITS.sub("#", " ".join(text.split())).lower()


def is_page_number(text: str) -> bool:
    """Return whether a line is nothing but the number of a page."""
    return any(letter.isalnum() for letter in text) and _PAGE_NUMBER.fullmatch(text) is not None


def is_contents(text: str) -> bool:
    """Return whether a line is an entry of a table of contents: whether dots lead to its end."""
    return len(text) < 400 and _LEADER.search(text) is not None


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
    inner = [length for length in inner if length >= _WRAPPED_FROM]
    if len(inner) < 3:
        return 0
    inner.sort()
    width = inner[int(len(inner) * 0.9)]
    full = sum(0.75 * width <= length <= 1.1 * width for length in inner)
    return width if width <= _WRAPPED_TO and full >= 0.5 * len(inner) else 0


def _paragraphs(text: str, group: list[_Line], width: int) -> Iterator[tuple[int, int]]:
    """Yield the paragraphs among lines that no blank line stands between."""
    start = group[0].start
    for line, following in zip(group, group[1:], strict=False):
        if not _goes_on(text, line, following, width, group):
            yield start, line.end
            start = following.start
    yield start, group[-1].end


def _goes_on(text: str, line: _Line, following: _Line, width: int, group: list[_Line]) -> bool:
    """Return whether a paragraph goes on in the next line."""
    before, after = text[line.start : line.end], text[following.start : following.end]
    if labels.BULLET.match(after) or (_SPEAKER.match(after) and _SPEAKER.match(before)):
        return False
    if _CELLS.search(after) and _CELLS.search(before) and len(after) < 200:
        return False
    if labels.at(after, 0) is not None and not _REFERENCE.search(before):
        return False
    if is_page_number(before) or is_page_number(after):
        return False
    if before.endswith(("-", "\u00ad")) and after[0].islower():
        return True
    ended = _SENTENCE_END.search(before) is not None
    if not width:
        return after[0].islower() and not ended
    if headings.is_title(before) and headings.is_caps(before) != headings.is_caps(after):
        return False
    if after[0].islower():
        return True
    if ended and following.indent >= line.indent + 2 and following.indent > min(other.indent for other in group):
        return False
    length = line.indent + line.end - line.start
    # The next word would have fitted: the writer ended the line here.
    return length + 1 + len(after.split(None, 1)[0]) > 0.8 * width or (not ended and length > 0.6 * width)


def _apart(text: str, start: int, end: int) -> Iterator[Block]:
    """Yield the blocks of a paragraph that is several, with wide spaces between."""
    if (page := _PAGE_OF.search(text, start, end)) is not None and page.start() > start:
        yield from _apart(text, start, page.start())
        yield Block(page.start(1), page.end(1), "furniture")
        return
    content = text[start:end]
    gaps = list(_WIDE.finditer(content))
    if gaps and len(content) < 200 and not any(_separates(content, gap, sure=True) for gap in gaps):
        label = labels.at(content, 0)
        cells = [cell for cell in _CELLS.split(content[label.end if label is not None else 0 :]) if cell.strip()]
        if len(cells) > 1:
            yield Block(start, end, "row")
            return
    begin = 0
    for gap in gaps:
        if "\n" not in gap[0] and _separates(
            content[begin:], re.compile(re.escape(gap[0])).match(content[begin:], gap.start() - begin), sure=False
        ):
            yield Block(start + begin, start + gap.start())
            begin = gap.end()
    yield Block(start + begin, end)


def _separates(content: str, gap: re.Match[str] | None, *, sure: bool) -> bool:
    """Return whether a wide space stands for the end of a paragraph."""
    if gap is None:
        return False
    before, after = content[: gap.start()].rstrip(), content[gap.end() :]
    if not before or not after:
        return False
    first = labels.at(before, 0)
    if first is not None and not before[first.end :].strip():
        return False
    if _SENTENCE_END.search(before) and not after[0].islower():
        return True
    if labels.at(after, 0) is not None and len(gap[0]) >= 3 and not _REFERENCE.search(before):
        return True
    if sure or not after[0].isupper():
        return False
    return len(gap[0]) >= 4 or headings.is_title(before)


def _mark_furniture(text: str, found: list[Block]) -> None:
    """Mark what is repeated as headers and footers are, and the numbers of pages."""
    short = [block for block in found if block.end - block.start <= 200]
    counts = Counter(shape(text[block.start : block.end]) for block in short)
    for block in short:
        content = text[block.start : block.end]
        if is_page_number(content) and "." not in content and ")" not in content.strip("()-\u2013 "):
            block.kind = "furniture"
        elif counts[shape(content)] >= 3 and len(content) > 5 and _repeats(content):
            block.kind = "furniture"


def _repeats(content: str) -> bool:
    # What is signed, filled in or numbered repeats itself too.
    return (
        labels.at(content, 0) is None
        and "__" not in content
        and not re.match(r"(?:by|name|title|date|its|signature)\b\s*:?", content, re.IGNORECASE)
    )


def _mark_contents(text: str, found: list[Block]) -> None:
    """Mark the entries of a table of contents."""
    for block in found:
        if block.kind == "text" and is_contents(text[block.start : block.end]):
            block.kind = "contents"


def _mark_speakers(text: str, found: list[Block]) -> None:
    """Set who speaks, if the text is a transcript: if many of its blocks begin with a name and a colon."""
    matches = [(block, _SPEAKER.match(text, block.start, block.end)) for block in found if block.kind == "text"]
    speaking = [(block, match) for block, match in matches if match is not None]
    names = Counter(match[0].rstrip().rstrip(":") for _, match in speaking)
    if len(speaking) < 4 or len(speaking) < 0.3 * len(matches) or len(names) > 0.6 * len(speaking):
        return
    speaker = ""
    for block, match in matches:
        if match is not None:
            speaker = match[0].rstrip().rstrip(":")
        block.speaker = speaker
