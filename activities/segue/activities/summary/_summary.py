"""A summary: parts, each with statements, each with the places that it rests on."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from segue.activities.documents.spans import Citation, Digest
from segue.activities.summary._sentences import length_of
from segue.activities.summary._topics import Kind

__all__ = ["Part", "Statement", "Summary"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Statement(_Model):
    """One sentence of a summary.

    Attributes:
        text: What it says.
        citations: The sentences of the document that it rests on.
        speaker: Who says them, in a transcript.
        verbatim: Whether it is a sentence of the document, word for word.
        supported: Whether what it cites bears it out, as far as code can tell. A sentence that is not borne out is kept
            only where that was asked for.
    """

    text: str = Field(min_length=1)
    citations: tuple[Citation, ...] = Field(min_length=1)
    speaker: str = ""
    verbatim: bool = True
    supported: bool = True


class Part(_Model):
    """What a summary says of one topic, or of one section.

    Attributes:
        title: Its heading.
        statements: What it says.
        engine: What wrote it: `extractive` for sentences of the document, or a model's name.
        removed: How many of a model's sentences were removed, because what they cite does not bear them out.
    """

    title: str
    statements: tuple[Statement, ...]
    engine: str = "extractive"
    removed: int = Field(default=0, ge=0)


class Summary(_Model):
    """A summary of one document.

    Attributes:
        name: The document's name.
        document: Digest of its source.
        kind: What it was read as.
        parts: What is said, in order.
        left_out: Sections that the summary has no room for.
        sentences: How many sentences the document has.
        asked: The model that was asked to write parts, whether or not it did; empty if none was.
    """

    name: str
    document: Digest
    kind: Kind
    parts: tuple[Part, ...]
    left_out: tuple[str, ...] = ()
    sentences: int = Field(ge=0)
    asked: str = ""

    @property
    def words(self) -> int:
        """How many words it has, headings left out."""
        return sum(length_of(one.text) for part in self.parts for one in part.statements)

    @property
    def text(self) -> str:
        """What it says, without headings."""
        return " ".join(one.text for part in self.parts for one in part.statements)

    @property
    def engines(self) -> tuple[str, ...]:
        """What wrote it, each engine once."""
        return tuple(dict.fromkeys(part.engine for part in self.parts))
