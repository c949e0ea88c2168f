"""A document's text for the code of activities: read from its store, checked, and kept for the next who asks."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from typing import Final

from segue.activities import objects
from segue.activities.documents.document import Document
from segue.activities.documents.parsed import ParsedDocument

__all__ = ["forget_opened", "opened"]

MAXIMUM_CHARACTERS: Final = 20_000_000
"""How much text a worker keeps, over all documents. The last one is always kept."""

_MAXIMUM_DOCUMENTS: Final = 64
_LARGE_BYTES: Final = 500_000

# By the digest of the parsed object: content that never changes.
_kept: OrderedDict[str, ParsedDocument] = OrderedDict()
_lock = threading.Lock()


async def opened(document: Document) -> ParsedDocument:
    """Return a document's text and parts. What was read is what was written, or it raises.

    A worker keeps the documents that it opened last, so that many steps on one document read it once.

    Raises:
        ObjectChanged: The parsed object is not the one that `load_document` wrote, or is of another source.
        ObjectNotFound, ObjectRefused, ObjectsUnavailable, InvalidObjectUrl: As their docstrings say.
    """
    key = document.parsed.sha256
    if key is not None and (kept := _taken(key)) is not None:
        return kept
    data = await objects.read(document.parsed)
    # A large one takes longer than the event loop should wait.
    parsed = await asyncio.to_thread(_parsed, data) if len(data) > _LARGE_BYTES else _parsed(data)
    if parsed.digest != document.digest:
        raise objects.ObjectChanged(
            f"Object {document.parsed.url!r} is not the text of {document.name!r}: its source has the digest "
            f"{parsed.digest}, not {document.digest}",
            document.parsed.url,
        )
    if key is not None:
        _keep(key, parsed)
    return parsed


def forget_opened() -> None:
    """Let go of the documents that are kept."""
    with _lock:
        _kept.clear()


def _parsed(data: bytes) -> ParsedDocument:
    return ParsedDocument.model_validate_json(data)


def _taken(key: str) -> ParsedDocument | None:
    with _lock:
        if (kept := _kept.get(key)) is not None:
            _kept.move_to_end(key)
        return kept


def _keep(key: str, parsed: ParsedDocument) -> None:
    with _lock:
        _kept[key] = parsed
        _kept.move_to_end(key)
        while len(_kept) > 1 and (
            len(_kept) > _MAXIMUM_DOCUMENTS or sum(len(other.text) for other in _kept.values()) > MAXIMUM_CHARACTERS
        ):
            _kept.popitem(last=False)
