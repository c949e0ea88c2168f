"""Workflows that load documents, and an activity of a user's own that reads their text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

    from segue.activities import Policy, System, documents
    from segue.activities.documents import Document, ListSources, LoadDocument, Span

__all__ = ["ACTIVITIES", "WORKFLOWS", "Ask", "Folder", "Found", "LoadAll", "LoadOne", "Loaded", "find", "library"]

library = System("library", policy=Policy(maximum_attempts=2))


class Ask(BaseModel):
    """Find a quote in a document."""

    document: Document
    quote: str


class Found(BaseModel):
    """Where it stands, and on which page."""

    span: Span | None
    page: int | None


class Folder(BaseModel):
    """A folder to load, and where to."""

    prefix: str
    store: str
    patterns: tuple[str, ...] = ()
    limit: int = 1000
    quote: str = "the lamp"


class Loaded(BaseModel):
    """What became of a folder."""

    documents: list[Document]
    found: list[Found]
    others: int


@library.activity(name="documents.test.find")
async def find(ask: Ask) -> Found:
    parsed = await documents.opened(ask.document)
    span = documents.locate(ask.quote, parsed)
    if span is None:
        return Found(span=None, page=None)
    return Found(span=span, page=next((page.number for page in parsed.pages if span.within(page)), None))


@workflow.defn
class LoadOne:
    """Load one document."""

    @workflow.run
    async def run(self, request: LoadDocument) -> Document:
        return await workflow.execute_activity(documents.load_document, request)


@workflow.defn
class LoadAll:
    """Load a folder, page by page, and ask each document."""

    @workflow.run
    async def run(self, folder: Folder) -> Loaded:
        loaded: list[Document] = []
        found: list[Found] = []
        others, start_after = 0, None
        patterns = {"patterns": folder.patterns} if folder.patterns else {}
        while True:
            page = await workflow.execute_activity(
                documents.list_sources,
                ListSources(prefix=folder.prefix, start_after=start_after, limit=folder.limit, **patterns),
            )
            others += page.others
            for source in page.sources:
                document = await workflow.execute_activity(
                    documents.load_document,
                    LoadDocument(url=source, store=folder.store, labels={"folder": "deeds"}),
                )
                loaded.append(document)
                found.append(await workflow.execute_activity(find, Ask(document=document, quote=folder.quote)))
            start_after = page.next_start_after
            if start_after is None:
                return Loaded(documents=loaded, found=found, others=others)


WORKFLOWS: list[type] = [LoadOne, LoadAll]
ACTIVITIES: list[Callable[..., Any]] = [documents.load_document, documents.list_sources, find]
