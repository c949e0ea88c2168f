"""The options of a batch: those of its function's system, for so many items as it carries."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from temporalio.worker import StartActivityInput

from segue.activities.batch import BATCH_ACTIVITY, LINES_ACTIVITY, BatchRequest, LinesRequest
from segue.workflows.options import Options

__all__ = ["batch_of", "fill_batch"]

# A batch always heartbeats: so the death of its worker is noticed soon, and its progress is known.
_HEARTBEAT: Final = timedelta(seconds=30)
_LONGEST: Final = timedelta(days=3650)


def batch_of(activity: str, args: Sequence[Any]) -> BatchRequest | LinesRequest | None:
    """Return what a call of one of Segue's own activities asks for batches of items; None for any other call."""
    if activity in (BATCH_ACTIVITY, LINES_ACTIVITY) and args and isinstance(args[0], (BatchRequest, LinesRequest)):
        return args[0]
    return None


def fill_batch(call: StartActivityInput, batch: BatchRequest | LinesRequest, options: Options | None) -> bool:
    """Fill what the call of a batch leaves open; return whether it is known how long an item may take.

    The batch may take as long as its items can, one after another in the turns that they take. It is the worker that
    holds each item to its own time, and its death is noticed by the heartbeat.
    """
    if isinstance(batch, LinesRequest):
        if call.task_queue is None and options is not None:
            call.task_queue = options.task_queue
        return True
    item = batch.start_to_close_timeout or (options.start_to_close_timeout if options is not None else None)
    if item is None:
        return False
    turns = -(-len(batch.indices()) // batch.concurrency)
    # A system with a capacity takes its items one by one.
    if options is not None and options.task_queue is not None:
        turns = len(batch.indices())
    filled = dataclasses.replace(options, schedule_to_close_timeout=None) if options is not None else None
    call.start_to_close_timeout = min(item * turns + _HEARTBEAT, _LONGEST)
    if call.heartbeat_timeout is None:
        declared = options.heartbeat_timeout(call.start_to_close_timeout) if options is not None else None
        call.heartbeat_timeout = declared or _HEARTBEAT
    if filled is not None:
        filled.fill(call)
    return True
