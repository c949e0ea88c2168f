"""What is asked of an index, and what it answers: references, spans and scores, never text."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from segue.activities.documents import Citation, Digest, Document
from segue.activities.llm import Model, Usage
from segue.activities.objects import ObjectPrefix, ObjectRef
from segue.activities.retrieval._passages import CHARACTERS
from segue.activities.retrieval._question import words_of

__all__ = ["BuildIndex", "BuildProgress", "Engine", "Hit", "Hits", "Index", "Search"]

Engine = Literal["bm25", "hybrid"]
"""What found it: words alone, or words and vectors together."""

_CONFIG = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _with_a_word(query: str) -> str:
    if not words_of(query):
        raise ValueError("a query needs at least one word")
    return query


class BuildIndex(BaseModel):
    """Index documents: those given, and no others. What an earlier state of the index has of them is not done again.

    Attributes:
        index: Folder of the index's states.
        documents: The documents, and
        lists: further ones in objects of JSON lines, each a `Document` or what a fan-out of `load_document` wrote with
            `results_to=`: more documents than a history has room for.
        embeddings: A model whose vectors are kept beside the words; None for words alone.
        characters: How long a passage is about.
    """

    model_config = _CONFIG

    index: ObjectPrefix
    documents: tuple[Document, ...] = ()
    lists: tuple[ObjectRef, ...] = ()
    embeddings: Model | None = None
    characters: int = Field(default=CHARACTERS, ge=100, le=10_000)


class Index(BaseModel):
    """One state of an index.

    Attributes:
        ref: The object that holds it.
        documents: How many documents are in it.
        passages: How many passages they have.
        added: How many of the documents this build has added.
        removed: How many it has removed.
        unchanged: How many were there already.
        characters: How long a passage is about.
        embeddings: The model whose vectors it holds; empty for none.
        usage: What the vectors took that this build has asked for.
        step: The idempotency key of the step that built it, so that its next attempt answers the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ref: ObjectRef
    documents: int = Field(ge=0)
    passages: int = Field(ge=0)
    added: int = Field(default=0, ge=0)
    removed: int = Field(default=0, ge=0)
    unchanged: int = Field(default=0, ge=0)
    characters: int = CHARACTERS
    embeddings: str = ""
    usage: Usage = Usage()
    step: str = ""


class BuildProgress(BaseModel):
    """How far a build has come, as its heartbeats show it.

    Attributes:
        done: Documents that are in the index, or out of it, as they are to be.
        total: How many are to be added and removed.
    """

    done: int
    total: int


class Search(BaseModel):
    """Ask an index.

    Attributes:
        index: The state of the index, as `build_index` returned it.
        query: A question in plain words. What stands in quotation marks counts once more as a phrase.
        limit: How many passages at most.
        labels: Labels that a document must have, all of them.
        documents: Digests of the documents that are searched; empty for all.
        neighbours: How many passages before and after each belong to its context.
        embeddings: The model that the index was built with, to compare vectors too; None to compare words alone.
        learn: Whether words are added that the best passages have in common.
    """

    model_config = _CONFIG

    index: Index
    query: Annotated[str, AfterValidator(_with_a_word), Field(max_length=10_000)]
    limit: int = Field(default=10, ge=1, le=1000)
    labels: dict[str, str] = {}
    documents: tuple[Digest, ...] = ()
    neighbours: int = Field(default=0, ge=0, le=20)
    embeddings: Model | None = None
    learn: bool = True


class Hit(BaseModel):
    """A passage that was found.

    Attributes:
        citation: Where it stands.
        context: The same with its neighbours, as many as were asked for and as there are.
        document: The document's name.
        score: Higher is better; compares within one search only.
        labels: What the document is filed under.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    citation: Citation
    context: Citation
    document: str
    score: float
    labels: dict[str, str] = {}


class Hits(BaseModel):
    """What was found, best first.

    Attributes:
        hits: The passages.
        engine: What found them.
        embeddings: The model whose vectors were compared; empty for none.
        usage: What the question's vector took.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    hits: tuple[Hit, ...]
    engine: Engine
    embeddings: str = ""
    usage: Usage = Usage()

    def __len__(self) -> int:
        return len(self.hits)
