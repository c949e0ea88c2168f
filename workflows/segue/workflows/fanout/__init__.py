"""Fan-out: one step for each of many items, as wide as it must be.

Workflows share these modules with the process (`segue.client.sandbox`): they hold no state that a run could change.
"""

from __future__ import annotations

from segue.activities.batch import Failure
from segue.workflows.fanout.errors import FanOutFailed, InvalidFanOut
from segue.workflows.fanout.fan_out import fan_out
from segue.workflows.fanout.job import Batch
from segue.workflows.fanout.results import FanOut
from segue.workflows.fanout.shown import Progress

__all__ = ["Batch", "Failure", "FanOut", "FanOutFailed", "InvalidFanOut", "Progress", "fan_out"]
