"""What a sentence cites: words of a source, and the rest of the sentences that they were cut from."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from segue.activities.support.prose import sentences

__all__ = ["Evidence", "quoted"]

# How far on each side of a quote its sentence is looked for.
_AROUND: Final = 600
# What a list item belongs to stands before the list: `The Supplier is not liable for:`.
_LEADS: Final = re.compile(r"(?:[:;,]|\b(?:and|or))\s*$")
_PARAGRAPH: Final = re.compile(r"\n[ \t]*\n")


class Evidence(NamedTuple):
    """Words that a sentence cites.

    Attributes:
        text: The words.
        before: What stands before them, from the beginning of their sentence.
        after: What stands behind them, to its end.
        source: Which document they are of: facts of several are not put together.
    """

    text: str
    before: str = ""
    after: str = ""
    source: str = ""


def quoted(text: str, start: int, end: int, *, source: str = "") -> Evidence:
    """Return words of a text as evidence, with what their sentences say before and behind them."""
    low, high = max(start - _AROUND, 0), min(end + _AROUND, len(text))
    while (gap := [one.span() for one in _PARAGRAPH.finditer(text, low, start)]) and gap[-1][1] > low:
        if not _LEADS.search(text[low : gap[-1][0]]):
            low = gap[-1][1]
            break
        text = text[: gap[-1][0]] + " " * (gap[-1][1] - gap[-1][0]) + text[gap[-1][1] :]
    window = text[low:high]
    first, last = start - low, end - low
    begin, finish = first, last
    for one, other in sentences(window):
        if one <= first < other:
            begin = min(begin, one)
        if one < last <= other:
            finish = max(finish, other)
    return Evidence(text[start:end], window[begin:first], window[last:finish], source)
