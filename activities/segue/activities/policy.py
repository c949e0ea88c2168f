"""How long a step may take, how often it is tried again, and how much of a system it may use.

A `Policy` speaks Temporal's own option names; a `Capacity` bounds the load on one connected system. Both are plain
values: `System` checks them when it is declared, `segue.toml` may override them at deployment, and the workflow
interceptor applies them to every `workflow.execute_activity` that does not say otherwise.

    Policy(start_to_close_timeout=timedelta(seconds=10), maximum_attempts=6)
    Capacity(per_second=50, concurrent=8)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Literal

from temporalio.common import RetryPolicy

__all__ = ["Capacity", "OnExhausted", "Policy", "PolicyError"]

OnExhausted = Literal["fail", "park"]
"""What happens to a step that has failed for good."""

# A step that may run longer than this heartbeats, so that the death of its worker is noticed long before its timeout.
_HEARTBEAT_FROM = timedelta(seconds=60)
_HEARTBEAT_TIMEOUT = timedelta(seconds=30)

# Temporal's worker counts in milliseconds, and its server in a number of nanoseconds that ends after 292 years.
_SHORTEST = timedelta(milliseconds=1)
_LONGEST = timedelta(days=36500)
_TOO_MANY_ATTEMPTS = 2**31


class PolicyError(ValueError):
    """A policy or capacity that cannot be applied.

    Attributes:
        system: Name of the system it was declared for.
        field: The option at fault, by its name in `Policy` or `Capacity`.
    """

    def __init__(self, system: str, field: str, problem: str) -> None:
        super().__init__(f"System {system!r}: {field} {problem}")
        self.system = system
        self.field = field


@dataclasses.dataclass(frozen=True, kw_only=True)
class Policy:
    """Timeouts and retries of the steps of one system, in Temporal's words.

    The defaults suit a system across a network: 30 seconds an attempt, and ten attempts spread over about four
    minutes, which outlasts a restart or a rolling deployment of the other side.

    Attributes:
        start_to_close_timeout: Longest time for one attempt.
        schedule_to_close_timeout: Longest time for all attempts together, None for no bound.
        schedule_to_start_timeout: Longest wait for a worker to take the step, None for no bound. Temporal does not
            retry a step that exceeds it.
        heartbeat_timeout: Longest silence of a running attempt. None derives it: 30 seconds for steps that may run
            longer than a minute, no heartbeat for shorter ones. `timedelta(0)` turns it off.
        initial_interval: Wait before the second attempt.
        backoff_coefficient: Factor by which the wait grows, at least 1.
        maximum_interval: Longest wait between two attempts, None for Temporal's 100 times the initial interval.
        maximum_attempts: Number of attempts, the first included; 0 for no bound.
        on_exhausted: What happens to a step that has failed for good, because its attempts are used up or its error is
            terminal. "fail" raises `ActivityError` in the workflow; "park" keeps the step waiting until an operator
            repairs it, see `segue repair`. None parks what undoes earlier work, and lets everything else fail.
    """

    start_to_close_timeout: timedelta = timedelta(seconds=30)
    schedule_to_close_timeout: timedelta | None = None
    schedule_to_start_timeout: timedelta | None = None
    heartbeat_timeout: timedelta | None = None
    initial_interval: timedelta = timedelta(seconds=1)
    backoff_coefficient: float = 2.0
    maximum_interval: timedelta | None = timedelta(minutes=1)
    maximum_attempts: int = 10
    on_exhausted: OnExhausted | None = None

    @property
    def effective_heartbeat_timeout(self) -> timedelta | None:
        """The heartbeat timeout that is sent to the server: given, derived, or None for no heartbeat."""
        return self.heartbeat_timeout_of(self.start_to_close_timeout)

    def heartbeat_timeout_of(self, attempt: timedelta) -> timedelta | None:
        """Return the heartbeat timeout of a step whose attempts may take this long, which its call may have said."""
        if self.heartbeat_timeout is not None:
            return self.heartbeat_timeout or None
        return _HEARTBEAT_TIMEOUT if attempt > _HEARTBEAT_FROM else None

    def retry_policy(self) -> RetryPolicy:
        """Return the part of this policy that Temporal calls the retry policy."""
        return RetryPolicy(
            initial_interval=self.initial_interval,
            backoff_coefficient=self.backoff_coefficient,
            maximum_interval=self.maximum_interval,
            maximum_attempts=self.maximum_attempts,
        )

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield (field, what is wrong with it) for each value or combination that Temporal could not honour."""
        durations = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name.endswith(("_timeout", "_interval"))
        }
        unfit = False
        for name, value in durations.items():
            optional = name not in ("start_to_close_timeout", "initial_interval")
            if value is None and optional:
                continue
            if not isinstance(value, timedelta):
                yield name, f"must be a timedelta{' or None' if optional else ''}, not {value!r}"
                unfit = True
            elif value < timedelta(0) or (not value and name != "heartbeat_timeout"):
                yield name, f"must be longer than zero, not {value}"
                unfit = True
            elif timedelta(0) < value < _SHORTEST:
                yield name, f"must be at least a millisecond, not {value}"
                unfit = True
            elif value > _LONGEST:
                yield name, f"must be at most {_LONGEST.days} days, not {value}"
                unfit = True
        coefficient: Any = self.backoff_coefficient
        if isinstance(coefficient, bool) or not isinstance(coefficient, (int, float)):
            yield "backoff_coefficient", f"must be a number, not {coefficient!r}"
        elif not 1 <= coefficient < math.inf:
            yield "backoff_coefficient", f"must be at least 1 and finite, not {coefficient!r}"
        attempts: Any = self.maximum_attempts
        if isinstance(attempts, bool) or not isinstance(attempts, int):
            yield "maximum_attempts", f"must be a whole number, not {attempts!r}"
        elif attempts < 0:
            yield "maximum_attempts", f"must be 0 (no bound) or more, not {attempts!r}"
        elif attempts >= _TOO_MANY_ATTEMPTS:
            yield "maximum_attempts", f"must be less than {_TOO_MANY_ATTEMPTS}, not {attempts!r}"
        if self.on_exhausted not in ("fail", "park", None):
            yield "on_exhausted", f"must be 'fail' or 'park', not {self.on_exhausted!r}"
        if not unfit:
            yield from self._impossible_combinations()

    def _impossible_combinations(self) -> Iterator[tuple[str, str]]:
        attempt, total = self.start_to_close_timeout, self.schedule_to_close_timeout
        if total is not None and total < attempt:
            yield "schedule_to_close_timeout", f"({total}) is shorter than start_to_close_timeout ({attempt})"
        if total is not None and self.schedule_to_start_timeout is not None and self.schedule_to_start_timeout > total:
            yield (
                "schedule_to_start_timeout",
                f"({self.schedule_to_start_timeout}) is longer than schedule_to_close_timeout ({total})",
            )
        if self.heartbeat_timeout is not None and self.heartbeat_timeout > attempt:
            yield "heartbeat_timeout", f"({self.heartbeat_timeout}) is longer than start_to_close_timeout ({attempt})"
        if self.maximum_interval is not None and self.maximum_interval < self.initial_interval:
            yield (
                "maximum_interval",
                f"({self.maximum_interval}) is shorter than initial_interval ({self.initial_interval})",
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Capacity:
    """How much load one system takes. A system that declares any gets a task queue of its own.

    Attributes:
        per_second: Steps started a second over the whole fleet, enforced by the Temporal server. Exact with one task
            queue partition; with the server's default of four, short bursts may exceed it.
        concurrent: Steps running at once in each worker process. A fleet of n processes runs up to n times as many.
    """

    per_second: float | None = None
    concurrent: int | None = None

    def __bool__(self) -> bool:
        return self.per_second is not None or self.concurrent is not None

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield (field, what is wrong with it) for each value that no worker could honour."""
        rate: Any = self.per_second
        if rate is not None:
            if isinstance(rate, bool) or not isinstance(rate, (int, float)):
                yield "capacity.per_second", f"must be a number or None, not {rate!r}"
            elif not 0 < rate < math.inf:
                yield "capacity.per_second", f"must be greater than zero and finite, not {rate!r}"
        slots: Any = self.concurrent
        if slots is not None:
            if isinstance(slots, bool) or not isinstance(slots, int):
                yield "capacity.concurrent", f"must be a whole number or None, not {slots!r}"
            elif slots < 1:
                yield "capacity.concurrent", f"must be at least 1, not {slots!r}"
