"""The steps of workflows that summarise documents. Histories hold references and counts, no text."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from segue.activities import llm, objects
from segue.activities.documents import Document, ParsedDocument, opened
from segue.activities.errors import Terminal
from segue.activities.objects import ObjectPrefix, ObjectRef
from segue.activities.policy import Policy
from segue.activities.summary._extract import drawn
from segue.activities.summary._html import to_html
from segue.activities.summary._markdown import to_markdown
from segue.activities.summary._plan import planned
from segue.activities.summary._summary import Part, Summary
from segue.activities.summary._topics import Kind, Topic
from segue.activities.summary._writing import Source, Unsupported, asked, sources_of, written
from segue.activities.system import System

__all__ = [
    "DrawSummary",
    "Drawn",
    "SummaryReport",
    "WritePart",
    "WriteSummary",
    "WrittenPart",
    "draw_summary",
    "system",
    "write_part",
    "write_summary",
    "writing",
]

# Of the rules by which sentences are chosen: what was chosen by other ones is another object.
_VERSION: Final = "2"

system = System(
    "summary",
    policy=Policy(start_to_close_timeout=timedelta(minutes=15), heartbeat_timeout=timedelta(seconds=30)),
)

writing = System(
    "summary-writing",
    # A part that no model writes is told in the document's own sentences.
    policy=Policy(
        start_to_close_timeout=timedelta(minutes=5), heartbeat_timeout=timedelta(seconds=30), maximum_attempts=6
    ),
)
"""The model that writes parts of summaries."""


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class DrawSummary(_Request):
    """Draw a summary from a document's own sentences.

    Attributes:
        document: The document.
        store: Folder of the result. The same document, drawn from again, is the same object.
        words: How long the summary may be.
        kind: What the document is read as; by default what it seems to be.
        topics: What it is read for; by default what its kind is.
    """

    document: Document
    store: ObjectPrefix
    words: int = Field(default=300, ge=20, le=5_000)
    kind: Kind | None = None
    topics: tuple[Topic, ...] = ()


class Drawn(_Request):
    """A summary of a document's own sentences, and what else its parts could be made of.

    Attributes:
        summary: The object that holds it, a `Summary` as JSON.
        plan: The object that holds the sentences that each part may be made of.
        kind: What the document was read as.
        parts: How many parts it has.
        words: How many words.
        sentences: How many sentences the document has.
        left_out: How many sections it has no room for.
    """

    summary: ObjectRef
    plan: ObjectRef
    kind: Kind
    parts: int
    words: int
    sentences: int
    left_out: int


class WritePart(_Request):
    """Have a model write one part of a summary.

    Attributes:
        part: Its number, from 0.
        plan: The object that holds what it may be made of.
        document: The document.
        model: The model.
        store: Folder of what it writes.
        unsupported: What becomes of a sentence that is not borne out by what it cites.
    """

    part: int = Field(ge=0)
    plan: ObjectRef
    document: Document
    model: llm.Model
    store: ObjectPrefix
    unsupported: Unsupported = "remove"


class WrittenPart(_Request):
    """A part that a model wrote.

    Attributes:
        number: Which.
        part: The object that holds it, a `Part` as JSON.
        statements: How many sentences it has.
        removed: How many were removed.
        engine: The model.
        usage: What it took.
    """

    number: int
    part: ObjectRef
    statements: int
    removed: int
    engine: str
    usage: llm.Usage


class WriteSummary(_Request):
    """Put a summary together, and write it as a page, as Markdown and as JSON.

    Attributes:
        document: The document.
        summary: The object that holds the summary of its own sentences.
        store: Folder of the reports.
        written: The parts that a model wrote; each takes the place of its own.
        asked: The model that was asked, whether or not it answered.
    """

    document: Document
    summary: ObjectRef
    store: ObjectPrefix
    written: tuple[WrittenPart, ...] = ()
    asked: str = ""


class SummaryReport(_Request):
    """Where a summary lies.

    Attributes:
        html: As a page, beside its sources.
        markdown: As Markdown.
        data: As JSON, a `Summary`.
        words: How many words it has.
        statements: How many sentences.
        engines: What wrote it.
    """

    html: ObjectRef
    markdown: ObjectRef
    data: ObjectRef
    words: int
    statements: int
    engines: tuple[str, ...]


class _StoredPart(_Request):
    title: str
    words: int
    sources: tuple[Source, ...]


class _StoredPlan(_Request):
    parts: tuple[_StoredPart, ...]


@system.activity(name="segue.summary.draw")
async def draw_summary(request: DrawSummary) -> Drawn:
    """Draw a summary from a document's own sentences, and return where it lies.

    Raises:
        ObjectNotFound, ObjectChanged, ObjectRefused, ObjectsUnavailable: As their docstrings say.
    """
    document = await opened(request.document)
    summary, plan = await asyncio.to_thread(_draw, document, request)
    folder = objects.join(request.store, "summaries", _key(request))
    return Drawn(
        summary=await objects.write(
            objects.join(folder, "extract.json"), summary.model_dump_json(), content_type="application/json"
        ),
        plan=await objects.write(
            objects.join(folder, "plan.json"), plan.model_dump_json(), content_type="application/json"
        ),
        kind=summary.kind,
        parts=len(summary.parts),
        words=summary.words,
        sentences=summary.sentences,
        left_out=len(summary.left_out),
    )


@writing.activity(name="segue.summary.write_part")
async def write_part(request: WritePart) -> WrittenPart:
    """Have a model write one part of a summary, and return where it lies.

    Raises:
        ModelError, ModelUnavailable: As `segue.activities.llm` lists them.
    """
    document = await opened(request.document)
    plan = _StoredPlan.model_validate_json(await objects.read(request.plan))
    if request.part >= len(plan.parts):
        raise Terminal(f"Plan {request.plan.url!r} has {len(plan.parts)} parts, and no part {request.part}")
    part = plan.parts[request.part]
    answer = await llm.chat(asked(document, part.title, part.words, part.sources, request.model, request.store))
    said = written(
        answer.text,
        document,
        part.title,
        part.sources,
        engine=answer.engine,
        words=part.words,
        unsupported=request.unsupported,
    )
    content = said.model_dump_json()
    digest = hashlib.sha256(content.encode()).hexdigest()
    key = objects.join(request.store, "parts", digest[:2], f"{digest}.json")
    return WrittenPart(
        number=request.part,
        part=await objects.write(key, content, content_type="application/json"),
        statements=len(said.statements),
        removed=said.removed,
        engine=answer.engine,
        usage=answer.usage,
    )


@system.activity(name="segue.summary.write")
async def write_summary(request: WriteSummary) -> SummaryReport:
    """Put a summary together, and return where it lies.

    Raises:
        ObjectNotFound, ObjectChanged, ObjectRefused, ObjectsUnavailable: As their docstrings say.
    """
    document = await opened(request.document)
    summary = Summary.model_validate_json(await objects.read(request.summary))
    parts = list(summary.parts)
    for one in request.written:
        said = Part.model_validate_json(await objects.read(one.part))
        # What a model could not bear out at all is told in the document's own sentences.
        parts[one.number] = said if said.statements else parts[one.number].model_copy(update={"removed": said.removed})
    summary = summary.model_copy(update={"parts": tuple(parts), "asked": request.asked})
    told = "\0".join(
        map(str, (_VERSION, request.summary.sha256, request.asked, *(one.part.sha256 for one in request.written)))
    )
    folder = objects.join(request.store, "summaries", hashlib.sha256(told.encode()).hexdigest()[:24])
    page, notes, data = to_html(summary, document), to_markdown(summary, document), summary.model_dump_json()
    return SummaryReport(
        html=await objects.write(objects.join(folder, "summary.html"), page, content_type="text/html"),
        markdown=await objects.write(objects.join(folder, "summary.md"), notes, content_type="text/markdown"),
        data=await objects.write(objects.join(folder, "summary.json"), data, content_type="application/json"),
        words=summary.words,
        statements=sum(len(part.statements) for part in summary.parts),
        engines=summary.engines,
    )


def _draw(document: ParsedDocument, request: DrawSummary) -> tuple[Summary, _StoredPlan]:
    plan = planned(document, words=request.words, kind=request.kind, topics=request.topics)
    summary = drawn(document, plan, request.words)
    titles = {part.title for part in summary.parts}
    parts = tuple(
        _StoredPart(title=part.title, words=part.words, sources=sources_of(part))
        for part in plan.parts
        if part.title in titles
    )
    return summary, _StoredPlan(parts=parts)


def _key(request: DrawSummary) -> str:
    topics = "".join(topic.model_dump_json() for topic in request.topics)
    told = "\0".join(map(str, (_VERSION, request.document.parsed.sha256, request.words, request.kind, topics)))
    return hashlib.sha256(told.encode()).hexdigest()[:24]
