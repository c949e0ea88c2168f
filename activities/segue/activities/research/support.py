"""Whether quotes support a sentence, as far as rules can tell. They can only refuse; what they let pass may be judged.

    problem("The fee is 12 % from 2027.", ["The fee is 10 %."])     # "its quotes do not say 12, 2027"

A sentence fails that cites nothing, states a figure or a name that its quotes do not have, denies what they do not
deny, or has too little in common with them. Where no judge looks at it, it has to be nearly its quote.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from segue.activities.generation.prose import figures
from segue.activities.research.terms import denies, exceptions, names, terms

__all__ = ["JUDGED", "UNJUDGED", "problem"]

JUDGED: Final = 0.65
"""The share of a sentence's words that its quotes must have, where a judge looks at it too."""

UNJUDGED: Final = 0.8
"""The share where none does."""

_SHOWN: Final = 3


def problem(
    sentence: str, quotes: Sequence[str], *, contexts: Sequence[str] | None = None, share: float = UNJUDGED
) -> str:
    """Return why quotes do not support a sentence; empty if rules find nothing.

    Args:
        sentence: The sentence.
        quotes: What it cites, verbatim.
        contexts: The quotes with what stands before them, where a denial may: `shall not be` before `liable`.
        share: How much of the sentence the quotes must have.
    """
    if not quotes:
        return "it cites nothing"
    said = " ".join(quotes)
    # Only the quotes count: what a question takes for granted is not thereby so.
    there = set(terms(said))
    # Numbers that are written as words count as well.
    numbers = {value for _, value in figures(said)} | there
    if strange := [shown for shown, value in figures(sentence) if value not in numbers]:
        return f"its quotes do not say {_listed(strange)}"
    if strange := [name for name in names(sentence) if not set(terms(name)) <= there]:
        return f"its quotes do not name {_listed(strange)}"
    around = quotes if contexts is None else contexts
    excepted = {word for context in around for word in exceptions(context)}
    if denies(sentence) and not excepted and not any(denies(context) for context in around):
        return "it denies what its quotes do not"
    # "refuses" may stand for "does not", if it is not there beside it: "no pets without consent".
    if not denies(sentence) and exceptions(sentence) <= excepted and all(denies(context) for context in around):
        return "it leaves out that its quotes deny it"
    wanted = set(terms(sentence))
    if not wanted:
        return "it says nothing"
    if len(wanted & there) / len(wanted) < share:
        return "it says more than its quotes"
    return ""


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:_SHOWN]) + (f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else "")
