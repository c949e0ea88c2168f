"""What a model says of findings: why one matters, and how much. It finds nothing, and its words are kept apart."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["UNSUPPORTED", "Explanation", "Explanations"]

UNSUPPORTED: Final = "neither version bears it out"
"""Why a model's sentence is removed, as reports say it."""


class Explanation(BaseModel):
    """What a model says of one finding.

    Attributes:
        finding: The finding's id.
        text: Why it matters, in a sentence or two; empty if nothing that it said could be kept.
        importance: How much it matters, from 1 to 5.
        removed: How many of its sentences were removed, because neither version bears them out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    finding: str
    text: str = ""
    importance: int = Field(default=1, ge=1, le=5)
    removed: int = Field(default=0, ge=0)


class Explanations(BaseModel):
    """What a model says of a comparison's findings.

    Attributes:
        engine: The model.
        explanations: Of each finding that it was asked about.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: str
    explanations: tuple[Explanation, ...] = ()

    def of(self, finding: str) -> Explanation | None:
        """Return what it says of a finding; None if it was not asked."""
        return next((one for one in self.explanations if one.finding == finding), None)
