"""Summarise a long document, and write the summary beside its sources: deterministic workflow code.

report = await client.execute_workflow(
    SummariseDocument.run,
    Summarise(document="calls/2026-q1.txt", store="s3://work/summaries", words=250),
    id="call-2026-q1", task_queue="documents",
)
report.html.url, report.engines
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field
from temporalio import workflow

from segue.activities import llm, summary
from segue.activities.documents import Document
from segue.activities.objects import ObjectPrefix, ObjectRef
from segue.activities.summary import Kind, Topic, Unsupported
from segue.workflows.analysis.loading import Source, loaded
from segue.workflows.fanout import fan_out

__all__ = ["DocumentSummary", "Summarise", "SummariseDocument"]

# Of one model, whose server says how much it takes.
_AT_ONCE = 4


class Summarise(BaseModel):
    """What to summarise.

    Attributes:
        document: The document.
        store: Folder under which the parsed document, the summary and its reports are written.
        words: How long the summary may be.
        kind: What the document is read as; by default what it seems to be.
        topics: What it is read for; by default what its kind is.
        model: Who writes the parts; without one they are the document's own sentences.
        unsupported: What becomes of a model's sentence that is not borne out by what it cites.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    document: Source
    store: ObjectPrefix
    words: int = Field(default=300, ge=20, le=5_000)
    kind: Kind | None = None
    topics: tuple[Topic, ...] = ()
    model: llm.Model | None = None
    unsupported: Unsupported = "remove"


class DocumentSummary(BaseModel):
    """Where the summary lies, and what wrote it. It holds no text of the document.

    Attributes:
        document: The document.
        html: The summary as a page, beside its sources.
        markdown: The summary as Markdown.
        data: The summary as JSON.
        kind: What the document was read as.
        words: How many words the summary has.
        statements: How many sentences.
        parts: How many parts.
        left_out: How many sections it has no room for.
        engines: What wrote it: `extractive`, a model's name, or both.
        removed: How many of the model's sentences were removed.
        unwritten: How many parts the model did not write, and are told in the document's own sentences.
        usage: What the model took.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    document: Document
    html: ObjectRef
    markdown: ObjectRef
    data: ObjectRef
    kind: Kind
    words: int
    statements: int
    parts: int
    left_out: int
    engines: tuple[str, ...]
    removed: int = 0
    unwritten: int = 0
    usage: llm.Usage = llm.Usage()


@workflow.defn
class SummariseDocument:
    """Summarises a long document: plan what matters, tell it part by part, cite every sentence, check every figure."""

    @workflow.run
    async def run(self, request: Summarise) -> DocumentSummary:
        """Return where the summary lies, and what wrote it."""
        document = await loaded(request.document, request.store, "the document")
        drawn = await workflow.execute_activity(
            summary.draw_summary,
            summary.DrawSummary(
                document=document,
                store=request.store,
                words=request.words,
                kind=request.kind,
                topics=request.topics,
            ),
            summary=document.name,
        )
        written = await self._written(request, document, drawn)
        report = await workflow.execute_activity(
            summary.write_summary,
            summary.WriteSummary(
                document=document,
                summary=drawn.summary,
                store=request.store,
                written=tuple(written),
                asked=request.model.name if request.model is not None and drawn.parts else "",
            ),
            summary=f"{drawn.parts} parts of {drawn.sentences} sentences",
        )
        told = sum(one.statements > 0 for one in written)
        return DocumentSummary(
            document=document,
            html=report.html,
            markdown=report.markdown,
            data=report.data,
            kind=drawn.kind,
            words=report.words,
            statements=report.statements,
            parts=drawn.parts,
            left_out=drawn.left_out,
            engines=report.engines,
            removed=sum(one.removed for one in written),
            unwritten=drawn.parts - told if request.model is not None else 0,
            usage=sum((one.usage for one in written), llm.Usage()),
        )

    async def _written(
        self, request: Summarise, document: Document, drawn: summary.Drawn
    ) -> Sequence[summary.WrittenPart]:
        """Return the parts that the model writes. What it does not write is told in the document's own sentences."""
        if request.model is None or not drawn.parts:
            return ()
        parts = [
            summary.WritePart(
                part=number,
                plan=drawn.plan,
                document=document,
                model=request.model,
                store=request.store,
                unsupported=request.unsupported,
            )
            for number in range(drawn.parts)
        ]
        answers = await fan_out(summary.write_part, parts, concurrency=_AT_ONCE, tolerate=1.0)
        return answers.results
