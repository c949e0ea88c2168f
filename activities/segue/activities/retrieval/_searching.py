"""Questions to a published index."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from segue.activities.documents import Citation
from segue.activities.llm import Usage
from segue.activities.retrieval._errors import NoEmbeddings
from segue.activities.retrieval._file import IndexFile
from segue.activities.retrieval._published import fetched
from segue.activities.retrieval._question import Question
from segue.activities.retrieval._ranking import Found, Within, fused, learned, ranked
from segue.activities.retrieval._requests import Engine, Hit, Hits, Search
from segue.activities.retrieval._vectors import nearest, vector_of

if TYPE_CHECKING:
    from segue.activities.retrieval._vectors import Matrix

__all__ = ["found"]

# A passage that neither ranking has among so many is not worth showing for being somewhere in both.
_RANKED: Final = 100


async def found(search: Search) -> Hits:
    """Return what an index has on a question."""
    model, index = search.embeddings, search.index
    if model is not None and model.name != index.embeddings:
        has = f"has vectors of {index.embeddings!r}" if index.embeddings else "has none"
        raise NoEmbeddings(
            f"The search is to compare vectors of {model.name!r}, and the index {index.ref.url!r} {has}: build it with "
            "embeddings= of the same model"
        )
    path = await fetched(index.ref)
    vector, usage = await vector_of(search.query, model) if model is not None else (None, Usage())
    hits = await asyncio.to_thread(_hits, path, search, vector)
    engine: Engine = "bm25" if model is None else "hybrid"
    return Hits(hits=tuple(hits), engine=engine, embeddings=index.embeddings if model is not None else "", usage=usage)


def _hits(path: Path, search: Search, vector: Matrix | None) -> list[Hit]:
    within = Within(search.labels, search.documents)
    question = Question.of(search.query)
    with IndexFile.open(path, search.index.ref.url) as file:
        more = learned(file, question) if search.learn else []
        depth = search.limit if vector is None else max(search.limit, _RANKED)
        # The same content under two names would be shown twice.
        best = ranked(file, question, depth + _spare(file), within, more)
        if vector is not None:
            best = fused([best, nearest(file, path, vector, depth + _spare(file), within)], depth)
        hits: dict[tuple[str, int], Hit] = {}
        for one in best:
            hit = _hit(file, one, search.neighbours)
            hits.setdefault((hit.citation.document, hit.citation.start), hit)
            if len(hits) == search.limit:
                break
    return list(hits.values())


def _spare(file: IndexFile) -> int:
    """Return how many passages may be found more than once."""
    (copies,) = file.connection.execute("SELECT count(*) - count(DISTINCT digest) FROM documents").fetchone()
    return min(int(copies) * 2, 1000)


def _hit(file: IndexFile, one: Found, neighbours: int) -> Hit:
    row: Any = file.connection.execute(
        'SELECT document, position, start, "end", digest, name, labels FROM passages '
        "JOIN documents ON documents.id = document WHERE passages.id = ?",
        (one.passage,),
    ).fetchone()
    document, position, start, end, digest, name, labels = row
    first, last = start, end
    if neighbours:
        first, last = file.connection.execute(
            'SELECT min(start), max("end") FROM passages WHERE document = ? AND position BETWEEN ? AND ?',
            (document, position - neighbours, position + neighbours),
        ).fetchone()
    return Hit(
        citation=Citation(document=digest, start=start, end=end),
        context=Citation(document=digest, start=first, end=last),
        document=name,
        score=one.score,
        labels=json.loads(labels),
    )
