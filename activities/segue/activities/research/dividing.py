"""A question divided without a model: where it is written as several questions, each is one."""

from __future__ import annotations

import re
from typing import Final

from segue.activities.research.evidence import Question
from segue.activities.research.terms import terms

__all__ = ["divided", "numbered"]

_PARTS: Final = re.compile(r"(?<=[?!])\s+|\s*;\s*|\n+\s*(?:[-*•]|\d+[.)])?\s*")
_FEWEST: Final = 2


def divided(question: str, most: int) -> tuple[Question, ...]:
    """Return the questions that a question is made of: it alone, or it and its parts.

    Args:
        question: The question.
        most: How many parts at most.
    """
    parts = [part.strip() for part in _PARTS.split(question.strip())]
    return numbered(question, [part for part in parts if terms(part) and not part.endswith(":")][:most])


def numbered(question: str, parts: list[str]) -> tuple[Question, ...]:
    """Return a question and its parts; one that has a single part stands for itself."""
    asked = " ".join(question.split())
    found = list(dict.fromkeys(" ".join(part.split()) for part in parts if part.strip()))
    whole = Question(number=0, text=asked, queries=(asked,))
    if len(found) < _FEWEST:
        return (whole,)
    return (whole, *(Question(number=number, text=part, queries=(part,)) for number, part in enumerate(found, 1)))
