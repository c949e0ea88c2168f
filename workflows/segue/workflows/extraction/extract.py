"""Extract data from many documents: deterministic workflow code.

    report = await client.execute_workflow(
        ExtractData.run,
        ExtractDocuments(
            form=Form.of(Lease), prefix="s3://legal/leases", store="s3://work/leases", database="env:LEASES_DATABASE"
        ),
        id="leases", task_queue="documents",
    )
    report.done, report.failed, report.unsettled, report.markdown.url

The documents are listed, read side by side in batches, and reported. Each is read, and its values written, once; a
document that cannot be read fails alone. What is found goes from the workers into objects and the database: the history
holds references, counts and reasons.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from temporalio import workflow

from segue.activities import extraction
from segue.activities.documents import Document
from segue.activities.extraction import ExtractionReport, Failed, Form, How, ListTargets, ReportExtraction, Targets
from segue.activities.llm import Model
from segue.activities.objects import ObjectPrefix, ObjectRef, ObjectUrl, join
from segue.workflows.extraction.answers import People, answers
from segue.workflows.fanout import Batch, fan_out

__all__ = ["ExtractData", "ExtractDocuments"]

# Results in objects make at most a thousand batches.
_BATCHES: Final = 900
_BATCH: Final = 20
# Each failure takes some hundred bytes of an argument, which holds two megabytes.
_FAILURES_TOLD: Final = 1000


class ExtractDocuments(BaseModel):
    """What to extract, from which documents, and where it goes.

    Attributes:
        form: The fields, as `Form.of(Model)`, or by name: `"app.leases:Lease"`.
        store: Folder of parsed documents, extractions, prompts and reports.
        prefix: A folder whose files are read, with its subfolders.
        urls: Further files.
        documents: Documents that are parsed already.
        lists: Objects of JSON lines, each a `Document` or a `Target`, or what a fan-out of `load_document` wrote.
        database: Where values are written, by reference; None to write them to objects alone.
        table: The table of values.
        model: A model that is asked for what rules do not find for sure; None for rules alone.
        minimum_confidence: What a value of rules must reach to be accepted unseen.
        attempts: How often a model is asked for a field, the first included.
        concurrency: How many documents are read at once.
        people: How people are asked about what is not settled; None to leave it to the report.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    form: Form
    store: ObjectPrefix
    prefix: ObjectPrefix | None = None
    urls: tuple[ObjectUrl, ...] = ()
    documents: tuple[Document, ...] = ()
    lists: tuple[ObjectRef, ...] = ()
    database: extraction.Database | None = None
    table: extraction.Table = "extracted_values"
    model: Model | None = None
    minimum_confidence: float = Field(default=0.6, ge=0, le=1)
    attempts: int = Field(default=2, ge=1, le=10)
    concurrency: int = Field(default=16, ge=1, le=1000)
    people: People | None = None

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.prefix is None and not (self.urls or self.documents or self.lists):
            raise ValueError("give prefix, urls, documents or lists")
        return self

    def how(self, form: Form) -> How:
        """Return how each document is read, with a form whose version is known."""
        return How(
            form=form,
            store=self.store,
            database=self.database,
            table=self.table,
            model=self.model,
            minimum_confidence=self.minimum_confidence,
            attempts=self.attempts,
        )


@workflow.defn(name="segue.ExtractData")
class ExtractData:
    """Fill a form from many documents, and report."""

    @workflow.run
    async def run(self, request: ExtractDocuments) -> ExtractionReport:
        """Return what came of all documents."""
        began = workflow.now()
        targets: Targets = await workflow.execute_activity(
            extraction.list_targets,
            ListTargets(
                form=request.form,
                store=request.store,
                prefix=request.prefix,
                urls=request.urls,
                documents=request.documents,
                lists=request.lists,
            ),
        )
        report = await self._read(request, targets, began)
        if request.people is None or report.questions is None:
            return report
        settled = await answers(request.how(targets.form), report.questions, request.people)
        return report.model_copy(update={"settled": settled})

    async def _read(self, request: ExtractDocuments, targets: Targets, began: datetime) -> ExtractionReport:
        how = request.how(targets.form)
        stored = await fan_out(
            extraction.extract_document,
            targets.ref,
            how,
            concurrency=request.concurrency,
            batch=_batch(targets.count, request.concurrency),
            # A document that cannot be read is told of; the others are read.
            tolerate=1.0,
            results_to=join(request.store, "extracted"),
        )
        failed = [
            Failed(index=failure.index, type=failure.type, message=failure.message)
            for failure in stored.failures[:_FAILURES_TOLD]
        ]
        return await workflow.execute_activity(
            extraction.report_extraction,
            ReportExtraction(
                how=how,
                targets=targets,
                parts=tuple(stored.parts),
                failed=len(stored.failures),
                failures=tuple(failed),
                seconds=(workflow.now() - began).total_seconds(),
            ),
        )


def _batch(count: int, concurrency: int) -> Batch:
    """Return how documents are put together: few at a time, so that a killed worker repeats little."""
    size = max(_BATCH, -(-count // _BATCHES))
    # Of few documents each worker is to have some.
    size = max(1, min(size, -(-count // max(1, concurrency // 4))))
    return Batch(count=size, concurrency=min(4, concurrency))
