"""Extraction: dates, jurisdiction, term and parties of real contracts, by rules, against their labels.

    rows = measure(Path("data"))

The fields are declared as any user would declare them. A value is right if it is the label's, normalised: a date is the
same day, a place the same place, a length of time the same length or the one after which the labelled end comes, a
party one whose name is the label's or stands in it. A label that is no whole date, such as 9/[]/2019, is left out.
Verbatim is a value whose `raw` stands in the contract at its span, letter for letter: the aim is all of them.
"""

from __future__ import annotations

import asyncio
import difflib
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from benchmarks.evals.retrieval import contracts
from pydantic import BaseModel, Field

from segue.activities.documents import ParsedDocument
from segue.activities.extraction import Duration, Value
from segue.activities.extraction.reading import Reading, read
from segue.activities.extraction.rules.durations import duration_of
from segue.activities.extraction.rules.places import place_of

__all__ = ["Contract", "measure"]


class Contract(BaseModel):
    """What is to be known of each contract."""

    parties: list[str] = Field([], description="The two or more parties who signed the contract")
    agreement_date: date | None = Field(None, description="The date of the contract")
    effective_date: date | None = Field(None, description="The date when the contract is effective")
    expiration_date: date | None = Field(None, description="On what date the contract's initial term expires")
    term: Duration | None = Field(None, description="How long the initial term is")
    renewal_term: Duration | None = Field(None, description="What the renewal term is after the initial term expires")
    notice_period: Duration | None = Field(None, description="The notice period required to terminate renewal")
    governing_law: list[str] = Field([], description="Which state's or country's law governs the contract")


Row = dict[str, str]
Judged = Counter[str]


def measure(data: Path) -> list[dict[str, Any]]:
    """Return a row for each field: precision, recall, the share of values that are verbatim, and seconds a document."""
    counts: dict[str, Judged] = {name: Judged() for name in _JUDGES}
    documents = 0
    began = time.perf_counter()
    for row, parsed in contracts(data / "cuad"):
        began_reading = time.perf_counter()
        extraction = asyncio.run(read(parsed, Contract, Reading(store="", minimum_confidence=0.0)))
        seconds = time.perf_counter() - began_reading
        documents += 1
        for name, judge in _JUDGES.items():
            values = [value for value in extraction.values if value.field in _FIELDS.get(name, (name,))]
            judged = judge(row, values)
            counts[name] += judged
            if labels := judged["found"] + judged["missed"]:
                counts[name]["labelled"] += 1
                counts[name]["millionths"] += round(judged["found"] / labels * 1e6)
            counts[name]["values"] += len(values)
            counts[name]["verbatim"] += sum(_is_verbatim(parsed, value) for value in values)
            counts[name]["microseconds"] += round(seconds * 1e6)
    wall = time.perf_counter() - began
    return [
        {
            "eval": "extraction",
            "field": name,
            "engine": "rules",
            "precision": _share(count["right"], count["right"] + count["wrong"]),
            "recall": _share(count["found"], count["found"] + count["missed"]),
            # Of a contract between fifty, fifty names: the mean over contracts tells what one may expect of one.
            "recall a document": round(count["millionths"] / 1e6 / max(count["labelled"], 1), 4),
            "verbatim": _share(count["verbatim"], count["values"]),
            "values": count["values"],
            "labels": count["found"] + count["missed"],
            "documents": documents,
            "s a document": round(count["microseconds"] / 1e6 / max(documents, 1), 3),
            "wall s": round(wall, 1),
        }
        for name, count in counts.items()
    ]


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _is_verbatim(parsed: ParsedDocument, value: Value) -> bool:
    return bool(value.raw.strip()) and parsed.text[value.start : value.end] == value.raw


def _judged(right: bool, predicted: bool, labelled: bool) -> Judged:
    """Count one field of one document: what was predicted is right or wrong, what is labelled found or missed."""
    return Judged(
        right=predicted and right,
        wrong=predicted and not right,
        found=labelled and right,
        missed=labelled and not right,
    )


def _date(column: str) -> Callable[[Row, Sequence[Value]], Judged]:
    def judge(row: Row, values: Sequence[Value]) -> Judged:
        told = row[f"{column}-Answer"].strip()
        labelled = _day(told)
        if told and labelled is None:
            return Judged()
        right = bool(values) and labelled is not None and values[0].value == labelled.isoformat()
        return _judged(right, bool(values), labelled is not None)

    return judge


def _law(row: Row, values: Sequence[Value]) -> Judged:
    labelled = set(_places(row["Governing Law-Answer"]))
    predicted = {value.value for value in values}
    return _judged(bool(labelled) and predicted == labelled, bool(predicted), bool(labelled))


def _term(row: Row, values: Sequence[Value]) -> Judged:
    """A term is right if the labelled end comes after it, or if it stands in the labelled clause."""
    told = row["Expiration Date-Answer"].strip()
    ends = _day(told)
    begins = [
        day for column in ("Effective Date", "Agreement Date") if (day := _day(row[f"{column}-Answer"])) is not None
    ]
    clause = _line(row["Expiration Date"])
    right = False
    for value in values:
        if value.field == "expiration_date":
            right |= ends is not None and value.value == ends.isoformat()
        else:
            length = Duration.model_validate(value.value)
            right |= ends is not None and any(abs((length.after(day) - ends).days) <= 1 for day in begins)
            right |= _line(value.raw) in clause
    return _judged(right, bool(values), ends is not None or duration_of(clause) is not None)


def _length(column: str, answer: str) -> Callable[[Row, Sequence[Value]], Judged]:
    def judge(row: Row, values: Sequence[Value]) -> Judged:
        match = re.search(r"(\d+)\s*(year|month|week|day)", row[answer])
        labelled = duration_of(f"{match[1]} {match[2]}s") if match is not None else None
        predicted = Duration.model_validate(values[0].value) if values else None
        right = labelled is not None and predicted is not None and _same(labelled, predicted)
        return _judged(right, predicted is not None, labelled is not None)

    return judge


def _same(one: Duration, other: Duration) -> bool:
    return one == other or (one.in_units("months") is not None and one.in_units("months") == other.in_units("months"))


def _parties(row: Row, values: Sequence[Value]) -> Judged:
    labelled = list(_names(row["Parties-Answer"]))
    predicted = [value.value for value in values]
    right = sum(any(_alike(name, label) for label in labelled) for name in predicted)
    found = sum(any(_alike(name, label) for name in predicted) for label in labelled)
    return Judged(right=right, wrong=len(predicted) - right, found=found, missed=len(labelled) - found)


_JUDGES: Final[dict[str, Callable[[Row, Sequence[Value]], Judged]]] = {
    "agreement_date": _date("Agreement Date"),
    "effective_date": _date("Effective Date"),
    "governing_law": _law,
    "term": _term,
    "renewal_term": _length("Renewal Term", "Renewal Term-Answer"),
    "notice_period": _length("Notice", "Notice Period To Terminate Renewal- Answer"),
    "parties": _parties,
}
_FIELDS: Final = {"term": ("term", "expiration_date")}


def _day(text: str) -> date | None:
    match = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{2}|\d{4})", text.strip())
    if match is None:
        return None
    year = int(match[3]) + (0 if len(match[3]) == 4 else 1900 if int(match[3]) >= 70 else 2000)
    try:
        return date(year, int(match[1]), int(match[2]))
    except ValueError:
        return None


def _places(text: str) -> Iterable[str]:
    found: list[str] = []
    for part in re.split(r";|,(?!\s*(?:UK|United Kingdom|Canada)\b)", text):
        name = re.sub(r",\s*(?:UK|United Kingdom|Canada)$", "", part.strip())
        if name:
            found.append(place_of(name) or name)
    return ["England and Wales"] if found == ["England", "Wales"] else found


def _names(text: str) -> Iterable[str]:
    """Yield the names of a label: not what the contract calls them, nor "A and B", which is what they are together."""
    for part in text.split(";"):
        name = re.sub(r"[(\[“\"].*", "", part, flags=re.DOTALL).strip(' ,."')
        together = re.search(r"part(?:y|ies)", part, re.IGNORECASE) and re.fullmatch(r"[\w-]+ and [\w -]+", name)
        if (
            _letters(name)
            and not together
            and not re.match(r"(?:each|you|party|parties|both|individually)\b", name, re.I)
        ):
            yield name


def _alike(one: str, other: str) -> bool:
    """Whether two spellings are one name: labels have slips, and say more of a name or less."""
    one, other = _letters(one), _letters(other)
    if min(len(one), len(other)) >= 6 and (one in other or other in one):
        return True
    return difflib.SequenceMatcher(None, one, other).ratio() >= 0.85


def _letters(text: str) -> str:
    return re.sub(r"\W+", "", text).lower()


def _line(text: str) -> str:
    return " ".join(text.split())
