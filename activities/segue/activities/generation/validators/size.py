"""How long a draft is: in characters, words, sentences or paragraphs."""

from __future__ import annotations

from typing import Any

from segue.activities.generation.draft import Draft, Verdict
from segue.activities.generation.requirement import InvalidRequirement, Validator
from segue.activities.support.prose import paragraphs, sentences, words

__all__ = ["length", "measure_length"]

Bounds = tuple[int | None, int | None]


def length(
    *,
    words: Bounds | None = None,
    characters: Bounds | None = None,
    sentences: Bounds | None = None,
    paragraphs: Bounds | None = None,
) -> Validator:
    """Return a validator of a draft's length, each bound as `(at least, at most)`, None for none.

    A draft that is too long or too short scores by how near it comes: 90 of at least 100 words are 0.9, which is short
    of a full score however low the requirement's target.

    Raises:
        InvalidRequirement: Nothing is bounded, or nothing can be within the bounds.
    """
    given = {"words": words, "characters": characters, "sentences": sentences, "paragraphs": paragraphs}
    bounds: dict[str, Any] = {unit: list(bound) for unit, bound in given.items() if bound is not None}
    if not bounds or all(bound == [None, None] for bound in bounds.values()):
        raise InvalidRequirement("length() bounds nothing: give words, characters, sentences or paragraphs")
    for unit, (least, most) in bounds.items():
        if (least or 0) < 0 or (most is not None and most < (least or 0)):
            raise InvalidRequirement(f"length({unit}=({least}, {most})): no text is within these bounds")
    return Validator.of(measure_length, **bounds)


def measure_length(
    draft: Draft,
    words: list[int | None] | None = None,
    characters: list[int | None] | None = None,
    sentences: list[int | None] | None = None,
    paragraphs: list[int | None] | None = None,
) -> Verdict:
    """Return how near a draft comes to its bounds: the worst of them."""
    found: list[Verdict] = []
    for unit, bounds in (
        ("words", words),
        ("characters", characters),
        ("sentences", sentences),
        ("paragraphs", paragraphs),
    ):
        if bounds is not None:
            found.append(_within(_count(unit, draft.text), unit, *bounds))
    short = [verdict for verdict in found if verdict.score < 1]
    if not short:
        return Verdict(1, "; ".join(verdict.reason for verdict in found))
    return Verdict(min(verdict.score for verdict in short), "; ".join(verdict.reason for verdict in short))


def _count(unit: str, text: str) -> int:
    match unit:
        case "words":
            return len(words(text))
        case "sentences":
            return len(sentences(text))
        case "paragraphs":
            return len(paragraphs(text))
        case _:
            return len(text)


def _within(count: int, unit: str, least: int | None, most: int | None) -> Verdict:
    if least is not None and count < least:
        return Verdict(count / least, f"has {count:,} {unit}, {least - count:,} fewer than the {least:,} asked for")
    if most is not None and count > most:
        return Verdict(most / count, f"has {count:,} {unit}, {count - most:,} more than the {most:,} allowed")
    return Verdict(1, f"has {count:,} {unit}")
