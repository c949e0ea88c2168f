"""How much of a model this process uses: requests and tokens a minute, each kept by a bucket that fills steadily.

A call takes one request, and the tokens that it will probably use, before it is sent; when its answer tells what it
used, the difference is given back or taken. A call for which there is not enough waits for its turn, which is that of
its arrival. The full minute's worth may go at once after a pause, as providers' own limits allow.

This holds for one process. The Temporal server holds a fleet to a number of steps a second (`Capacity.per_second`), but
knows nothing of tokens: n workers use up to n times what is declared here.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Final

from segue.activities.deadline import time_left
from segue.activities.llm._errors import ModelUnavailable
from segue.activities.llm._models import Model

__all__ = ["Share", "Taken"]

# What an answer is taken for that has no bound.
_TYPICAL_ANSWER: Final = 1000


class _Bucket:
    def __init__(self, per_minute: float) -> None:
        self._capacity = per_minute
        self._level = per_minute
        self._filled = time.monotonic()

    def take(self, amount: float) -> tuple[float, float]:
        """Take an amount, and return what was taken, and in how many seconds it is there.

        What is larger than a whole minute's worth would never be there: such a call takes the whole, and what it used
        beyond that once it is known.
        """
        now = time.monotonic()
        self._level = min(self._capacity, self._level + (now - self._filled) * self._capacity / 60)
        self._filled = now
        taken = min(amount, self._capacity)
        self._level -= taken
        return taken, max(-self._level, 0.0) * 60 / self._capacity

    def give(self, amount: float) -> None:
        self._level = min(self._capacity, self._level + amount)


_buckets: dict[tuple[str, str, str, float], _Bucket] = {}


class Taken:
    """What a call has taken, until it is told what it used."""

    def __init__(self) -> None:
        self._parts: list[tuple[_Bucket, float]] = []
        self._tokens: _Bucket | None = None
        self._estimate = 0.0

    def request(self, bucket: _Bucket) -> float:
        """Take one request, and return in how many seconds it may be sent."""
        taken, wait = bucket.take(1)
        self._parts.append((bucket, taken))
        return wait

    def tokens(self, bucket: _Bucket, estimate: float) -> float:
        """Take tokens, and return in how many seconds they are there."""
        self._estimate, wait = bucket.take(estimate)
        self._tokens = bucket
        return wait

    def used(self, tokens: int) -> None:
        """Correct what was taken by what was used."""
        if self._tokens is not None:
            self._tokens.give(self._estimate - tokens)
            self._estimate = tokens

    def put_back(self) -> None:
        """Give everything back: nothing was sent."""
        self.used(0)
        for bucket, taken in self._parts:
            bucket.give(taken)
        self._parts.clear()


class Share:
    """One process's share of a model."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._requests = _bucket(model, "requests", model.requests_per_minute)
        self._tokens = _bucket(model, "tokens", model.tokens_per_minute)

    async def turn(self, prompt_tokens: int, maximum_tokens: int | None) -> Taken:
        """Return when there is enough left for a call.

        Raises:
            ModelUnavailable: The attempt's time would be over before that.
        """
        taken, wait, left = Taken(), 0.0, time_left()
        if self._requests is not None:
            wait = taken.request(self._requests)
        if self._tokens is not None:
            wait = max(wait, taken.tokens(self._tokens, prompt_tokens + (maximum_tokens or _TYPICAL_ANSWER)))
        if left is not None and wait > left.total_seconds():
            taken.put_back()
            raise ModelUnavailable(
                f"Model {self._model.name!r}: this worker's share of it is used up for the next {wait:.0f} s "
                "(requests_per_minute, tokens_per_minute), and the attempt may not wait that long",
                engine=self._model.engine,
                after=timedelta(seconds=wait),
            )
        try:
            await asyncio.sleep(wait)
        except asyncio.CancelledError:
            taken.put_back()
            raise
        return taken


def _bucket(model: Model, what: str, per_minute: float | None) -> _Bucket | None:
    if per_minute is None:
        return None
    key = (model.base_url, model.name, what, per_minute)
    return _buckets.setdefault(key, _Bucket(per_minute))
