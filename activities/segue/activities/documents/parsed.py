"""A document as text: its pages, sections and clauses are spans of one string, so that every offset means one thing."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from segue.activities.documents.spans import Digest, Span

__all__ = ["Clause", "Page", "ParsedDocument", "Section"]


class Page(Span):
    """One page.

    Attributes:
        number: From 1, as a reader counts.
    """

    number: int = Field(ge=1)


class Section(Span):
    """A heading and what stands under it, its own subsections included.

    Attributes:
        title: The heading, without its number.
        number: As printed, for example `4.2` or `IV`; empty where it has none.
        level: 1 for the outermost.
        heading: Where the heading itself stands.
    """

    title: str
    number: str = ""
    level: int = Field(ge=1)
    heading: Span


class Clause(Span):
    """One smallest unit of meaning: a numbered clause, a paragraph, a list's item, a table's row.

    Clauses stand in the document's order, and do not overlap; between them stands only white space.

    Attributes:
        kind: "text"; "heading" for one that stands alone; "row" of a table; "furniture", which the source repeats on
            its pages: headers, footers, page numbers; "contents", an entry of its table of contents. Skip the last two
            to read each thing once.
        number: As printed, for example `4.2` or `(a)`; empty where it has none.
        section: Titles of the sections around it, outermost first.
        speaker: Who says it, in a transcript; else empty.
    """

    kind: Literal["text", "heading", "row", "furniture", "contents"] = "text"
    number: str = ""
    section: tuple[str, ...] = ()
    speaker: str = ""


class ParsedDocument(BaseModel):
    """What was read out of one source.

    Attributes:
        digest: SHA-256 of the source's bytes.
        name: As a reader knows it, usually the file's name.
        media_type: What the source was read as.
        text: The whole text, pages and all.
        pages: Pages in order, for what has them; they cover the text.
        sections: Sections in order of their headings.
        clauses: Clauses in order.
        warnings: What could not be read faithfully, a sentence each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    digest: Digest
    name: str
    media_type: str
    text: str
    pages: tuple[Page, ...] = ()
    sections: tuple[Section, ...] = ()
    clauses: tuple[Clause, ...] = ()
    warnings: tuple[str, ...] = ()

    def quote(self, span: Span) -> str:
        """Return the text of `span`.

        Raises:
            ValueError: It reaches past the end of the text.
        """
        if span.end > len(self.text):
            raise ValueError(f"{self.name!r} has {len(self.text)} characters, and the span ends at {span.end}")
        return self.text[span.start : span.end]
