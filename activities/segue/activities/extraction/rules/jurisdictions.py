"""Whose law governs: the place after "the laws of", or before "law", in a sentence that says what governs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from segue.activities.extraction.rules.ground import Candidate, Ground
from segue.activities.extraction.rules.places import DEMONYMS, PLACE_PATTERN, place_of

__all__ = ["jurisdictions"]

_GOVERNS: Final = re.compile(
    r"govern|constru|interpret|applicable\s+law|proper\s+law|subject\s+to\s+the\s+laws?|enforce", re.IGNORECASE
)
_GOVERNED: Final = re.compile(r"\bgovern(?:ed|ing|s)?\b|applicable\s+law|proper\s+law", re.IGNORECASE)
_ORGANISED: Final = re.compile(
    r"(?:organi[sz]ed|incorporated|existing|formed|registered|established|created|constituted|chartered|good\s+standing)"
    r"[^.;]{0,60}$",
    re.IGNORECASE,
)
_TITLE: Final = re.compile(r"\blaws?\b|jurisdiction", re.IGNORECASE)
_PLACE: Final = rf"(?P<place>(?:{PLACE_PATTERN}))"
_LEAD: Final = (
    r"(?:(?:the|said|internal|substantive|domestic|municipal|local)\s+|"
    r"(?:state|commonwealth|province|republic|kingdom|country|nation|territory|people)s?\s*,?\s+of\s+)*"
)
_LAWS_OF: Final = re.compile(
    rf"\blaws?(?:,?\s+(?!equity)[\w-]+){{0,4}}?,?\s+(?:of|in)\s+{_LEAD}{_PLACE}(?!\w)", re.IGNORECASE
)
_FURTHER: Final = re.compile(rf"\s*(?P<by>(?:,\s*)?(?:and|or|/|&|,))\s*(?:of\s+)?{_LEAD}{_PLACE}(?!\w)", re.IGNORECASE)
_LAWS_OF_THAT: Final = re.compile(
    r"\blaws?\s+of\s+(?:that|said|such)\s+(?:state|province|country|jurisdiction)\b", re.IGNORECASE
)
_STATE_OF: Final = re.compile(rf"\b(?:state|province|commonwealth|country)\s+of\s+{_PLACE}(?!\w)", re.IGNORECASE)
_LAW: Final = re.compile(
    rf"(?<!\w)(?P<place>(?:{PLACE_PATTERN})|(?:{'|'.join(DEMONYMS)}))(?:\s+state)?\s+laws?\b", re.IGNORECASE
)
_COURTS: Final = re.compile(r"courts?|venue|forum|arbitrat", re.IGNORECASE)


def jurisdictions(ground: Ground) -> list[Candidate]:
    """Return the places whose law is spoken of, each with how much speaks for its governing."""
    return sorted(_found(ground), key=lambda one: one.start)


def _found(ground: Ground) -> Iterator[Candidate]:
    text = ground.text
    for match in _LAWS_OF.finditer(text):
        yield from _candidate(ground, match, match.start())
        end = match.end()
        # Under the laws of two places, both govern; what follows a comma may be the country that a state is in.
        while (more := _FURTHER.match(text, end)) is not None:
            if "," not in more["by"] or re.search(r"and|or|&", more["by"], re.IGNORECASE):
                yield from _candidate(ground, more, match.start(), further=True)
            end = more.end()
    for match in _LAWS_OF_THAT.finditer(text):
        # "made in the State of X, and construed by the laws of that State"
        sentence = ground.sentence(match.start())
        named = list(_STATE_OF.finditer(text, sentence.start, match.start()))
        for one in named[-1:]:
            yield from _candidate(ground, one, match.start())
    for match in _LAW.finditer(text):
        yield from _candidate(ground, match, match.start())


def _candidate(ground: Ground, match: re.Match[str], law: int, *, further: bool = False) -> Iterator[Candidate]:
    raw = match["place"]
    value = place_of(raw)
    # A place is written as a name is; "turkey" and "jersey" are not.
    if value is None or not raw[0].isupper() or ground.is_skipped(match.start()):
        return
    sentence = ground.sentence(law)
    said = ground.said(sentence)
    before = ground.before(law, 120)
    score = 0.0
    if _GOVERNED.search(said):
        score += 3.0
    elif _GOVERNS.search(said):
        score += 2.0
    if _TITLE.search(ground.titles(law)):
        score += 1.5
    if _ORGANISED.search(before):
        score -= 4.0
    if not _GOVERNS.search(said) and _COURTS.search(said):
        score -= 1.0
    if not _GOVERNED.search(before) and score < 3:
        score -= 0.5
    yield Candidate(match.start("place"), match.end("place"), value, score - (1.5 if further else 0.0))
