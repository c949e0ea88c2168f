"""A step carried through: held back until it may start, started, and what follows if it fails.

To the workflow's code it is an activity's handle as any other. Behind the handle may be several activities, one after
the other: a step that is repaired starts again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, cast

from temporalio import workflow

__all__ = ["CarriedStep"]


class CarriedStep(workflow.ActivityHandle[Any]):
    """The handle of a step, which is a task of its own around that of its activity.

    Args:
        carrying: Carries the step through, and returns its result.
        name: What it is, for the stack traces of the SDK.
        activity: The activity if it has been started already, None if it is held back.
    """

    def __init__(
        self, carrying: Coroutine[Any, Any, Any], name: str, activity: workflow.ActivityHandle[Any] | None
    ) -> None:
        super().__init__(carrying)
        self._activity = activity
        self.begun = False
        # As every task of a workflow: the run's loop keeps it, and ends it when the run is put out of memory.
        cast("Any", asyncio.get_running_loop())._register_task(self, name=name)

    def cancel(self, msg: Any | None = None) -> bool:
        """See base class."""
        # A task that has not begun is cancelled without running, and so could not pass the cancellation on.
        if not self.begun and self._activity is not None and not self.done():
            self._activity.cancel(msg)
        return super().cancel(msg)
