"""What a generation does next: pure, so that every course it can take is tried in tests.

    loop = Loop(budget, levels=2, candidates=3)
    while isinstance(next := loop.next(elapsed), Draft):
        loop.take([... as many candidates as next.count ...])

The best draft so far is kept, whatever comes after it. Each round mends the best; a round that brings nothing better
moves on to the next stronger model, as does a model that refuses or fails; and each model has its turn before the
attempts run out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from segue.activities.llm import Usage
from segue.workflows.generation.budget import Budget
from segue.workflows.generation.result import Candidate, FinishReason

__all__ = ["OUT_OF_TIME", "Ask", "Draft", "End", "Loop", "Next"]

# Of these another answer of the same model may be free; what else fails, fails for this model.
_SAME_MODEL_AGAIN: Final = frozenset({"Truncated", "InvalidOutput", "UsageMissing"})
_NOTES: Final = 3

OUT_OF_TIME: Final = "OutOfTime"
"""The failure of a call that was given up because the budget's time was used up."""


@dataclasses.dataclass(frozen=True)
class Draft:
    """Ask for drafts.

    Attributes:
        round: The round that begins, from 1.
        level: Which of the writers, from 0, the weakest.
        count: How many.
        base: The draft to mend; None for a first one.
        notes: What else the writer is to heed.
    """

    round: int
    level: int
    count: int
    base: Candidate | None
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Ask:
    """Ask a person what to do with the best draft.

    Attributes:
        reason: Why the loop cannot go on by itself.
    """

    reason: FinishReason


@dataclasses.dataclass(frozen=True)
class End:
    """Nothing more is done.

    Attributes:
        reason: Why.
    """

    reason: FinishReason


Next = Draft | Ask | End


class Loop:
    """One generation's course.

    Args:
        budget: What may be spent.
        levels: How many models write, one stronger than the other.
        candidates: How many drafts a round asks for.
        asks: Whether a person is asked in the end, if requirements are not met.

    Attributes:
        best: The best draft so far.
        candidates: All that was taken.
        usage: What was spent.
        round: How many rounds have begun.
    """

    def __init__(self, budget: Budget, *, levels: int, candidates: int = 1, asks: bool = False) -> None:
        self.best: Candidate | None = None
        self.candidates: list[Candidate] = []
        self.usage = Usage()
        self.round = 0
        self._budget = budget
        self._levels = levels
        self._per_round = candidates
        self._asks = asks
        self._level = 0
        self._notes: tuple[str, ...] = ()
        self._granted = False
        self._out_of_time = False
        self._settled: FinishReason | None = None

    def next(self, elapsed: timedelta) -> Next:
        """Return what to do, given how long it has taken so far."""
        if self._settled is not None:
            return End(self._settled)
        if self.best is not None and self.best.sheet.met:
            return End("met")
        if self._granted:
            self._granted = False
            return self._draft(self._per_round)
        if self._out_of_time:
            return self._out("wall_time")
        if self._level >= self._levels:
            return self._out("models_failed")
        if (bound := self._budget.reached(len(self.candidates), self.usage, elapsed)) is not None:
            return self._out(bound)
        return self._draft(min(self._per_round, self._attempts_left()))

    def take(self, candidates: Sequence[Candidate]) -> None:
        """Take the candidates of the round that `next` began."""
        before = self.best
        for candidate in candidates:
            self.candidates.append(candidate)
            self.usage += candidate.usage
            # The first of equals is kept, so that the best never changes without getting better.
            if candidate.output is not None and (self.best is None or candidate.sheet.rank > self.best.sheet.rank):
                self.best = candidate
        self._out_of_time = any(candidate.failure == OUT_OF_TIME for candidate in candidates)
        failed = [candidate for candidate in candidates if candidate.failure is not None]
        self._notes = tuple(
            dict.fromkeys(one.problem for one in failed if one.failure in _SAME_MODEL_AGAIN and one.problem)
        )[:_NOTES]
        self._climb(candidates, improved=self.best is not before)

    def spend(self, usage: Usage) -> None:
        """Count what was spent on something else than a candidate."""
        self.usage += usage

    def settle(self, reason: FinishReason) -> None:
        """End it, as a person decided."""
        self._settled = reason

    def grant(self, comment: str) -> None:
        """Have one more round, whatever the budget says, in which a person's comment is heeded."""
        self._granted = True
        self._level = min(self._level, self._levels - 1)
        self._notes = (comment,) if comment else ()

    def _climb(self, candidates: Sequence[Candidate], *, improved: bool) -> None:
        top = self._levels - 1
        hopeless = all(one.failure is not None and one.failure not in _SAME_MODEL_AGAIN for one in candidates)
        if hopeless:
            # Beyond the top: nobody is left to ask.
            self._level += 1
        elif self._level < top and (not improved or self._attempts_left() <= (top - self._level) * self._per_round):
            self._level += 1

    def _attempts_left(self) -> int:
        return self._budget.attempts - len(self.candidates)

    def _draft(self, count: int) -> Draft:
        self.round += 1
        return Draft(self.round, self._level, count, self.best, self._notes)

    def _out(self, reason: FinishReason) -> Next:
        return Ask(reason) if self._asks else End(reason)
