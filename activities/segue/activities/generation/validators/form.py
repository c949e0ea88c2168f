"""What form a draft has: phrases that it holds or must not hold, patterns, JSON, and the schema of a model."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pydantic
from pydantic import BaseModel

from segue.activities.errors import describe
from segue.activities.generation.draft import Draft, Verdict
from segue.activities.generation.functions import NotFound, function
from segue.activities.generation.requirement import InvalidRequirement, Validator
from segue.activities.generation.validators import patterns

__all__ = ["conforms", "contains", "ends_with", "excludes", "is_json", "matches"]

_SHOWN = 5


def contains(*phrases: str, times: int = 1, ignore_case: bool = True) -> Validator:
    """Return a validator that asks for each of some phrases, so often; the score is the share that is there.

    A phrase that begins or ends in a letter or digit is found as whole words only.
    """
    _some("contains", phrases)
    return Validator.of(find_phrases, phrases=list(phrases), times=times, ignore_case=ignore_case)


def excludes(*phrases: str, ignore_case: bool = True) -> Validator:
    """Return a validator that a draft passes which holds none of some phrases."""
    _some("excludes", phrases)
    return Validator.of(find_no_phrase, phrases=list(phrases), ignore_case=ignore_case)


def ends_with(phrase: str) -> Validator:
    """Return a validator that a draft passes which ends in a phrase, white space aside."""
    _some("ends_with", [phrase])
    return Validator.of(find_end, phrase=phrase)


def matches(pattern: str, *, at_least: int = 1, at_most: int | None = None) -> Validator:
    """Return a validator that counts where a regular expression matches, over several lines.

    Raises:
        InvalidRequirement: It is no regular expression.
    """
    try:
        re.compile(pattern, re.MULTILINE)
    except re.error as error:
        raise InvalidRequirement(f"matches({pattern!r}) is no regular expression: {error}") from None
    return Validator.of(find_matches, pattern=pattern, at_least=at_least, at_most=at_most)


def is_json() -> Validator:
    """Return a validator that a draft passes which is JSON as a whole; a fence of Markdown around it is let pass."""
    return Validator.of(read_json)


def conforms(model: type[BaseModel]) -> Validator:
    """Return a validator that a draft passes which is JSON that a pydantic model takes.

    Raises:
        InvalidRequirement: The model does not stand at the top of a module.
    """
    if "<" in model.__qualname__:
        raise InvalidRequirement(
            f"{model.__qualname__!r} is defined within a function, where no worker finds it: define it at the top of a "
            "module"
        )
    return Validator.of(read_model, model=f"{model.__module__}:{model.__qualname__}")


def find_phrases(draft: Draft, phrases: list[str], times: int = 1, ignore_case: bool = True) -> Verdict:
    """Return the share of phrases that are there so often."""
    counts = {phrase: _occurrences(phrase, draft.text, ignore_case) for phrase in phrases}
    missing = [phrase for phrase, count in counts.items() if count < times]
    if not missing:
        return Verdict(1, f"holds all of {_listed(phrases)}")
    often = f" {times} times" if times > 1 else ""
    score = sum(min(count, times) for count in counts.values()) / (times * len(counts))
    return Verdict(score, f"does not hold {_listed(missing)}{often}")


def find_no_phrase(draft: Draft, phrases: list[str], ignore_case: bool = True) -> Verdict:
    """Return 1 if no phrase is there."""
    found = [phrase for phrase in phrases if _occurrences(phrase, draft.text, ignore_case)]
    return Verdict(0, f"holds {_listed(found)}") if found else Verdict(1, f"holds none of {_listed(phrases)}")


def find_end(draft: Draft, phrase: str) -> Verdict:
    """Return 1 if the draft ends in the phrase."""
    text, wanted = draft.text.rstrip(), phrase.strip()
    # Emphasis and quotation marks around the whole text are let pass.
    ends = text.endswith(wanted) or text.rstrip("*_\"'”\u2019").endswith(wanted)
    return Verdict(1, f"ends with {phrase!r}") if ends else Verdict(0, f"does not end with {phrase!r}")


def find_matches(draft: Draft, pattern: str, at_least: int = 1, at_most: int | None = None) -> Verdict:
    """Return how near the number of matches comes to its bounds.

    Raises:
        InvalidRequirement: It searches for ever: it has to be written without nested repetition.
    """
    count = patterns.count(pattern, draft.text)
    if count < at_least:
        return Verdict(count / at_least, f"matches {pattern!r} {count} times, fewer than the {at_least} asked for")
    if at_most is not None and count > at_most:
        return Verdict(at_most / count, f"matches {pattern!r} {count} times, more than the {at_most} allowed")
    return Verdict(1, f"matches {pattern!r} {count} times")


def read_json(draft: Draft) -> Verdict:
    """Return 1 if the draft is JSON."""
    try:
        json.loads(unfenced(draft.text))
    except ValueError as error:
        return Verdict(0, f"is not JSON: {error}")
    return Verdict(1, "is JSON")


def read_model(draft: Draft, model: str) -> Verdict:
    """Return 1 if the model takes the draft; else the share of its fields that it has no fault to find with."""
    try:
        cls: Any = function(model)
    except NotFound as error:
        raise InvalidRequirement(str(error)) from error
    try:
        cls.model_validate_json(unfenced(draft.text))
    except pydantic.ValidationError as error:
        faulty = {str(problem["loc"][0]) for problem in error.errors(include_input=False) if problem["loc"]}
        total = max(len(cls.model_fields), 1)
        score = max(0.0, 1 - len(faulty) / total) if faulty else 0.0
        return Verdict(min(score, 0.99), f"does not conform to {cls.__name__}: {describe(error)}")
    return Verdict(1, f"conforms to {cls.__name__}")


def unfenced(text: str) -> str:
    """Return a text without the fence of Markdown that models like to put around code."""
    fenced = re.fullmatch(r"\s*```[\w-]*\n(.*?)\n?```\s*", text, re.DOTALL)
    return fenced[1] if fenced else text


def _occurrences(phrase: str, text: str, ignore_case: bool) -> int:
    pattern = re.escape(" ".join(phrase.split())).replace(r"\ ", r"\s+")
    pattern = (r"(?<!\w)" if phrase[:1].isalnum() else "") + pattern + (r"(?!\w)" if phrase[-1:].isalnum() else "")
    return sum(1 for _ in re.finditer(pattern, text, re.IGNORECASE if ignore_case else 0))


def _some(name: str, phrases: Sequence[str]) -> None:
    if not phrases or not all(phrase.strip() for phrase in phrases):
        raise InvalidRequirement(f"{name}() needs phrases that are not empty")


def _listed(phrases: Sequence[str]) -> str:
    shown = ", ".join(repr(phrase) for phrase in phrases[:_SHOWN])
    return shown + (f" and {len(phrases) - _SHOWN} more" if len(phrases) > _SHOWN else "")
