"""What a generation returns: the best draft, its scores, what the others scored, and what it all took."""

from __future__ import annotations

from typing import Generic, Literal

from pydantic import BaseModel, ConfigDict
from typing_extensions import TypeVar

from segue.activities.generation.score import Score, ScoreSheet
from segue.activities.llm import Usage
from segue.activities.objects import ObjectRef

__all__ = ["Candidate", "FinishReason", "Generated"]

T = TypeVar("T", default=str)

FinishReason = Literal[
    "met", "attempts", "tokens", "cost", "wall_time", "models_failed", "accepted", "rejected", "no_model"
]
"""Why a generation ended: every requirement is met, a bound of the budget is reached, no model answers, a person has
accepted or rejected what there is, or no model is configured."""


class Candidate(BaseModel):
    """One draft, or an answer that is none.

    Attributes:
        round: Of which round, from 1.
        number: Which of its round, from 1.
        engine: What wrote it.
        output: The object that holds it; None where there is no draft.
        sheet: Its scores.
        usage: What writing and judging it took.
        failure: Type of the error, where there is no draft, or the time was up before anybody had looked at it.
        problem: What the error says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    round: int
    number: int
    engine: str
    output: ObjectRef | None = None
    sheet: ScoreSheet
    usage: Usage = Usage()
    failure: str | None = None
    problem: str = ""

    def __str__(self) -> str:
        return f"{self.engine}: {self.failure or self.sheet}"


class Generated(BaseModel, Generic[T]):
    """What was generated.

    Attributes:
        output: The object that holds the best draft; None if there is none.
        value: The best draft itself, with `keep="inline"`: of the output's type, else the text.
        met: Whether it meets every requirement.
        total: Its score: the mean by weight, 0 if a mandatory requirement is not met.
        scores: Its scores, with reasons.
        candidates: All that was written, in that order, with its scores.
        usage: Tokens and cost of it all.
        engine: What wrote the best draft; empty if there is none.
        finish_reason: Why it ended.
        brief: The object that holds what was asked for; with it and `output` the draft can be scored again.
        comment: What a person said who accepted or rejected it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    output: ObjectRef | None = None
    value: T | None = None
    met: bool
    total: float
    scores: tuple[Score, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    usage: Usage = Usage()
    engine: str = ""
    finish_reason: FinishReason
    brief: ObjectRef
    comment: str = ""
