"""Whether what a draft says stands in its sources: its quotes, word for word, and its figures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from segue.activities.documents import ParsedDocument
from segue.activities.generation.draft import Draft, Verdict
from segue.activities.generation.requirement import Validator
from segue.activities.support import Figure, figures, states

__all__ = ["figures_in_sources", "quotes_in_sources", "quotes_of"]

# What may close each mark. A straight mark, and an apostrophe, opens before a word and closes behind one.
_CLOSING: Final = {
    "\u201c": "\u201d",
    "\u201e": "\u201c\u201d",
    "«": "»",
    "»": "«",
    "「": "」",
    "『": "』",
    "\u2039": "\u203a",
    "\u203a": "\u2039",
    "\u2018": "\u2019",
    "\u201a": "\u2018\u2019",
    '"': '"',
    "'": "'",
}
_BROKEN: Final = re.compile(r"\n[ \t]*\n")
# Without spaces between words, so many letters are one.
_LETTERS_A_WORD: Final = 3
_BLOCK: Final = re.compile(r"(?:^>[^\n]*(?:\n|\Z))+", re.MULTILINE)
_SHOWN: Final = 3
_MONEY: Final = frozenset({"$", "USD", "EUR", "GBP", "JPY", "CHF"})
_SAID: Final = {"USD": "USD", "EUR": "EUR", "GBP": "GBP", "CHF": "CHF", "dollars": "$", "euros": "EUR", "pounds": "GBP"}
_SCALES: Final = {"thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}


def quotes_in_sources(*, at_least: int = 1, words: int = 3, fields: Sequence[str] = ("quote", "quotes")) -> Validator:
    """Return a validator of quotes: the score is the share that stands word for word in a source.

    In a text a quote is what stands between quotation marks, or in a block quote; in JSON it is the value of certain
    fields.

    Args:
        at_least: How many quotes there must be.
        words: Fewest words that make a quote: what is shorter is a term, or irony. JSON's are quotes at any length.
        fields: Names of JSON's fields that hold quotes.
    """
    return Validator.of(find_quotes, stage="evidence", at_least=at_least, words=words, fields=list(fields))


def figures_in_sources() -> Validator:
    """Return a validator of figures: the score is the share of a draft's numbers that stand in a source.

    In digits or in words, each with its sign, scale, currency and unit: `12 %` is not `-12 %`, nor `12 bp`.
    """
    return Validator.of(find_figures, stage="evidence")


def find_quotes(
    draft: Draft, at_least: int = 1, words: int = 3, fields: Sequence[str] = ("quote", "quotes")
) -> Verdict:
    """Return the share of quotes that stand in a source."""
    quotes = list(_fields(draft.value, fields)) if draft.value is not None else quotes_of(draft.text, words)
    if len(quotes) < at_least:
        return Verdict(0, f"holds {len(quotes)} quotes of the sources, and {at_least} asked for")
    if not quotes:
        return Verdict(1, "quotes nothing")
    missing = [number for number, quote in enumerate(quotes, 1) if not any(_holds(one, quote) for one in draft.sources)]
    if not missing:
        return Verdict(1, "the quote is verbatim" if len(quotes) == 1 else f"all {len(quotes)} quotes are verbatim")
    told = ", ".join(str(number) for number in missing[:10])
    return Verdict(
        1 - len(missing) / len(quotes),
        f"of {len(quotes)} quotes, these stand in no source word for word: number {told}",
    )


def find_figures(draft: Draft) -> Verdict:
    """Return the share of figures that stand in a source, with their sign and unit, in digits or in words."""
    found = figures(draft.text)
    there = [figure for source in draft.sources for figure in _stated(source.text)] + figures(draft.task)
    missing = [one.text for one in found if not states(there, one)]
    if not missing:
        return Verdict(1, f"all {len(found)} figures stand in the sources")
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return Verdict(1 - len(missing) / len(found), f"in no source stands {', '.join(missing[:_SHOWN])}{more}")


def quotes_of(text: str, words: int = 3) -> list[str]:
    """Return what a text quotes, in its order; what is quoted within a quote is part of it."""
    found = [
        (match.start(), re.sub(r"^>\s?", "", match.group(), flags=re.MULTILINE).strip())
        for match in _BLOCK.finditer(text)
    ]
    at = 0
    while at < len(text):
        end = _closed(text, at) if text[at] in _CLOSING else None
        if end is None:
            at += 1
            continue
        found.append((at, text[at + 1 : end].strip()))
        at = end + 1
    return [quote for _, quote in sorted(found) if _words(quote) >= words]


def _closed(text: str, at: int) -> int | None:
    """Return where a quotation that opens at a mark closes, if it is one: in its paragraph, behind what it nests."""
    mark = text[at]
    closing = _CLOSING[mark]
    if mark in "\"'\u2018\u201a»\u203a" and not _opens(text, at):
        return None
    depth = 1
    gap = _BROKEN.search(text, at)
    for place in range(at + 1, gap.start() if gap else len(text)):
        one = text[place]
        if one == mark and mark not in closing and mark != "\u2018":
            depth += 1
        elif one in closing and _closes(text, place, one):
            depth -= 1
            if not depth:
                return place
    return None


def _opens(text: str, at: int) -> bool:
    """Whether a mark that may be another thing opens a quotation: not the inches of `5"`, not an apostrophe."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    return (not before or before.isspace() or before in "([{-\u2013\u2014:,*_") and bool(after) and not after.isspace()


def _closes(text: str, at: int, mark: str) -> bool:
    if mark not in "\"'\u2019":
        return True
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    return not before.isspace() and not after.isalnum() and not (mark == '"' and _is_measure(text, at))


def _is_measure(text: str, at: int) -> bool:
    """Whether a straight mark is that of inches within a quotation: behind digits, with the quotation's own to come."""
    following = text[at + 1 :].split("\n\n", 1)[0]
    return text[at - 1].isdigit() and re.match(r"\s+\w", following) is not None and following.count('"') % 2 == 1


def _words(quote: str) -> int:
    wide = sum("\u3040" <= letter <= "\u9fff" or "\uac00" <= letter <= "\ud7af" for letter in quote)
    return max(len(quote.split()), wide // _LETTERS_A_WORD)


def _stated(text: str) -> list[Figure]:
    """Return the figures of a source. A bare number may be in what the source says of all: `in EUR`, `in millions`."""
    there = figures(text)
    bare = [one for one in there if not one.unit]
    units = {one.unit for one in there if one.unit in _MONEY} | {
        unit
        for name, unit in _SAID.items()
        if re.search(rf"\bin\s+(?:\w+\s+of\s+)?{re.escape(name)}", text, re.IGNORECASE)
    }
    scales = {amount for name, amount in _SCALES.items() if re.search(rf"\b(?:in|of)\s+{name}s\b", text, re.IGNORECASE)}
    meant = [one._replace(unit=unit) for one in bare for unit in units]
    scaled = [
        one._replace(amount=(one.amount * scale).normalize())
        for one in (*there, *meant)
        for scale in scales
        if not one.unit or one.unit in _MONEY
    ]
    return [*there, *meant, *scaled]


def _holds(source: ParsedDocument, quote: str) -> bool:
    from segue.activities import documents

    return documents.locate(quote, source) is not None


def _fields(value: Any, names: Sequence[str]) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
            if name in names and isinstance(inner, str):
                yield inner
            elif name in names and isinstance(inner, list):
                yield from (one for one in inner if isinstance(one, str))  # pyright: ignore[reportUnknownVariableType]
            yield from _fields(inner, names)
    elif isinstance(value, list):
        for inner in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _fields(inner, names)
