"""Which models write, which are asked when these fall short, and which judges: each with how strong it is.

    Models(writer=small, stronger=(large,))                       # large judges, and writes where small falls short
    Models(writer=small, judge=other, ranks={"other": 3})         # a model of another kind judges

A judge that is weaker than the writer would be talked into anything, so it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from segue.activities.llm import Model

__all__ = ["Models"]


class Models(BaseModel):
    """The models of a generation.

    Attributes:
        writer: Who writes first.
        stronger: Whom to go to when drafts get no better, the weakest first.
        judge: Who scores what code cannot; by default the strongest of the others.
        ranks: How strong each model is, by its engine (its label, or its name): a greater number is stronger. Without
            it they rank by their order: the writer 1, those after it 2, 3 and so on.

    Raises:
        pydantic.ValidationError: The judge is weaker than a writer, or nothing says how strong it is.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    writer: Model
    stronger: tuple[Model, ...] = ()
    judge: Model | None = None
    ranks: Mapping[str, int] = {}

    @model_validator(mode="after")
    def _ranked(self) -> Self:
        ranks = [self.rank(model) for model in self.writers]
        if ranks != sorted(ranks):
            raise ValueError(
                f"stronger={[model.engine for model in self.stronger]} must be given the weakest first, none weaker "
                f"than the writer {self.writer.engine!r}, and they rank {ranks}"
            )
        if self.judge is None:
            return self
        if not self._is_ranked(self.judge):
            raise ValueError(
                f"nothing says how strong the judge {self.judge.engine!r} is beside the writer {self.writer.engine!r}: "
                f"give ranks={{{self.judge.engine!r}: ...}}; those of the writers are {ranks}"
            )
        if self.rank(self.judge) < ranks[-1]:
            raise ValueError(
                f"the judge {self.judge.engine!r} (rank {self.rank(self.judge)}) is weaker than the writer "
                f"{self.writers[-1].engine!r} (rank {ranks[-1]}): what it is told it would believe"
            )
        return self

    @property
    def writers(self) -> tuple[Model, ...]:
        """Who writes, the weakest first."""
        return (self.writer, *self.stronger)

    @property
    def judging(self) -> Model:
        """Who judges."""
        return self.judge if self.judge is not None else self.writers[-1]

    def rank(self, model: Model) -> int:
        """Return how strong a model is; 0 for one of which nothing says it."""
        if model.engine in self.ranks:
            return self.ranks[model.engine]
        return next((place for place, one in enumerate(self.writers, 1) if one == model), 0)

    def _is_ranked(self, model: Model) -> bool:
        return model.engine in self.ranks or model in self.writers
