"""Words by what they mean rather than how they are written, as far as rules can tell: for overlap, not for display.

terms("Either party may terminate upon thirty days' notice.")   # ['party', 'terminat', '30', 'day', 'notic']
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["denies", "exceptions", "names", "terms"]

_WORD: Final = re.compile(r"\d[\d,.]*\d|\d|[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_DENIAL: Final = re.compile(r"\b(?:not|no|never|none|neither|nor|cannot|\w+n['\u2019]t)\b", re.IGNORECASE)
_EXCEPTION: Final = re.compile(
    r"\b(?:without|except\w*|unless|exclud\w*|prohibit\w*|forbid\w*|refus\w*|deny|denies|denied|fail\w*|lacks?)\b",
    re.IGNORECASE,
)
# What begins with a capital in the middle of a sentence.
_NAME: Final = re.compile(r"(?<=[\w,;:)\u2019'\"”] )[A-Z][\w&.\-]*(?: [A-Z][\w&.\-]*)*")

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
_IRREGULAR: Final[dict[str, str]] = {
    "paid": "pay",
    "made": "make",
    "given": "give",
    "gave": "give",
    "held": "hold",
    "sold": "sell",
    "bought": "buy",
    "began": "begin",
    "begun": "begin",
    "sent": "send",
    "lent": "lend",
    "spent": "spend",
    "kept": "keep",
    "known": "know",
    "shown": "show",
    "written": "write",
    "wrote": "write",
    "rose": "rise",
    "risen": "rise",
    "fell": "fall",
    "fallen": "fall",
    "grew": "grow",
    "grown": "grow",
}
_ENDINGS: Final = ("ations", "ation", "ments", "ment", "ings", "ing", "ies", "ied", "ers", "ed", "es", "er", "ly", "s")


def terms(text: str) -> list[str]:
    """Return the words of a text that carry its meaning, in order, each by its stem; numbers as digits."""
    found: list[str] = []
    for word in _WORD.findall(_folded(text)):
        plain = re.sub(r"['\u2019].*", "", word)
        if _STOPWORDS.fullmatch(plain):
            continue
        found.append(_NUMBERS.get(plain) or _stem(_IRREGULAR.get(plain, plain)))
    return [term for term in found if term]


def denies(text: str) -> bool:
    """Return whether a text says that something is not so."""
    return _DENIAL.search(text) is not None


def exceptions(text: str) -> set[str]:
    """Return the words by which a text forbids or excepts something without denying it."""
    return {word.lower() for word in _EXCEPTION.findall(text)}


def names(text: str) -> list[str]:
    """Return the names in a text, as far as capitals tell: the first word of a sentence tells nothing."""
    return _NAME.findall(text)


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.lower())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _stem(word: str) -> str:
    if word[0].isdigit():
        whole, point, fraction = word.replace(",", "").partition(".")
        return whole + (point + fraction.rstrip("0") if fraction.rstrip("0") else "")
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word[: -len(ending)]
            break
    # "terminate" and "terminating", "notice" and "noticed".
    return word[:-1] if len(word) > 4 and word[-1] in "ey" else word
