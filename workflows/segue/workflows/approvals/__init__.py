"""Approvals: a run waits for a person's decision, with a deadline, reminders and escalation.

    decision = await approval("Pay 12,000 EUR?", by=timedelta(days=2))

Workflows share these modules with the process (`segue.client.sandbox`): they hold no state that a run could change.
The package is not named after its function: importing it would put the module in the function's place.
"""

from __future__ import annotations

from segue.workflows.approvals.approval import approval
from segue.workflows.approvals.decision import Approval, Decided, Decision, Escalation, Notice
from segue.workflows.approvals.errors import (
    AlreadyDecided,
    AmbiguousApproval,
    ApprovalExpired,
    DecisionNotAllowed,
    DecisionRefused,
    InvalidApproval,
    InvalidDecision,
    NoSuchApproval,
)

__all__ = [
    "AlreadyDecided",
    "AmbiguousApproval",
    "Approval",
    "ApprovalExpired",
    "Decided",
    "Decision",
    "DecisionNotAllowed",
    "DecisionRefused",
    "Escalation",
    "InvalidApproval",
    "InvalidDecision",
    "NoSuchApproval",
    "Notice",
    "approval",
]
