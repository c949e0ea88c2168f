"""A document as workflows pass it on: what it is, and where its text lies. The text itself never enters a history."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from segue.activities.documents.spans import Digest
from segue.activities.objects import ObjectRef

__all__ = ["Document"]


class Document(BaseModel):
    """Reference to one parsed document.

    Attributes:
        digest: SHA-256 of the source's bytes.
        name: As a reader knows it, usually the file's name.
        media_type: What the source was read as.
        source: Where the source lies.
        parsed: The object that holds the `ParsedDocument`, as JSON.
        characters: Length of the text.
        pages: How many pages; 0 for what has none.
        clauses: How many clauses.
        labels: What the caller filed it under, for filters.
        warnings: How many things could not be read faithfully; `ParsedDocument.warnings` names them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: Digest
    name: str
    media_type: str
    source: ObjectRef
    parsed: ObjectRef
    characters: int = Field(ge=0)
    pages: int = Field(default=0, ge=0)
    clauses: int = Field(default=0, ge=0)
    labels: dict[str, str] = {}
    warnings: int = Field(default=0, ge=0)
