"""Drafts scored without a model: by code first, then by evidence in their sources.

scores = await checked(brief, text)        # one for each requirement that has a validator
"""

from __future__ import annotations

import asyncio
import inspect
import json
import math
from typing import Any, Final

from segue.activities.documents import ParsedDocument
from segue.activities.errors import Terminal
from segue.activities.generation.brief import Brief
from segue.activities.generation.draft import Draft, Verdict
from segue.activities.generation.functions import NotFound, function
from segue.activities.generation.reasons import told
from segue.activities.generation.requirement import InvalidRequirement, Requirement, Stage, Validator
from segue.activities.generation.score import Score
from segue.activities.generation.validators.form import unfenced

__all__ = ["RULES", "ValidatorFailed", "checked", "scored"]

RULES: Final = "rules"
"""The engine of scores that code gives."""

_STAGES: Final[tuple[Stage, ...]] = ("code", "evidence")


class ValidatorFailed(Terminal):
    """A validator broke, or returned what is no verdict: it has to be mended before anything can be scored by it.

    Attributes:
        requirement: The requirement's name.
        validator: The validator's.
    """

    def __init__(self, requirement: str, validator: str, problem: str) -> None:
        super().__init__(f"Requirement {requirement!r}: validator {validator!r} {problem}")
        self.requirement = requirement
        self.validator = validator


async def checked(brief: Brief, text: str) -> tuple[Score, ...]:
    """Return a draft's score for each requirement that has a validator, in the order of their declaration.

    Raises:
        ValidatorFailed: A validator broke. ValueError and AssertionError are verdicts, not breakage.
        InvalidRequirement: This worker has no such validator.
    """
    wanted = [one for stage in _STAGES for one in brief.requirements if one.stage == stage]
    if not wanted:
        return ()
    # Sources may be large: they are read only for those who look at them.
    sources = await brief.opened() if any(one.stage == "evidence" for one in wanted) else ()
    draft = Draft(text=text, value=_value(brief, text), task=brief.task, sources=sources)
    scores = {one.name: await _scored(one, draft, sources) for one in wanted}
    return tuple(scores[one.name] for one in brief.requirements if one.name in scores)


def scored(requirement: Requirement, verdict: Verdict, engine: str, *texts: str) -> Score:
    """Return a verdict as a score, whose reason repeats none of the texts."""
    score = float(verdict.score)
    return Score(
        requirement=requirement.name,
        score=score,
        met=score >= requirement.target,
        reason=told(verdict.reason, *texts),
        stage=requirement.stage,
        engine=engine,
    )


async def _scored(requirement: Requirement, draft: Draft, sources: tuple[ParsedDocument, ...]) -> Score:
    validator = requirement.validator
    assert validator is not None
    verdict = await _verdict(requirement.name, validator, draft)
    return scored(requirement, verdict, RULES, draft.text, *(source.text for source in sources))


async def _verdict(requirement: str, validator: Validator, draft: Draft) -> Verdict:
    try:
        fn = function(validator.path)
    except NotFound as error:
        raise InvalidRequirement(f"Requirement {requirement!r}: validator {error}") from error
    try:
        if inspect.iscoroutinefunction(fn):
            returned: Any = await fn(draft, **validator.arguments)
        else:
            # Beside the event loop, which has heartbeats to send.
            returned = await asyncio.to_thread(fn, draft, **validator.arguments)
    except Terminal:
        raise
    except (ValueError, AssertionError) as refusal:
        return Verdict(0, str(refusal) or "is not valid")
    except Exception as error:
        # What went wrong may hold the draft, so only its kind is told; the traceback is in the worker's log.
        raise ValidatorFailed(requirement, validator.path, f"raised {type(error).__name__}") from error
    if isinstance(returned, Verdict):
        verdict = returned
    elif isinstance(returned, (bool, int, float)):
        verdict = Verdict(float(returned), "passes" if returned == 1 else "does not pass")
    else:
        raise ValidatorFailed(
            requirement,
            validator.path,
            f"returned {type(returned).__name__}: return a bool, a score from 0 to 1, or a Verdict",
        )
    if not (math.isfinite(verdict.score) and 0 <= verdict.score <= 1):
        raise ValidatorFailed(requirement, validator.path, f"returned a score of {verdict.score}, which is not 0 to 1")
    return verdict


def _value(brief: Brief, text: str) -> Any:
    try:
        return json.loads(unfenced(text))
    except ValueError:
        return None
