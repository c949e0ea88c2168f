"""Marks what undoes earlier work, so that whoever sees a call knows: it must not give up.

    with compensating():
        await workflow.execute_activity(release, stock)

A saga's compensations run under this mark, and so does what clears up after a hedge. It holds for every step that the
marked code starts, and for none in a child workflow, which is another run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from contextvars import ContextVar
from typing import Final

from segue.workflows.repair.rule import unruled

__all__ = ["compensating", "is_compensating"]

_COMPENSATING: Final[ContextVar[bool]] = ContextVar("segue_compensating", default=False)


def is_compensating() -> bool:
    """Return whether what is called here undoes earlier work."""
    return _COMPENSATING.get()


@contextlib.contextmanager
def compensating() -> Generator[None]:
    """Mark what is called within the block, in tasks that are created there too."""
    token = _COMPENSATING.set(True)
    try:
        # What somebody around this does about an error is for the work that failed, not for what undoes it.
        with unruled():
            yield
    finally:
        _COMPENSATING.reset(token)
