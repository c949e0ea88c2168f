"""Reasons as a history may hold them: short, and without a run of words out of a document or a draft.

    told("the draft says 'the fee is due on the first of each month'", draft)
    # "the draft says '[…] month'"

What a model says about a text likes to repeat it. A history holds no texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["MAXIMUM_CHARACTERS", "MAXIMUM_QUOTED_WORDS", "told"]

MAXIMUM_CHARACTERS: Final = 300
"""Longest reason."""

MAXIMUM_QUOTED_WORDS: Final = 5
"""Most words in a row that a reason may have in common with a text."""

_WORD: Final = re.compile(r"\w+")


def told(reason: str, *texts: str) -> str:
    """Return a reason on one line, with what it repeats of the texts left out."""
    line = " ".join(reason.split())[: 4 * MAXIMUM_CHARACTERS]
    found = list(_WORD.finditer(line))
    length = MAXIMUM_QUOTED_WORDS + 1
    if len(found) >= length:
        runs = [
            " ".join(word.group().lower() for word in found[at : at + length]) for at in range(len(found) - length + 1)
        ]
        wanted = set(runs)
        there = {run for text in texts for run in _runs(text, length) if run in wanted}
        repeated = [False] * len(found)
        for at, run in enumerate(runs):
            if run in there:
                repeated[at : at + length] = [True] * length
        for at in reversed(range(len(found))):
            if repeated[at] and (at == 0 or not repeated[at - 1]):
                end = at
                while end + 1 < len(found) and repeated[end + 1]:
                    end += 1
                line = f"{line[: found[at].start()]}[…]{line[found[end].end() :]}"
    return line if len(line) <= MAXIMUM_CHARACTERS else f"{line[: MAXIMUM_CHARACTERS - 1]}…"


def _runs(text: str, length: int) -> Iterable[str]:
    words = [word.lower() for word in _WORD.findall(text)]
    return (" ".join(words[at : at + length]) for at in range(len(words) - length + 1))
