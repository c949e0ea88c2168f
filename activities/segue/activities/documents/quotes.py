"""Where a quote stands in a document: the check behind each citation.

    span = documents.locate("the Term is one year", parsed)
    if span is None: ...                                    # the document does not say so

A quote is found if the document has it letter for letter, in the same case and with the same punctuation. Only these
differences are let pass, because extraction and models make them without changing what is said:

    white space          any run of it is one space; at the quote's ends it does not count
    quotation marks      straight, curly, low, angle and prime forms are one, single and double apart
    dashes and hyphens   all forms are one, and a run of them (`--`) is one dash
    ligatures            `ﬁ` is `fi`
    invisible marks      soft hyphens, zero-width spaces and joiners do not count
    hyphenation          `agree-` at the end of a line and `ment` at the start of the next are `agreement`, and may also
                         be `agree-ment`; so are `agree- ment`, as a line break leaves it when it becomes a space

Words are never joined or parted otherwise: `now here` is not `nowhere`. And a quote has whole words and numbers: `30
days` does not stand in `130 days`, nor `exclusive` in `non-exclusive`, nor `Section 2` in `Section 2.1`.
"""

from __future__ import annotations

import bisect
import functools
import re
from array import array
from collections.abc import Iterator
from typing import Final, NamedTuple

from segue.activities.documents.parsed import ParsedDocument
from segue.activities.documents.spans import Span

__all__ = ["locate", "locations"]

_SINGLE: Final = "\u2018\u2019\u201a\u201b\u2032\u2039\u203a`\u00b4\u02bc"
_DOUBLE: Final = "\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb\u301d\u301e"
_DASHES: Final = "\\-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_INVISIBLE: Final = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
_LIGATURES: Final = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
_PLAIN: Final = str.maketrans({**dict.fromkeys(_SINGLE, "'"), **dict.fromkeys(_DOUBLE, '"')})

# Runs of what counts; a ligature is a run of its own, because it has more letters than characters.
_RUN: Final = re.compile(rf"[ﬀ-ﬆ]|[^\s{_DASHES}{_INVISIBLE}ﬀ-ﬆ]+")
_DASH: Final = re.compile(rf"[{_DASHES}]+")
_INVISIBLES: Final = re.compile(rf"[{_INVISIBLE}]+")
# The letter to one side of a position, and what may stand between it and the next within a word or a number.
_HYPHENS: Final = "-\u2010\u2011"
_HOLDS: Final = rf"[{_HYPHENS}](?:[^\S\n]*\n\s*)?|[.,]|[{_INVISIBLE}]+|"
_GOES_TO: Final = re.compile(rf"(?P<letter>\w)(?P<between>{_HOLDS})\Z")
_COMES_FROM: Final = re.compile(rf"(?P<between>{_HOLDS})(?P<letter>\w)")
_AROUND: Final = 20
_WHITE: Final = re.compile(r"\s+")
_LINE: Final = re.compile(r"[\n\r\x0b\x0c\x85\u2028\u2029]")


def locate(quote: str, parsed: ParsedDocument, within: Span | None = None, *, whole_words: bool = True) -> Span | None:
    """Return where a quote first stands in a document, or in a part of it; None if it does not, or is empty.

    The span is the true one: it begins with the quote's first character and ends with its last. Without `whole_words`,
    it may begin and end within a word.
    """
    return next(locations(quote, parsed, within, whole_words=whole_words), None)


def locations(
    quote: str, parsed: ParsedDocument, within: Span | None = None, *, whole_words: bool = True
) -> Iterator[Span]:
    """Yield each place at which a quote stands in a document, in order."""
    needle = _squeezed(quote)
    if not needle.letters:
        return
    text = parsed.text
    haystack = _squeezed_text(text)
    low, high = (within.start, within.end) if within is not None else (0, len(text))
    wanted = _Gaps(needle, quote, 0, len(needle.letters), 0, len(quote))
    at = haystack.letters.find(needle.letters, haystack.position(low))
    while at >= 0:
        stop = at + len(needle.letters)
        start, end = haystack.original(at), haystack.original(stop - 1, last=True)
        if start >= high:
            return
        if start >= low and end <= high:
            span = _matched(wanted, haystack, text, at, stop, low, high)
            if span is not None and not (whole_words and (_is_cut(text, span.start) or _is_cut(text, span.end))):
                yield span
        at = haystack.letters.find(needle.letters, at + 1)


class _Squeezed(NamedTuple):
    """A text without white space, dashes and invisible marks, and where each of its runs was.

    Attributes:
        letters: What is left.
        positions: Where in `letters` each run begins.
        starts: Where in the text it begins.
        ends: Where in the text it ends.
    """

    letters: str
    positions: array[int]
    starts: array[int]
    ends: array[int]

    def original(self, index: int, *, last: bool = False) -> int:
        """Return where in the text a letter stands, or with `last`, where it ends."""
        run = bisect.bisect_right(self.positions, index) - 1
        start, end = self.starts[run], self.ends[run]
        following = self.positions[run + 1] if run + 1 < len(self.positions) else len(self.letters)
        if following - self.positions[run] != end - start:  # a ligature
            return end if last else start
        return start + index - self.positions[run] + last

    def position(self, offset: int) -> int:
        """Return the first letter at or after an offset of the text."""
        run = bisect.bisect_right(self.starts, offset) - 1
        if run < 0:
            return 0
        following = self.positions[run + 1] if run + 1 < len(self.positions) else len(self.letters)
        return min(self.positions[run] + offset - self.starts[run], following)


class _Gaps:
    """What stands between the letters of a stretch: by the letter after it, counted from the stretch's first.

    Attributes:
        between: Gaps within.
        before: Dashes right before the first letter.
        after: Dashes right after the last letter.
    """

    def __init__(self, squeezed: _Squeezed, text: str, at: int, stop: int, low: int, high: int) -> None:
        self.between: dict[int, str] = {}
        positions, starts, ends = squeezed.positions, squeezed.starts, squeezed.ends
        first = bisect.bisect_right(positions, at) - 1
        run = first + 1
        while run < len(positions) and positions[run] < stop:
            gap = text[ends[run - 1] : starts[run]]
            if gap:
                self.between[positions[run] - at] = gap
            run += 1
        start, end = squeezed.original(at), squeezed.original(stop - 1, last=True)
        self.start, self.end = start, end
        left = max(low, ends[first - 1] if first > 0 else 0) if positions[first] == at else start
        right = min(high, starts[run] if run < len(starts) else len(text))
        if stop < (positions[run] if run < len(positions) else len(squeezed.letters)):
            right = end
        self.before, self.after = text[left:start], text[end:right]


def _matched(wanted: _Gaps, haystack: _Squeezed, text: str, at: int, stop: int, low: int, high: int) -> Span | None:
    """Return the span of a stretch of the text with the quote's letters, if its gaps are the quote's too."""
    found = _Gaps(haystack, text, at, stop, low, high)
    if found.between != wanted.between:
        for index in found.between.keys() | wanted.between.keys():
            here, there = found.between.get(index, ""), wanted.between.get(index, "")
            if here != there and not _same(here, there, haystack.letters[at + index - 1], haystack.letters[at + index]):
                return None
    start, end = found.start, found.end
    # A quote may begin or end with a dash, which is no letter.
    if lead := _canonical(wanted.before).lstrip():
        start = _reached_back(lead, found.before, start)
    if trail := _canonical(wanted.after).rstrip():
        end = _reached_on(trail, found.after, end)
    return Span(start=start, end=end) if start >= 0 and end >= 0 else None


def _is_cut(text: str, position: int) -> bool:
    """Return whether a word or a number goes on through a position of a text."""
    before, after = text[max(0, position - _AROUND) : position], text[position : position + _AROUND]
    left, right = _GOES_TO.search(before), _COMES_FROM.match(after)
    if left is None or right is None:
        return False
    # The scripts from Thai on are written without spaces between words.
    if not (_in_word(left["letter"]) and _in_word(right["letter"])):
        return False
    held = left["between"] + right["between"]
    digits = left["letter"].isdigit() and right["letter"].isdigit()
    # "1,200" is one number, "2020-2021" is two.
    return digits if held in (".", ",") else not (digits and held and held[0] in _HYPHENS)


def _in_word(character: str) -> bool:
    return character.isalnum() and (character < "\u0e00" or character in _LIGATURES)


def _same(one: str, other: str, left: str, right: str) -> bool:
    return not _readings(one, left, right).isdisjoint(_readings(other, left, right))


def _canonical(gap: str) -> str:
    return _WHITE.sub(" ", _DASH.sub("-", _INVISIBLES.sub("", gap)))


@functools.lru_cache(maxsize=4096)
def _readings(gap: str, left: str, right: str) -> frozenset[str]:
    """Return what may stand for a gap between two letters."""
    plain = _canonical(gap)
    readings = {plain}
    broken = plain == "- " and (right.islower() or _LINE.search(gap) is not None)
    if left.isalpha() and right.isalpha() and (broken or (plain == " " and "\u00ad" in gap)):
        readings |= {"-", ""}
    return frozenset(readings)


def _reached_back(lead: str, before: str, start: int) -> int:
    """Return where a span begins whose quote has dashes in front; -1 if the text has not."""
    for length in range(1, len(before) + 1):
        if _canonical(before[-length:]) == lead and not before[-length].isspace():
            return start - length
    return -1


def _reached_on(trail: str, after: str, end: int) -> int:
    for length in range(1, len(after) + 1):
        if _canonical(after[:length]) == trail and not after[length - 1].isspace():
            return end + length
    return -1


# Checking the citations of one answer asks for the same few documents again and again.
@functools.lru_cache(maxsize=16)
def _squeezed_text(text: str) -> _Squeezed:
    return _squeezed(text)


def _squeezed(text: str) -> _Squeezed:
    runs: list[str] = []
    positions, starts, ends = array("q"), array("q"), array("q")
    position = 0
    for match in _RUN.finditer(text):
        run = match[0]
        run = _LIGATURES.get(run, run)
        runs.append(run)
        positions.append(position)
        starts.append(match.start())
        ends.append(match.end())
        position += len(run)
    return _Squeezed("".join(runs).translate(_PLAIN), positions, starts, ends)
