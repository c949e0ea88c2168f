"""Retrieval: the passages of many documents that answer a question, as spans that can be cited.

    from segue.activities import retrieval

    index = await workflow.execute_activity(
        retrieval.build_index, retrieval.BuildIndex(index="s3://work/contracts", documents=documents)
    )
    hits = await workflow.execute_activity(
        retrieval.search, retrieval.Search(index=index, query="Who may assign the agreement?", labels={"kind": "lease"})
    )

BM25 by SQLite, with words that the index has learned from its own documents; with `embeddings=`, vectors too. A history
holds references, spans and scores; the text stays in its documents. `docs/retrieval.md` says what holds on a fleet.

Needs `pip install "segue[retrieval]"`.
"""

from __future__ import annotations

from segue.activities.retrieval._errors import InvalidIndex, NoEmbeddings
from segue.activities.retrieval._passages import Passage, passages
from segue.activities.retrieval._requests import BuildIndex, BuildProgress, Engine, Hit, Hits, Index, Search
from segue.activities.retrieval._steps import build_index, search, system

__all__ = [
    # requests and results
    "BuildIndex",
    "Index",
    "BuildProgress",
    "Search",
    "Hits",
    "Hit",
    "Engine",
    # steps of workflows
    "system",
    "build_index",
    "search",
    # for the code of activities
    "Passage",
    "passages",
    # errors
    "InvalidIndex",
    "NoEmbeddings",
]
