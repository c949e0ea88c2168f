"""A folder made into a corpus: its documents loaded, each by itself, and indexed together.

What cannot be read is named in the report, and stops nothing else.
"""

from __future__ import annotations

from typing import Final

from temporalio import workflow

from segue.activities import documents, retrieval
from segue.activities.documents import ListSources, LoadDocument, Sources
from segue.activities.objects import ObjectRef
from segue.activities.research import steps
from segue.activities.research.reporting import Unread
from segue.activities.research.requests import Register
from segue.activities.retrieval import BuildIndex
from segue.workflows.fanout import fan_out
from segue.workflows.research.errors import InvalidResearch
from segue.workflows.research.request import Corpus

__all__ = ["MOST_SOURCES", "known", "read_folder"]

MOST_SOURCES: Final = 20_000
"""Most documents of a folder: their references pass through the history, which ends at 50 MB."""

_NAMED: Final = 100
_BATCH: Final = 20

# Runs that began before this was refused go on as they began.
_APART: Final = "segue.research/store-apart"


async def read_folder(folder: str, store: str) -> tuple[Corpus, list[Unread]]:
    """Return the documents of a folder, loaded and indexed, and the sources that could not be read.

    Raises:
        InvalidResearch: None could be read, there are too many, or what is written would be read as one of them.
    """
    if _lies_in(store, folder) and workflow.patched(_APART):
        raise InvalidResearch(
            f"Nothing was researched: store={store!r} lies in corpus={folder!r}, so that later research would cite "
            "this report as a document; give a store beside the folder"
        )
    sources = await _sources(folder)
    if not sources:
        raise InvalidResearch(f"Nothing can be researched: {folder!r} holds no document of a kind that can be read")
    loads = [LoadDocument(url=source, store=store) for source in sources]
    loaded = await fan_out(
        steps.load_source,
        loads,
        batch=_BATCH,
        tolerate=1.0,
        results_to=f"{store.removesuffix('/')}/loaded",
    )
    unread = [
        Unread(name=_name(sources[one.index], folder), problem=f"{one.type}: {one.message}"[:300])
        for one in loaded.failures
    ]
    if not loaded.done:
        raise InvalidResearch(
            f"Nothing can be researched: none of the {len(sources):,} sources in {folder!r} can be read, "
            f"{unread[0].name!r} because {unread[0].problem}"
        )
    lists = tuple(loaded.parts)
    index = await workflow.execute_activity(
        retrieval.build_index,
        BuildIndex(index=f"{store.removesuffix('/')}/index", lists=lists),
        summary=f"index {loaded.done:,} documents",
    )
    return Corpus(index=index, lists=lists), unread[:_NAMED]


async def known(corpus: Corpus, store: str) -> None:
    """Make the documents of a corpus known to the steps of this research."""
    await workflow.execute_activity(
        steps.register, Register(documents=corpus.documents, lists=corpus.lists, store=store), summary="documents"
    )


async def _sources(folder: str) -> list[ObjectRef]:
    found: list[ObjectRef] = []
    after: str | None = None
    while True:
        page: Sources = await workflow.execute_activity(
            documents.list_sources, ListSources(prefix=folder, start_after=after), summary=f"sources in {folder}"
        )
        found.extend(page.sources)
        if len(found) > MOST_SOURCES:
            raise InvalidResearch(
                f"Nothing was researched: {folder!r} holds more than {MOST_SOURCES:,} documents, whose references one "
                "history does not hold; load and index them in a workflow of your own, and give the Corpus"
            )
        after = page.next_start_after
        if after is None:
            return found


def _name(ref: ObjectRef, folder: str) -> str:
    """Return a source's path below the folder."""
    below = _plain(folder)
    return _plain(ref.url).removeprefix(below).rstrip("/") if _lies_in(ref.url, folder) else ref.url.rpartition("/")[2]


def _lies_in(url: str, folder: str) -> bool:
    inner, outer = _plain(url), _plain(folder)
    if outer == "./":
        return "://" not in inner and not inner.startswith("/")
    return inner.startswith(outer)


def _plain(url: str) -> str:
    """Return a URL in one of the ways in which it can be written; a file's may be a path."""
    return f"{url.removeprefix('file://').removeprefix('./').rstrip('/')}/" if url.rstrip("/") != "." else "./"
