"""A clean end for short-lived processes that used an extension with threads of its own: Temporal's core, obstore.

Such a process can abort when the interpreter exits (SIGABRT, exit code 134), after it has done all its work: a thread
of the extension hands a Python reference back while the interpreter is being torn down. With temporalio 1.35 on two
cores, a fifth of the scripts that connect, make one call and end did so, and a third of those that end right after an
upload with obstore. A moment's pause before the teardown lets those threads finish: none of 160 scripts aborted with
one. See temporalio/sdk-python#300.
"""

from __future__ import annotations

import atexit
import functools
import gc
import time
from typing import Final

__all__ = ["settle_at_exit"]

_PAUSE_SECONDS: Final = 0.05


@functools.cache
def settle_at_exit() -> None:
    """Make this process pause for a moment when it exits; once, however often it is called."""
    atexit.register(_settle)


def _settle() -> None:
    # What a cycle still holds of the extension is let go now, while threads may take the interpreter's lock.
    gc.collect()
    time.sleep(_PAUSE_SECONDS)
