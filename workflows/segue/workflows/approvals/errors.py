"""What can be wrong with an approval, and why a decision is not taken.

Terminal                      (segue.activities)
├── InvalidApproval           it is asked for so that it cannot be decided; nobody was asked
├── ApprovalExpired           nobody decided in time, and the approval says of no outcome for that
└── DecisionRefused           what a decider sent is not taken, and nothing has changed
    ├── NoSuchApproval        the run has no such approval, or none at all
    ├── AlreadyDecided        it was decided before, or is open no longer
    ├── AmbiguousApproval     several are open, and the decision names none
    ├── InvalidDecision       the choice is none of its choices, or the input does not fit its form
    └── DecisionNotAllowed    somebody else is to decide
"""

from __future__ import annotations

from datetime import datetime

from segue.activities.errors import Terminal
from segue.workflows.approvals.decision import time

__all__ = [
    "AlreadyDecided",
    "AmbiguousApproval",
    "ApprovalExpired",
    "DecisionNotAllowed",
    "DecisionRefused",
    "InvalidApproval",
    "InvalidDecision",
    "NoSuchApproval",
]


class InvalidApproval(Terminal):
    """The approval is asked for so that it cannot be decided. Nobody was asked."""


class ApprovalExpired(Terminal):
    """Nobody decided in time.

    Attributes:
        approval: Id of the approval.
        question: What was asked.
        until: The deadline.
    """

    def __init__(self, approval: str, question: str, until: datetime) -> None:
        super().__init__(f"Nobody decided {approval!r} until {time(until)}: {question}")
        self.approval = approval
        self.question = question
        self.until = until


class DecisionRefused(Terminal):
    """What a decider sent is not taken. Nothing has changed."""


class NoSuchApproval(DecisionRefused):
    """The run has no such approval, or none at all."""


class AlreadyDecided(DecisionRefused):
    """The approval was decided before, or is open no longer."""


class AmbiguousApproval(DecisionRefused):
    """Several approvals are open, and the decision names none."""


class InvalidDecision(DecisionRefused):
    """The choice is none of the approval's choices, or the input does not fit its form."""


class DecisionNotAllowed(DecisionRefused):
    """Somebody else is to decide."""
