"""How much of a document is taken: what is over a limit is refused before it costs more."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from segue.activities.documents.errors import DocumentTooLarge

__all__ = ["Limits"]


class Limits(BaseModel):
    """What a document may cost.

    Attributes:
        size_bytes: Most bytes of the source, and of each part that it unfolds into (a DOCX is a ZIP).
        pages: Most pages.
        characters: Most characters of text.
        nesting: Deepest nesting of elements, for example of HTML.
        seconds: Longest time in the parser's process. `parse` itself, which runs where it is called, does not look at
            the clock.
        memory_bytes: Most memory of the parser's process.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size_bytes: int = Field(default=200_000_000, ge=1)
    pages: int = Field(default=20_000, ge=1)
    characters: int = Field(default=50_000_000, ge=1)
    nesting: int = Field(default=200, ge=1)
    seconds: float = Field(default=120.0, gt=0)
    memory_bytes: int = Field(default=4_000_000_000, ge=1)

    def check(self, field: str, value: int, name: str, what: str) -> None:
        """Refuse a document with more of something than a limit allows.

        Raises:
            DocumentTooLarge: It has.
        """
        limit: int = getattr(self, field)
        if value > limit:
            raise DocumentTooLarge(
                f"Document {name!r} has {value:,} {what}, and at most {limit:,} are taken: split it, or raise "
                f"Limits.{field}",
                name,
            )
