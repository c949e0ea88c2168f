"""Which passages answer a question best: BM25, asked twice.

The first time the whole index is asked, with the question's own words. What the best passages of different documents
have in common then says how such documents put it: who asks for "verbally" learns "oral" and "writing". The second
time these words are asked for too, each at half the weight (relevance feedback: Lavrenko and Croft, 2001). It needs no
model. An index of fewer than four documents has too little to learn from, and is asked once.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import sqlite3
import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from segue.activities.retrieval._file import IndexFile
from segue.activities.retrieval._question import STOP_WORDS, Question, words_of

__all__ = ["Found", "Within", "fused", "learned", "ranked"]

# Of the passages that are learned from, each from another document, and the words that are taken from them.
_PASSAGES: Final = 16
_WORDS: Final = 20
_LEAST_PASSAGES: Final = 4
# A title says what a clause is about in a word or two, and stands over many passages: half a body's word.
_WEIGHTS: Final = "0.5, 1.0"
# How much of its neighbours' scores a passage gets, and how far down passages are looked at for that.
_SUPPORT: Final = 0.1
_DEEPER: Final = 50
# Reciprocal rank fusion: Cormack, Clarke and Büttcher, 2009.
_FUSION: Final = 60


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A passage that was found.

    Attributes:
        passage: Its number in the index.
        score: Higher is better; compares within one search only.
    """

    passage: int
    score: float


@dataclasses.dataclass(frozen=True)
class Within:
    """Which documents are searched.

    Attributes:
        labels: Labels that a document must have, all of them.
        documents: Digests of documents, one of which it must have; empty for any.
    """

    labels: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    documents: Collection[str] = ()

    def condition(self) -> tuple[str, list[str]]:
        """Return the condition on `passages.document` as SQL with its parameters; empty for all documents."""
        parts = ["document IN (SELECT document FROM labels WHERE name = ? AND value = ?)" for _ in self.labels]
        parameters = [value for label in self.labels.items() for value in label]
        if self.documents:
            parts.append("document IN (SELECT id FROM documents WHERE digest IN (SELECT value FROM json_each(?)))")
            parameters.append(json.dumps(list(self.documents)))
        return " AND ".join(parts), parameters


def ranked(file: IndexFile, question: Question, limit: int, within: Within, more: Sequence[str] = ()) -> list[Found]:
    """Return the passages that answer a question best, best first.

    Args:
        file: The index.
        question: The question.
        limit: How many passages at most.
        within: Which documents are searched.
        more: Further words, from `learned`.
    """
    if not question:
        return []
    frequent = _everywhere(file, question.words)
    depth = limit + _DEEPER
    found = _asked(file, question.expression(more, without=frequent), depth, within)
    if frequent and len(found) < depth:
        known = {one.passage for one in found}
        rest = _asked(file, question.expression(more), depth, within)
        found += [one for one in rest if one.passage not in known][: depth - len(found)]
    return _supported(file, found)[:limit]


def _supported(file: IndexFile, found: Sequence[Found]) -> list[Found]:
    """Return passages ranked anew, each with a little of what those beside it have: an answer spreads over clauses."""
    scores = {one.passage: one.score for one in found}
    rows = file.connection.execute(
        "SELECT id, document, position FROM passages WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(scores)),),
    )
    places = {passage: (document, position) for passage, document, position in rows}
    at = {place: scores[passage] for passage, place in places.items()}

    def supported(passage: int) -> float:
        document, position = places[passage]
        beside = at.get((document, position - 1), 0.0) + at.get((document, position + 1), 0.0)
        return scores[passage] + _SUPPORT * beside

    ranking = [Found(passage, supported(passage)) for passage in scores]
    return sorted(ranking, key=lambda one: (-one.score, one.passage))


def _asked(file: IndexFile, expression: str, limit: int, within: Within) -> list[Found]:
    condition, parameters = within.condition()
    # CROSS JOIN keeps SQLite from walking the passages of the documents and asking for each by itself.
    where = f" CROSS JOIN passages ON id = texts.rowid WHERE {condition} AND" if condition else " WHERE"
    rows = file.connection.execute(
        f"SELECT texts.rowid, bm25(texts, {_WEIGHTS}) AS score FROM texts{where} texts MATCH ? "
        "ORDER BY score, texts.rowid LIMIT ?",
        (*parameters, expression, limit),
    )
    return [Found(passage, -score) for passage, score in rows]


def learned(file: IndexFile, question: Question) -> list[str]:
    """Return words that the best passages of different documents have in common, the most telling first."""
    if not question:
        return []
    expression = question.expression(without=_everywhere(file, question.words))
    best = _asked(file, expression, _PASSAGES * 4, Within())
    bodies: dict[int, str] = {}
    for one in best:
        document, body = file.connection.execute(
            "SELECT document, body FROM passages JOIN texts ON texts.rowid = id WHERE id = ?", (one.passage,)
        ).fetchone()
        bodies.setdefault(document, body)
        if len(bodies) == _PASSAGES:
            break
    if len(bodies) < _LEAST_PASSAGES:
        return []
    written: dict[str, str] = {}
    counted: Counter[str] = Counter()
    for body in bodies.values():
        words = [word for word in set(words_of(body)) - STOP_WORDS if len(word) > 2 and not word.isdigit()]
        stems = dict(zip(_stems(words), words, strict=True))
        written = stems | written
        counted.update(stems.keys())
    asked = set(_stems(question.words))
    least = max(_LEAST_PASSAGES, len(bodies) // 4)
    common = [stem for stem, count in counted.items() if count >= least and stem not in asked]
    total = file.passages()
    telling = {
        stem: counted[stem] * math.log(total / max(1, count)) for stem, count in _frequencies(file, common).items()
    }
    best_stems = sorted(telling, key=lambda stem: (-telling[stem], stem))[:_WORDS]
    return [written[stem] for stem in best_stems if telling[stem] > 0]


def fused(rankings: Sequence[Sequence[Found]], limit: int) -> list[Found]:
    """Return one ranking of several, in which what stands high in any of them stands high."""
    scores: Counter[int] = Counter()
    for ranking in rankings:
        for rank, found in enumerate(ranking, 1):
            scores[found.passage] += 1 / (_FUSION + rank)  # type: ignore[assignment]
    best = sorted(scores, key=lambda passage: (-scores[passage], passage))[:limit]
    return [Found(passage, scores[passage]) for passage in best]


def _everywhere(file: IndexFile, words: Collection[str]) -> set[str]:
    """Return the words that stand in more than half of all passages: BM25 gives them nothing, and they cost most."""
    stems = dict(zip(words, _stems(words), strict=True))
    half = file.passages() / 2
    frequent = {stem for stem, count in _frequencies(file, stems.values()).items() if count > half}
    return {word for word, stem in stems.items() if stem in frequent}


def _frequencies(file: IndexFile, stems: Collection[str]) -> dict[str, int]:
    """Return in how many passages each stem stands."""
    execute = file.connection.execute
    rows = ((stem, execute("SELECT doc FROM terms WHERE term = ?", (stem,)).fetchone()) for stem in set(stems))
    return {stem: 0 if row is None else int(row[0]) for stem, row in rows}


def _stems(words: Collection[str]) -> list[str]:
    return [_stem(word) for word in words]


@functools.lru_cache(maxsize=100_000)
def _stem(word: str) -> str:
    """Return a word as the index holds it, by the index's own tokenizer. Of several parts, the first."""
    with _lock:
        connection = _tokenizer()
        connection.execute("DELETE FROM word")
        connection.execute("INSERT INTO word VALUES (?)", (word,))
        row = connection.execute("SELECT term FROM stems LIMIT 1").fetchone()
    return word if row is None else str(row[0])


_lock: Final = threading.Lock()


@functools.cache
def _tokenizer() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    connection.execute("CREATE VIRTUAL TABLE word USING fts5(x, tokenize = 'porter unicode61 remove_diacritics 2')")
    connection.execute("CREATE VIRTUAL TABLE stems USING fts5vocab(word, instance)")
    return connection
