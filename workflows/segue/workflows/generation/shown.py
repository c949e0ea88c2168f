"""The generations of a run, for whoever looks: a query that tells each round's scores while it goes on."""

from __future__ import annotations

from typing import Final, Protocol

from pydantic import BaseModel, ConfigDict

from segue.activities.llm import Usage
from segue.workflows.generation.result import Candidate
from segue.workflows.queried import shared

__all__ = ["QUERY", "ShownGeneration", "ShownRound", "show"]

QUERY: Final = "segue_generation"
"""The query that returns the generations of a run, in the order of their start, as `ShownGeneration`."""

# A run that goes round and round has generations without number: the last are kept.
_KEPT: Final = 100


class ShownRound(BaseModel):
    """A round of a generation.

    Attributes:
        round: Which, from 1.
        candidates: What came of it, a line each: the engine, the total, and what falls short.
    """

    model_config = ConfigDict(frozen=True)

    round: int
    candidates: tuple[str, ...]


class ShownGeneration(BaseModel):
    """A generation of a run.

    Attributes:
        name: Its name, one of its kind in the run.
        total: Score of the best draft so far; None before there is one.
        rounds: Its rounds.
        tokens: Tokens so far.
        cost_usd: Cost so far; None where a model has no price.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    total: float | None
    rounds: tuple[ShownRound, ...]
    tokens: int
    cost_usd: float | None


class Showable(Protocol):
    """What is asked of a generation."""

    candidates: list[Candidate]
    best: Candidate | None
    usage: Usage


class Shown:
    """The generations of one run. It is the query's handler, and found through it."""

    def __init__(self) -> None:
        self._generations: dict[str, Showable] = {}
        self._counts: dict[str, int] = {}

    def add(self, name: str, generation: Showable) -> str:
        """Show a generation from now on, and return its name, which no other of the run has."""
        count = self._counts[name] = self._counts.get(name, 0) + 1
        unique = name if count == 1 else f"{name}-{count}"
        self._generations[unique] = generation
        if len(self._generations) > _KEPT:
            del self._generations[next(iter(self._generations))]
        return unique

    def query(self) -> list[ShownGeneration]:
        """Return the generations of the run."""
        return [_shown(name, generation) for name, generation in self._generations.items()]


def show(name: str, generation: Showable) -> str:
    """Show a generation in the queries of this run, and return its name there."""
    return shared(QUERY, Shown).add(name, generation)


def _shown(name: str, generation: Showable) -> ShownGeneration:
    rounds: dict[int, list[str]] = {}
    for candidate in generation.candidates:
        rounds.setdefault(candidate.round, []).append(str(candidate))
    return ShownGeneration(
        name=name,
        total=generation.best.sheet.total if generation.best is not None else None,
        rounds=tuple(ShownRound(round=number, candidates=tuple(lines)) for number, lines in rounds.items()),
        tokens=generation.usage.tokens,
        cost_usd=generation.usage.cost_usd,
    )
