"""Generation: what a model writes is scored, requirement by requirement, and mended until it is good enough.

    from segue.activities import generation
    from segue.activities.generation import Requirement, validators

    Requirement(name="short", description="At most 120 words", validator=validators.length(words=(None, 120)))

This is what scores, and the steps that `segue.workflows.generate` takes: give a worker `*generation.ACTIVITIES`.
"""

from __future__ import annotations

from segue.activities.generation import validators
from segue.activities.generation.checking import ValidatorFailed
from segue.activities.generation.draft import Draft, Verdict
from segue.activities.generation.requirement import InvalidRequirement, Requirement, Stage, Validator
from segue.activities.generation.score import Score, ScoreSheet
from segue.activities.generation.steps import (
    ACTIVITIES,
    Assign,
    Check,
    Checked,
    Judge,
    Judged,
    Plan,
    Planned,
    ReadText,
    Write,
    Written,
    assign,
    check,
    judge,
    plan,
    read_text,
    system,
    write,
)

__all__ = [
    # requirements and what they make
    "Requirement",
    "Validator",
    "validators",
    "Draft",
    "Verdict",
    "Score",
    "ScoreSheet",
    "Stage",
    # steps
    "ACTIVITIES",
    "system",
    "Assign",
    "assign",
    "Plan",
    "Planned",
    "plan",
    "Write",
    "Written",
    "write",
    "Check",
    "Checked",
    "check",
    "Judge",
    "Judged",
    "judge",
    "ReadText",
    "read_text",
    # errors
    "InvalidRequirement",
    "ValidatorFailed",
]
