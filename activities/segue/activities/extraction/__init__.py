"""Extraction: a form of typed fields filled from many documents, each value with the text that says it.

    from segue.activities import extraction

    class Lease(BaseModel):
        parties: list[str] = Field(description="Who signs the lease")
        rent: extraction.Money
        notice: extraction.Duration | None = Field(None, description="Notice period for termination")

    form = extraction.Form.of(Lease)

Rules find dates, durations, amounts, names and places without any model; a model, where one is given, is asked for what
rules are not sure of, and each value that it claims must stand in the document. `segue.workflows.extraction` does it
for thousands of documents; `docs/extraction.md` tells how.
"""

from __future__ import annotations

from segue.activities.extraction.form import FieldKind, Form, FormField, InvalidForm, Kind, fields_of
from segue.activities.extraction.records import Extraction, Question, Value
from segue.activities.extraction.requests import (
    Answered,
    Database,
    Extracted,
    ExtractionReport,
    Failed,
    FieldCount,
    How,
    ListTargets,
    OpenQuestion,
    ReportExtraction,
    Settled,
    Table,
    TakeQuestions,
    Target,
    Targets,
)
from segue.activities.extraction.steps import (
    answer_question,
    extract_document,
    list_targets,
    report_extraction,
    system,
    take_questions,
)
from segue.activities.extraction.storing import TABLE
from segue.activities.extraction.values import Duration, Money

__all__ = [
    # forms
    "Form",
    "FormField",
    "FieldKind",
    "Kind",
    "fields_of",
    "Money",
    "Duration",
    # what is found
    "Extraction",
    "Value",
    "Question",
    # requests and results
    "How",
    "Target",
    "Targets",
    "ListTargets",
    "Extracted",
    "ReportExtraction",
    "ExtractionReport",
    "FieldCount",
    "Failed",
    "OpenQuestion",
    "TakeQuestions",
    "Answered",
    "Settled",
    # steps of workflows
    "system",
    "list_targets",
    "extract_document",
    "report_extraction",
    "take_questions",
    "answer_question",
    # the table of values
    "TABLE",
    "Table",
    "Database",
    # errors
    "InvalidForm",
]
