"""The objects that research keeps in its store: documents by their digest, plans, passages, notes, drafts.

Each is written under its own digest, so that a repeated attempt writes the same object; documents under theirs, so that
a step finds the text behind any citation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, TypeVar

from segue.activities import documents, objects
from segue.activities.documents import Document, ParsedDocument
from segue.activities.errors import Terminal
from segue.activities.faithful import adapter
from segue.activities.generation.brief import put
from segue.activities.objects import ObjectRef
from segue.activities.research.evidence import Note, Passage

__all__ = ["UnknownDocument", "document_of", "keep", "keep_document", "kept", "opened_notes", "opened_passages"]

T = TypeVar("T")


class UnknownDocument(Terminal):
    """A search has found a document that was never loaded for this research.

    Attributes:
        digest: The document's digest.
    """

    def __init__(self, digest: str, name: str) -> None:
        super().__init__(
            f"Document {name!r} ({digest[:12]}) is in the index, and not among the documents of the corpus: give the "
            "documents that the index was built from, as documents= or lists= of Corpus"
        )
        self.digest = digest


async def keep(store: str, folder: str, value: Any, hint: Any) -> ObjectRef:
    """Write a value as JSON, and return its object."""
    return await put(store, folder, adapter(hint).dump_json(value).decode(), "json")


async def kept(ref: ObjectRef, hint: type[T]) -> T:
    """Return a value out of its object."""
    value: T = adapter(hint).validate_json(await objects.read(ref))
    return value


async def keep_document(store: str, document: Document) -> None:
    """Make a document known by its digest."""
    await objects.write(_place(store, document.digest), document.model_dump_json())


async def document_of(store: str, digest: str, name: str) -> Document:
    """Return the document of a digest.

    Raises:
        UnknownDocument: There is none.
    """
    try:
        return Document.model_validate_json(await objects.read(_place(store, digest)))
    except objects.ObjectNotFound:
        raise UnknownDocument(digest, name) from None


async def opened_passages(passages: Sequence[Passage]) -> list[tuple[Passage, ParsedDocument]]:
    """Return passages, each with its document's text."""
    return [(passage, await documents.opened(passage.document)) for passage in passages]


async def opened_notes(notes: Sequence[Note]) -> dict[str, ParsedDocument]:
    """Return the documents of some notes, by their digests."""
    found: dict[str, ParsedDocument] = {}
    for note in notes:
        if note.citation.document not in found:
            data = await objects.read(note.parsed)
            found[note.citation.document] = await asyncio.to_thread(_parsed, data)
    return found


def _parsed(data: bytes) -> ParsedDocument:
    return ParsedDocument.model_validate_json(data)


def _place(store: str, digest: str) -> str:
    return objects.join(store, "corpus", digest[:2], f"{digest}.json")
