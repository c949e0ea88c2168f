"""Whether a text is English, which the rules' words are.

is_english("Der Mieter darf das Objekt nicht an andere untervermieten.")        # False; None if it says too little
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_english"]

_FUNCTION_WORDS: Final = frozenset(
    re.findall(
        r"\w+",
        "the this that these those any all each every of to by for with from within under upon into and or "
        "nor if unless not is are were be been has have had shall will may must it its they you their our "
        "your which who whose what when where there than such other either neither both",
    )
)
# A word or two of these stand in other languages too.
_LEAST: Final = 0.12
# Fewer words say nothing of a language.
_SAYING: Final = 6
_OTHER_SCRIPTS: Final = 0.3


def is_english(text: str) -> bool | None:
    """Return whether a text is English; None if it has too few words to tell."""
    letters = [letter for letter in text if letter.isalpha()]
    foreign = sum(not letter.isascii() and not "\u00c0" <= letter <= "\u024f" for letter in letters)
    if letters and foreign > _OTHER_SCRIPTS * len(letters):
        return False
    words = re.findall(r"[^\W\d_]+", text.casefold())
    if len(words) < _SAYING:
        return None
    return sum(word in _FUNCTION_WORDS for word in words) >= _LEAST * len(words)
