"""The ids of one run's activities: those that its code gives, those made for it, and those that its graphs keep.

    ids_of_this_run().made("charge")     # charge-1, or the next that nobody has
    ids_of_this_run().given("charge-1")  # the same id again: the second activity that has it
    ids_of_this_run().kept("charge")     # for a step of a graph that is yet to start

A step's idempotency key goes by its activity's id and by how many had the id before it, so all three are counted here.
Temporal compares ids in replay. A run in which two met before this was so keeps the ids, and the keys, that it has.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from typing import Final

from segue.workflows.features import Feature, has

__all__ = ["Identity", "Ids", "ids_of_this_run"]

_STATE: Final = "__segue_ids"


@dataclasses.dataclass(frozen=True)
class Identity:
    """The id of an activity, as far as it says which step this is.

    Attributes:
        id: The id; None in a run that leaves it to Temporal.
        was_given: Whether the activity came with it.
        before: How many of the run's activities had it before.
    """

    id: str | None
    was_given: bool = False
    before: int = 0


class Ids:
    """The ids of one run's activities."""

    def __init__(self) -> None:
        self._given: Counter[str] = Counter()
        self._made: set[str] = set()
        self._kept: set[str] = set()
        self._counts: Counter[str] = Counter()
        self._names: Counter[str] = Counter()

    def given(self, id: str) -> Identity:
        """Take note of an activity that comes with an id. Temporal lets it be given again when the last has closed."""
        before = self._given[id]
        self._given[id] += 1
        if id in self._made and has(Feature.DISTINCT_IDS):
            before += 1
        return Identity(id, was_given=True, before=before)

    def made(self, name: str) -> Identity:
        """Return the id of an activity that comes without one: `name-n` for the nth of its type."""
        while True:
            self._counts[name] += 1
            id = f"{name}-{self._counts[name]}"
            if id not in self._given and not (id in self._kept and has(Feature.DISTINCT_IDS)):
                self._made.add(id)
                return Identity(id)

    def kept(self, name: str) -> str:
        """Return the id of a step of a graph, which nothing else gets from now on: its name, with -2 for a second."""
        while True:
            self._names[name] += 1
            id = name if self._names[name] == 1 else f"{name}-{self._names[name]}"
            if id not in self._kept and not (self._is_used(id) and has(Feature.DISTINCT_IDS)):
                self._kept.add(id)
                return id

    def take_back(self, name: str, identity: Identity) -> None:
        """Forget the latest activity, which was refused before any other was made."""
        if identity.id is None:
            return
        if identity.was_given:
            self._given -= Counter([identity.id])
        else:
            self._counts[name] -= 1
            self._made.discard(identity.id)

    def _is_used(self, id: str) -> bool:
        return id in self._made or id in self._given


def ids_of_this_run() -> Ids:
    """Return the ids of the run whose code is running."""
    # Each run has an event loop of its own, where the SDK too keeps what belongs to it.
    loop = asyncio.get_running_loop()
    ids: Ids | None = getattr(loop, _STATE, None)
    if ids is None:
        ids = Ids()
        setattr(loop, _STATE, ids)
    return ids
