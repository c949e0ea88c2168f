"""What can be wrong with a saga.

Terminal                     (segue.activities)
├── InvalidSaga              it cannot do what it is declared to; nothing was started
├── DeadlineExceeded         its block did not end in time, and was undone
└── CompensationFailed       something could not be undone
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from segue.activities.errors import Terminal
from segue.workflows.graph.errors import quoted, told

__all__ = ["CompensationFailed", "DeadlineExceeded", "InvalidSaga"]

_NAMED = 10


class InvalidSaga(Terminal):
    """The saga cannot do what it is declared to."""


class DeadlineExceeded(Terminal):
    """The block of a saga did not end by its deadline. It was cancelled, and what it had done is undone.

    Attributes:
        saga: Name of the saga.
        deadline: How long its block may take.
    """

    def __init__(self, saga: str, deadline: timedelta) -> None:
        self.saga = saga
        self.deadline = deadline
        super().__init__(f"Saga {saga!r} did not end within {deadline}")


class CompensationFailed(Terminal):
    """Something could not be undone. The cause is the error because of which it was to be.

    Attributes:
        failed: What could not be undone: each compensation with its error, in the order in which they were tried.
        done: What was undone.
    """

    def __init__(self, what: str, failed: Sequence[tuple[str, BaseException]], done: Sequence[str]) -> None:
        self.failed = tuple(failed)
        self.done = tuple(done)
        shown = [f"{name}: {told(error)}" for name, error in failed[:_NAMED]]
        if len(failed) > _NAMED:
            shown.append(f"and {len(failed) - _NAMED} more")
        count = len(failed) + len(done)
        message = f"{what}: {len(failed)} of {count} compensation{'' if count == 1 else 's'} failed: {'; '.join(shown)}"
        super().__init__(f"{message}. Done: {quoted(done)}" if done else message)
