"""Where sentences end, and how a paragraph that is too long for one clause is cut at such places."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Final

__all__ = ["cut", "sentences"]

LONGEST: Final = 1600
"""Longest paragraph that stays one clause."""

_SHORTEST: Final = 500
_LONG: Final = 1200

# A point after a single letter or an abbreviation ends no sentence, and a lower-case letter begins none.
_END: Final = re.compile(
    r"(?<!\b[A-Z])(?<!\b[Nn]o)(?<!\bInc)(?<!\bCo)(?<!\bCorp)(?<!\bLtd)(?<!\bMr)(?<!\bMs)(?<!\bMrs)(?<!\bDr)(?<!\bSt)"
    r"(?<!\b[Ss]ec)(?<!\b[Aa]rt)(?<!\bvs)(?<!\be\.g)(?<!\bi\.e)(?<!\bet al)[.?!][\"\u201d\u2019')\]]*\s+(?=[\"\u201c\u2018'(\[]*[A-Z0-9•])"
)


def sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of each sentence of a span, without the white space around it."""
    begin = start
    for match in _END.finditer(text, start, end):
        yield begin, begin + len(text[begin : match.end()].rstrip())
        begin = match.end()
    if begin < end:
        yield begin, end


def cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the pieces of a paragraph: itself, or if it is too long, its sentences in groups.

    Where a group ends depends on the sentence that it ends with: a sentence put in or taken out moves only the cuts
    beside it, and two versions of a document stay comparable.
    """
    if end - start <= LONGEST:
        yield start, end
        return
    begin = last = start
    for sentence_start, sentence_end in sentences(text, start, end):
        if sentence_start > begin and sentence_end - begin > LONGEST:
            yield begin, last
            begin = sentence_start
        last = sentence_end
        length = sentence_end - begin
        if length >= _LONG or (length >= _SHORTEST and _ends_group(text[sentence_start:sentence_end])):
            yield begin, sentence_end
            begin = -1
        if begin < 0:
            begin = sentence_end
            while begin < end and text[begin].isspace():
                begin += 1
    if begin < end:
        yield begin, end


def _ends_group(sentence: str) -> bool:
    return zlib.crc32(" ".join(sentence.split()).encode()) % 3 == 0
