"""Text as words, sentences and paragraphs, each with its offsets, so that what is counted can be pointed at.

sentences("It rained. We stayed in.")      # [(0, 10), (11, 24)]
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["paragraphs", "sentences", "words"]

_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019.\-][^\W_]+)*")
_PARAGRAPH: Final = re.compile(r"\S(?:.*?\S)?(?=\s*(?:\n[ \t]*\n|\Z))", re.DOTALL)
_END: Final = re.compile(
    r"(?:^#{1,6}\s[^\n]*(?:\n|\Z)|[.!?…]+[\"'”\u2019)\]]*|[。\uff01\uff1f]|"
    r"\n[ \t]*\n|\n(?=[ \t]*(?:[-*•#|>]|\d+[.)]\s)))",
    re.MULTILINE,
)

# What ends in a full stop without ending a sentence: always, before a number, and before a small letter.
_TITLE: Final = re.compile(
    r"mr|mrs|ms|dr|prof|sr|jr|st|vs|approx|e\.g|i\.e|cf|jan|feb|aug|sept?|oct|nov", re.IGNORECASE
)
_NUMBERED: Final = re.compile(r"nos?|arts?|figs?|eqs?|secs?|vols?|pp?|paras?|cl|mar|apr|jun|jul|dec", re.IGNORECASE)
_SHORTENED: Final = re.compile(
    r"etc|inc|ltd|llc|corp|co|dept|est|eds?|al|a\.m|p\.m|(?:[A-Za-z]\.)+[A-Za-z]", re.IGNORECASE
)


def words(text: str) -> list[str]:
    """Return the words of a text: what stands between spaces and punctuation, numbers among them."""
    return _WORD.findall(text)


def sentences(text: str) -> list[tuple[int, int]]:
    """Return where each sentence stands, without the white space around it.

    A list's items and a heading are sentences of their own, as is what an empty line ends. Full stops of common
    abbreviations, initials and numbers end none.
    """
    found: list[tuple[int, int]] = []
    start = 0
    for match in _END.finditer(text):
        if match.end() < start or not _ends(text, match):
            continue
        found.extend(_trimmed(text, start, match.end()))
        start = match.end()
    found.extend(_trimmed(text, start, len(text)))
    return found


def paragraphs(text: str) -> list[tuple[int, int]]:
    """Return where each paragraph stands: what empty lines separate."""
    return [match.span() for match in _PARAGRAPH.finditer(text)]


def _ends(text: str, match: re.Match[str]) -> bool:
    """Whether what looks like a sentence's end is one."""
    if match.group()[0] in "\n#":
        return True
    after = text[match.end() : match.end() + 2]
    if after and not after[0].isspace() and match.group()[0] in ".!?…":
        return False
    if match.group() != ".":
        return True
    before = re.search(r"[\w.]+$", text[max(0, match.start() - 12) : match.start()])
    word, following = before.group() if before else "", text[match.end() :].lstrip()[:1]
    if not following:
        return True
    if _TITLE.fullmatch(word) or (len(word) == 1 and word.isupper()):
        return False
    if _NUMBERED.fullmatch(word) and following.isdigit():
        return False
    if _SHORTENED.fullmatch(word) and not following.isupper():
        return False
    # A number that opens a line numbers it.
    line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
    return not re.fullmatch(r"\s*(?:\d+|[A-Za-z])", line)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    piece = text[start:end]
    if stripped := piece.strip():
        begin = start + piece.index(stripped[0])
        yield begin, begin + len(stripped)
