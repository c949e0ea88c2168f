"""Park and repair: a step that has failed for good waits for an operator, and nothing is lost.

    segue parked
    segue repair order-17 charge-1 --retry --reason "the bank is back"

It needs nothing of a workflow's author: a system's policy says `on_exhausted="park"`. Workflows share these modules
with the process (`segue.client.sandbox`): they hold no state that a run could change.
"""

from __future__ import annotations

from segue.workflows.repair.records import (
    InvalidRepair,
    NoSuchStep,
    NotParked,
    ParkedStep,
    Repaired,
    RepairRefused,
)
from segue.workflows.repair.rule import on_exhausted

__all__ = [
    "InvalidRepair",
    "NoSuchStep",
    "NotParked",
    "ParkedStep",
    "RepairRefused",
    "Repaired",
    "on_exhausted",
]
