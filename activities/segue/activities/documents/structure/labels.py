"""The numbers that clauses carry, as lawyers and word processors write them: `ARTICLE IV`, `4.2`, `(a)`, `iii.`, `§ 3`.

    label = labels.at("4.2(a) Fees. Customer pays ...", 0)
    label.printed, label.style, label.value         # "4.2(a)", "decimal-2", ...

Only the form is looked at here. Whether a form is meant as a number (and not as a reference, a date, an initial) is
decided by `outline`, which knows the numbers before it.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Final

from segue.activities.documents.structure.numerals import numeral

__all__ = ["ATTACHMENT", "BULLET", "Label", "at", "inline", "roman"]


@dataclasses.dataclass(frozen=True, slots=True)
class Label:
    """A number in the form of one.

    Attributes:
        start: Offset of its first character.
        end: Offset after its last, closing punctuation included.
        printed: As printed, without the punctuation that closes it, and without a word such as `Article`.
        style: Labels of one style count on from one another.
        values: What it may count as, the likeliest first: `(i)` is the first of one style and the ninth of another.
        path: The numbers of a decimal label: (4, 2) of `4.2`.
        word: The word in front, in lower case: `article`, `section`, `exhibit`, ...
        doubt: 1 where the form alone is too weak, so that the number must be the one that comes next; 2 where it must
            also stand in a heading that is set apart by its type.
    """

    start: int
    end: int
    printed: str
    style: str
    values: tuple[tuple[str, int], ...]
    path: tuple[int, ...] = ()
    word: str = ""
    doubt: int = 0


ATTACHMENT: Final = frozenset({"exhibit", "schedule", "appendix", "annex", "annexure", "attachment", "addendum"})
"""Words that begin a part of its own at a document's end, with numbers of its own."""

BULLET: Final = re.compile(r"[•●▪◦·‣∙○■□◆❖➢✓]\s*|[*\u2013\u2014-]\s+(?=\S)|o\s{2,}(?=\S)")

_WORDS: Final = (
    "ARTICLE|ITEM|SECTION|CHAPTER|PART|CLAUSE|TITLE|EXHIBIT|SCHEDULE|APPENDIX|ANNEX|ANNEXURE|ATTACHMENT|ADDENDUM"
)
_SPELT: Final = {numeral(number, "cardinalText").lower(): number for number in range(1, 21)}
_NAMED: Final = re.compile(
    rf"(?P<word>{_WORDS})\s+(?:No\.\s*)?[\"\u201c]?"
    rf"(?:(?P<decimal>\d{{1,3}}(?:\.\d{{1,3}})*)(?P<sub>[A-Z]?(?:\([a-zA-Z0-9]{{1,4}}\))*)"
    rf"|(?P<roman>[IVXLC]{{1,8}})|(?P<letter>[A-Z](?:-?\d{{1,2}})?)|(?P<spelt>{'|'.join(_SPELT)}))"
    r"[\"\u201d]?(?![\w'\u2019])(?P<close>\s?[.:)]|(?=\s*[-\u2013\u2014])|(?=\s|$))",
    re.IGNORECASE,
)
_SIGN: Final = re.compile(r"§+\s*(?P<decimal>\d{1,4}(?:\.\d{1,3})*)[.:)]?(?=\s|$)")
_DECIMAL: Final = re.compile(
    r"(?P<decimal>\d{1,3}(?:\.\d{1,3}){1,5})(?P<sub>(?:\([a-zA-Z0-9]{1,4}\))*)[.:)]{0,2}(?=\s|$|[\"\u201c(A-Z])"
)
# Digits that OCR reads as letters, and points that it sets spaces around.
_MISREAD: Final = re.compile(
    r"(?P<decimal>(?:\d{1,2}|[lI])(?:\s?\.\s?(?:\d{1,2}|[lIO]|\d[lIO])){1,3})[.:)]{0,2}(?=\s+[A-Z\"\u201c(])"
)
_NUMBER: Final = re.compile(
    r"(?P<open>\()?(?P<number>\d{1,3})(?P<close>\s?[.)]|\s?(?=[-\u2013\u2014]\s)|\.?:)(?=\s|$|[\"\u201c(A-Z])"
)
_LETTER: Final = re.compile(
    r"(?P<open>\()?(?P<letter>[a-z]{1,2}|[A-Z]{1,2}|[ivxlc]{1,7}|[IVXLC]{1,7})"
    r"(?:(?P<close>\s?\))(?=\s|$|[\"\u201c(A-Za-z])|(?P<point>\s?\.)(?=\s|$|[\"\u201c(]))"
)
_BARE: Final = re.compile(
    r"(?P<number>\d{1,3})(?:(?:\t|\s{2,})(?=[A-Z\"\u201c(])|\s(?=[A-Z]{3})|(?P<single>\s)(?=[A-Z]))"
)
# What every label begins with: most text is told from one at once.
_CANDIDATE: Final = re.compile(rf"(?:{_WORDS})\s|[§(\d]|[A-Za-z]{{1,7}}\s?[.)]|[lI]\s\.", re.IGNORECASE)
_ROMAN: Final = re.compile(r"m{0,3}(?:cm|cd|d?c{0,3})(?:xc|xl|l?x{0,3})(?:ix|iv|v?i{0,3})")
_DIGITS: Final = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100, "d": 500, "m": 1000}
_OCR: Final = str.maketrans({"l": "1", "I": "1", "O": "0"})
# Where a label may stand in running text: after the end of a sentence or item, or after wide space.
_INLINE: Final = re.compile(
    rf"(?<=[\s\"\u201d)\]])(?:(?:{_WORDS})\s|§|\(?(?:\d{{1,3}}|[a-zA-Z]{{1,2}}|[ivxlcIVXLC]{{1,7}})[.)]|\d{{1,3}}\s+[A-Z])",
    re.IGNORECASE,
)


def at(text: str, position: int, end: int | None = None) -> Label | None:
    """Return the label that begins at a position of a text; None if none does."""
    stop = len(text) if end is None else end
    if _CANDIDATE.match(text, position, stop) is None:
        return None
    for pattern in (_NAMED, _SIGN, _DECIMAL, _MISREAD, _NUMBER, _LETTER, _BARE):
        match = pattern.match(text, position, stop)
        if match is not None and (label := _label(match, pattern)) is not None:
            return label
    return None


def inline(text: str, start: int, end: int) -> Iterator[Label]:
    """Yield what has a label's form within running text, in order."""
    position = start
    while (match := _INLINE.search(text, position, end)) is not None:
        label = at(text, match.start(), end)
        if label is None:
            position = match.start() + 1
            continue
        yield label
        position = label.end


def roman(text: str) -> int | None:
    """Return the value of a roman number; None if it is none."""
    lower = text.lower()
    if not lower or not _ROMAN.fullmatch(lower):
        return None
    values = [_DIGITS[letter] for letter in lower]
    return sum(
        -value if value < following else value for value, following in zip(values, [*values[1:], 0], strict=True)
    )


def _label(match: re.Match[str], pattern: re.Pattern[str]) -> Label | None:
    groups = match.groupdict()
    word = groups.get("word") or ""
    if word and word[0].islower():
        return None
    word = word.lower()
    if decimal := groups.get("decimal"):
        path = tuple(int(part) for part in re.split(r"\s?\.\s?", decimal.translate(_OCR)))
        if len(path) == 2 and path[1] == 0:  # "2.0" stands above "2.1"
            path = path[:1]
        style = f"{word}-{len(path)}" if word and word != "section" else f"decimal-{len(path)}"
        printed = decimal + (groups.get("sub") or "")
        return _made(match, printed, style, ((style, path[-1]),), path, word, int(pattern is _MISREAD))
    if number := groups.get("number"):
        if (groups.get("open") is not None) and not (groups.get("close") or "").strip().startswith(")"):
            return None
        if groups.get("open"):
            return _made(match, f"({number})", "(1)", (("(1)", int(number)),))
        close = (groups.get("close") or "").strip()
        if close == ")":
            return _made(match, f"{number})", "1)", (("1)", int(number)),))
        return _made(
            match,
            number,
            "decimal-1",
            (("decimal-1", int(number)),),
            (int(number),),
            doubt=(2 if groups.get("single") else 1) if pattern is _BARE else 0,
        )
    if word:
        return _named(match, word)
    return _lettered(match) if pattern is _LETTER else None


def _named(match: re.Match[str], word: str) -> Label | None:
    groups = match.groupdict()
    printed = groups["roman"] or groups["letter"] or groups["spelt"] or ""
    if groups["spelt"]:
        # "Part two of the agreement" is prose; "PART TWO" and "Article One" are not.
        if not printed[0].isupper():
            return None
        return _made(match, printed, word, ((word, _SPELT[printed.lower()]),), word=word)
    if printed != printed.upper():
        return None
    values = [(f"{word}", value)] if (value := roman(printed)) is not None and groups["roman"] else []
    if len(printed) == 1:
        values.append((f"{word}", ord(printed) - 64))
    return _made(match, printed, word, tuple(values or [(word, 0)]), word=word)


def _lettered(match: re.Match[str]) -> Label | None:
    letters, opened, close = match["letter"], match["open"] or "", (match["close"] or match["point"]).strip()
    if opened and close != ")":
        return None
    case = "a" if letters.islower() else "A"
    shape = f"{opened}%s{close}"
    values: list[tuple[str, int]] = []
    if len(letters) == 1 or (len(letters) == 2 and letters[0] == letters[1]):
        values.append((shape % case, ord(letters[0].lower()) - 96 + 26 * (len(letters) - 1)))
    if (value := roman(letters)) is not None and value < 60:
        values.append((shape % ("i" if case == "a" else "I"), value))
    if not values:
        return None
    return _made(match, f"{opened}{letters}{close}".rstrip("."), values[0][0], tuple(values))


def _made(
    match: re.Match[str],
    printed: str,
    style: str,
    values: tuple[tuple[str, int], ...],
    path: tuple[int, ...] = (),
    word: str = "",
    doubt: int = 0,
) -> Label:
    return Label(match.start(), match.end(), printed, style, values, path, word, doubt)
