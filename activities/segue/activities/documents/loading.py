"""The steps that load documents: a source is read, parsed in a process of its own, and its text kept in a store.

contract = await workflow.execute_activity(documents.load_document, LoadDocument(url=url, store="s3://work/parsed"))
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import urllib.parse
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from segue.activities import objects
from segue.activities.documents.document import Document
from segue.activities.documents.limits import Limits
from segue.activities.documents.parsed import ParsedDocument
from segue.activities.documents.parsers import Counts, parsed_apart
from segue.activities.documents.parsing import VERSION
from segue.activities.documents.sources import ListSources, Sources, list_page
from segue.activities.objects import ObjectPrefix, ObjectUrl
from segue.activities.policy import Policy
from segue.activities.system import System

__all__ = ["LoadDocument", "list_sources", "load_document", "system"]

system = System(
    "documents",
    # A parser is stopped after `Limits.seconds`; waiting for one, and reading and writing large objects, take the rest.
    # Where the document is at fault the step fails at once, so what is tried again is the store.
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
    """Load a document, and return its reference. What was parsed before is not parsed again."""
    data = await objects.read(request.url, maximum_bytes=request.limits.size_bytes)
    digest = hashlib.sha256(data).hexdigest()
    ref = request.url if isinstance(request.url, objects.ObjectRef) else await objects.info(request.url)
    source = ref.model_copy(update={"sha256": digest, "size_bytes": len(data)})
    name = request.name or _name(source.url)
    variant = _variant(name, request.media_type)
    url = objects.join(request.store, "documents", digest[:2], f"{digest}-{variant}.json")
    before = await _parsed_before(url, digest)
    if before is None:
        outcome = await parsed_apart(data, name, request.media_type, request.limits)
        before = await objects.write(url, outcome.content, content_type="application/json"), outcome.counts
    written, counts = before
    request.limits.check("pages", counts.pages, name, "pages")
    request.limits.check("characters", counts.characters, name, "characters of text")
    return Document(name=name, source=source, parsed=written, labels=request.labels, **counts.model_dump())


@system.activity(name="segue.documents.list")
async def list_sources(request: ListSources) -> Sources:
    """Return a page of what can be loaded of a folder."""
    return await list_page(request)


async def _parsed_before(url: str, digest: str) -> tuple[objects.ObjectRef, Counts] | None:
    """Return what an earlier step made of the same source; None if there is nothing, or nothing that can be used."""
    try:
        written = await objects.checksum(url)
        data = await objects.read(written)
        parsed = await asyncio.to_thread(ParsedDocument.model_validate_json, data)
    except (objects.ObjectNotFound, objects.ObjectChanged, ValidationError):
        return None
    if parsed.digest != digest:
        return None
    return written, Counts(
        digest=parsed.digest,
        media_type=parsed.media_type,
        characters=len(parsed.text),
        pages=len(parsed.pages),
        clauses=len(parsed.clauses),
        warnings=len(parsed.warnings),
    )


def _name(url: str) -> str:
    last = url.rpartition("/")[2]
    return urllib.parse.unquote(last) if url.lower().startswith("file:") else last


def _variant(name: str, media_type: str | None) -> str:
    """Return a short key of what else than its bytes decides what a document becomes."""
    decided = json.dumps([VERSION, name, media_type], ensure_ascii=False)
    return hashlib.sha256(decided.encode()).hexdigest()[:16]
