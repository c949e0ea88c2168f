"""Retrieval: what share of the evidence is among the first passages that a question finds.

    rows = measure(Path("data"))

ContractNLI asks each hypothesis of one agreement, and labels the sentences that bear it out; CUAD asks each category,
in its own description's words, and labels the clauses. Either is asked of one document in an index of them all. A span
counts as found if a passage overlaps it, so the rows say how much text the passages hold: whoever returns the whole
document finds everything.
"""

from __future__ import annotations

import ast
import csv
import json
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import TypeAdapter

from segue.activities.documents import ParsedDocument, Span, parse
from segue.activities.retrieval._file import Entry, IndexFile
from segue.activities.retrieval._passages import CHARACTERS, passages
from segue.activities.retrieval._question import Question
from segue.activities.retrieval._ranking import Found, Within, learned, ranked

__all__ = ["Asked", "Collection", "contracts", "measure"]

_AT: Final = (5, 10)
# Categories that are a name or a date, which stand anywhere: extraction measures those.
_NAMES: Final = frozenset({"document name", "parties", "agreement date", "effective date"})
_LIST: Final = TypeAdapter(list[str])


class Asked(NamedTuple):
    """A question to one document, and where its answer stands."""

    document: int
    question: str
    evidence: list[Span]


class Collection(NamedTuple):
    """Documents with questions."""

    name: str
    documents: list[ParsedDocument]
    asked: list[Asked]


def measure(data: Path, *, characters: Sequence[int] = (400, CHARACTERS)) -> list[dict[str, Any]]:
    """Return a row for each collection and method: recall at 5 and 10, how much text that is, and what a search takes.

    Recall is the mean over the questions of the share of their evidence that was found.
    """
    rows: list[dict[str, Any]] = []
    for collection in (_nli(data / "contract-nli"), _cuad(data / "cuad")):
        for size in characters:
            with IndexFile.create() as file:
                for number, document in enumerate(collection.documents):
                    entry = Entry(str(number), document.digest, document.name, {})
                    file.add(entry, passages(document, size))
                rows += [_row(file, collection, method, size) for method in ("bm25", "bm25, learned")]
    return rows


def _row(file: IndexFile, collection: Collection, method: str, size: int) -> dict[str, Any]:
    recall, text = dict.fromkeys(_AT, 0.0), dict.fromkeys(_AT, 0)
    began = time.perf_counter()
    for asked in collection.asked:
        question = Question.of(asked.question)
        more = learned(file, question) if "learned" in method else []
        within = Within(documents=[collection.documents[asked.document].digest])
        found = [_span(file, one) for one in ranked(file, question, max(_AT), within, more)]
        for at in _AT:
            hit = sum(any(span.overlaps(one) for one in found[:at]) for span in asked.evidence)
            recall[at] += hit / len(asked.evidence)
            text[at] += sum(map(len, found[:at]))
    count = len(collection.asked)
    return {
        "eval": "retrieval",
        "data": collection.name,
        "method": method,
        "passage": size,
        **{f"recall@{at}": round(recall[at] / count, 4) for at in _AT},
        **{f"characters@{at}": round(text[at] / count) for at in _AT},
        "of": round(sum(len(collection.documents[one.document].text) for one in collection.asked) / count),
        "questions": count,
        "ms": round((time.perf_counter() - began) / count * 1000, 2),
    }


def _span(file: IndexFile, found: Found) -> Span:
    start, end = file.connection.execute('SELECT start, "end" FROM passages WHERE id = ?', (found.passage,)).fetchone()
    return Span(start=start, end=end)


def _nli(folder: Path) -> Collection:
    labelled = json.loads((folder / "dev.json").read_text())
    documents = [parse(one["text"].encode(), f"{one['id']}.txt") for one in labelled["documents"]]
    asked = [
        Asked(number, labelled["labels"][label]["hypothesis"], [_labelled(*one["spans"][at]) for at in answer["spans"]])
        for number, one in enumerate(labelled["documents"])
        for label, answer in one["annotation_sets"][0]["annotations"].items()
        if answer["spans"]
    ]
    return Collection("contract-nli", documents, asked)


def _labelled(start: int, end: int) -> Span:
    return Span(start=start, end=end)


def _cuad(folder: Path) -> Collection:
    told = re.findall(
        r"Category:\s*(.+?)\s*\n\s*Description:\s*(.+?)\s*\n", (folder / "CUAD_v1_README.txt").read_text()
    )
    descriptions = {name.lower(): description for name, description in told}
    documents: list[ParsedDocument] = []
    asked: list[Asked] = []
    for row, document in contracts(folder):
        for column, cell in row.items():
            name = column.strip()
            if name == "Filename" or name.endswith("Answer") or name.lower() in _NAMES:
                continue
            evidence = [span for clause in _list(cell) for span in _found(clause, document.text)]
            if evidence:
                key = name.lower().replace("notice period to terminate", "notice to terminate")
                asked.append(Asked(len(documents), f"{name}: {descriptions.get(key, '')}", evidence))
        documents.append(document)
    return Collection("cuad", documents, asked)


def contracts(folder: Path) -> Iterator[tuple[dict[str, str], ParsedDocument]]:
    """Yield the rows of CUAD's `master_clauses.csv`, each with its contract."""
    files = {_key(path.stem): path for path in (folder / "full_contract_txt").glob("*.txt")}
    with (folder / "master_clauses.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            path = files.get(_key(row["Filename"].rpartition(".")[0]))
            if path is not None:
                yield row, parse(path.read_bytes(), path.name)


def _key(name: str) -> str:
    # The table and the folder spell the same name with different punctuation.
    return re.sub(r"\W", "", name).lower()


def _list(cell: str) -> list[str]:
    try:
        return _LIST.validate_python(ast.literal_eval(cell))
    except (ValueError, SyntaxError):  # a cell that holds a bare answer, or nothing
        return []


def _found(clause: str, text: str) -> Iterator[Span]:
    """Yield where a labelled clause first stands: the table has its words with other white space."""
    pattern = r"\s+".join(map(re.escape, clause.split()))
    match = re.search(pattern, text) if pattern else None
    if match is not None:
        yield Span(start=match.start(), end=match.end())
