"""Words by what they mean rather than how they are written, as far as rules can tell: for overlap, not for display.

terms("Either party may terminate upon thirty days' notice.")   # ['party', 'terminat', '30', 'day', 'notic']
"""

from __future__ import annotations

import re
from typing import Final

from segue.activities.support.words import folded, stem

__all__ = ["terms"]

_WORD: Final = re.compile(r"\d[\d,.]*\d|\d|[^\W\d_]+(?:['\u2019][^\W\d_]+)?")

_STOPWORDS: Final = re.compile(
    r"a|an|the|and|or|but|if|of|to|in|on|at|by|for|from|with|as|is|are|was|were|be|been|being|it|its|this|that|these|"
    r"those|there|here|he|she|they|them|their|his|her|we|our|you|your|i|my|me|us|do|does|did|has|have|had|may|might|can|"
    r"could|shall|should|will|would|must|not|no|nor|so|than|then|such|any|all|each|every|some|which|who|whom|whose|what|"
    r"when|where|why|how|into|upon|under|over|out|up|down|about|after|before|between|during|also|either|neither|both|"
    r"other|same|own|only|very|more|most|per|via"
)
_ONES: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_TENS: Final = "thirty forty fifty sixty seventy eighty ninety hundred"
_NUMBERS: Final[dict[str, str]] = {word: str(number) for number, word in enumerate(_ONES.split())} | {
    word: str(10 * number) for number, word in enumerate(_TENS.split(), 3)
}


def terms(text: str) -> list[str]:
    """Return the words of a text that carry its meaning, in order, each by its stem; numbers as digits."""
    found: list[str] = []
    for word in _WORD.findall(folded(text)):
        plain = re.sub(r"['\u2019].*", "", word)
        if _STOPWORDS.fullmatch(plain):
            continue
        found.append(_NUMBERS.get(plain) or stem(plain))
    return [term for term in found if term]
