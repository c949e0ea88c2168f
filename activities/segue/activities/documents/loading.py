"""The step that loads a document: its source is read, parsed in a process of its own, and its text kept in a store.

contract = await workflow.execute_activity(documents.load_document, LoadDocument(url=url, store="s3://work/parsed"))
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field

from segue.activities import objects
from segue.activities.documents.document import Document
from segue.activities.documents.limits import Limits
from segue.activities.documents.parsed import ParsedDocument
from segue.activities.documents.parsing import VERSION, parse
from segue.activities.objects import ObjectPrefix, ObjectUrl
from segue.activities.policy import Policy
from segue.activities.system import System

__all__ = ["LoadDocument", "load_document", "system"]

system = System(
    "documents",
    # The parser is stopped after `Limits.seconds`; reading and writing large objects takes the rest. An attempt fails
    # for good where the document is at fault, so what is retried is the store.
    policy=Policy(start_to_close_timeout=timedelta(minutes=15), heartbeat_timeout=timedelta(seconds=30)),
)


class LoadDocument(BaseModel):
    """Load one document.

    Attributes:
        url: The source's URL, or its reference, against which its content is then verified.
        store: Folder of the parsed text. The same source, loaded again under the same name, is the same object.
        name: As a reader knows it; by default the last part of the URL.
        media_type: What it is declared as; by default told by its content, else by its name.
        labels: What to file it under, for filters.
        limits: What is refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: ObjectUrl | objects.ObjectRef
    store: ObjectPrefix
    name: str | None = Field(default=None, min_length=1)
    media_type: str | None = None
    labels: dict[str, str] = {}
    limits: Limits = Limits()


@system.activity(name="segue.documents.load")
async def load_document(request: LoadDocument) -> Document:
    """Load a document, and return its reference."""
    data = await objects.read(request.url, maximum_bytes=request.limits.size_bytes)
    ref = request.url if isinstance(request.url, objects.ObjectRef) else await objects.info(request.url)
    digest = hashlib.sha256(data).hexdigest()
    source = ref.model_copy(update={"sha256": digest})
    name = request.name or source.url.rpartition("/")[2]
    parsed = await asyncio.to_thread(parse, data, name, request.media_type, limits=request.limits)
    content = parsed.model_dump_json()
    key = objects.join(request.store, "documents", digest[:2], f"{digest}-{_variant(name, request.media_type)}.json")
    written = await objects.write(key, content, content_type="application/json")
    return _document(parsed, source, written, request.labels)


def _document(
    parsed: ParsedDocument, source: objects.ObjectRef, written: objects.ObjectRef, labels: dict[str, str]
) -> Document:
    return Document(
        digest=parsed.digest,
        name=parsed.name,
        media_type=parsed.media_type,
        source=source,
        parsed=written,
        characters=len(parsed.text),
        pages=len(parsed.pages),
        clauses=len(parsed.clauses),
        labels=labels,
        warnings=len(parsed.warnings),
    )


def _variant(name: str, media_type: str | None) -> str:
    """Return what else than its bytes decides what a document becomes, as a short key."""
    decided = json.dumps([VERSION, name, media_type], ensure_ascii=False)
    return hashlib.sha256(decided.encode()).hexdigest()[:16]
