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

# How many lines at the edge of a page may be repeated, how far apart their copies may stand, and how many pages must
# agree on how they are counted.
_EDGE: Final = 3
_APART: Final = 6.0
_TALLER: Final = 1.12
_COUNTED: Final = 3
_NUMBER: Final = re.compile(r"(?<![\w.,])\d{1,4}(?![\w,]|\.\d)")
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
        bottom: Of its first character that is no bullet.
        top: The same.
        other: Height of its last character: a line may begin or end in another font than it is set in.
        bold: Whether it is bold throughout.
        page: Index of its page.
        furniture: Whether the pages repeat it.
    """

    text: str
    left: float
    right: float
    bottom: float
    top: float
    other: float
    bold: bool
    page: int = 0
    furniture: bool = False

    @property
    def height(self) -> float:
        """The greater of the heights at its ends."""
        return max(self.top - self.bottom, self.other)

    @property
    def least(self) -> float:
        """The lesser of the heights at its ends."""
        return min(self.top - self.bottom, self.other)


def assembled(pages: list[list[Line]], warnings: list[str]) -> Reading:
    """Return one text of the lines of all pages, its blocks, and where each page begins."""
    for index, lines in enumerate(pages):
        for line in lines:
            line.page = index
    kept = _without_furniture(pages)
    body = _typical([line.height for line in kept])
    leading = _leading(kept)
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
    for lines in pages:
        by_height = sorted(lines, key=lambda line: -line.top)
        upper, lower = by_height[:_EDGE], by_height[_EDGE:][-_EDGE:]
        for line in (*upper, *lower):
            edges[marks.shape(line.text), by_height.index(line) < len(by_height) / 2].append(line)
    counting = _counting(edges)
    dropped: set[int] = set()
    for (_, at_top), lines in edges.items():
        middle = statistics.median(line.bottom for line in lines)
        same = [line for line in lines if abs(line.bottom - middle) < _APART]
        if marks.is_page_number(lines[0].text):
            dropped.update(id(line) for line in lines if id(line) in counting)
            continue
        if len({line.page for line in same}) < min(3, max(2, len(pages))):
            same = [line for line in lines if id(line) in counting]
        if same:
            copy = same[0] if at_top else same[-1]
            copy.furniture = True
            dropped.update(id(line) for line in same if line is not copy)
    return [line for lines in pages for line in lines if id(line) not in dropped]


def _counting(edges: dict[tuple[str, bool], list[Line]]) -> set[int]:
    """Return the lines at the edges of pages whose first or last number counts the pages."""
    offsets: dict[int, list[Line]] = defaultdict(list)
    for line in itertools.chain.from_iterable(edges.values()):
        found = _NUMBER.findall(line.text)
        for number in {int(digits) for digits in (*found[:1], *found[-1:])}:
            offsets[number - line.page].append(line)
    counting: set[int] = set()
    for lines in offsets.values():
        # The first chapter may begin on the first page; but chapters do not all begin where pages are numbered.
        heights = Counter(round(line.bottom / _APART) for line in lines)
        for line in lines:
            near = sum(heights[round(line.bottom / _APART) + step] for step in (-1, 0, 1))
            number = marks.is_page_number(line.text)
            if near >= max(_COUNTED, 0.3 * len(lines)) or (number and near > 1):
                counting.add(id(line))
    return counting


def _typical(values: list[float]) -> float:
    return statistics.median(values) if values else 0.0


def _leading(lines: list[Line]) -> dict[int, float]:
    """Return how far one line of a paragraph usually stands below another, for each height of lines."""
    steps: dict[int, list[float]] = defaultdict(list)
    for before, line in itertools.pairwise(lines):
        step = before.bottom - line.bottom
        if before.page == line.page and 0 < step < 3 * line.height and round(before.height) == round(line.height):
            steps[round(line.height)].append(round(step, 1))
    found: dict[int, float] = {}
    for height, values in steps.items():
        # The smallest that is common: steps between paragraphs may be as many, but they are larger.
        counts = Counter(values)
        common = [step for step, count in counts.items() if count >= 0.15 * len(values)]
        found[height] = min(common) if common else statistics.median(values)
    return found


def _right(lines: list[Line]) -> float:
    rights = sorted(line.right for line in lines if len(line.text) > 30)
    return rights[int(len(rights) * 0.9)] if rights else 0.0


def _goes_on(paragraph: list[Line], line: Line, leadings: dict[int, float], rights: list[float]) -> bool:
    """Return whether a paragraph goes on in a line."""
    before = paragraph[-1]
    leading = leadings.get(round(line.height), 1.2 * line.height)
    text, last = line.text, before.text
    ended = _SENTENCE_END.search(last) is not None
    lower = text[0].islower()
    if labels.BULLET.match(text) or (labels.at(text, 0) is not None and (ended or not _refers(last, lower))):
        return False
    if before.bold != line.bold and not lower and ((before.bold and len(paragraph) == 1) or line.bold):
        return False
    if before.least > _TALLER * line.height or line.least > _TALLER * before.height:
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
        size = paragraph[0].height
        strong = all(line.bold or line.least > _TALLER * body for line in paragraph)
        found.append(Block(start, length, "furniture" if paragraph[0].furniture else "text", strong=strong, size=size))
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
    if rest[1] in ("and", "or"):
        return f"{text} "
    if not (rest[1].islower() or (rest[1].isupper() and broken[1].isupper())):
        return text
    first, second = broken[1].lower(), rest[1].lower()
    whole, hyphenated = vocabulary[first + second], vocabulary[f"{first}-{second}"]
    keeps = hyphenated > whole or (not whole and first in _KEEPS_HYPHEN)
    return text if keeps else text[:-1]
