"""Documents: files of any common kind as text whose every character can be pointed at.

    from segue.activities import documents

    contract = await workflow.execute_activity(documents.load_document, documents.LoadDocument(url=url, store="parsed"))

    @analysis.activity
    async def count(contract: documents.Document) -> int:
        parsed = await documents.opened(contract)
        return sum(clause.kind == "text" for clause in parsed.clauses)

A history holds the reference; the text lies in the store. `docs/documents.md` says what is made of each kind of file.

Needs `pip install "segue[documents]"`.
"""

from __future__ import annotations

from segue.activities.documents.document import Document
from segue.activities.documents.errors import (
    CorruptDocument,
    DocumentRefused,
    DocumentTooLarge,
    EmptyDocument,
    NoTextLayer,
    ParserFailed,
    PasswordProtected,
    UnknownKind,
)
from segue.activities.documents.limits import Limits
from segue.activities.documents.loading import LoadDocument, list_sources, load_document, system
from segue.activities.documents.opening import forget_opened, opened
from segue.activities.documents.parsed import Clause, Page, ParsedDocument, Section
from segue.activities.documents.parsing import parse
from segue.activities.documents.quotes import locate, locations
from segue.activities.documents.sources import ListSources, Sources
from segue.activities.documents.spans import Citation, Digest, Span
from segue.activities.documents.structure.sentences import sentences

__all__ = [
    # what a document is
    "Document",
    "ParsedDocument",
    "Page",
    "Section",
    "Clause",
    # where something stands in it
    "Span",
    "Citation",
    "Digest",
    # steps of workflows
    "system",
    "LoadDocument",
    "load_document",
    "ListSources",
    "Sources",
    "list_sources",
    "Limits",
    # for the code of activities
    "opened",
    "parse",
    "locate",
    "locations",
    "sentences",
    "forget_opened",
    # errors
    "DocumentRefused",
    "UnknownKind",
    "PasswordProtected",
    "CorruptDocument",
    "EmptyDocument",
    "NoTextLayer",
    "DocumentTooLarge",
    "ParserFailed",
]
