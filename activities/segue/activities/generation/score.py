"""Scores: how well a draft meets each requirement, why, and what that makes in all.

sheet = ScoreSheet.of(requirements, scores)
sheet.total            # 0 unless every mandatory requirement is met
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from segue.activities.generation.requirement import Requirement, Stage

__all__ = ["Score", "ScoreSheet"]


class Score(BaseModel):
    """How well a draft meets one requirement.

    Attributes:
        requirement: Its name.
        score: From 0, not at all, to 1.
        met: Whether that reaches the requirement's target.
        reason: Why it is not more; for a full score, what was found.
        stage: What scored it.
        engine: Which engine did: `rules`, or the name of a model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    requirement: str
    score: float = Field(ge=0, le=1)
    met: bool
    reason: str
    stage: Stage
    engine: str


class ScoreSheet(BaseModel):
    """The scores of one draft.

    Attributes:
        scores: One for each requirement, in the order of their declaration.
        total: The mean of the scores by weight; 0 if a mandatory requirement is not met, 1 without requirements.
        mean: That mean, mandatory or not: it tells apart drafts whose total is 0.
        mandatory_met: How many of the mandatory requirements are met.
        met: Whether every requirement is met.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    scores: tuple[Score, ...] = ()
    total: float = Field(default=1.0, ge=0, le=1)
    mean: float = Field(default=1.0, ge=0, le=1)
    mandatory_met: int = Field(default=0, ge=0)
    met: bool = True

    @classmethod
    def of(cls, requirements: Sequence[Requirement], scores: Sequence[Score]) -> Self:
        """Return the sheet of a draft that has a score for each requirement.

        Raises:
            ValueError: It has not.
        """
        by_name = {score.requirement: score for score in scores}
        if len(scores) != len(requirements) or by_name.keys() != {one.name for one in requirements}:
            raise ValueError(
                f"scores of {sorted(by_name)} do not answer the requirements {sorted(one.name for one in requirements)}"
            )
        if not requirements:
            return cls()
        ordered = tuple(by_name[one.name] for one in requirements)
        weights = [one.weight for one in requirements]
        mean = sum(score.score * weight for score, weight in zip(ordered, weights, strict=True)) / sum(weights)
        # Sums of floats may pass 1 by a hair.
        mean = min(max(mean, 0.0), 1.0)
        mandatory = [by_name[one.name].met for one in requirements if one.mandatory]
        return cls(
            scores=ordered,
            total=mean if all(mandatory) else 0.0,
            mean=mean,
            mandatory_met=sum(mandatory),
            met=all(score.met for score in ordered),
        )

    @property
    def rank(self) -> tuple[Any, ...]:
        """What orders drafts from the worst to the best."""
        return (self.met, self.total, self.mandatory_met, self.mean)

    def short(self) -> tuple[Score, ...]:
        """Return the scores that fall short, the worst first."""
        return tuple(sorted((score for score in self.scores if not score.met), key=lambda score: score.score))

    def __str__(self) -> str:
        if not self.scores:
            return "no requirements"
        told = ", ".join(f"{score.requirement} {score.score:.2f}" for score in self.short())
        return f"{self.total:.2f}" + (f", short: {told}" if told else "")
