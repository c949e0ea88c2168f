"""Numbers as lists print them: `4`, `d`, `IV`, `iv`, `04`.

    numeral(4, "lowerRoman")            # "iv"

Formats have the names that OOXML gives them (ECMA-376 17.18.59).
"""

from __future__ import annotations

from typing import Final

__all__ = ["numeral"]

_ROMAN: Final = (
    (1000, "m"),
    (900, "cm"),
    (500, "d"),
    (400, "cd"),
    (100, "c"),
    (90, "xc"),
    (50, "l"),
    (40, "xl"),
    (10, "x"),
    (9, "ix"),
    (5, "v"),
    (4, "iv"),
    (1, "i"),
)
_LARGEST_ROMAN: Final = 3999
_ONES: Final = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS: Final = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def numeral(number: int, format_: str) -> str:
    """Return a number in a format; in digits if the format is not known, or has no sign for the number."""
    match format_:
        case "lowerLetter" | "upperLetter" if number > 0:
            # "z" is followed by "aa", "bb", ... in Word; browsers count "aa", "ab", and few lists go so far.
            letters = chr(97 + (number - 1) % 26) * (1 + (number - 1) // 26)
            return letters if format_ == "lowerLetter" else letters.upper()
        case "lowerRoman" | "upperRoman" if 0 < number <= _LARGEST_ROMAN:
            letters = _roman(number)
            return letters if format_ == "lowerRoman" else letters.upper()
        case "decimalZero":
            return f"{number:02}"
        case "ordinal":
            return f"{number}{_suffix(number)}"
        case "cardinalText" if 0 <= number < 100:
            return _spelt(number).capitalize()
        case _:
            return str(number)


def _roman(number: int) -> str:
    letters = ""
    for value, sign in _ROMAN:
        count, number = divmod(number, value)
        letters += sign * count
    return letters


def _suffix(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _spelt(number: int) -> str:
    if number < len(_ONES):
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens - 2] + (f"-{_ONES[ones]}" if ones else "")
