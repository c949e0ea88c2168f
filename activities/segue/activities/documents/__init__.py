"""Documents: files of any common kind as text whose every character can be pointed at.

    from segue.activities import documents

    contract = await workflow.execute_activity(documents.load_document, documents.LoadDocument(url=url, store="parsed"))
"""

from __future__ import annotations

from segue.activities.documents.document import Document
from segue.activities.documents.parsed import Clause, Page, ParsedDocument, Section
from segue.activities.documents.spans import Citation, Digest, Span

__all__ = ["Citation", "Clause", "Digest", "Document", "Page", "ParsedDocument", "Section", "Span"]
