"""What research is made of: questions, passages that may answer them, notes out of these, sentences that cite them.

Values of this module lie in objects. A history holds their references, their counts, and where quotes stand.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from segue.activities.documents import Citation, Document, Span
from segue.activities.objects import ObjectPrefix, ObjectRef

__all__ = ["Found", "Lookup", "Note", "Passage", "Question", "Quote", "Section", "Sentence", "Unsupported"]

Unsupported = Literal["remove", "mark"]
"""What becomes of a sentence that its quotes do not support."""

_FROZEN = ConfigDict(frozen=True, extra="forbid")


class Question(BaseModel):
    """One question of a plan.

    Attributes:
        number: 0 for the question that was asked, from 1 for those that it was divided into.
        text: The question.
        queries: What is searched for it: the question itself first, then what was searched because that was too little.
    """

    model_config = _FROZEN

    number: int = Field(ge=0)
    text: str
    queries: tuple[str, ...] = ()


class Passage(BaseModel):
    """A part of a document that may answer a question.

    Attributes:
        document: The document.
        span: The part.
        score: Higher is better; compares within one search only.
    """

    model_config = _FROZEN

    document: Document
    span: Span
    score: float = 0.0


class Lookup(BaseModel):
    """What a search of your own is asked: `research.query_of` reads the question, which no history holds.

    Attributes:
        questions: The object of the plan's questions.
        number: Which question.
        limit: Most passages to return.
        store: Object URL prefix: load what you find under it, with `documents.load_document`.
    """

    model_config = _FROZEN

    questions: ObjectRef
    number: int
    limit: int = 10
    store: ObjectPrefix


class Found(BaseModel):
    """What a search of your own has found.

    Attributes:
        passages: Parts of documents that are loaded.
        engine: What found them, for the report.
    """

    model_config = _FROZEN

    passages: tuple[Passage, ...] = ()
    engine: str


class Note(BaseModel):
    """Words of a document that help to answer a question.

    Attributes:
        number: From 1, among the notes on a question.
        quote: The words, as they stand there.
        citation: Where.
        name: The document's name.
        page: The page, from 1; 0 where there is none.
        source: URL of the document's source.
        score: How well they fit the question; compares within one question only.
        claim: What they say, in a model's words; empty without a model.
        parsed: The object that holds the document's text.
    """

    model_config = _FROZEN

    number: int = Field(ge=1)
    quote: str
    citation: Citation
    name: str
    page: int = 0
    source: str
    score: float = 0.0
    claim: str = ""
    parsed: ObjectRef


class Quote(BaseModel):
    """Words that a sentence stands on.

    Attributes:
        text: The words, as they stand in the document.
        citation: Where.
        name: The document's name.
        page: The page, from 1; 0 where there is none.
        source: URL of the document's source.
    """

    model_config = _FROZEN

    text: str
    citation: Citation
    name: str
    page: int = 0
    source: str


class Sentence(BaseModel):
    """One sentence of an answer.

    Attributes:
        text: The sentence.
        quotes: What it stands on.
        supported: Whether that supports it. One that is not supported stands in a report only where it is marked.
        problem: Why it is not.
        engine: What wrote it.
    """

    model_config = _FROZEN

    text: str
    quotes: tuple[Quote, ...] = ()
    supported: bool = True
    problem: str = ""
    engine: str


class Section(BaseModel):
    """What answers one question.

    Attributes:
        question: The question.
        sentences: The answer.
        removed: How many sentences were removed because nothing supports them.
        engine: What wrote it.
        judged: Whether a model looked whether the quotes support the sentences.
        judge: Which model; empty where none did, and in reports of earlier versions.
        lacking: The words of the question that none of the quotes has.
    """

    model_config = _FROZEN

    question: Question
    sentences: tuple[Sentence, ...] = ()
    removed: int = 0
    engine: str
    judged: bool = False
    judge: str = ""
    lacking: tuple[str, ...] = ()
