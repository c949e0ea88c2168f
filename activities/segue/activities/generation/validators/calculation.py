"""Whether what a draft adds up is right: equations in its text, totals of its tables, sums among its fields."""

from __future__ import annotations

import decimal
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from segue.activities.generation.draft import Draft, Verdict
from segue.activities.generation.requirement import InvalidRequirement, Validator

__all__ = ["arithmetic", "sums_to"]

_NUMBER: Final = r"[-\u2212]?(?:[$€£¥]\s?)?\d[\d,]*(?:\.\d+)?%?"
_EQUATION: Final = re.compile(
    rf"(?P<left>{_NUMBER}(?:\s*[+\-\u2212\u2013*×x/÷]\s*{_NUMBER})+)\s*(?P<equals>=|≈|equals|is)\s*(?P<right>{_NUMBER})"
)
_SHARE: Final = re.compile(
    rf"(?P<share>\d[\d,]*(?:\.\d+)?)\s?(?:%|percent|per cent) of (?P<whole>{_NUMBER})\s*(?:=|is|are|equals|makes)\s*"
    rf"(?P<part>{_NUMBER})"
)
_TOTAL: Final = re.compile(r"^\W*(?:grand\s+)?(?:total|sum|in all|altogether)\b", re.IGNORECASE)
_OPERATORS: Final[dict[str, str]] = {"\u2212": "-", "\u2013": "-", "×": "*", "x": "*", "÷": "/"}
_SHOWN: Final = 3


def arithmetic() -> Validator:
    """Return a validator of what a draft calculates: `2 + 3 = 5`, `10% of 80 is 8`, and the total row of a table.

    The score is the share that is right. A result may be rounded to the digits that are shown. A draft that
    calculates nothing passes.
    """
    return Validator.of(recalculate)


def sums_to(total: str, parts: str) -> Validator:
    """Return a validator of JSON, where one field is the sum of others: `sums_to("total", "lines.amount")`.

    Raises:
        InvalidRequirement: A path is empty.
    """
    if not total.strip() or not parts.strip():
        raise InvalidRequirement("sums_to() needs the path of a total and the path of its parts")
    return Validator.of(add_up, total=total, parts=parts)


def recalculate(draft: Draft) -> Verdict:
    """Return the share of calculations that are right."""
    found = [*_equations(draft.text), *_shares(draft.text), *_tables(draft.text)]
    if not found:
        return Verdict(1, "calculates nothing")
    wrong = [problem for problem in found if problem]
    if not wrong:
        return Verdict(1, "the calculation is right" if len(found) == 1 else f"{len(found)} calculations are right")
    more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    return Verdict(1 - len(wrong) / len(found), f"{'; '.join(wrong[:_SHOWN])}{more}")


def add_up(draft: Draft, total: str, parts: str) -> Verdict:
    """Return 1 if a field is the sum of others."""
    if draft.value is None:
        return Verdict(0, "is not JSON")
    stated, addends = list(_at(draft.value, total)), list(_at(draft.value, parts))
    if len(stated) != 1 or (stated_value := _decimal(stated[0])) is None:
        return Verdict(0, f"has no single number at {total!r}")
    numbers = [_decimal(one) for one in addends]
    if not numbers or any(number is None for number in numbers):
        return Verdict(0, f"has not only numbers at {parts!r}")
    added = sum((number for number in numbers if number is not None), Decimal(0))
    if added == stated_value:
        return Verdict(1, f"{total} is the sum of the {len(numbers)} at {parts}")
    return Verdict(0, f"{total} is {stated_value}, and the {len(numbers)} at {parts} add up to {added}")


def _equations(text: str) -> Iterator[str]:
    for match in _EQUATION.finditer(text):
        right = _decimal(match["right"])
        result = _evaluated(match["left"])
        if result is None or right is None:
            continue
        rounded = match["equals"] == "≈"
        if _agree(result, right, match["right"], rounded):
            yield ""
        else:
            yield f"{' '.join(match.group().split())!r} is wrong: it makes {_shown(result)}"


def _shares(text: str) -> Iterator[str]:
    for match in _SHARE.finditer(text):
        share, whole, part = (_decimal(match[name]) for name in ("share", "whole", "part"))
        if share is None or whole is None or part is None:
            continue
        result = share * whole / 100
        right = _agree(result, part, match["part"], rounded=True)
        yield "" if right else f"{' '.join(match.group().split())!r} is wrong: it makes {_shown(result)}"


def _tables(text: str) -> Iterator[str]:
    """Yield what is wrong with each total of a Markdown table; empty for one that is right."""
    rows: list[list[str]] = []
    for line in [*text.split("\n"), ""]:
        if re.fullmatch(r"\s*\|.*\|\s*", line):
            rows.append([cell.strip().strip("*_ ") for cell in line.strip().strip("|").split("|")])
            continue
        body = [row for row in rows[1:] if not all(re.fullmatch(r":?-+:?", cell) for cell in row)]
        if len(body) > 1 and _TOTAL.match(body[-1][0]):
            for column, stated in enumerate(body[-1][1:], 1):
                numbers = [_decimal(row[column]) if column < len(row) else None for row in body[:-1]]
                total = _decimal(stated)
                if total is None or any(number is None for number in numbers) or "%" in stated:
                    continue
                added = sum((number for number in numbers if number is not None), Decimal(0))
                name = rows[0][column] if column < len(rows[0]) else str(column + 1)
                yield "" if added == total else f"the total of column {name!r} is {stated}, and it adds up to {added}"
        rows = []


def _evaluated(expression: str) -> Decimal | None:
    tokens: list[str] = re.findall(rf"{_NUMBER}|[+\-\u2212\u2013*×x/÷]", expression.replace(" ", " "))
    # A minus that follows a number is an operator, however close it stands to the next.
    parts: list[str] = []
    for token in tokens:
        if parts and token[0] in "-\u2212" and len(token) > 1 and parts[-1] not in "+-*/":
            parts.extend(("-", token[1:]))
        else:
            parts.append(_OPERATORS.get(token, token))
    numbers = [_decimal(part) for part in parts[::2]]
    if any(number is None for number in numbers) or len(parts) % 2 == 0:
        return None
    terms: list[Decimal] = []
    for operator, number in zip(["+", *parts[1::2]], numbers, strict=True):
        assert number is not None
        match operator:
            case "*":
                terms[-1] *= number
            case "/":
                if not number:
                    return None
                terms[-1] /= number
            case _:
                terms.append(-number if operator == "-" else number)
    return sum(terms, Decimal(0))


def _agree(result: Decimal, stated: Decimal, shown: str, rounded: bool) -> bool:
    digits = len(shown.partition(".")[2].rstrip("%"))
    tolerance = Decimal(1).scaleb(-digits) / 2 if rounded or digits or result != result.to_integral_value() else 0
    return abs(result - stated) <= tolerance or (
        rounded and stated != 0 and abs(result / stated - 1) < Decimal("0.005")
    )


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool):
        return None
    text = re.sub(r"[,$€£¥\s]", "", str(value)).replace("\u2212", "-").rstrip("%")
    if re.fullmatch(r"\(\d+(?:\.\d+)?\)", text):  # accountants write a negative number so
        text = f"-{text[1:-1]}"
    try:
        number = Decimal(text)
    except decimal.InvalidOperation:
        return None
    return number if number.is_finite() else None


def _shown(number: Decimal) -> str:
    text = f"{number:.4f}".rstrip("0").rstrip(".")
    return text or "0"


def _at(value: Any, path: str) -> Iterator[Any]:
    """Yield what stands at a dotted path, of every item of the lists on the way."""
    if isinstance(value, list):
        for item in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _at(item, path)
        return
    if not path:
        yield value
        return
    head, _, rest = path.partition(".")
    if isinstance(value, dict) and head in value:
        yield from _at(value[head], rest)
