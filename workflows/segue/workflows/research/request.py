"""What research is asked, and what it answers: references, counts and scores."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from segue.activities.documents import Document
from segue.activities.generation.requirement import Requirement
from segue.activities.generation.score import Score
from segue.activities.llm import Usage
from segue.activities.objects import ObjectPrefix, ObjectRef
from segue.activities.research.evidence import Unsupported
from segue.activities.research.reporting import Unread
from segue.activities.retrieval import Index
from segue.workflows.generation.budget import Budget
from segue.workflows.generation.models import Models

__all__ = ["Corpus", "Research", "ResearchRequest"]


class Corpus(BaseModel):
    """Documents that are loaded and indexed already.

    Attributes:
        index: Their index.
        documents: The documents, and
        lists: further ones in objects of JSON lines, as `BuildIndex` takes them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    index: Index
    documents: tuple[Document, ...] = ()
    lists: tuple[ObjectRef, ...] = ()


class ResearchRequest(BaseModel):
    """Answer a question out of documents.

    Attributes:
        question: What is asked, as text or as the object that holds it. Text is in the history, as this request.
        corpus: A folder whose documents are loaded and indexed, or documents that are so already.
        store: Object URL prefix under which everything is written: texts, index, plan, notes, drafts, reports. It does
            not lie in the folder, whose documents they would be.
        models: Who plans, writes and judges; None for an extractive answer.
        requirements: What the answer is scored by.
        budget: What may be spent: `attempts` for each section, the rest in all.
        parts: Most questions that the question is divided into.
        passages: Most passages that are looked at for each.
        requeries: How often other words are searched for where too little was found.
        enough: The share of a question's words that its notes are to have.
        labels: Labels that a document must have.
        searches: Names of further search activities, such as one of the web: each takes a `Lookup` and returns `Found`.
        sentences: Most sentences of a section that is extracted.
        unsupported: What becomes of a sentence that its quotes do not support.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    question: Annotated[str, Field(min_length=1, max_length=10_000)] | ObjectRef
    corpus: ObjectPrefix | Corpus
    store: ObjectPrefix
    models: Models | None = None
    requirements: tuple[Requirement, ...] = ()
    budget: Budget = Budget(attempts=3)
    parts: int = Field(default=5, ge=1, le=20)
    passages: int = Field(default=12, ge=1, le=100)
    requeries: int = Field(default=1, ge=0, le=5)
    enough: float = Field(default=0.6, ge=0, le=1)
    labels: dict[str, str] = {}
    searches: tuple[str, ...] = ()
    sentences: int = Field(default=5, ge=1, le=50)
    unsupported: Unsupported = "remove"

    @field_validator("requirements")
    @classmethod
    def _of_the_answer(cls, requirements: tuple[Requirement, ...]) -> tuple[Requirement, ...]:
        for one in requirements:
            if one.stage == "evidence":
                raise ValueError(
                    f"requirement {one.name!r} looks into the sources, as every sentence of a report is held against "
                    "them anyway: leave it out"
                )
        return requirements


class Research(BaseModel):
    """An answer.

    Attributes:
        markdown: The report, for reading.
        html: The same for a browser: each claim leads to its quote, and each quote says where it stands.
        json_report: The same for programs: a `segue.activities.research.Report`.
        sections: How many sections it has.
        sentences: How many sentences.
        quotes: How many quotes they stand on.
        removed: How many sentences were removed because nothing supports them.
        marked: How many are marked for it.
        unanswered: How many sections are empty, because nothing was found.
        doubtful: How many are extracts that lack most of the question's words.
        total: Score of the answer in all; 1 without requirements.
        scores: Its scores, with reasons.
        usage: Tokens and cost of it all.
        engines: What found and wrote it: `bm25` and `rules`, or models by their names.
        documents: How many documents were searched.
        unread: Sources that could not be read; the first hundred.
        corpus: What was searched, for further questions.
        failures: Types of the errors of models for which rules stood in, and of searches that failed.
        stopped: The bound of the budget at which no model was asked any more; empty if none was reached.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    markdown: ObjectRef
    html: ObjectRef
    json_report: ObjectRef
    sections: int
    sentences: int
    quotes: int
    removed: int = 0
    marked: int = 0
    unanswered: int = 0
    doubtful: int = 0
    total: float = 1.0
    scores: tuple[Score, ...] = ()
    usage: Usage = Usage()
    engines: tuple[str, ...]
    documents: int
    unread: tuple[Unread, ...] = ()
    corpus: Corpus
    failures: tuple[str, ...] = ()
    stopped: str = ""
