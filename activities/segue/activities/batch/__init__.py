"""Many items in one activity: what `segue.workflows.fan_out` sends to a worker, and what comes back.

The plugin registers one activity, `segue.batch`, with each worker that has activities. It finds the function that a
batch is for among that worker's own, and runs it for each item as if the item were an activity of its own.
"""

from __future__ import annotations

from segue.activities.batch.activity import BATCH_ACTIVITY, LINES_ACTIVITY, Batches
from segue.activities.batch.records import (
    BatchRefused,
    BatchRequest,
    Earlier,
    Failure,
    LinesRequest,
    Report,
    Retry,
    Slice,
)

__all__ = [
    "BATCH_ACTIVITY",
    "LINES_ACTIVITY",
    "BatchRefused",
    "BatchRequest",
    "Batches",
    "Earlier",
    "Failure",
    "LinesRequest",
    "Report",
    "Retry",
    "Slice",
]
