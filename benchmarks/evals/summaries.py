"""Extractive summaries, beside the first sentences and beside plain TextRank, at the same length.

    rows = measure(Path("data"))

Two kinds of public documents carry what people find important in them: a policy that has a summary of itself, which is
taken out before it is summarised, and contracts in which lawyers marked the clauses that matter. Earnings calls come
without; of their summaries it is counted what a reader would check: whether each sentence stands in the source word for
word, whether each figure does, and how many figures and how much outlook there is.
"""

from __future__ import annotations

import ast
import csv
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from segue.activities.comparison.values import figures_of
from segue.activities.documents import ParsedDocument, parse
from segue.activities.summary import summarise
from segue.activities.summary._ranking import centrality, vectors_of  # pyright: ignore[reportPrivateUsage]
from segue.activities.summary._sentences import sentences_of  # pyright: ignore[reportPrivateUsage]

__all__ = ["measure", "rouge"]

_LONGEST: Final = 600
_CALL_WORDS: Final = 250

Pair = tuple[ParsedDocument, str]
"""A document, and what people find important in it."""


def measure(data: Path) -> list[dict[str, Any]]:
    """Return a row for each set of documents and method."""
    rows: list[dict[str, Any]] = []
    for name, pairs in (("policies", list(_policies(data))), ("contracts", list(_contracts(data)))):
        for method, make in _METHODS.items():
            began = time.perf_counter()
            scores = [rouge(make(document, _length(wanted)), wanted) for document, wanted in pairs]
            seconds = time.perf_counter() - began
            if scores:
                rows.append(
                    {"eval": "summaries", "set": name, "method": method, "documents": len(scores)}
                    | {f"rouge{kind}": round(_mean(score[kind] for score in scores), 4) for kind in ("1", "2", "L")}
                    | {"seconds": round(seconds, 2)}
                )
    rows += _calls(data)
    return rows


def rouge(summary: str, reference: str) -> dict[str, float]:
    """Return ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004) of a summary, each as F1."""
    here, there = _words(summary), _words(reference)
    scores = {str(size): _f1(*_overlap(here, there, size)) for size in (1, 2)}
    common = _common(here, there)
    return scores | {"L": _f1(common / max(len(here), 1), common / max(len(there), 1))}


def _overlap(here: Sequence[str], there: Sequence[str], size: int) -> tuple[float, float]:
    some, others = (Counter(zip(*(words[at:] for at in range(size)), strict=False)) for words in (here, there))
    both = (some & others).total()
    return both / max(some.total(), 1), both / max(others.total(), 1)


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _common(here: Sequence[str], there: Sequence[str]) -> int:
    """Return the length of the longest common subsequence of two lists of words."""
    from rapidfuzz.distance import LCSseq

    return LCSseq.similarity(here, there)


def _words(text: str) -> list[str]:
    return [re.sub(r"(?<=\w{3})s$", "", word) for word in re.findall(r"[^\W_]+", text.casefold())]


def _length(wanted: str) -> int:
    return max(min(len(wanted.split()), _LONGEST), 40)


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / max(len(listed), 1)


def _by_segue(document: ParsedDocument, words: int) -> str:
    return summarise(document, words=words).text


def _by_lead(document: ParsedDocument, words: int) -> str:
    return _filled((one.text for one in sentences_of(document)), words)


def _by_textrank(document: ParsedDocument, words: int) -> str:
    sentences = sentences_of(document)
    ranks = centrality(vectors_of([one.text for one in sentences]))
    order = sorted(range(len(sentences)), key=lambda index: -ranks[index])
    return _filled((sentences[index].text for index in order), words)


def _filled(sentences: Iterable[str], words: int) -> str:
    kept: list[str] = []
    for sentence in sentences:
        length = len(sentence.split())
        if length > words:
            continue
        kept.append(sentence)
        words -= length
    return " ".join(kept)


_METHODS: Final[dict[str, Callable[[ParsedDocument, int], str]]] = {
    "segue": _by_segue,
    "textrank": _by_textrank,
    "lead": _by_lead,
}


def _policies(data: Path) -> Iterator[Pair]:
    """Yield a policy's versions without their summary, each with it."""
    for path in sorted((data / "site-policy").glob("*.md"))[::5]:
        document = parse(path.read_bytes(), path.name)
        told = [clause for clause in document.clauses if clause.section[-1:] == ("Summary",) and clause.kind == "row"]
        wanted = " ".join(document.quote(clause).partition("\t")[2] for clause in told[1:])
        if len(wanted.split()) >= 40:
            rest = tuple(one for one in document.clauses if one not in told and one.section[-1:] != ("Summary",))
            yield document.model_copy(update={"clauses": rest}), wanted


_UNMARKED: Final = ("Filename", "Document Name", "Parties")


def _contracts(data: Path) -> Iterator[Pair]:
    """Yield contracts, each with the clauses that lawyers marked in it."""
    labels = data / "cuad" / "master_clauses.csv"
    if not labels.exists():
        return
    texts = {_plain(path.stem): path for path in (data / "cuad" / "full_contract_txt").glob("*.txt")}
    with labels.open(newline="") as file:
        for row in csv.DictReader(file):
            path = texts.get(_plain(Path(row["Filename"]).stem))
            if path is None:
                continue
            marked: dict[str, None] = {}
            for column, cell in row.items():
                if not column.endswith("Answer") and column not in _UNMARKED and cell.startswith("["):
                    marked |= dict.fromkeys(" ".join(text.split()) for text in ast.literal_eval(cell))
            wanted = " ".join(marked)
            if len(wanted.split()) >= 40:
                yield parse(path.read_bytes(), path.name), wanted


def _plain(name: str) -> str:
    """Return a file's name as the labels and the texts both have it."""
    return re.sub(r"[\W_]", "", name).casefold()


def _calls(data: Path) -> list[dict[str, Any]]:
    """Return what can be counted in summaries of calls, for which there is no model answer."""
    documents = [parse(path.read_bytes(), path.name) for path in sorted((data / "earnings21").glob("*.txt"))]
    rows: list[dict[str, Any]] = []
    for method, make in _METHODS.items():
        began = time.perf_counter()
        made = [(document, make(document, _CALL_WORDS)) for document in documents]
        seconds = time.perf_counter() - began
        if not made:
            continue
        figures = [figures_of(text) for _, text in made]
        rows.append(
            {
                "eval": "summaries",
                "set": "calls",
                "method": method,
                "documents": len(made),
                "words": round(_mean(len(text.split()) for _, text in made)),
                "figures": round(_mean(map(len, figures)), 1),
                "figures in source": round(_mean(_in_source(document, text) for document, text in made), 4),
                "outlook": round(_mean(len(_OUTLOOK.findall(text)) for _, text in made), 1),
                "seconds": round(seconds, 2),
            }
        )
    return rows


_OUTLOOK: Final = re.compile(r"\b(?:we (?:now )?(?:expect|anticipate)|guidance|outlook|forecast)\b", re.IGNORECASE)


def _in_source(document: ParsedDocument, summary: str) -> float:
    known = {value.canonical for value in figures_of(document.text)}
    told = [value.canonical for value in figures_of(summary)]
    return sum(one in known for one in told) / max(len(told), 1)
