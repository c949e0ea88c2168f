"""Texts: what stands after a label, what a document calls itself, and which of several choices it says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from segue.activities.extraction.rules.ground import Candidate, Ground

__all__ = ["choices", "labelled", "titles"]

# A label is at the beginning of a line or a cell, a few words long, and ends in a colon.
_LABEL: Final = re.compile(
    r"(?:^|\n|[|\t]|\s{3,})[ \t*_#-]*(?P<label>[A-Z][\w .,'\u2019/&()#-]{1,50}?)[ \t*_]*[:\uff1a][ "
    r"\t*_]*(?P<value>[^\n|\t]{1,200})"
)
_ENDS: Final = re.compile(r"\s{3,}|(?<=\S)\s+(?=[A-Z][\w /#-]{2,25}:\s)")
_DOCUMENT: Final = (
    r"agreement|contract|lease|licen[cs]e|policy|deed|amendment|addendum|memorandum|letter|order|statement|terms|"
    r"notice|"
    r"report|invoice|plan|note|schedule|endorsement|guarant(?:y|ee)|undertaking|power\s+of\s+attorney|charter|bylaws"
)
_NAMES: Final = re.compile(rf"\b(?:{_DOCUMENT})s?\b", re.IGNORECASE)
_NO_TITLE: Final = re.compile(
    r"^(?:exhibit|annex|appendix|execution|source|page|confidential|\W*$|certain\b|\[|\*|note\b|table\s+of)",
    re.IGNORECASE,
)
_FIRST_CHARACTERS: Final = 4000


def labelled(ground: Ground) -> list[tuple[str, Candidate]]:
    """Return each label of a document with what stands after it."""
    found: list[tuple[str, Candidate]] = []
    for match in _LABEL.finditer(ground.text):
        if ground.is_skipped(match.start("label")):
            continue
        value = match["value"]
        stop = _ENDS.search(value)
        text = (value[: stop.start()] if stop else value).rstrip(" ;,*_\r")
        if text and not text.endswith(":"):
            start = match.start("value")
            found.append((match["label"], Candidate(start, start + len(text), " ".join(text.split()))))
    return found


def titles(ground: Ground) -> list[Candidate]:
    """Return what a document calls itself: the first line that is one, else what it says "this ..." of."""
    found: list[Candidate] = []
    for match in re.finditer(r"[^\n]+", ground.text[:_FIRST_CHARACTERS]):
        line = match[0].strip()
        start = match.start() + match[0].index(line) if line else match.start()
        if not 4 <= len(line) <= 140 or ground.is_skipped(start) or _NO_TITLE.match(line):
            continue
        capitals = sum(word[0].isupper() for word in line.split()) / len(line.split())
        if _NAMES.search(line) and (line.isupper() or capitals > 0.7) and not line.endswith((";", ",")):
            found.append(Candidate(start, start + len(line), " ".join(line.split()), 4.0 - len(found)))
            if len(found) == 3:
                break
    return found


def choices(ground: Ground, options: Sequence[str]) -> list[Candidate]:
    """Return where a document says one of several choices, in their own words."""
    found: list[Candidate] = []
    for option in options:
        words = re.findall(r"[^\W_]+", option)
        if words:
            pattern = re.compile(rf"(?<!\w){'[^A-Za-z0-9]{1,3}'.join(map(re.escape, words))}(?!\w)", re.IGNORECASE)
            found += [
                Candidate(match.start(), match.end(), option)
                for match in pattern.finditer(ground.text)
                if not ground.is_skipped(match.start())
            ]
    return sorted(found, key=lambda one: one.start)
