"""What can be wrong with a fan-out.

Terminal                 (segue.activities)
├── InvalidFanOut        it is called so that it cannot run; nothing was started
└── FanOutFailed         more items failed than may
"""

from __future__ import annotations

from collections.abc import Sequence

from segue.activities.batch import Failure
from segue.activities.errors import Terminal

__all__ = ["FanOutFailed", "InvalidFanOut"]

# Named in the message and carried along. A failure over the server's limit is never delivered.
_FIRST = 5


class InvalidFanOut(Terminal):
    """The fan-out is called so that it cannot run. Nothing was started."""


class FanOutFailed(Terminal):
    """More items failed than may. No further item was started, and those under way were cancelled.

    Attributes:
        failures: The first failures, in the items' order.
        failed: How many items had failed by then.
        done: How many had completed.
        total: How many there are.
    """

    def __init__(self, name: str, failures: Sequence[Failure], done: int, total: int, allowed: int) -> None:
        self.failures = tuple(failures[:_FIRST])
        self.failed = len(failures)
        self.done = done
        self.total = total
        tolerated = f", more than the {allowed:,} that may" if allowed else ""
        shown = "; ".join(map(str, self.failures))
        more = f"; and {self.failed - _FIRST:,} more" if self.failed > _FIRST else ""
        super().__init__(
            f"Fan-out {name!r} failed: {self.failed:,} of {total:,} items failed{tolerated}, {done:,} are done: "
            f"{shown}{more}"
        )
