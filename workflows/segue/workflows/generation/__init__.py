"""Generation that is scored by requirements, and goes on until they are met or the budget is used up.

Workflows share these modules with the process (`segue.client.sandbox`): they hold no state that a run could change.
The package is not named after its function: importing it would put the module in the function's place.
"""

from __future__ import annotations

from segue.activities.generation.requirement import InvalidRequirement, Requirement, Validator
from segue.activities.generation.score import Score, ScoreSheet
from segue.workflows.generation.budget import Budget
from segue.workflows.generation.errors import InvalidGeneration
from segue.workflows.generation.generate import generate
from segue.workflows.generation.models import Models
from segue.workflows.generation.result import Candidate, FinishReason, Generated
from segue.workflows.generation.review import Review
from segue.workflows.generation.shown import ShownGeneration, ShownRound

__all__ = [
    "Budget",
    "Candidate",
    "FinishReason",
    "Generated",
    "InvalidGeneration",
    "InvalidRequirement",
    "Models",
    "Requirement",
    "Review",
    "Score",
    "ScoreSheet",
    "ShownGeneration",
    "ShownRound",
    "Validator",
    "generate",
]
