"""What a fan-out that tolerates failures returns: a result or a failure for each item.

pages = await fan_out(parse, urls, tolerate=0.05)
pages.results           # what completed, in the items' order
pages.failures          # what failed: index, type, message, attempts
pages[17]               # a result or a `Failure`
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Generic, TypeVar, overload

from segue.activities.batch import Failure

__all__ = ["FanOut"]

R = TypeVar("R")


class FanOut(Sequence["R | Failure"], Generic[R]):
    """The outcome of each item, in the items' order: its result, or a `Failure`.

    Attributes:
        failures: The items that failed, in their order.
    """

    def __init__(self, results: Sequence[R], failures: Mapping[int, Failure]) -> None:
        self._results = results
        self._failed = failures
        self.failures: tuple[Failure, ...] = tuple(failures[index] for index in sorted(failures))

    @property
    def results(self) -> list[R]:
        """The results of the items that completed, in the items' order."""
        if not self._failed:
            return list(self._results)
        return [result for index, result in enumerate(self._results) if index not in self._failed]

    def __len__(self) -> int:
        return len(self._results)

    @overload
    def __getitem__(self, index: int) -> R | Failure: ...

    @overload
    def __getitem__(self, index: slice) -> list[R | Failure]: ...

    def __getitem__(self, index: int | slice) -> R | Failure | list[R | Failure]:
        if isinstance(index, slice):
            return [self[one] for one in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        return self._failed.get(index) or self._results[index]

    def __iter__(self) -> Iterator[R | Failure]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        return f"FanOut({len(self):,} items, {len(self.failures):,} failed)"
