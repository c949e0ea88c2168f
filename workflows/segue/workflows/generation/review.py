"""A person looks at a draft that falls short: accepts it, has it revised, or rejects it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any, Literal

from segue.workflows.approvals.approval import approval
from segue.workflows.approvals.decision import Decision, Notice
from segue.workflows.generation.result import Candidate, FinishReason

__all__ = ["Review", "Verdict", "review"]

Verdict = Literal["accept", "revise", "reject"]
"""What a person can say. `revise` has one more round, in which their comment is heeded."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Review:
    """Who is asked when drafts fall short and the budget is used up, and how: see `segue.workflows.approval`.

    Attributes:
        question: What is asked; by default what fell short.
        by: How long it may take; None for as long as it takes.
        on_deadline: What is said if nobody does in time; by default the best draft is rejected.
        allowed: Names of who may decide.
        notify: An activity that tells them.
    """

    question: str | None = None
    by: timedelta | None = None
    on_deadline: Literal["accept", "reject"] = "reject"
    allowed: Collection[str] | None = None
    notify: Callable[[Notice], Any] | None = None


async def review(asked: Review, name: str, best: Candidate | None, reason: FinishReason) -> Decision[Any, None]:
    """Return what a person says of the best draft."""
    return await approval(
        asked.question or f"{name}: {'no draft' if best is None else f'the best draft scores {best.sheet.total:.2f}'}",
        choices=Verdict,
        approving=["accept"],
        name=f"{name}-review",
        details=_details(best, reason),
        by=asked.by,
        on_deadline=asked.on_deadline if asked.by is not None else None,
        allowed=asked.allowed,
        notify=asked.notify,
    )


def _details(best: Candidate | None, reason: FinishReason) -> str:
    why = {"models_failed": "No model answers"}.get(reason, f"The budget is used up ({reason})")
    if best is None or best.output is None:
        return f"{why}, and there is no draft."
    rows = [
        f"| {score.requirement} | {score.score:.2f}{' ✓' if score.met else ''} | {score.reason.replace('|', '/')} |"
        for score in best.sheet.scores
    ]
    return "\n".join(
        [f"{why}. The best draft is {best.output.url}", "", "| Requirement | Score | Reason |", "|---|---|---|", *rows]
    )
