"""From the bytes of a document to its text, pages, sections and clauses.

    parsed = documents.parse(Path("contract.pdf").read_bytes(), "contract.pdf")
    for clause in parsed.clauses:
        print(clause.number, parsed.quote(clause))

Pure: the same bytes give the same result, wherever it runs. `load_document` runs it in a process of its own, so that a
hostile file ends that process and not the worker.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from typing import Final

from segue.activities.documents import kinds
from segue.activities.documents.errors import DocumentTooLarge, EmptyDocument
from segue.activities.documents.limits import Limits
from segue.activities.documents.parsed import Page, ParsedDocument
from segue.activities.documents.structure.blocks import Reading
from segue.activities.documents.structure.outline import outline

__all__ = ["VERSION", "parse"]

VERSION: Final = 2
"""Counts up with each change of what is made of the same bytes: results of different versions are kept apart."""


def parse(data: bytes, name: str, media_type: str | None = None, *, limits: Limits = Limits()) -> ParsedDocument:  # noqa: B008 - immutable
    """Return a document's text and its parts.

    Args:
        data: The source.
        name: As a reader knows it; its extension says what kind of text a text is.
        media_type: What it is declared as; by default told by the content, else by the name.
        limits: What is refused.

    Raises:
        DocumentRefused: It cannot be read as it is; the subclass and the message say why.
        ImportError: The reader's library is not installed.
    """
    limits.check("size_bytes", len(data), name, "bytes")
    if not data.strip():
        raise EmptyDocument(f"Document {name!r} is empty: it has {len(data):,} bytes, and no text", name)
    kind = kinds.of(data, name, media_type)
    try:
        reading = _read(data, name, kind, limits)
    except RecursionError:
        # Whichever library it was: all of them go down a document's levels one call at a time.
        raise DocumentTooLarge(
            f"Document {name!r} has parts within parts, too deep to be read: it is broken or hostile", name
        ) from None
    limits.check("characters", len(reading.text), name, "characters of text")
    if not reading.blocks:
        raise EmptyDocument(f"Document {name!r} has no text in it", name)
    sections, clauses = outline(reading)
    return ParsedDocument(
        digest=hashlib.sha256(data).hexdigest(),
        name=name,
        media_type=kind.media_type,
        text=reading.text,
        pages=tuple(Page(start=start, end=end, number=n) for n, (start, end) in enumerate(reading.pages, 1)),
        sections=sections,
        clauses=clauses,
        warnings=(*kind.warnings, *reading.warnings),
    )


def _read(data: bytes, name: str, kind: kinds.Kind, limits: Limits) -> Reading:
    # A reader is imported when a document of its kind comes, and its library with it.
    from segue.activities.documents.readers import plain

    warnings: list[str] = []
    match kind.media_type:
        case kinds.PDF:
            from segue.activities.documents.readers import pdf

            return pdf.read(data, name, limits)
        case kinds.DOCX:
            from segue.activities.documents.readers import docx

            return docx.read(data, name, limits)
        case kinds.HTML:
            from segue.activities.documents.readers import html

            text = plain.decoded(data, kind.charset or html.declared_charset(data), warnings)
            return html.read(text, name, limits, warnings)
        case kinds.MARKDOWN:
            from segue.activities.documents.readers import markdown

            return markdown.read(plain.decoded(data, kind.charset, warnings), name, limits, warnings)
        case kinds.MAIL:
            from segue.activities.documents.readers import mail

            return mail.read(data, name, limits, functools.partial(_read_part, limits), warnings)
        case _:
            return plain.read(plain.decoded(data, kind.charset, warnings), warnings)


def _read_part(limits: Limits, data: bytes, name: str, media_type: str) -> Reading:
    """Read a document that is part of another."""
    if not data.strip():
        raise EmptyDocument("it is empty", name)
    kind = kinds.of(data, name, media_type)
    reading = _read(data, name, kind, limits)
    return dataclasses.replace(reading, warnings=[*kind.warnings, *reading.warnings])
