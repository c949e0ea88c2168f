"""Numbers in words and in digits, as contracts and reports write them."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Final

__all__ = ["DIGITS", "ORDINAL_WORD", "WORD", "decimal_of", "ordinal_of", "words_of"]

_ONES: Final = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
    "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS: Final = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90
}  # fmt: skip
_ORDINALS: Final = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
    "tenth": 10, "eleventh": 11, "twelfth": 12, "thirteenth": 13, "fourteenth": 14, "fifteenth": 15, "sixteenth": 16,
    "seventeenth": 17, "eighteenth": 18, "nineteenth": 19, "twentieth": 20, "thirtieth": 30, "fortieth": 40,
    "fiftieth": 50,
}  # fmt: skip
_SCALES: Final = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}

_SMALL: Final = "|".join([*_TENS, *sorted(_ONES, key=len, reverse=True)])
WORD: Final = rf"(?:{_SMALL}|hundred)(?:(?:\s+and\s+|[\s-]+)(?:{_SMALL}|hundred)){{0,5}}"
"""A number below a thousand in words: `one hundred and twenty`, `twenty-four`."""

ORDINAL_WORD: Final = rf"(?:(?:twenty|thirty|forty)[\s-]+)?(?:{'|'.join(_ORDINALS)})"
"""An ordinal in words: `fifth`, `twenty-first`."""

DIGITS: Final = r"\d{1,3}(?:[,.'\u2019 ]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d+)?"
"""A number in digits, with thousands and decimals in either style."""


def words_of(text: str) -> int | None:
    """Return the number that words say; None if they say none."""
    total = current = 0
    found = False
    for word in re.split(r"[\s-]+", text.lower().strip()):
        if word in ("and", "a", ""):
            continue
        if word in _ONES or word in _TENS:
            current += _ONES.get(word, 0) + _TENS.get(word, 0)
        elif word == "hundred":
            current = max(current, 1) * 100
        elif word in _SCALES:
            total += max(current, 1) * _SCALES[word]
            current = 0
        else:
            return None
        found = True
    return total + current if found else None


def ordinal_of(text: str) -> int | None:
    """Return the number of an ordinal in words or digits: `fifth`, `twenty-first`, `12th`."""
    text = text.lower().strip()
    if match := re.match(r"\d+", text):
        return int(match[0])
    *tens, last = re.split(r"[\s-]+", text)
    if last not in _ORDINALS or len(tens) > 1 or (tens and tens[0] not in _TENS):
        return None
    return _ORDINALS[last] + (_TENS[tens[0]] if tens else 0)


def decimal_of(text: str) -> Decimal | None:
    """Return the number that digits say, with thousands and decimals in either style.

    Of one separator, three digits after it make it one of thousands (`1,500`), but for a point after a single zero.
    """
    plain = re.sub(r"['\u2019\s]", "", text)
    comma, point = plain.rfind(","), plain.rfind(".")
    if comma >= 0 and point >= 0:
        thousands, decimals = (",", ".") if point > comma else (".", ",")
        plain = plain.replace(thousands, "").replace(decimals, ".")
    elif comma >= 0:
        plain = plain.replace(",", "" if _in_thousands(plain, ",") else ".")
    elif point >= 0 and plain.count(".") > 1 and _in_thousands(plain, "."):
        plain = plain.replace(".", "")
    try:
        return Decimal(plain)
    except InvalidOperation:
        return None


def _in_thousands(text: str, separator: str) -> bool:
    first, *rest = text.split(separator)
    return 1 <= len(first) <= 3 and first != "0" and all(len(part) == 3 for part in rest)
