"""The steps of one generation, in the order that its loop says."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, RetryState, TimeoutError, is_cancelled_exception

from segue.activities.generation import steps
from segue.activities.generation.requirement import Requirement
from segue.activities.generation.score import Score, ScoreSheet
from segue.activities.llm import Model, Usage
from segue.activities.objects import ObjectRef
from segue.workflows.generation.budget import Budget
from segue.workflows.generation.loop import OUT_OF_TIME, Ask, Draft, End, Loop
from segue.workflows.generation.models import Models
from segue.workflows.generation.result import Candidate, FinishReason
from segue.workflows.generation.review import Review, review
from segue.workflows.repair.rule import on_exhausted

__all__ = ["Course", "Plan", "engine_failure"]

Q = TypeVar("Q")
R = TypeVar("R")

Fallback = Callable[[ObjectRef], Awaitable[ObjectRef]]

_UNSEEN: Final = "was not looked at, because a mandatory requirement is not met"
_NO_JUDGE: Final = "was not looked at, because no model is configured to judge"
_NO_DRAFT: Final = "there is no draft"
_UNCHECKED: Final = "was not looked at, because the time of the budget is used up"
_COMMENT: Final = 1000
_FORM: Final = "segue.generation.form"
"""Marks in a history that a text which no model made was held against the schema of the output."""

CHECK: Final = timedelta(seconds=10)
"""How long code may look at a draft at least, though writing it took all the time there was."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Plan:
    """What a generation is to do.

    Attributes:
        name: What it is called.
        store: Object URL prefix.
        requirements: What drafts are scored by.
        models: Who writes and judges; None for nobody.
        budget: What may be spent.
        candidates: Drafts a round.
        plans: Whether a plan is made first.
        asked: Who is asked in the end.
        typed: Whether the output has a schema.
        maximum_tokens: Bound on a draft.
        temperature: How far it may stray.
    """

    name: str
    store: str
    requirements: tuple[Requirement, ...]
    models: Models | None
    budget: Budget = Budget()  # noqa: RUF009 - immutable
    candidates: int = 1
    plans: bool = False
    asked: Review | None = None
    typed: bool = False
    maximum_tokens: int | None = None
    temperature: float | None = None


class Course:
    """One generation under way.

    Args:
        plan: What it is to do.
        brief: What is to be written.

    Attributes:
        loop: Where it stands.
        comment: What a person said last.
    """

    def __init__(self, plan: Plan, brief: ObjectRef) -> None:
        levels = len(plan.models.writers) if plan.models is not None else 0
        self.loop = Loop(plan.budget, levels=levels, candidates=plan.candidates, asks=plan.asked is not None)
        self.comment = ""
        self._plan = plan
        self._brief = brief
        self._began: datetime = workflow.now()
        self._outline: ObjectRef | None = None

    async def run(self) -> FinishReason:
        """Go on until the loop ends, and return why it did."""
        if self._plan.plans:
            await self._make_plan()
        while True:
            match self.loop.next(self._elapsed()):
                case Draft() as draft:
                    self.loop.take(await self._round(draft))
                case Ask(reason):
                    await self._review(reason)
                case End(reason):
                    return reason

    async def fall_back(self, fallback: Fallback, engine: str) -> None:
        """Take what the caller's own activity makes in place of a model."""
        output: ObjectRef = await workflow.execute_activity(
            fallback, self._brief, summary=f"{self._plan.name}: without a model"
        )
        # What a model answers is held against the schema before it is a draft.
        form = self._plan.typed and workflow.patched(_FORM)
        self.loop.take([await self.scored(output, engine, Usage(), form=form)])

    async def _make_plan(self) -> None:
        assert self._plan.models is not None
        model = self._plan.models.writer
        request = steps.Plan(
            brief=self._brief,
            model=model,
            store=self._plan.store,
            maximum_tokens=self._plan.budget.answer_tokens(self.loop.usage, 1, model),
        )
        try:
            planned: steps.Planned = await self._call(steps.plan, request, f"plan, by {model.engine}", fails=True)
        except ActivityError as error:
            engine_failure(error)  # without a plan there are drafts all the same
            return
        self.loop.spend(planned.usage)
        self._outline = planned.plan

    async def _round(self, draft: Draft) -> list[Candidate]:
        return list(await asyncio.gather(*(self._candidate(draft, number) for number in range(1, draft.count + 1))))

    async def _candidate(self, draft: Draft, number: int) -> Candidate:
        plan = self._plan
        assert plan.models is not None
        model = plan.models.writers[draft.level]
        left = plan.budget.answer_tokens(self.loop.usage, draft.count, model)
        bounds = [bound for bound in (plan.maximum_tokens, left) if bound is not None]
        what = f"round {draft.round}" + (f", draft {number}" if draft.count > 1 else "")
        doing = "write" if draft.base is None else "mend " + _shortfalls(draft.base)
        request = steps.Write(
            brief=self._brief,
            model=model,
            store=plan.store,
            name=f"{plan.name}: {what}",
            sample=len(self.loop.candidates) + number,
            plan=self._outline,
            draft=draft.base.output if draft.base is not None else None,
            short=draft.base.sheet.short() if draft.base is not None else (),
            notes=draft.notes,
            maximum_tokens=min(bounds, default=None),
            temperature=plan.temperature,
        )
        try:
            # Another model may do better; where there is none, what happens is the policy's to say.
            fails = draft.level + 1 < len(plan.models.writers)
            written: steps.Written = await self._call(
                steps.write, request, f"{what}: {doing}, by {model.engine}", fails=fails
            )
        except ActivityError as error:
            failure, problem = engine_failure(error, timed=plan.budget.wall_time is not None)
            written = steps.Written(engine=model.engine, failure=failure, problem=problem)
        if written.text is None:
            return Candidate(
                round=draft.round,
                number=number,
                engine=written.engine,
                sheet=self._zeros(_NO_DRAFT, written.engine),
                usage=written.usage,
                failure=written.failure,
                problem=written.problem,
            )
        return await self.scored(written.text, written.engine, written.usage, round=draft.round, number=number)

    async def scored(
        self, text: ObjectRef, engine: str, usage: Usage, *, round: int = 1, number: int = 1, form: bool = False
    ) -> Candidate:
        """Return a draft with its scores: by code and evidence first, then by the judge, if the draft has a chance.

        Args:
            text: The draft.
            engine: What wrote it.
            usage: What that took.
            round: Of which round it is.
            number: Which of its round.
            form: Whether nobody has looked yet if it conforms to the schema of the output.
        """
        plan, scores = self._plan, list[Score]()
        what = f"round {round}" + (f", draft {number}" if plan.candidates > 1 else "")
        if form or any(one.validator is not None for one in plan.requirements):
            check = steps.Check(brief=self._brief, text=text, name=f"{plan.name}: {what}", form=form)
            try:
                checked: steps.Checked = await self._call(
                    steps.check, check, f"{what}: check", at_least=CHECK, fails=plan.budget.wall_time is not None
                )
            except ActivityError as error:
                if plan.budget.wall_time is None:
                    raise
                failure, problem = engine_failure(error, timed=True)
                sheet = self._zeros(_UNCHECKED, engine)
                return Candidate(
                    round=round, number=number, engine=engine, output=text, sheet=sheet, usage=usage, failure=failure,
                    problem=problem,
                )  # fmt: skip
            if checked.problem:
                sheet = self._zeros(_NO_DRAFT, engine)
                return Candidate(
                    round=round, number=number, engine=engine, sheet=sheet, usage=usage, failure="InvalidOutput",
                    problem=checked.problem,
                )  # fmt: skip
            scores.extend(checked.scores)
        judged = [one for one in plan.requirements if one.validator is None]
        mandatory = {one.name for one in plan.requirements if one.mandatory}
        if judged and plan.models is None:
            scores.extend(_zero(one, _NO_JUDGE, steps_engine) for one in judged)
        elif any(not score.met for score in scores if score.requirement in mandatory):
            # Its total is 0 whatever a judge says, who costs as much as the writer.
            scores.extend(_zero(one, _UNSEEN, steps_engine) for one in judged)
        elif judged:
            found, spent = await self._judged(text, judged, what)
            scores.extend(found)
            usage += spent
        sheet = ScoreSheet.of(plan.requirements, scores)
        return Candidate(round=round, number=number, engine=engine, output=text, sheet=sheet, usage=usage)

    async def _judged(self, text: ObjectRef, asked: list[Requirement], what: str) -> tuple[list[Score], Usage]:
        assert self._plan.models is not None
        model: Model = self._plan.models.judging
        request = steps.Judge(
            brief=self._brief,
            text=text,
            model=model,
            requirements=tuple(one.name for one in asked),
            store=self._plan.store,
            name=f"{self._plan.name}: {what}",
        )
        try:
            judged: steps.Judged = await self._call(
                steps.judge, request, f"{what}: judge, by {model.engine}", fails=True
            )
        except ActivityError as error:
            failure, _ = engine_failure(error)
            return [_zero(one, f"the judge gave no score: {failure}", model.engine) for one in asked], Usage()
        return list(judged.scores), judged.usage

    async def _review(self, reason: FinishReason) -> None:
        assert self._plan.asked is not None
        decision = await review(self._plan.asked, self._plan.name, self.loop.best, reason)
        self.comment = (decision.comment or "")[:_COMMENT]
        match decision.choice:
            case "revise" if self._plan.models is not None:
                self.loop.grant(self.comment)
            case "accept":
                self.loop.settle("accepted")
            case _:
                self.loop.settle("rejected")

    async def _call(
        self,
        fn: Callable[[Q], Awaitable[R]],
        request: Q,
        what: str,
        *,
        at_least: timedelta = timedelta(0),
        fails: bool = False,
    ) -> R:
        left = self._plan.budget.time_left(self._elapsed())
        if left is not None:
            left = max(left, at_least)
        # Only around the start: a run that is dropped from memory leaves its blocks outside of their context.
        with on_exhausted("fail") if fails else contextlib.nullcontext():
            step = workflow.start_activity(
                fn, request, summary=f"{self._plan.name} {what}", schedule_to_close_timeout=left
            )
        return await step

    def _zeros(self, reason: str, engine: str) -> ScoreSheet:
        requirements = self._plan.requirements
        return ScoreSheet.of(requirements, [_zero(one, reason, engine) for one in requirements])

    def _elapsed(self) -> timedelta:
        return workflow.now() - self._began


steps_engine: Final = "rules"


def engine_failure(error: ActivityError, *, timed: bool = False) -> tuple[str, str]:
    """Return the type and the message of what a step failed with.

    Args:
        error: What it failed with.
        timed: Whether it had only as long as the budget had left.

    Raises:
        ActivityError: The step was cancelled, or failed for what is no fault of a model.
    """
    if is_cancelled_exception(error):
        raise error
    cause = error.cause
    if isinstance(cause, ApplicationError) and cause.type not in _OF_MODELS:
        raise error
    if timed and (error.retry_state == RetryState.TIMEOUT or isinstance(cause, TimeoutError)):
        return OUT_OF_TIME, "the time of the budget is used up"
    if isinstance(cause, ApplicationError):
        return str(cause.type), cause.message
    return type(cause).__name__, str(cause)


_OF_MODELS: Final = frozenset({"ModelUnavailable"})


def _zero(requirement: Requirement, reason: str, engine: str) -> Score:
    return Score(
        requirement=requirement.name, score=0, met=False, reason=reason, stage=requirement.stage, engine=engine
    )


def _shortfalls(best: Candidate) -> str:
    names = [score.requirement for score in best.sheet.short()]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
