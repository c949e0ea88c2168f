"""Items put together: so many at most, and so many bytes of JSON at most."""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import pydantic_core

from segue.activities import faithful
from segue.activities.batch import Earlier, Slice
from segue.workflows.fanout.errors import InvalidFanOut

__all__ = ["ITEM_BYTES", "TOLD", "Chunk", "Kept", "chunks", "encode"]

ITEM_BYTES: Final = 1_900_000
"""Most bytes of one item: a call carries 2 MiB."""

TOLD: Final = 5_000
"""Most items of which a call tells the attempts so far, which takes about as much room as a small item."""


@dataclasses.dataclass(slots=True)
class Chunk:
    """Items that one activity or child workflow is to carry.

    Attributes:
        indices: Which.
        data: The items as a JSON array.
        earlier: For items that do not stand side by side or were tried before, an entry each.
        source: Where the items are, if they are not in `data`.
    """

    indices: Sequence[int]
    data: bytes
    earlier: tuple[Earlier, ...] = ()
    source: Slice | None = None

    def __str__(self) -> str:
        first, last = self.indices[0], self.indices[-1]
        if first == last:
            return f"item {first}"
        return f"items {first} to {last}" if not self.earlier else f"{len(self.indices)} items from {first} to {last}"


class Kept:
    """Items as they were when they were put together, whatever the workflow has made of them since.

    Args:
        packed: The items, in their order.
    """

    def __init__(self, packed: Sequence[Chunk]) -> None:
        self._packed = packed
        self._firsts = [chunk.indices[0] for chunk in packed]
        self._part, self._values = -1, list[Any]()

    def __getitem__(self, index: int) -> Any:
        """Return an item, in JSON's own types."""
        part = bisect.bisect_right(self._firsts, index) - 1
        if part != self._part:
            # One part at a time: those that are sent again are asked for in their order.
            self._part, self._values = part, pydantic_core.from_json(self._packed[part].data)
        return self._values[index - self._firsts[part]]


def chunks(
    value_of: Callable[[int], Any],
    indices: Sequence[int],
    count: int,
    size_bytes: int,
    earlier: Sequence[Earlier] = (),
) -> Iterator[Chunk]:
    """Yield items put together, in their order.

    Raises:
        InvalidFanOut: An item is too large to be sent at all, or has no JSON form.
    """
    if earlier:
        count = min(count, TOLD)
    for start in range(0, len(indices), count):
        part = indices[start : start + count]
        yield from _fitting([value_of(index) for index in part], part, size_bytes, earlier[start : start + count])


def _fitting(values: list[Any], indices: Sequence[int], size_bytes: int, earlier: Sequence[Earlier]) -> Iterator[Chunk]:
    data = encode(values, indices)
    if len(data) <= size_bytes or len(indices) == 1:
        if len(data) > ITEM_BYTES:
            raise InvalidFanOut(
                f"Item {indices[0]} is {len(data):,} bytes, and one call carries at most {ITEM_BYTES:,}: store it as "
                "an object and pass a reference to it"
            )
        yield Chunk(indices, data, tuple(earlier))
        return
    half = len(indices) // 2
    yield from _fitting(values[:half], indices[:half], size_bytes, earlier[:half])
    yield from _fitting(values[half:], indices[half:], size_bytes, earlier[half:])


def encode(values: Sequence[Any], indices: Sequence[int]) -> bytes:
    """Return items as a JSON array.

    Raises:
        InvalidFanOut: One has no JSON form. Names it.
    """
    try:
        return pydantic_core.to_json(values)
    except (pydantic_core.PydanticSerializationError, ValueError, TypeError) as error:
        for index, value in zip(indices, values, strict=True):
            if (found := faithful.unserializable(value)) is not None:
                raise InvalidFanOut(f"Item {index} cannot be sent: {found}") from None
        raise InvalidFanOut(f"The items cannot be sent: {error}") from None
