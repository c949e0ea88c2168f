"""What is asked of an extraction, step by step: references, counts and reasons, never a document's text."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from segue.activities.documents import Digest, Document
from segue.activities.extraction.form import Form
from segue.activities.extraction.records import Question
from segue.activities.llm import Model, Usage
from segue.activities.objects import ObjectPrefix, ObjectRef, ObjectUrl
from segue.activities.sql._databases import DatabaseReference

__all__ = [
    "Answered",
    "Database",
    "Extracted",
    "ExtractionReport",
    "Failed",
    "FieldCount",
    "How",
    "ListTargets",
    "OpenQuestion",
    "ReportExtraction",
    "Settled",
    "Table",
    "Target",
    "Targets",
    "TakeQuestions",
]

_CONFIG = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

Database = DatabaseReference
"""A database by reference: `env:NAME`, `file:/path`, a registered name, or a URL without a password."""

Table = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62})?$")]
"""Name of a table, with its schema or without."""


class Target(BaseModel):
    """One document that is to be read: a file, or one that is parsed already.

    Attributes:
        url: Where the file is, or
        document: the parsed document.
        name: What the document is called; by default the last part of the URL.
        labels: What to file it under.
    """

    model_config = _CONFIG

    url: ObjectUrl | None = None
    document: Document | None = None
    name: str | None = None
    labels: dict[str, str] = {}

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.url is None) == (self.document is None):
            raise ValueError("give either url or document")
        return self


class How(BaseModel):
    """How documents are read, and where what they say goes.

    Attributes:
        form: The form.
        store: Folder of parsed documents, extractions, prompts and answers.
        database: Where values are written, by reference; None to write none.
        table: The table of values.
        model: A model that is asked for what rules do not find for sure; None for rules alone.
        minimum_confidence: What a value of rules must reach to be accepted unseen.
        attempts: How often a model is asked for a field, the first included.
    """

    model_config = _CONFIG

    form: Form
    store: ObjectPrefix
    database: Database | None = None
    table: Table = "extracted_values"
    model: Model | None = None
    minimum_confidence: float = Field(default=0.6, ge=0, le=1)
    attempts: int = Field(default=2, ge=1, le=10)


class Extracted(BaseModel):
    """What came of one document, as far as a history holds it.

    Attributes:
        document: The document.
        extraction: The object that holds what was found.
        values: How many values of each field were found.
        unsettled: Fields that a person is to look at.
        engines: How many values each engine found.
        usage: What models took.
        seconds: How long reading took.
    """

    model_config = _CONFIG

    document: Document
    extraction: ObjectRef
    values: dict[str, int]
    unsettled: tuple[str, ...] = ()
    engines: dict[str, int] = {}
    usage: Usage = Usage()
    seconds: float = 0.0


class ListTargets(BaseModel):
    """Write a list of the documents of a folder, or of those that are named.

    Attributes:
        form: The form that is to be filled: a worker that has another version says so before anything is read.
        store: Folder of the list.
        prefix: The folder whose files are read, with its subfolders.
        urls: Further files.
        documents: Documents that are parsed already.
        lists: Objects of JSON lines, each a `Document`, a `Target`, or what a fan-out of `load_document` wrote.
    """

    model_config = _CONFIG

    form: Form
    store: ObjectPrefix
    prefix: ObjectPrefix | None = None
    urls: tuple[ObjectUrl, ...] = ()
    documents: tuple[Document, ...] = ()
    lists: tuple[ObjectRef, ...] = ()


class Targets(BaseModel):
    """A list of documents to be read.

    Attributes:
        form: The form, in the version in which it is filled.
        ref: The object: JSON lines, a `Target` each.
        count: How many.
    """

    model_config = _CONFIG

    form: Form
    ref: ObjectRef
    count: int


class Failed(BaseModel):
    """A document that could not be read.

    Attributes:
        index: Its place in the list.
        type: What went wrong.
        message: The same in words.
    """

    model_config = _CONFIG

    index: int
    type: str
    message: str


class ReportExtraction(BaseModel):
    """Put together what came of all documents.

    Attributes:
        how: How they were read.
        targets: The list of them.
        parts: What came of those that were read: JSON lines, `{"index": ..., "result": Extracted}`.
        failed: How many were not.
        failures: The first of these.
        seconds: How long it took, by the clock.
    """

    model_config = _CONFIG

    how: How
    targets: Targets
    parts: tuple[ObjectRef, ...] = ()
    failed: int = 0
    failures: tuple[Failed, ...] = ()
    seconds: float = Field(ge=0)


class FieldCount(BaseModel):
    """What came of one field, over all documents.

    Attributes:
        found: Documents with a value.
        values: How many values.
        questions: Documents in which a person is to look at it.
    """

    model_config = _CONFIG

    found: int = 0
    values: int = 0
    questions: int = 0


class ExtractionReport(BaseModel):
    """What came of all documents.

    Attributes:
        form: The form's name.
        documents: How many there were.
        done: How many were read.
        failed: How many were not, and why is in the report.
        values: How many values were found.
        unsettled: How many questions there are for people.
        settled: How many of them people have answered.
        fields: What came of each field.
        engines: How many values each engine found.
        usage: What models took.
        seconds: How long it took.
        report: The report, as JSON, and
        markdown: for people.
        questions: What people are to look at: JSON lines, an `OpenQuestion` each; None if nothing.
    """

    model_config = _CONFIG

    form: str
    documents: int
    done: int
    failed: int
    values: int
    unsettled: int
    settled: int = 0
    fields: dict[str, FieldCount]
    engines: dict[str, int]
    usage: Usage
    seconds: float
    report: ObjectRef
    markdown: ObjectRef
    questions: ObjectRef | None = None


class OpenQuestion(BaseModel):
    """What a person is to look at, in which document.

    Attributes:
        document: The document.
        extraction: What was found in it.
        question: What to look at.
    """

    model_config = _CONFIG

    document: Document
    extraction: ObjectRef
    question: Question


class TakeQuestions(BaseModel):
    """Read the first of the questions.

    Attributes:
        questions: All of them, as the report refers to them.
        limit: How many.
    """

    model_config = _CONFIG

    questions: ObjectRef
    limit: int = Field(ge=1, le=1000)


class Answered(BaseModel):
    """Put a person's answer in the place of a question.

    Attributes:
        how: How the documents were read.
        question: The question.
        quote: The document's words that say the value; None if the document does not say it.
        value: The value, as it stands there; empty for the whole quote.
        by: Who says so.
    """

    model_config = _CONFIG

    how: How
    question: OpenQuestion
    quote: str | None = Field(default=None, min_length=1, max_length=4000)
    value: str = Field(default="", max_length=4000)
    by: str = ""


class Settled(BaseModel):
    """Whether an answer holds.

    Attributes:
        accepted: Whether it does.
        why: What is wrong with it, if it does not.
        document: Digest of the document.
        field: The field.
    """

    model_config = _CONFIG

    accepted: bool
    why: str = ""
    document: Digest
    field: str
