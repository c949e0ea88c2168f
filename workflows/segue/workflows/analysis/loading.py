"""A document as a workflow is given it: loaded already, or where its source lies."""

from __future__ import annotations

from temporalio import workflow

from segue.activities import documents
from segue.activities.objects import ObjectRef

__all__ = ["Source", "loaded"]

Source = str | ObjectRef | documents.Document
"""The URL of a document's source, its reference, or the document, loaded before."""


async def loaded(source: Source, store: str, what: str) -> documents.Document:
    """Return the document. `what` is what it is called on the operator's screens."""
    if isinstance(source, documents.Document):
        return source
    return await workflow.execute_activity(
        documents.load_document, documents.LoadDocument(url=source, store=store), summary=f"read {what}"
    )
