"""Lines on pages made into paragraphs: what a page's edges repeat is set aside, broken lines and words are joined.

reading = assembled([[Line("1. Fees", ...), ...], ...], warnings)
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import statistics
from collections import Counter, defaultdict
from typing import Final

from segue.activities.documents.structure import headings, labels, marks
from segue.activities.documents.structure.blocks import SEPARATOR, Block, Reading
from segue.activities.documents.structure.words import words

__all__ = ["Line", "assembled"]

_EDGE: Final = 3
_SENTENCE_END: Final = re.compile(r"[.:;?!][\"\u201d\u2019')\]]*$")
_HYPHENATED: Final = re.compile(r"([^\W\d_]{2,})[-\u2010]$")
_CONTINUED: Final = re.compile(r"([^\W\d_]+)")
_WORD: Final = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_KEEPS_HYPHEN: Final = words(
    "all anti co cross ex full half high inter long low mid multi non part post pre pro self semi short "
    "sub third up well"
)


@dataclasses.dataclass(slots=True)
class Line:
    """One line of a page, in points from the page's lower left corner.

    Attributes:
        text: With single spaces, not empty.
        left: Where it begins.
        right: Where it ends.
        bottom: Of its first character.
        top: Of its first character.
        bold: Whether it is bold throughout.
        page: Index of its page.
        furniture: Whether the pages repeat it.
    """

    text: str
    left: float
    right: float
    bottom: float
    top: float
    bold: bool
    page: int = 0
    furniture: bool = False

    @property
    def height(self) -> float:
        """Height of its first character."""
        return self.top - self.bottom


def assembled(pages: list[list[Line]], warnings: list[str]) -> Reading:
    """Return one text of the lines of all pages, its blocks, and where each page begins."""
    for index, lines in enumerate(pages):
        for line in lines:
            line.page = index
    kept = _without_furniture(pages)
    body = _typical([line.height for line in kept])
    leading = _leading(kept, body)
    rights = [_right(lines) for lines in pages]
    vocabulary = Counter(word for line in kept for word in _WORD.findall(line.text.lower()))
    paragraphs: list[list[Line]] = []
    for line in kept:
        if (
            paragraphs
            and not line.furniture
            and not paragraphs[-1][-1].furniture
            and _goes_on(paragraphs[-1], line, leading, rights)
        ):
            paragraphs[-1].append(line)
        else:
            paragraphs.append([line])
    return _written(paragraphs, len(pages), body, vocabulary, warnings)


def _without_furniture(pages: list[list[Line]]) -> list[Line]:
    """Return the lines in order, without page numbers, and of what pages repeat only the first or the last copy."""
    edges: dict[tuple[str, bool], list[Line]] = defaultdict(list)
    numbers: list[Line] = []
    for lines in pages:
        by_height = sorted(lines, key=lambda line: -line.top)
        upper = by_height[:_EDGE]
        for line in upper + [line for line in by_height[-_EDGE:] if line not in upper]:
            at_top = line in upper and by_height.index(line) < len(by_height) / 2
            if marks.is_page_number(line.text):
                numbers.append(line)
            else:
                edges[marks.shape(line.text), at_top].append(line)
    dropped: set[int] = set()
    if len({line.page for line in numbers}) >= 2 and len({line.text for line in numbers}) >= 2:
        middle = statistics.median(line.bottom for line in numbers)
        dropped.update(id(line) for line in numbers if abs(line.bottom - middle) < 12 or len(numbers) < 4)
    for (_, at_top), lines in edges.items():
        middle = statistics.median(line.bottom for line in lines)
        same = [line for line in lines if abs(line.bottom - middle) < 6]
        if len({line.page for line in same}) < min(3, max(2, len(pages))):
            continue
        copy = same[0] if at_top else same[-1]
        copy.furniture = True
        dropped.update(id(line) for line in same if line is not copy)
    return [line for lines in pages for line in lines if id(line) not in dropped]


def _typical(values: list[float]) -> float:
    return statistics.median(values) if values else 0.0


def _leading(lines: list[Line], body: float) -> float:
    """Return how far one line of a paragraph usually stands below another."""
    steps = [
        round(before.bottom - line.bottom, 1)
        for before, line in itertools.pairwise(lines)
        if before.page == line.page and 0 < before.bottom - line.bottom < 3 * (body or 12)
    ]
    if not steps:
        return 1.2 * (body or 12)
    # The smallest step that is common: steps between paragraphs may be as many, but they are larger.
    counts = Counter(steps)
    common = [step for step, count in counts.items() if count >= 0.15 * len(steps)]
    return min(common) if common else statistics.median(steps)


def _right(lines: list[Line]) -> float:
    rights = sorted(line.right for line in lines if len(line.text) > 30)
    return rights[int(len(rights) * 0.9)] if rights else 0.0


def _goes_on(paragraph: list[Line], line: Line, leading: float, rights: list[float]) -> bool:
    """Return whether a paragraph goes on in a line."""
    before = paragraph[-1]
    text, last = line.text, before.text
    ended = _SENTENCE_END.search(last) is not None
    lower = text[0].islower()
    if labels.BULLET.match(text) or (labels.at(text, 0) is not None and (ended or not _refers(last, lower))):
        return False
    if before.bold != line.bold and not lower and ((before.bold and len(paragraph) == 1) or line.bold):
        return False
    if abs(before.height - line.height) > 0.12 * max(before.height, line.height):
        return False
    full = before.right >= 0.85 * rights[before.page] if rights[before.page] else True
    step = before.bottom - line.bottom
    if before.page != line.page or step < -2 or step > 10 * leading:
        # A new page or column: whether the sentence goes on is all there is to tell.
        return not ended and (lower or full)
    if step > 1.35 * leading:
        return False
    if abs(step) <= 2:
        return True
    if lower and not ended:
        return True
    if ended and line.left > before.left + 0.8 * line.height and len(paragraph) > 1:
        return False
    if not full:
        return not ended and headings.is_caps(last) and headings.is_caps(text)
    return True


def _refers(last: str, lower: bool) -> bool:
    """Return whether a number at the start of the next line belongs to the words before it."""
    return (
        lower
        or re.search(
            r"\b(?:sections?|articles?|clauses?|paragraphs?|exhibits?|schedules?|and|or|of|in|to|under|through|than|least|within"
            r"|the|for|by|at|is|page|no\.)$|[,(]$",
            last,
            re.IGNORECASE,
        )
        is not None
    )


def _written(
    paragraphs: list[list[Line]], count: int, body: float, vocabulary: Counter[str], warnings: list[str]
) -> Reading:
    parts: list[str] = []
    found: list[Block] = []
    starts: dict[int, int] = {}
    length = 0
    for paragraph in paragraphs:
        if parts:
            parts.append(SEPARATOR)
            length += len(SEPARATOR)
        start = length
        for index, line in enumerate(paragraph):
            starts.setdefault(line.page, length)
            text = line.text
            if index + 1 < len(paragraph):
                text = _joined(text, paragraph[index + 1].text, vocabulary)
            parts.append(text)
            length += len(text)
        strong = all(line.bold or line.height > 1.15 * body for line in paragraph)
        found.append(Block(start, length, "furniture" if paragraph[0].furniture else "text", strong=strong))
    begins: list[int] = []
    for index in reversed(range(count)):
        begins.append(starts.get(index, begins[-1] if begins else length))
    begins.reverse()
    if begins:
        begins[0] = 0
    return Reading("".join(parts), found, list(zip(begins, [*begins[1:], length], strict=True)), warnings)


def _joined(text: str, following: str, vocabulary: Counter[str]) -> str:
    """Return a line as it stands before the next one: with a space, or its last word whole again."""
    broken, rest = _HYPHENATED.search(text), _CONTINUED.match(following)
    if broken is None or rest is None:
        # "12-" and "30" are no word, and "non- and" is none either.
        return (
            text
            if text.endswith(("-", "\u2013", "\u2014", "/")) and not following.startswith(("and ", "or "))
            else f"{text} "
        )
    if not rest[1].islower() or rest[1] in ("and", "or"):
        return text if rest[1] not in ("and", "or") else f"{text} "
    first, second = broken[1].lower(), rest[1].lower()
    whole, hyphenated = vocabulary[first + second], vocabulary[f"{first}-{second}"]
    keeps = hyphenated > whole or (not whole and first in _KEEPS_HYPHEN)
    return text if keeps else text[:-1]
