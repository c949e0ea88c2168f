"""The sagas of a run, for whoever looks: a query that tells them, and what of them is still to be undone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Literal, Protocol

from segue.workflows.queried import of_this_run, shared
from segue.workflows.saga.compensation import Compensation, CompensationState

__all__ = ["QUERY", "SagaState", "ShownCompensation", "ShownSaga", "pending", "show"]

QUERY: Final = "segue_saga"
"""The query that returns the sagas of a run, in the order of their start, as `ShownSaga`."""

SagaState = Literal["running", "compensating", "completed", "compensated", "failed"]
"""Where a saga is. `compensated` undid all it had to, `failed` could not."""

# A run that goes round and round has sagas without number. Of those that ended, the last are kept.
_KEPT: Final = 100

# Of what one saga has yet to undo, so much is listed in the Web UI. The query tells all.
_LISTED: Final = 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShownCompensation:
    """A compensation of a saga.

    Attributes:
        name: What it calls.
        summary: The call with what identifies it: `release • order-17`.
        state: Where it is.
        error: Why it failed, on one line.
    """

    name: str
    summary: str
    state: CompensationState
    error: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ShownSaga:
    """A saga of a run.

    Attributes:
        name: Its name, one of its kind in the run.
        state: Where it is.
        compensations: What was registered, in that order.
        deadline: How long its block may take; None for no bound.
    """

    name: str
    state: SagaState
    compensations: tuple[ShownCompensation, ...] = ()
    deadline: timedelta | None = None


class Showable(Protocol):
    """What is asked of a saga."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> SagaState: ...
    @property
    def deadline(self) -> timedelta | None: ...
    @property
    def compensations(self) -> Sequence[Compensation]: ...


class Shown:
    """The sagas of one run. It is the query's handler, and found through it."""

    def __init__(self) -> None:
        self.sagas: list[Showable] = []
        self._counts: dict[str, int] = {}

    def add(self, saga: Showable, name: str) -> str:
        """Show a saga from now on, and return its name, which no other of the run has."""
        self.sagas.append(saga)
        if len(self.sagas) > _KEPT:
            ended = next((one for one in self.sagas if one.state not in ("running", "compensating")), None)
            if ended is not None:
                self.sagas.remove(ended)
        count = self._counts[name] = self._counts.get(name, 0) + 1
        return name if count == 1 else f"{name}-{count}"

    def query(self) -> list[ShownSaga]:
        """Return the sagas of the run, each with what it can undo and what it has undone."""
        return [
            ShownSaga(
                name=saga.name,
                state=saga.state,
                compensations=tuple(
                    ShownCompensation(name=one.call.name, summary=str(one), state=one.state, error=one.told_error)
                    for one in saga.compensations
                ),
                deadline=saga.deadline,
            )
            for saga in self.sagas
        ]

    def pending(self) -> list[str]:
        """Return what is registered and not undone: as what would be, or as what is yet to be."""
        lines: list[str] = []
        for saga in self.sagas:
            if saga.state not in ("running", "compensating"):
                continue
            left = [one for one in reversed(saga.compensations) if one.state == "registered"]
            why = f"if {saga.name} fails" if saga.state == "running" else f"to undo {saga.name}"
            lines.extend(f"{one}, {why}" for one in left[:_LISTED])
            if len(left) > _LISTED:
                lines.append(f"{len(left) - _LISTED} more, {why}")
        return lines


def show(saga: Showable, name: str) -> str:
    """Show a saga in the queries of this run, and return its name there."""
    return shared(QUERY, Shown).add(saga, name)


def pending() -> list[str]:
    """Return what the sagas of this run can undo, or have yet to."""
    shown = of_this_run(QUERY, Shown)
    return shown.pending() if shown is not None else []
