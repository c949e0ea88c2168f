"""Where sentences end, and how a paragraph that is too long for one clause is cut at such places."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Final

from segue.activities.documents.structure.words import words

__all__ = ["LONGEST", "cut", "sentences"]

LONGEST: Final = 1600
"""Longest paragraph that stays one clause."""

_SHORTEST: Final = 500
_LONG: Final = 1200

_END: Final = re.compile(r"[.?!][\"\u201d\u2019')\]]*\s+(?=[\"\u201c\u2018'(\[]*[A-Z0-9\u2022])")
# The word before a point: one letter, the number of a clause, or an abbreviation ends no sentence.
_BEFORE: Final = re.compile(r"(?:(?<=[\s(\[\"\u201c])|^)(?:[A-Za-z]|\d{1,2}|\d[\d.]*\.\d{1,2}|[\w.]{2,5})$")
_ABBREVIATIONS: Final = words(
    "no nos inc co corp ltd mr ms mrs dr st jr sr sec secs art arts vs e.g i.e al cf fig approx dept est hon prof rev"
)
_LOOK_BACK: Final = 12


def sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of each sentence of a span, without the white space around it."""
    begin = start
    for match in _END.finditer(text, start, end):
        if text[match.start()] == "." and _abbreviates(text, max(begin, match.start() - _LOOK_BACK), match.start()):
            continue
        yield begin, begin + len(text[begin : match.end()].rstrip())
        begin = match.end()
    if begin < end:
        yield begin, end


def _abbreviates(text: str, start: int, point: int) -> bool:
    """Return whether a point belongs to the word before it."""
    match = _BEFORE.search(text, start, point)
    if match is None:
        return False
    word = match[0]
    return len(word) == 1 or word[0].isdigit() or word.lower() in _ABBREVIATIONS


def cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the pieces of a paragraph: itself, or if it is too long, its sentences in groups.

    Where a group ends depends on the sentence that it ends with: a sentence put in or taken out moves only the cuts
    beside it, and two versions of a document stay comparable.
    """
    if end - start <= LONGEST:
        yield start, end
        return
    begin, last = start, start
    for sentence_start, sentence_end in sentences(text, start, end):
        if begin < sentence_start and sentence_end - begin > LONGEST:
            yield begin, last
            begin = sentence_start
        last = sentence_end
        length = sentence_end - begin
        if length >= _LONG or (length >= _SHORTEST and _ends_group(text[sentence_start:sentence_end])):
            yield begin, sentence_end
            begin = _after_space(text, sentence_end, end)
    if begin < end:
        yield begin, end


def _ends_group(sentence: str) -> bool:
    return zlib.crc32(" ".join(sentence.split()).encode()) % 3 == 0


def _after_space(text: str, position: int, end: int) -> int:
    while position < end and text[position].isspace():
        position += 1
    return position
