"""One question of a plan: searched, noted, searched again if that is too little, answered, and checked.

Where a model fails, rules stand in; what it made is checked by rules first and by the judge after them, and both can
only refuse.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from segue.activities.llm import Model, Usage
from segue.activities.objects import ObjectRef
from segue.activities.research import asking, steps
from segue.activities.research.checks import support_requirements
from segue.activities.research.drafts import DraftSection
from segue.activities.research.evidence import Found, Lookup
from segue.activities.research.requests import (
    Account,
    Answered,
    JudgeSupport,
    Noted,
    Rephrase,
    Rephrased,
    Retrieve,
    Retrieved,
    SectionTask,
    TakeNotes,
    Verified,
    Verify,
)
from segue.activities.research.support import JUDGED, UNJUDGED
from segue.activities.retrieval import Index
from segue.workflows.generation import Models, generate
from segue.workflows.generation.running import engine_failure
from segue.workflows.repair.rule import on_exhausted
from segue.workflows.research.request import ResearchRequest

__all__ = ["Inquiry"]

Q = TypeVar("Q")
R = TypeVar("R")

_ABOUT = "The answer as a whole is judged by this: "


@dataclasses.dataclass
class Inquiry:
    """Research under way.

    Attributes:
        request: What is asked.
        index: What is searched.
        began: When it began.
        usage: What was spent so far.
        found_by: What found passages so far.
        made_by: Which models made something of them.
        failures: Types of the errors of models.
        stopped: The bound of the budget at which no model was asked any more; empty if none was reached.
    """

    request: ResearchRequest
    index: Index
    began: datetime
    usage: Usage = dataclasses.field(default_factory=Usage)
    found_by: list[str] = dataclasses.field(default_factory=list[str])
    made_by: list[str] = dataclasses.field(default_factory=list[str])
    failures: list[str] = dataclasses.field(default_factory=list[str])
    stopped: str = ""

    @property
    def models(self) -> Models | None:
        """Who may be asked now: nobody any more, once the budget is used up."""
        budget, models = self.request.budget, self.request.models
        if models is None:
            return None
        bound = budget.reached(0, self.usage, self.elapsed())
        if bound is not None:
            self.stopped = self.stopped or bound
            return None
        return models

    def elapsed(self) -> timedelta:
        """Return how long it has taken."""
        return workflow.now() - self.began

    async def noted(self, questions: ObjectRef, number: int, of: int) -> Noted:
        """Return the notes on a question, after as many searches as it takes and as are allowed."""
        what = "the question" if of == 1 else f"question {number} of {of - 1}"
        notes = await self._searched(questions, number, what, None)
        for _ in range(self.request.requeries):
            if notes.covered >= self.request.enough:
                break
            request = Rephrase(questions=questions, number=number, notes=notes.notes, store=self.request.store)
            other: Rephrased = await self.asked(asking.ask_words, steps.rephrase, request, f"{what}: other words")
            if other.questions is None:
                break
            notes = await self._searched(other.questions, number, f"{what}, again", notes)
        return notes

    async def answered(self, questions: ObjectRef, number: int, of: int, notes: Noted, share: int) -> Answered:
        """Return a section on a question: a model's, checked; the notes themselves where there is none."""
        what = "the answer" if number == 0 else f"section {number} of {of - 1}"
        answered = Answered(number=number, notes=notes.notes, engine="rules")
        models = self.models
        if models is None or not notes.count:
            return answered
        task = await workflow.execute_activity(
            steps.assign_section,
            SectionTask(
                questions=questions,
                number=number,
                notes=notes.notes,
                about=self._about(),
                store=self.request.store,
            ),
            summary=f"{what}: task",
        )
        written = await generate(
            task,
            output=DraftSection,
            store=self.request.store,
            models=models,
            requirements=support_requirements(notes.notes),
            budget=self.request.budget.share(self.usage, self.elapsed(), share),
            name=what,
        )
        self.usage += written.usage
        self.failures.extend(one.failure for one in written.candidates if one.failure is not None)
        if written.finish_reason in ("tokens", "cost", "wall_time"):
            self.stopped = self.stopped or written.finish_reason
        if written.output is None:
            return answered
        return await self._checked(answered, written.output, written.engine, models.judging, what)

    async def asked(
        self,
        fn: Callable[[Q], Awaitable[R]],
        by_rules: Callable[[Q], Awaitable[R]],
        request: Q,
        what: str,
    ) -> R:
        """Return what a model makes of a request, or rules where there is none, or none that answers."""
        models = self.models
        if models is not None:
            model = models.writer
            asked: Any = request
            try:
                made: Any = await self._call(
                    fn, asked.model_copy(update={"model": model}), f"{what}, by {model.engine}"
                )
            except ActivityError as error:
                failure, _ = engine_failure(error, timed=self.request.budget.wall_time is not None)
                self.failures.append(failure)
            else:
                self._took(made)
                return made  # type: ignore[no-any-return]
        return await workflow.execute_activity(by_rules, request, summary=what)

    async def _searched(self, questions: ObjectRef, number: int, what: str, earlier: Noted | None) -> Noted:
        request = self.request
        found: list[Any] = list(
            await asyncio.gather(
                workflow.execute_activity(
                    steps.retrieve,
                    Retrieve(
                        questions=questions,
                        number=number,
                        index=self.index,
                        limit=request.passages,
                        neighbours=1 if request.models is not None else 0,
                        labels=request.labels,
                        store=request.store,
                    ),
                    summary=f"{what}: search",
                ),
                *(self._looked_up(name, questions, number, what) for name in request.searches),
            )
        )
        retrieved: Retrieved = found[0]
        others: list[Found] = found[1:]
        self.found_by += [retrieved.engine, *(one.engine for one in others if one.passages)]
        notes: Noted = await self.asked(
            asking.ask_notes,
            steps.take_notes,
            TakeNotes(
                questions=questions,
                number=number,
                passages=(retrieved.passages,),
                found=tuple(others),
                earlier=earlier.notes if earlier is not None else None,
                store=request.store,
            ),
            f"{what}: notes",
        )
        return notes

    async def _looked_up(self, name: str, questions: ObjectRef, number: int, what: str) -> Found:
        lookup = Lookup(questions=questions, number=number, limit=self.request.passages, store=self.request.store)
        try:
            found: Found = await workflow.execute_activity(name, lookup, result_type=Found, summary=f"{what}: {name}")
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            # What one search does not find, the others may.
            self.failures.append(f"{name}: {getattr(error.cause, 'type', None) or type(error.cause).__name__}")
            return Found(engine=name)
        return found

    async def _checked(self, answered: Answered, draft: ObjectRef, engine: str, judge: Model, what: str) -> Answered:
        """Return a section with its sentences looked at: by rules, and by a judge, or by stricter rules without one."""
        verify = Verify(draft=draft, notes=answered.notes, engine=engine, share=JUDGED, store=self.request.store)
        looked: Verified = await workflow.execute_activity(steps.verify, verify, summary=f"{what}: citations")
        failure: str | None = None
        judged = looked
        if self.models is None:
            failure = "the budget is used up"
        elif looked.supported:
            request = JudgeSupport(sentences=looked.sentences, model=judge, store=self.request.store)
            try:
                judged = await self._call(asking.judge_support, request, f"{what}: support, by {judge.engine}")
            except ActivityError as error:
                failure, _ = engine_failure(error, timed=self.request.budget.wall_time is not None)
            else:
                self._spent(judged.account)
                failure = judged.failure
            if failure is not None:
                self.failures.append(failure)
        if failure is not None:
            # Nobody has looked whether the quotes mean what the sentence says: it has to be nearly its quote.
            strict = verify.model_copy(update={"share": UNJUDGED})
            judged = await workflow.execute_activity(steps.verify, strict, summary=f"{what}: citations, strictly")
        return answered.model_copy(
            update={"sentences": judged.sentences, "engine": engine, "judged": failure is None, "judge": judge.engine}
        )

    async def _call(self, fn: Callable[[Q], Awaitable[R]], request: Q, what: str) -> R:
        left = self.request.budget.time_left(self.elapsed())
        # Only around the start: a run that is dropped from memory leaves its blocks outside of their context.
        with on_exhausted("fail") if self.request.models is not None else contextlib.nullcontext():
            step = workflow.start_activity(fn, request, summary=what, schedule_to_close_timeout=left)
        return await step

    def _about(self) -> str:
        asked = [f"{one.name}: {one.description}" for one in self.request.requirements]
        return _ABOUT + "; ".join(asked) if asked else ""

    def _spent(self, account: Account | None) -> None:
        if account is not None:
            self.usage += account.usage

    def _took(self, made: Any) -> None:
        self._spent(made.account)
        if made.failure is not None:
            self.failures.append(made.failure)
        engine = getattr(made, "engine", "rules")
        if engine != "rules":
            self.made_by.append(engine)
