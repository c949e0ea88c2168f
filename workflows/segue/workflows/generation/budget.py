"""How much may be spent: attempts, tokens, money, and time on the wall.

    Budget(attempts=6, cost_usd=0.50, wall_time=timedelta(minutes=10))

A budget is looked at before each call of a model: what is under way when it is reached is paid for, and no more. The
calls of one round are begun together, so that a round may go over it by what its own calls take.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from segue.activities.llm import Model, Usage

__all__ = ["Bound", "Budget"]

B = TypeVar("B", int, float, timedelta)

Bound = Literal["attempts", "tokens", "cost", "wall_time"]
"""What of a budget can be used up."""


class Budget(BaseModel):
    """Bounds on what is spent.

    Attributes:
        attempts: Most answers that are asked for: drafts of a generation, turns of an agent.
        tokens: Most tokens, read and written, of all calls together; None for no bound.
        cost_usd: Most money. It needs models with a price: a call whose cost is not known uses it up.
        wall_time: Longest time from the beginning. A call that is under way then is given up.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    attempts: Annotated[int, Field(ge=1, le=1000)] = 4
    tokens: Annotated[int, Field(gt=0)] | None = None
    cost_usd: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    wall_time: Annotated[timedelta, Field(gt=timedelta(0))] | None = None

    def reached(self, attempts: int, usage: Usage, elapsed: timedelta) -> Bound | None:
        """Return which bound is reached; None if there is room for a call."""
        if attempts >= self.attempts:
            return "attempts"
        if self.tokens is not None and usage.tokens >= self.tokens:
            return "tokens"
        if self.cost_usd is not None and (usage.cost_usd is None or usage.cost_usd >= self.cost_usd):
            return "cost"
        if self.wall_time is not None and elapsed >= self.wall_time:
            return "wall_time"
        return None

    def time_left(self, elapsed: timedelta) -> timedelta | None:
        """Return how long calls may still take, a millisecond at least; None for no bound."""
        return None if self.wall_time is None else max(self.wall_time - elapsed, timedelta(milliseconds=1))

    def tokens_left(self, usage: Usage, calls: int) -> int | None:
        """Return how many tokens each of several calls may take, one at least; None for no bound."""
        return None if self.tokens is None else max((self.tokens - usage.tokens) // max(calls, 1), 1)

    def answer_tokens(self, usage: Usage, calls: int, model: Model) -> int | None:
        """Return how many tokens the answer of each of several calls may have, one at least; None for no bound.

        What is left may be more than the model takes at once: half of that is for the prompt.
        """
        left = self.tokens_left(usage, calls)
        if left is None or model.context_tokens is None:
            return left
        return min(left, max(model.context_tokens // 2, 1))

    def share(self, usage: Usage, elapsed: timedelta, among: int = 1) -> Budget:
        """Return what is left, or what one of several may spend of it at the same time; attempts are for each.

        Args:
            usage: What was spent so far.
            elapsed: How long it has taken so far.
            among: How many share it.
        """
        cost = self.cost_usd
        if cost is not None:
            cost = max((cost - (usage.cost_usd or 0.0)) / max(among, 1), 1e-9)
        return Budget(
            attempts=self.attempts,
            tokens=self.tokens_left(usage, among),
            cost_usd=cost,
            wall_time=self.time_left(elapsed),
        )

    def within(self, other: Budget) -> Budget:
        """Return this budget, with nothing in it but attempts being more than another's."""
        return Budget(
            attempts=self.attempts,
            tokens=_least(self.tokens, other.tokens),
            cost_usd=_least(self.cost_usd, other.cost_usd),
            wall_time=_least(self.wall_time, other.wall_time),
        )


def _least(one: B | None, other: B | None) -> B | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
