"""The figures of a text, each with what makes it another one: its sign, scale, currency and unit.

    figures("rose to $2.5m, the twelfth rise")      # 2500000 "$", and 12 "ordinal"

Digits and words are the same figure: `thirty days`, `30 days` and `thirty (30) days`. English grouping is read, and the
other one where it can be nothing else: `1.250.000`, `4,5`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple

__all__ = ["Figure", "figures", "states"]


class Figure(NamedTuple):
    """A figure of a text.

    Attributes:
        start: Where it begins.
        end: Where it ends.
        text: How it stands there.
        amount: What it amounts to, with sign and scale: -2500000 for `-2.5m`.
        unit: A currency (`EUR`; `$` where it is not said whose), `%`, `pp`, `bp`, `x` for a multiple, `ordinal`, a
            measure of time (`business day`), letters that are attached (`kg`), or nothing.
    """

    start: int
    end: int
    text: str
    amount: Decimal
    unit: str


_ONES: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS: Final = {word: number for number, word in enumerate(_ONES.split())} | {
    word: 10 * number for number, word in enumerate(_TENS.split(), 2)
}
_RANKS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
)
_ORDINALS: Final = {
    word: number
    for number, word in enumerate(
        _RANKS.split(),
        1,
    )
} | {"thirtieth": 30, "fortieth": 40, "fiftieth": 50, "hundredth": 100}
_BIG: Final = {"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000, "trillion": 1_000_000_000_000}
_SCALES: Final = _BIG | {
    "thousands": 1_000,
    "millions": 1_000_000,
    "billions": 1_000_000_000,
    "k": 1_000,
    "m": 1_000_000,
    "mn": 1_000_000,
    "mm": 1_000_000,
    "mio": 1_000_000,
    "millionen": 1_000_000,
    "b": 1_000_000_000,
    "bn": 1_000_000_000,
    "mrd": 1_000_000_000,
    "milliarden": 1_000_000_000,
    "tn": 1_000_000_000_000,
}
_FRACTIONS: Final = {"¼": "0.25", "½": "0.5", "¾": "0.75"}
_MULTIPLES: Final = {
    "doub": Decimal(2),
    "twic": Decimal(2),
    "twof": Decimal(2),
    "trip": Decimal(3),
    "treb": Decimal(3),
    "thri": Decimal(3),
    "thre": Decimal(3),
    "quad": Decimal(4),
    "four": Decimal(4),
    "half": Decimal("0.5"),
    "halv": Decimal("0.5"),
}
_SIGNS: Final = {"€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR"}
_DOLLARS: Final = {
    "us": "USD",
    "u.s.": "USD",
    "ca": "CAD",
    "c": "CAD",
    "au": "AUD",
    "a": "AUD",
    "nz": "NZD",
    "hk": "HKD",
    "s": "SGD",
}
_DOLLAR_CODES: Final = frozenset({"$", *_DOLLARS.values()})
_CODES: Final = "USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|CNY|RMB|INR|SEK|NOK|DKK|SGD|HKD"
_NAMED: Final = {"dollar": "$", "euro": "EUR", "pound": "GBP", "yen": "JPY", "franc": "CHF", "cent": "cent"}
_CURRENCIES: Final = frozenset({*_CODES.split("|"), *_DOLLAR_CODES, "cent"})
_MONTH: Final = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"

_SPELLED = "|".join(sorted(_WORDS, key=len, reverse=True))
_ORDINAL = "|".join(sorted(_ORDINALS, key=len, reverse=True))
_SCALED = "|".join(_BIG)
_DIGITS = (
    r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,]*\d)|\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}|\d+,\d{1,2}(?![\d,])"
    r"|\d+(?:\.\d+)?|\.\d+"
)
_CURRENCY = rf"(?:(?<![A-Za-z])(?:US|U\.S\.|CA?|AU?|NZ|HK|S)\s?)?[$€£¥₹]|\b(?:{_CODES})\b"
_UNIT = (
    r"\s?(?P<percent>%|‰|percentage\s+points?\b|percent\b|per\s?cent\b|prozent\b|basis\s+points?\b|bps?\b|pp\b)"
    r"|(?P<times>\s?[x×](?![\w×])|-?fold\b|\s+times\b)"
    rf"|\s?(?P<code>(?:{_CODES})\b|[€£¥₹$](?!\s?\d))"
    r"|\s{1,2}(?:(?:US|U\.S\.|Canadian|Australian)\s)?(?P<named>dollar|euro|pound|franc|cent|yen)s?\b"
    r"|(?:[\s-]{1,2}(?:full|additional|successive|consecutive|calendar))*(?:[\s-]{1,2}(?P<kind>business|working|trading))?"
    r"[\s-]{1,2}(?P<time>second|minute|hour|day|week|month|quarter|year)s?\b"
    r"|(?P<ordinal>st|nd|rd|th)\b"
    r"|(?P<attached>[^\W\d_]{1,5})\b"
)
_FIGURE: Final = re.compile(
    rf"(?P<paren>\(\s*)?(?P<sign>(?<![\w)%])[-\u2212+](?:\s(?=[$€£¥₹]))?|(?<=\s)\u2013)?(?:(?P<currency>{_CURRENCY})\s?(?P<inner>[-\u2212])?)?"
    rf"(?(currency)|(?<![\w.,]))"
    rf"(?:(?P<digits>{_DIGITS})(?P<fraction>[¼½¾])?|(?P<alone>[¼½¾]))"
    rf"(?:(?:\s|-)?(?P<scale>{_SCALED}|thousands|millions|billions|millionen|milliarden|mio\b\.?|mrd\b\.?|bn|mn|mm|tn)\b"
    rf"|(?P<letter>[kmb])\b)?"
    rf"(?:{_UNIT})?(?P<close>\s*\))?",
    re.IGNORECASE,
)
_SPOKEN = rf"(?:{_SPELLED}|hundred|{_SCALED})\b"
_WORDED: Final = re.compile(
    rf"(?<![\w-])(?:(?P<sign>minus\s|negative\s))?"
    rf"(?:(?P<words>(?:an?\s(?:hundred|{_SCALED})\b|{_SPOKEN})(?:[\s-]{{1,2}}(?:and\s{{1,2}})?{_SPOKEN})*)"
    rf"(?:[\s-]{{1,2}}(?P<last>{_ORDINAL})\b)?|(?P<sole>{_ORDINAL})\b)(?:{_UNIT})?",
    re.IGNORECASE,
)
# What a number in parentheses is of.
_MEASURE: Final = re.compile(rf"\s?\)(?:{_UNIT})", re.IGNORECASE)
_MULTIPLE: Final = re.compile(
    r"\b(?:doubl(?:e[sd]?|ing)|twice|tripl(?:e[sd]?|ing)|trebl(?:e[sd]?|ing)|thrice|quadrupl(?:e[sd]?|ing)|half|halv(?:e[sd]?|ing)"
    r"|(?:two|three|four)fold)\b",
    re.IGNORECASE,
)
# `one` is a number before what it counts, and not in these.
_PRONOUN: Final = re.compile(
    r"\b(?:no|any|some|every|each|which|the|this|that)\s+one\b|\bone\s+(?:of|or\s+more|another)\b", re.I
)
_RANGE: Final = re.compile(r"\s?(?:-|\u2013|to|bis)\s?")


def figures(text: str) -> list[Figure]:
    """Return the figures of a text, in order. Digits that are part of a word (`Q4`, `FY2027`) are that word's."""
    found = _digits(text)
    taken = [(one.start, one.end) for one in found]
    for one in (*_worded(text), *_multiples(text)):
        if not any(one.start < end and start < one.end for start, end in taken):
            found.append(one)
            taken.append((one.start, one.end))
    found.sort()
    return _ranged(text, _merged(text, found))


def states(there: Iterable[Figure], figure: Figure) -> bool:
    """Return whether one of several figures is the same: amount, sign and unit. A currency may go unsaid."""
    return any(one.amount == figure.amount and _same_unit(figure.unit, one.unit) for one in there)


def _same_unit(said: str, there: str) -> bool:
    if said == there:
        return True
    if said == "":
        return there in _CURRENCIES and there != "cent"
    return "$" in (said, there) and {said, there} <= {"$", "USD"}


def _digits(text: str) -> list[Figure]:
    found: list[Figure] = []
    for match in _FIGURE.finditer(text):
        digits = match["digits"]
        amount = Decimal(_plain(digits)) if digits else Decimal(0)
        if fraction := match["fraction"] or match["alone"]:
            amount += Decimal(_FRACTIONS[fraction])
        if scale := match["scale"] or match["letter"]:
            amount *= _SCALES[scale.lower().rstrip(".")]
        currency = _currency(match["currency"]) if match["currency"] else ""
        unit = currency or _unit(match)
        if unit == "cent":
            amount, unit = amount / 100, "$"
        if unit == "ordinal" and _by_month(text, match.start(), match.end()):
            unit = ""
        start, end = match.start(), match.end()
        sign = (match["sign"] or match["inner"] or "").strip()
        if match["paren"] and match["close"] and currency and not _spelled_before(text[:start]):
            sign = "-"  # accounts write what is below zero so
        if match["paren"]:
            start += len(match["paren"])
        if match["close"]:
            end -= len(match["close"])
        if sign in ("-", "\u2212", "\u2013"):
            amount = -amount
        found.append(Figure(start, end, text[start:end].strip(), amount.normalize(), unit))
    return found


def _spelled_before(before: str) -> bool:
    last = re.search(r"([A-Za-z]+)\s*$", before)
    word = last[1].lower() if last else ""
    return (
        word in _WORDS
        or word in _SCALES
        or word == "hundred"
        or word.rstrip("s") in _NAMED
        or word.upper() in _CURRENCIES
    )


def _plain(digits: str) -> str:
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d+|\d+,\d{1,2}", digits):
        return digits.replace(".", "").replace(",", ".")
    if re.fullmatch(r"\d{1,3}(?:\.\d{3}){2,}", digits):
        return digits.replace(".", "")
    return digits.replace(",", "")


def _currency(written: str) -> str:
    plain = written.strip()
    if plain.upper() in _CODES.split("|"):
        return plain.upper()
    sign, before = plain[-1], plain[:-1].strip().lower()
    return _SIGNS.get(sign) or _DOLLARS.get(before, "$")


def _unit(match: re.Match[str]) -> str:
    if percent := match["percent"]:
        word = percent.lower()
        if word.startswith("b"):
            return "bp"
        return "pp" if "point" in word or word == "pp" else "‰" if word == "‰" else "%"
    if match["times"]:
        return "x"
    if match["code"]:
        return _currency(match["code"])
    if match["named"]:
        return _NAMED[match["named"].lower()]
    if match["time"]:
        kind = f"{match['kind'].lower()} " if match["kind"] else ""
        return kind + match["time"].lower()
    return "ordinal" if match["ordinal"] else (match["attached"] or "").lower()


def _by_month(text: str, start: int, end: int) -> bool:
    """Whether a number is the day of a date: `5th May` is `5 May`."""
    return bool(
        re.match(rf"\s+(?:day\s+)?(?:of\s+)?{_MONTH}\b", text[end : end + 30], re.IGNORECASE)
        or re.search(rf"\b{_MONTH}\.?\s+(?:the\s+)?$", text[max(start - 20, 0) : start], re.IGNORECASE)
    )


def _worded(text: str) -> list[Figure]:
    found: list[Figure] = []
    pronouns = [match.span() for match in _PRONOUN.finditer(text)]
    for match in _WORDED.finditer(text):
        words, last = (match["words"] or "").lower(), match["last"] or match["sole"]
        if words == "one" and not last and any(start <= match.start("words") < end for start, end in pronouns):
            continue
        total = current = 0
        for word in re.findall(r"[a-z]+", words):
            if word in _WORDS:
                current += _WORDS[word]
            elif word == "hundred":
                current = max(current, 1) * 100
            elif word in _BIG:
                total, current = total + max(current, 1) * _BIG[word], 0
        amount, unit = Decimal(total + current), _unit(match)
        if last:
            amount, unit = amount + _ORDINALS[last.lower()], "ordinal"
        end = match.end("last" if match["last"] else "sole") if last else match.end()
        if unit == "cent":
            amount, unit = amount / 100, "$"
        if match["sign"]:
            amount = -amount
        start = match.start()
        whole = text[start:end].strip()
        found.append(Figure(start, end, whole, amount.normalize(), unit))
    return found


def _multiples(text: str) -> list[Figure]:
    return [
        Figure(match.start(), match.end(), match[0], _MULTIPLES[match[0][:4].lower()], "x")
        for match in _MULTIPLE.finditer(text)
    ]


def _merged(text: str, found: list[Figure]) -> list[Figure]:
    """Return figures with what is said twice said once, and both in its measure: `thirty (30) days`."""
    kept: list[Figure] = []
    for one in found:
        before = kept[-1] if kept else None
        if before is None or text[before.end : one.start].strip() != "(":
            kept.append(one)
            continue
        following = _MEASURE.match(text, one.end) if not before.unit and not one.unit else None
        unit = before.unit or one.unit or (_unit(following) if following else "")
        end = following.end() if following else one.end
        kept[-1] = before._replace(unit=unit)
        if before.amount == one.amount:
            kept[-1] = kept[-1]._replace(end=end)
        else:
            kept.append(one._replace(unit=one.unit or unit, end=end))
    return kept


def _ranged(text: str, found: list[Figure]) -> list[Figure]:
    """Return figures with the first of a range in the second's measure: `10-12%`, `10 to 15 million`."""
    for at in range(len(found) - 1):
        one, other = found[at], found[at + 1]
        if one.unit or not re.search(r"\d$", one.text) or not _RANGE.fullmatch(text[one.end : other.start]):
            continue
        digits = _FIGURE.search(text, other.start)
        scale = _SCALES[digits["scale"].lower().rstrip(".")] if digits and digits["scale"] else 1
        unit = "" if other.unit == "ordinal" else other.unit
        found[at] = one._replace(amount=(one.amount * scale).normalize(), unit=unit)
    return found
