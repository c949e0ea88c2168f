"""Money, percentages, and plain numbers."""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from segue.activities.extraction.rules.ground import Candidate, Ground
from segue.activities.extraction.rules.numbers import DIGITS, WORD, decimal_of, words_of
from segue.activities.extraction.values import Money

__all__ = ["amounts", "money_of", "number_of", "numbers", "percentage_of", "percentages"]

_CODES: Final = (
    "USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|CNY|RMB|HKD|SGD|INR|KRW|SEK|NOK|DKK|PLN|CZK|HUF|ILS|ZAR|BRL|MXN|TRY|THB|AED|SAR"
)
_SYMBOLS: Final = {
    "US$": "USD", "U.S.$": "USD", "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₩": "KRW", "C$": "CAD",
    "CA$": "CAD", "CDN$": "CAD", "A$": "AUD", "AU$": "AUD", "HK$": "HKD", "NZ$": "NZD", "S$": "SGD", "R$": "BRL",
}  # fmt: skip
_WORDS: Final = {
    "dollar": "USD", "euro": "EUR", "pound": "GBP", "pounds sterling": "GBP", "yen": "JPY", "yuan": "CNY",
    "renminbi": "CNY", "rmb": "CNY", "swiss franc": "CHF", "rupee": "INR", "won": "KRW", "shekel": "ILS",
}  # fmt: skip
_SCALES: Final = {
    "thousand": 3, "k": 3, "million": 6, "mm": 6, "m": 6, "mn": 6, "billion": 9, "bn": 9, "b": 9, "trillion": 12
}  # fmt: skip

_SYMBOL: Final = "|".join(re.escape(one) for one in sorted(_SYMBOLS, key=len, reverse=True))
_SCALE: Final = r"(?:\s?(?P<scale>thousand|million|billion|trillion|mm|mn|bn|[kKmM](?!\w)))?"
_NUMBER: Final = rf"(?P<number>{DIGITS})"
_NAMED: Final = (
    r"(?:(?P<nation>u\.?s\.?|united\s+states|canadian|australian|hong\s+kong|singapore|new\s+zealand)\s+)?"
    r"(?P<named>dollar|euro|pounds?\s+sterling|pound|yen|yuan|renminbi|rmb|swiss\s+franc|rupee|won|shekel)s?"
)
_NATIONS: Final = {
    "canadian": "CAD", "australian": "AUD", "hong kong": "HKD", "singapore": "SGD", "new zealand": "NZD"
}  # fmt: skip
_FORMS: Final = (
    re.compile(rf"(?<![\w$])(?P<symbol>{_SYMBOL})\s?{_NUMBER}{_SCALE}(?![\d%])"),
    re.compile(rf"(?<!\w)(?P<code>{_CODES})\s?(?:{_SYMBOL})?\s?{_NUMBER}{_SCALE}(?![\d%])"),
    re.compile(rf"(?<![\w.,$]){_NUMBER}{_SCALE}\s?(?P<code>{_CODES})\b"),
    re.compile(rf"(?<![\w.,$]){_NUMBER}{_SCALE}\s?(?P<symbol>€|£)"),
    re.compile(rf"(?<![\w.,$]){_NUMBER}{_SCALE}\s+{_NAMED}\b", re.IGNORECASE),
    re.compile(
        rf"\b(?P<words>{WORD}(?:[\s-]+(?:thousand|million|billion))?(?:[\s-]+{WORD})?)\s+{_NAMED}\b", re.IGNORECASE
    ),
)
_PERCENT: Final = re.compile(
    rf"(?<![\w.,])(?:(?P<number>\d+(?:[.,]\d+)?)\s?(?:%|per\s?cent(?:age points?)?\b)|(?P<words>{WORD})\s+per\s?cent\b)"
    r"(?:\s*\(\s*\d+(?:\.\d+)?\s?%?\s*\))?",
    re.IGNORECASE,
)
_POINTS: Final = re.compile(r"(?<![\w.,])(\d+(?:\.\d+)?)\s+basis\s+points\b", re.IGNORECASE)
_PLAIN: Final = re.compile(rf"(?<![\w.,$€£#/-]){DIGITS}(?![\w%/-]|[.,]\d)")


def amounts(ground: Ground) -> list[Candidate]:
    """Return the amounts of money in a document, in their order. A bare `$` is the US dollar."""
    return _sorted(_money(ground.text))


def money_of(text: str) -> Money | None:
    """Return the amount that a text says; None if it says none, or several."""
    found = {(one.value.currency, one.value.amount): one.value for one in _money(text)}
    return found.popitem()[1] if len(found) == 1 else None


def percentages(ground: Ground) -> list[Candidate]:
    """Return the percentages in a document, in their order, as numbers from 0 to 100."""
    return _sorted(_percentages(ground.text))


def percentage_of(text: str) -> Decimal | None:
    """Return the percentage that a text says; None if it says none, or several."""
    found = {one.value for one in _percentages(text)}
    return found.pop() if len(found) == 1 else None


def numbers(ground: Ground) -> list[Candidate]:
    """Return the plain numbers in a document, in their order."""
    return _sorted(_numbers(ground.text))


def number_of(text: str) -> Decimal | None:
    """Return the number that a text says, in digits or in words; None if it says none, or several."""
    found = {one.value for one in _numbers(text)}
    if not found and (said := words_of(text)) is not None:
        return Decimal(said)
    return found.pop() if len(found) == 1 else None


def _sorted(found: Iterator[Candidate]) -> list[Candidate]:
    """Return candidates in order, and of those that overlap the longest."""
    kept: list[Candidate] = []
    for one in sorted(found, key=lambda one: (one.start - one.end, one.start)):
        at = bisect.bisect_left(kept, one.start, key=lambda other: other.start)
        clear = (at == 0 or kept[at - 1].end <= one.start) and (at == len(kept) or one.end <= kept[at].start)
        if clear:
            kept.insert(at, one)
    return kept


def _money(text: str) -> Iterator[Candidate]:
    for form in _FORMS:
        for match in form.finditer(text):
            groups = match.groupdict()
            value = _said(groups["words"]) if groups.get("words") else decimal_of(match["number"])
            if value is None:
                continue
            if scale := groups.get("scale"):
                value = value.scaleb(_SCALES[scale.lower()])
            yield Candidate(match.start(), match.end(), Money(amount=_plain(value), currency=_currency(groups)))


def _said(words: str) -> Decimal | None:
    said = words_of(words)
    return None if said is None else Decimal(said)


def _plain(value: Decimal) -> Decimal:
    """Return a number without an exponent."""
    return (
        value.quantize(Decimal(1))
        if value == value.to_integral_value() and value.as_tuple().exponent not in (-1, -2)
        else value
    )


def _currency(groups: dict[str, str | None]) -> str:
    if code := groups.get("code"):
        return {"RMB": "CNY"}.get(code, code)
    if symbol := groups.get("symbol"):
        return _SYMBOLS[symbol]
    nation = " ".join((groups.get("nation") or "").lower().split())
    named = " ".join((groups.get("named") or "").lower().split())
    return _NATIONS.get(nation) or _WORDS[named]


def _percentages(text: str) -> Iterator[Candidate]:
    for match in _PERCENT.finditer(text):
        value = decimal_of(match["number"]) if match["number"] else _said(match["words"])
        if value is not None:
            yield Candidate(match.start(), match.end(), value)
    for match in _POINTS.finditer(text):
        yield Candidate(match.start(), match.end(), Decimal(match[1]) / 100)


def _numbers(text: str) -> Iterator[Candidate]:
    for match in _PLAIN.finditer(text):
        if (value := decimal_of(match[0])) is not None:
            yield Candidate(match.start(), match.end(), value)
