"""Whether what a draft says stands in its sources: its quotes, word for word, and its figures."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from segue.activities.documents import ParsedDocument
from segue.activities.generation.draft import Draft, Verdict
from segue.activities.generation.prose import figures
from segue.activities.generation.requirement import Validator

__all__ = ["figures_in_sources", "quotes_in_sources", "quotes_of"]

_QUOTED: Final = re.compile(r"“([^“”]+)”|\"([^\"\n]+)\"|«([^«»]+)»|„([^„“”]+)[“”]")
_BLOCK: Final = re.compile(r"(?:^>[^\n]*(?:\n|\Z))+", re.MULTILINE)
_SHOWN: Final = 3


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
    """Return a validator of figures: the score is the share of a draft's numbers that stand in a source."""
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
    """Return the share of figures that stand in a source, however they are grouped."""
    found = figures(draft.text)
    there = {value for source in draft.sources for _, value in figures(source.text)}
    there |= {value for _, value in figures(draft.task)}
    missing = [shown for shown, value in found if value not in there]
    if not missing:
        return Verdict(1, f"all {len(found)} figures stand in the sources")
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return Verdict(1 - len(missing) / len(found), f"in no source stands {', '.join(missing[:_SHOWN])}{more}")


def quotes_of(text: str, words: int = 3) -> list[str]:
    """Return what a text quotes, in its order."""
    found = [
        (match.start(), re.sub(r"^>\s?", "", match.group(), flags=re.MULTILINE).strip())
        for match in _BLOCK.finditer(text)
    ]
    for match in _QUOTED.finditer(text):
        quote = next(group for group in match.groups() if group is not None)
        found.append((match.start(), quote.strip()))
    return [quote for _, quote in sorted(found) if len(quote.split()) >= words]


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
