"""Sagas: what was done is undone, last first, when what follows fails.

Workflows share these modules with the process (`segue.client.sandbox`): they hold no state that a run could change.
"""

from __future__ import annotations

from segue.workflows.saga.compensation import Compensation, CompensationState
from segue.workflows.saga.errors import CompensationFailed, DeadlineExceeded, InvalidSaga
from segue.workflows.saga.saga import Saga
from segue.workflows.saga.shown import ShownCompensation, ShownSaga

__all__ = [
    "Compensation",
    "CompensationFailed",
    "CompensationState",
    "DeadlineExceeded",
    "InvalidSaga",
    "Saga",
    "ShownCompensation",
    "ShownSaga",
]
