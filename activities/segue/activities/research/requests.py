"""What the steps of research take and return: references, spans and counts, never text."""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from segue.activities.documents import Citation, Document
from segue.activities.generation.score import Score
from segue.activities.llm import Model, Usage
from segue.activities.objects import ObjectPrefix, ObjectRef
from segue.activities.research.evidence import Found, Unsupported
from segue.activities.research.reporting import Unread
from segue.activities.research.support import UNJUDGED
from segue.activities.retrieval import Index

__all__ = [
    "Account",
    "Answered",
    "Compose",
    "Composed",
    "Divide",
    "Gather",
    "JudgeSupport",
    "Noted",
    "Planned",
    "Publish",
    "Published",
    "Register",
    "Rephrase",
    "Rephrased",
    "Retrieve",
    "Retrieved",
    "SectionTask",
    "TakeNotes",
    "Verified",
    "Verify",
]

_MODEL = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Account(BaseModel):
    """What asking a model took.

    Attributes:
        engine: Which model.
        usage: What it took, also where its answer could not be used.
    """

    model_config = _MODEL

    engine: str
    usage: Usage


class _Accounted(BaseModel):
    """The result of a step that may have asked a model.

    Attributes:
        account: What asking it took; None where none was asked.
    """

    model_config = _MODEL

    account: Account | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_older_versions(cls, given: Any) -> Any:
        # Histories of runs that began earlier hold the usage by itself, also that of a model for which rules stood in.
        if not isinstance(given, dict) or "usage" not in given:
            return given  # pyright: ignore[reportUnknownVariableType]
        told = dict(cast("dict[str, Any]", given))
        told["account"] = {"engine": told.get("engine", "rules"), "usage": told.pop("usage")}
        return told


class Register(BaseModel):
    """Make documents known that are loaded already.

    Attributes:
        documents: The documents, and
        lists: further ones in objects of JSON lines, each a `Document` or what a fan-out wrote of one.
        store: Object URL prefix.
    """

    model_config = _MODEL

    documents: tuple[Document, ...] = ()
    lists: tuple[ObjectRef, ...] = ()
    store: ObjectPrefix


class Divide(BaseModel):
    """Divide a question.

    Attributes:
        question: The question, as text or as the object that holds it.
        most: Most parts.
        model: Who divides it; None for rules.
        store: Object URL prefix.
    """

    model_config = _MODEL

    question: str | ObjectRef
    most: int = Field(default=5, ge=1, le=20)
    model: Model | None = None
    store: ObjectPrefix


class Planned(_Accounted):
    """A plan.

    Attributes:
        questions: The object of its questions: a list of `Question`.
        count: How many: 1 for a question that stands for itself, else it and its parts.
        engine: What planned.
        failure: Type of the model's error, where rules stood in.
    """

    questions: ObjectRef
    count: int = Field(ge=1)
    engine: str = "rules"
    failure: str | None = None


class Retrieve(BaseModel):
    """Find passages that may answer one question of a plan.

    Attributes:
        questions: The plan's questions.
        number: Which.
        index: What is searched.
        limit: Most passages.
        neighbours: How many passages before and after belong to each.
        labels: Labels that a document must have.
        store: Object URL prefix.
    """

    model_config = _MODEL

    questions: ObjectRef
    number: int = Field(ge=0)
    index: Index
    limit: int = Field(default=10, ge=1, le=100)
    neighbours: int = Field(default=0, ge=0, le=5)
    labels: dict[str, str] = {}
    store: ObjectPrefix


class Retrieved(BaseModel):
    """What was found.

    Attributes:
        passages: The object of the passages, best first: a list of `Passage`.
        count: How many.
        engine: What found them.
    """

    model_config = _MODEL

    passages: ObjectRef
    count: int = Field(ge=0)
    engine: str


class TakeNotes(BaseModel):
    """Take notes on one question from passages.

    Attributes:
        questions: The plan's questions.
        number: Which.
        passages: What was found in the index, and
        found: by other searches.
        earlier: The notes that there are already.
        limit: Most notes.
        model: Who takes them; None for rules, which take whole sentences.
        store: Object URL prefix.
    """

    model_config = _MODEL

    questions: ObjectRef
    number: int = Field(ge=0)
    passages: tuple[ObjectRef, ...] = ()
    found: tuple[Found, ...] = ()
    earlier: ObjectRef | None = None
    model: Model | None = None
    limit: int = Field(default=12, ge=1, le=100)
    store: ObjectPrefix


class Noted(_Accounted):
    """Notes on one question.

    Attributes:
        notes: The object of the notes: a list of `Note`.
        count: How many.
        covered: The share of the question's words that they have.
        citations: Where the first of them stand.
        engine: What took them.
        invented: How many quotes of a model stood in no passage, and were dropped.
        failure: Type of the model's error, where rules stood in.
    """

    notes: ObjectRef
    count: int = Field(ge=0)
    covered: float = Field(ge=0, le=1)
    citations: tuple[Citation, ...] = ()
    engine: str = "rules"
    invented: int = 0
    failure: str | None = None


class Rephrase(BaseModel):
    """Find other words to search for one question.

    Attributes:
        questions: The plan's questions.
        number: Which.
        notes: The notes that there are already.
        model: Who finds them; None for rules, which search for the words that no note has.
        store: Object URL prefix.
    """

    model_config = _MODEL

    questions: ObjectRef
    number: int = Field(ge=0)
    notes: ObjectRef
    model: Model | None = None
    store: ObjectPrefix


class Rephrased(_Accounted):
    """Other words to search for.

    Attributes:
        questions: The questions, with what is to be searched as the latest query; None if there are no other words.
        failure: Type of the model's error, where rules stood in.
    """

    questions: ObjectRef | None = None
    failure: str | None = None


class Gather(BaseModel):
    """Choose of all notes those that answer the whole question best.

    Attributes:
        questions: The plan's questions.
        notes: The notes on its parts.
        limit: Most notes.
        store: Object URL prefix.
    """

    model_config = _MODEL

    questions: ObjectRef
    notes: tuple[ObjectRef, ...]
    limit: int = Field(default=16, ge=1, le=100)
    store: ObjectPrefix


class SectionTask(BaseModel):
    """Write down what a writer is to do for one section.

    Attributes:
        questions: The plan's questions.
        number: Which.
        notes: The notes on it.
        about: What the whole answer is to be.
        store: Object URL prefix.
    """

    model_config = _MODEL

    questions: ObjectRef
    number: int = Field(ge=0)
    notes: ObjectRef
    about: str = ""
    store: ObjectPrefix


class Verify(BaseModel):
    """Hold a model's section against the documents.

    Attributes:
        draft: The section as it was written.
        notes: The notes that it was given.
        engine: Which model wrote it.
        share: How much of a sentence its quotes must have.
        store: Object URL prefix.
    """

    model_config = _MODEL

    draft: ObjectRef
    notes: ObjectRef
    engine: str
    share: float = Field(default=UNJUDGED, gt=0, le=1)
    store: ObjectPrefix


class JudgeSupport(BaseModel):
    """Have a model look whether quotes support the sentences that cite them. It can only refuse.

    Attributes:
        sentences: The sentences, as rules left them.
        model: Who judges.
        store: Object URL prefix.
    """

    model_config = _MODEL

    sentences: ObjectRef
    model: Model
    store: ObjectPrefix


class Verified(_Accounted):
    """A section whose sentences were looked at one by one.

    Attributes:
        sentences: The object of the sentences: a list of `Sentence`.
        supported: How many of them are supported.
        unsupported: How many are not.
        failure: Type of the judge's error: then nobody judged.
    """

    sentences: ObjectRef
    supported: int = Field(ge=0)
    unsupported: int = Field(ge=0)
    failure: str | None = None


class Answered(BaseModel):
    """What there is on one question, for the report.

    Attributes:
        number: Which question.
        notes: The notes on it.
        sentences: A model's sentences, looked at; None where no model wrote any.
        engine: What wrote them, or found the notes.
        judged: Whether a model looked whether the quotes support them.
        judge: Which model.
    """

    model_config = _MODEL

    number: int = Field(ge=0)
    notes: ObjectRef
    sentences: ObjectRef | None = None
    engine: str
    judged: bool = False
    judge: str = ""


class Compose(BaseModel):
    """Put an answer together out of what stood up to the checks.

    Attributes:
        questions: The plan's questions.
        answered: What there is on each that a section is for.
        unsupported: What becomes of a sentence that nothing supports.
        sentences: Most sentences of a section that is extracted.
        store: Object URL prefix.
    """

    model_config = _MODEL

    questions: ObjectRef
    answered: tuple[Answered, ...]
    unsupported: Unsupported = "remove"
    sentences: int = Field(default=5, ge=1, le=50)
    store: ObjectPrefix


class Composed(BaseModel):
    """An answer.

    Attributes:
        sections: The object of its sections: a list of `Section`.
        text: The object of the answer as text, for whoever scores it.
        question: The object of the question.
        sentences: How many sentences it has.
        quotes: How many quotes they stand on.
        removed: How many were removed.
        marked: How many are marked.
        unanswered: How many sections are empty.
        doubtful: How many are extracts that lack most of the question's words.
        engines: What wrote it.
    """

    model_config = _MODEL

    sections: ObjectRef
    text: ObjectRef
    question: ObjectRef
    sentences: int
    quotes: int
    removed: int
    marked: int
    unanswered: int
    doubtful: int = 0
    engines: tuple[str, ...]


class Publish(BaseModel):
    """Write a report.

    Attributes:
        composed: The answer.
        scores: How well it meets its requirements.
        total: The same in all.
        engines: What found and made it.
        documents: How many documents were searched.
        unread: Sources that could not be read.
        usage: What it took.
        stopped: The bound of the budget at which no model was asked any more.
        failures: Types of the errors of models, and of searches.
        store: Object URL prefix.
    """

    model_config = _MODEL

    composed: Composed
    scores: tuple[Score, ...] = ()
    total: float = 1.0
    engines: tuple[str, ...]
    documents: int = 0
    unread: tuple[Unread, ...] = ()
    usage: Usage = Usage()
    stopped: str = ""
    failures: tuple[str, ...] = ()
    store: ObjectPrefix


class Published(BaseModel):
    """A report in three forms.

    Attributes:
        markdown: For reading.
        html: For a browser: each claim leads to its quote, and each quote says where it stands.
        json_report: For programs: a `Report`.
    """

    model_config = _MODEL

    markdown: ObjectRef
    html: ObjectRef
    json_report: ObjectRef
