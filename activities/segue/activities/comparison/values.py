"""What a contract turns on: amounts, percentages, dates, durations, numbers, cross references, duties and negations.

    [value.rule for value in values_of("within thirty (30) days, but not later than 1 May 2025", 0, 54)]

Each is found where it stands, with a canonical form, so that `thirty (30) days` and `30 days`, or `$1,000` and
`$1,000.00`, are no change. `1.000,50` is read as Europeans write it; what may be read either way is `is_ambiguous`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Final, Literal, NamedTuple

__all__ = ["Rule", "Value", "discrepancy", "figures_of", "is_ambiguous", "label_of", "strength", "values_of"]

Rule = Literal[
    "money",
    "percentage",
    "date",
    "duration",
    "number",
    "discrepancy",
    "law",
    "opposite",
    "conjunction",
    "modal",
    "negation",
    "qualifier",
    "party",
    "definition",
    "term",
    "reference",
    "clause",
]
"""What kind of change it is that matters."""


class Value(NamedTuple):
    """One thing that matters.

    Attributes:
        rule: What it is.
        start: Offset of its first character in the document's text.
        end: Offset after its last.
        canonical: The same for the same value, however it is written.
    """

    rule: Rule
    start: int
    end: int
    canonical: tuple[object, ...]


_UNITS: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_SPELLED: Final = {word: number for number, word in enumerate(_UNITS.split())} | {
    word: 10 * number for number, word in enumerate(_TENS.split(), 2)
}
_SCALES: Final = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_MULTIPLES: Final = _SCALES | {"k": 1_000, "m": 1_000_000, "mm": 1_000_000, "bn": 1_000_000_000, "b": 1_000_000_000}
_MONTHS: Final = (
    "january february march april may june july august september october november december".split()  # noqa: SIM905
)

_WORDS = "|".join((*_SPELLED, *_SCALES))
# As it is written in Europe, where the comma parts the decimals: the first only if nothing else can be meant.
_EUROPEAN = r"\d{1,3}(?:\.\d{3})+,\d{1,2}(?!\d)|\d{1,3}(?:\.\d{3}){2,}(?![.,]?\d)|\d+,\d{1,2}(?!,?\d)"
_GROUPED = r"\d{1,3}(?:['\u2019\u00a0\u202f]\d{3})+(?:[.,]\d{1,2})?(?!\d)"
_FIGURE = rf"(?:{_EUROPEAN}|{_GROUPED}|\d+(?:,\d+)*(?:\.\d+)?|(?<![\w.])\.\d+)"
# No figure is a part of a longer one: `2.9m` is not 2.
_WHOLE = r"(?![.,]?\d)"
_NUMBER = (
    rf"(?:{_FIGURE}{_WHOLE}(?:\s(?:thousand|million|billion)\b)?|(?:{_WORDS})(?:[\s-]+(?:and\s+)?(?:{_WORDS}))*)\b"
    rf"(?:\s*\(\s*{_FIGURE}\s*%?\s*\))?"
)
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
)
_SIGN = r"(?:(?<!\w)(?:US|U\.S\.|CA?|AU?|NZ|HK|S)\s?)?[$€£¥₹]"
_CODE = r"(?:USD|EUR|GBP|JPY|CHF|CAD|AUD|NZD|CNY|RMB|INR|SEK|NOK|DKK|SGD|HKD)"
_NAME = r"(?:(?:U\.?S\.?|United\s+States|Canadian|Australian)\s+)?(?:dollars?|euros?|pounds?(?:\s+sterling)?|yen|cents)"
_PLACE = r"[A-Z][\w'\u2019-]+(?:\s+(?:and\s+|of\s+)?[A-Z][\w'\u2019-]+){0,4}"
_LABEL = r"(?:\d+(?:\.\d+)*(?:\s?\([A-Za-z0-9]{1,4}\))*|[IVXLC]+(?:\.\d+)*\b|[A-Z](?:-\d+)?\b)"
_LABELLED = (
    r"(?:Sections?|SECTIONS?|Articles?|ARTICLES?|Clauses?|Paragraphs?|Exhibits?|EXHIBITS?|Schedules?|SCHEDULES?"
    r"|Annex(?:es)?|Appendix|Appendices|Attachments?)"
)

# In this order: what one rule has found is no longer there for the next.
_PATTERNS: Final[tuple[tuple[Rule, re.Pattern[str]], ...]] = (
    (
        "date",
        re.compile(
            rf"\b(?:{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}}"
            rf"|\d{{1,2}}(?:st|nd|rd|th)?\s+(?:day\s+of\s+)?{_MONTH},?\s+\d{{4}}"
            rf"|\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}/\d{{1,2}}/\d{{2,4}}|{_MONTH},?\s+\d{{4}})\b",
            re.IGNORECASE,
        ),
    ),
    (
        "money",
        re.compile(
            rf"{_SIGN}\s?{_FIGURE}(?:\s?(?:thousand|million|billion|bn|mm|[km])\b)?"
            rf"|\b{_CODE}\s?{_FIGURE}(?:\s?(?:thousand|million|billion)\b)?"
            rf"|\b{_NUMBER}\s+(?:{_CODE}|{_NAME})\b(?:\s*\(\s*{_SIGN}\s?{_FIGURE}\s*\))?",
            re.IGNORECASE,
        ),
    ),
    (
        "percentage",
        re.compile(
            rf"(?<![\w.]){_NUMBER}\s?(?:%|\b(?:percent|per\s?cent|percentage\s+points?|basis\s+points?|bps)\b)"
            rf"(?:\s*\(\s*{_FIGURE}\s*%\s*\))?",
            re.IGNORECASE,
        ),
    ),
    (
        "duration",
        re.compile(
            rf"\b{_NUMBER}[\s-]+(?:(?:full|additional|successive|consecutive|calendar|business|working)\s+)*"
            r"(?:hour|minute|day|week|month|quarter|year)s?\b",
            re.IGNORECASE,
        ),
    ),
    (
        "reference",
        re.compile(rf"\b{_LABELLED}\s+{_LABEL}(?:(?:,\s*(?:and\s+|or\s+)?|\s+(?:and|or|through|to)\s+){_LABEL})*"),
    ),
    (
        "law",
        re.compile(
            r"\b(?:[Ll]aws?|LAWS?|[Cc]ourts?|[Jj]urisdiction|[Vv]enue|[Ss]eat|[Aa]rbitration)\s+(?:\w+\s+){0,2}?(?:of|in|is|OF|IN)\s+"
            r"(?:(?:the|THE)\s+)?(?:(?:State|Commonwealth|Province|Republic|Kingdom|City|County|STATE|COMMONWEALTH)\s+(?:of|OF)\s+)?"
            rf"(?P<of>{_PLACE})"
            r"|\b(?P<kind>(?!(?:The|This|That|Any|Each|All|No|Such|Under|In|By|If|An|Its|Other|Where|And)\b)"
            r"[A-Z][\w-]+(?:\s+[A-Z][\w-]+)?)\s+(?:law|courts?)\b"
        ),
    ),
    (
        "modal",
        re.compile(
            r"\b(?:SHALL|MUST|WILL|SHOULD|CANNOT|MAY(?!\s+\d)|shall|must|will|should|can|could|would|might|cannot|may(?!\s+\d)|(?:is|are)\s+(?:hereby\s+)?(?:required|obliged"
            r"|obligated|entitled|permitted|allowed)\s+to|agrees?\s+to|undertakes?\s+to|has\s+the\s+right\s+to)\b"
        ),
    ),
    (
        "qualifier",
        re.compile(
            r"\b(?:non-exclusive(?:ly)?|exclusive(?:ly)?|sole(?:ly)?|only|perpetual(?:ly)?|irrevocabl[ey]|revocabl[ey]|worldwide"
            r"|(?:un)?reasonabl[ey]|best\s+efforts|material(?:ly)?|immediately|promptly|automatically|unlimited|at\s+least|at\s+most"
            r"|up\s+to|(?:more|less|later|earlier)\s+than|prior\s+written|written)\b",
            re.IGNORECASE,
        ),
    ),
    (
        "negation",
        re.compile(
            r"\b(?:not|never|neither|nor|none|nothing|without|unless|except|excluding|no(?!\.\s*\d))\b|\w+n['\u2019]t\b|\bnon-",
            re.IGNORECASE,
        ),
    ),
    (
        "number",
        re.compile(
            rf"(?<![\w.])(?:{_NUMBER}(?!\w)|{_FIGURE}{_WHOLE}(?:st|nd|rd|th|x|k|m|mm|bn|b)\b)",
            re.IGNORECASE,
        ),
    ),
)

_FIGURES: Final = ("money", "percentage", "date", "duration", "number")
_DUTIES: Final = ("shall", "must", "will", "required", "obliged", "obligated", "agree", "undertake")
_PERMISSIONS: Final = ("may", "can", "could", "might", "entitled", "permitted", "allowed", "right")


def values_of(text: str, start: int, end: int) -> list[Value]:
    """Return what matters in `text[start:end]`, in order. No two of them overlap."""
    found: list[Value] = []
    taken = bytearray(end - start)
    for rule, pattern in _PATTERNS:
        for match in pattern.finditer(text, start, end):
            # Where a pattern names a group, that is what matters of it.
            group = match.lastgroup or 0
            low, high = match.start(group) - start, match.end(group) - start
            if any(taken[low:high]):
                continue
            canonical = _canonical(rule, match[group])
            if canonical is None:
                continue
            taken[low:high] = b"\1" * (high - low)
            found.append(Value(rule, *match.span(group), canonical))
    return sorted(found, key=lambda value: value.start)


def figures_of(text: str) -> list[Value]:
    """Return the figures of a text, in order: what a reader would check against its source."""
    return [value for value in values_of(text, 0, len(text)) if value.rule in _FIGURES]


def discrepancy(text: str) -> tuple[Decimal, Decimal] | None:
    """Return what a value says in words and what in figures, where the two differ: 60 and 30 of `sixty (30) days`."""
    stated = re.match(rf"([^\d(]+)\(\D*{_FIGURE}", text)
    if stated is None:
        return None
    words, figure = _spelled(stated[1].casefold()), _amount(" ".join(text.casefold().split()))
    if isinstance(words, str) or isinstance(figure, str) or words == figure:
        return None
    return words, figure


def is_ambiguous(text: str) -> bool:
    """Return whether a figure means one thing in English and another elsewhere: `1.000`, one or a thousand."""
    return re.search(r"(?<![\d.,])[1-9]\d{0,2}\.\d{3}(?![.,]?\d)", text) is not None


def strength(modal: str) -> Literal["an obligation", "a permission", "a recommendation"]:
    """Return what a modal makes of what it is said of."""
    words = modal.casefold()
    if any(word in words for word in _DUTIES):
        return "an obligation"
    return "a permission" if any(word in words for word in _PERMISSIONS) else "a recommendation"


def label_of(reference: str) -> Iterator[str]:
    """Yield the labels that a cross reference names: `4.2` and `4.3` of `Sections 4.2 and 4.3`."""
    for match in re.finditer(_LABEL, reference.split(None, 1)[-1]):
        yield re.sub(r"\s", "", match[0])


def _canonical(rule: Rule, text: str) -> tuple[object, ...] | None:
    words = " ".join(re.sub(r"(?<=\d)['\u2019\u00a0\u202f](?=\d{3})", "", text).casefold().split())
    match rule:
        case "date":
            return _date(words)
        case "money":
            amount, currency = _amount(words), _currency(words)
            if currency == "cents" and isinstance(amount, Decimal):
                return (amount / 100, "USD")
            return (amount, currency)
        case "percentage":
            return (_amount(words), "bp" if "basis" in words or "bps" in words else "%")
        case "duration":
            unit = re.findall(r"hour|minute|day|week|month|quarter|year", words)[-1]
            return (_amount(words), unit, next((kind for kind in ("business", "working") if kind in words), ""))
        case "number":
            # `one` is an article as often as a number.
            if words == "one":
                return None
            # `12th` and `1.5x` are not 12 and 1.5.
            kind = re.search(r"\d(st|nd|rd|th|x)$", words)
            return (_amount(words), *(("x" if kind[1] == "x" else "th",) if kind else ()))
        case _:
            return (words,)


def _amount(words: str) -> Decimal | str:
    """Return the number that a text holds: the figure in parentheses, else the first figure, else what is spelled."""
    figures = re.search(rf"\(\D*({_FIGURE})", words) or re.search(rf"({_FIGURE})", words)
    if figures is None:
        return _spelled(words)
    try:
        amount = _decimal(figures[1])
    except InvalidOperation:
        return words
    scale = re.match(r"\s?(thousand|million|billion|bn|mm|k|m|b)\b", words[figures.end() :])
    # Without trailing zeros, so that 5 is 5.00.
    return (amount * _MULTIPLES[scale[1]] if scale else amount).normalize()


def _decimal(figure: str) -> Decimal:
    if re.fullmatch(_EUROPEAN, figure):
        figure = figure.replace(".", "").replace(",", ".")
    return Decimal(figure.replace(",", ""))


def _spelled(words: str) -> Decimal | str:
    total = current = 0
    known = False
    for word in re.findall(r"[a-z]+", words):
        if word in _SPELLED:
            current, known = current + _SPELLED[word], True
        elif word == "hundred":
            current, known = max(current, 1) * 100, True
        elif word in _SCALES:
            total, current, known = total + max(current, 1) * _SCALES[word], 0, True
        elif known and word != "and":
            break
    return Decimal(total + current).normalize() if known else words


def _currency(words: str) -> str:
    for sign, code in (("€", "EUR"), ("£", "GBP"), ("¥", "JPY"), ("₹", "INR"), ("euro", "EUR"), ("pound", "GBP")):
        if sign in words:
            return code
    if stated := re.search(_CODE, words, re.IGNORECASE):
        return stated[0].upper()
    for prefix, code in (("ca", "CAD"), ("au", "AUD"), ("nz", "NZD"), ("hk", "HKD"), ("s$", "SGD")):
        if words.startswith(prefix):
            return code
    return "USD" if "$" in words or "dollar" in words else words.split()[-1]


def _date(words: str) -> tuple[object, ...]:
    month = next((number for number, name in enumerate(_MONTHS, 1) if re.search(rf"\b{name[:3]}", words)), None)
    numbers = [int(number) for number in re.findall(r"\d+", words)]
    if month is None:
        return ("date", *numbers)
    year = next((number for number in numbers if number > 31), 0)
    return ("date", year, month, *(number for number in numbers if number <= 31))
