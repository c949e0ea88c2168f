"""Items out of an object, where a history has no room for them.

Each line of the object is an item. The workers read the lines of their batch; the workflow sees a reference only.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from temporalio import workflow

from segue.activities.batch import LINES_ACTIVITY, Earlier, LinesRequest, Slice
from segue.workflows.fanout.chunks import Chunk, told_at_once
from segue.workflows.fanout.errors import InvalidFanOut
from segue.workflows.fanout.execution import Again
from segue.workflows.fanout.job import Batch

if TYPE_CHECKING:
    from segue.activities.objects import ObjectRef

__all__ = ["LINE_BATCHES", "Source"]

LINE_BATCHES: Final = 1000
"""Most batches that an object of items may fall into: all of them are activities of the calling run."""

# Counting reads the whole object once.
_COUNTING: Final = timedelta(hours=2)
_HEARTBEAT: Final = timedelta(seconds=60)


class Source:
    """An object of JSON lines, each an item.

    Attributes:
        count: How many items there are.
        batches: How many batches they fall into.
    """

    def __init__(self, lines: dict[str, Any]) -> None:
        self.count: int = lines["count"]
        self._lines = lines
        self._firsts: list[int] = lines["firsts"]
        self.batches = len(self._firsts)

    @classmethod
    async def of(cls, name: str, ref: ObjectRef, batch: Batch, task_queue: str | None) -> Source:
        """Return an object's items, counted by an activity.

        Raises:
            InvalidFanOut: They fall into too many batches.
        """
        lines: dict[str, Any] = await workflow.execute_activity(
            LINES_ACTIVITY,
            LinesRequest(name, ref.model_dump(mode="json"), batch.count, batch.size_bytes),
            task_queue=task_queue,
            start_to_close_timeout=_COUNTING,
            heartbeat_timeout=_HEARTBEAT,
            summary=f"{name}: items of {ref.url}",
        )
        source = cls(lines)
        if source.batches > LINE_BATCHES:
            raise InvalidFanOut(
                f"fan_out of {name!r}: the {source.count:,} items of {ref.url!r} fall into {source.batches:,} "
                f"batches, and at most {LINE_BATCHES:,} are run: make batch larger"
            )
        return source

    def chunks(self) -> Iterator[Chunk]:
        """Yield the items put together as they were counted."""
        for part in range(self.batches):
            yield Chunk(range(self._firsts[part], self._end(part)), b"[]", source=self._slice(part))

    def again(self, beside: int) -> Again:
        """Return what puts items together that are to be sent again: those of one slice, beside further arguments."""
        most = told_at_once(beside)

        def put_together(left: Sequence[int], earlier: Sequence[Earlier]) -> Iterator[Chunk]:
            parts: dict[int, list[Earlier]] = {}
            for item in earlier:
                parts.setdefault(bisect.bisect_right(self._firsts, item.index) - 1, []).append(item)
            for part, items in parts.items():
                for start in range(0, len(items), most):
                    some = tuple(items[start : start + most])
                    yield Chunk([item.index for item in some], b"[]", some, self._slice(part))

        return put_together

    def _end(self, part: int) -> int:
        return self._firsts[part + 1] if part + 1 < self.batches else self.count

    def _slice(self, part: int) -> Slice:
        offsets: list[int] = self._lines["offsets"]
        return Slice(self._lines["url"], self._lines["etag"], offsets[part], offsets[part + 1], self._firsts[part])
