"""The steps of an extraction: list the documents, read each, report, and take people's answers."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import timedelta

from segue.activities import objects
from segue.activities.documents import Document, LoadDocument, load_document, opened
from segue.activities.extraction.records import Extraction
from segue.activities.extraction.requests import (
    Answered,
    Extracted,
    ExtractionReport,
    How,
    ListTargets,
    OpenQuestion,
    ReportExtraction,
    Settled,
    TakeQuestions,
    Target,
    Targets,
)
from segue.activities.objects import ObjectRef
from segue.activities.policy import Policy
from segue.activities.system import System

__all__ = ["answer_question", "extract_document", "list_targets", "report_extraction", "system", "take_questions"]

system = System(
    "extraction",
    # A model may take its time, and be asked again. A dead worker is noticed by the heartbeat.
    policy=Policy(start_to_close_timeout=timedelta(minutes=30), heartbeat_timeout=timedelta(seconds=30)),
)


@system.activity(name="segue.extraction.targets")
async def list_targets(request: ListTargets) -> Targets:
    """Write the list of the documents that are to be read, and return where it is."""
    from segue.activities.extraction.targets import listed

    return await listed(request)


@system.activity(name="segue.extraction.extract")
async def extract_document(target: Target, how: How) -> Extracted:
    """Read one document, write what it says, and return what came of it in numbers.

    Raises:
        DocumentRefused: The document cannot be read.
        InvalidForm: This worker does not have the form as the caller does.
        ModelError, ModelUnavailable: The model cannot be asked, or not now.
        DatabaseRefused, DatabaseUnavailable and others: The values cannot be written, or not now.
    """
    from segue.activities.extraction.reading import Reading, read

    model = how.form.load()
    document = await _loaded(target, how.store)
    parsed = await opened(document)
    reading = Reading(how.store, how.model, how.minimum_confidence, how.attempts)
    extraction = await read(parsed, model, reading)
    ref = await _written(extraction, how, document)
    return Extracted(
        document=document,
        extraction=ref,
        values=dict(Counter(value.field for value in extraction.values)),
        unsettled=tuple(dict.fromkeys(question.field for question in extraction.questions)),
        engines=dict(Counter(value.engine for value in extraction.values)),
        usage=extraction.usage,
        seconds=extraction.seconds,
    )


@system.activity(name="segue.extraction.report")
async def report_extraction(request: ReportExtraction) -> ExtractionReport:
    """Write the report, and return what it says in short."""
    from segue.activities.extraction.reporting import reported

    return await reported(request)


@system.activity(name="segue.extraction.questions")
async def take_questions(request: TakeQuestions) -> list[OpenQuestion]:
    """Return the first of the questions to people."""
    lines = (await objects.read(request.questions)).splitlines()
    return [OpenQuestion.model_validate_json(line) for line in lines[: request.limit]]


@system.activity(name="segue.extraction.answer")
async def answer_question(request: Answered) -> Settled:
    """Check a person's answer against the document, and put it in the place of the question if it holds."""
    from segue.activities.extraction.settling import settled

    extraction, result = await settled(request)
    if extraction is not None:
        await _written(extraction, request.how, request.question.document, answered=True)
    return result


async def _loaded(target: Target, store: str) -> Document:
    if target.document is not None:
        return target.document
    assert target.url is not None
    return await load_document(LoadDocument(url=target.url, store=store, name=target.name, labels=target.labels))


async def _written(extraction: Extraction, how: How, document: Document, *, answered: bool = False) -> ObjectRef:
    content = json.dumps(extraction.model_dump(mode="json", exclude={"seconds"}), ensure_ascii=False)
    # Under the name of what was asked of what: what is found anew takes the place of what was found before. The same
    # text in two files is two documents.
    place = hashlib.sha256(f"{document.digest} {document.name} {document.source.url}".encode()).hexdigest()[:32]
    key = objects.join(how.store, "extractions", how.form.pinned().digest or "", f"{place}.json")
    ref = await objects.write(key, content)
    if how.database is not None:
        from segue.activities.extraction.storing import write_values

        await write_values(how.database, how.table, document, extraction, part="answer" if answered else "")
    return ref
