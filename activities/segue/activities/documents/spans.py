"""Where a text stands in a document: what every claim, quote, finding and value points back to.

    citation = Citation(document=parsed.digest, start=120, end=164)
    parsed.quote(citation)              # the text itself, read out of the document

Offsets count characters (Unicode code points) of the document's parsed text, half-open as a slice is.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["Citation", "Digest", "Span"]

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 of a document's source bytes, in hexadecimal digits."""


class Span(BaseModel):
    """Characters `start` to `end` of a document's text, `end` not among them.

    Attributes:
        start: Offset of the first character.
        end: Offset after the last; never before `start`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: int = Field(ge=0)
    end: int = Field(ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"a span ends at {self.end}, before its start at {self.start}")
        return self

    def __len__(self) -> int:
        return self.end - self.start

    def within(self, other: Span) -> bool:
        """Whether the whole of this span lies in `other`."""
        return other.start <= self.start and self.end <= other.end

    def overlaps(self, other: Span) -> bool:
        """Whether the two share a character."""
        return self.start < other.end and other.start < self.end


class Citation(Span):
    """A span of one document: enough to find the quoted text again, and to notice that the document has changed.

    Attributes:
        document: Digest of the document's source.
    """

    document: Digest
