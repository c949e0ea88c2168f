"""The steps that a workflow calls: `build_index` and `search`, activities of the system "retrieval"."""

from __future__ import annotations

from datetime import timedelta

from segue.activities.policy import Policy
from segue.activities.retrieval._requests import BuildIndex, Hits, Index, Search
from segue.activities.system import System

__all__ = ["build_index", "search", "system"]

system = System(
    "retrieval",
    # Long enough for tens of thousands of documents. A dead worker is noticed by the heartbeat.
    policy=Policy(start_to_close_timeout=timedelta(hours=2), heartbeat_timeout=timedelta(seconds=30)),
)


@system.activity(name="segue.retrieval.build")
async def build_index(request: BuildIndex) -> Index:
    """Index documents, and return the state of the index that has them and no others.

    Raises:
        InvalidIndex: What lies in the index's folder is no index.
        ObjectNotFound, ObjectChanged, ObjectRefused, ObjectsUnavailable: A document or the index cannot be read.
        ModelError, ModelUnavailable: The model that makes vectors does not.
    """
    # Whoever only passes requests on needs neither SQLite nor numpy.
    from segue.activities.retrieval._building import built

    return await built(request)


@system.activity(name="segue.retrieval.search")
async def search(request: Search) -> Hits:
    """Return the passages of an index that answer a question best.

    Raises:
        InvalidIndex: The object is no index.
        NoEmbeddings: The search is to compare vectors that the index has not.
        ObjectNotFound, ObjectChanged, ObjectRefused, ObjectsUnavailable: The index cannot be read.
        ModelError, ModelUnavailable: The model that makes vectors does not.
    """
    from segue.activities.retrieval._searching import found

    return await found(request)
