"""Deep research: a question answered out of documents, sentence by sentence, each with the words that it stands on.

    answer = await client.execute_workflow(
        DeepResearch.run,
        ResearchRequest(question="When may either party terminate?", corpus="s3://deals/2026", store="s3://work/research"),
        id="terminations", task_queue="research",
    )

Documents are loaded and indexed, the question is divided, each part is searched and noted on its own, and searched
again with other words where that is too little. Sections are written from the notes, and every sentence is held against
the documents: it cites, its quotes are verbatim, and it says no more than they do. What does not stand up to that is
removed, or marked. The answer is scored by its requirements, and published as Markdown, HTML and JSON.

Without a model the answer is made of the documents' own sentences, and says so.
"""

from __future__ import annotations

import asyncio

from temporalio import workflow

from segue.activities.generation import steps as generation
from segue.activities.generation.score import ScoreSheet
from segue.activities.llm import Usage
from segue.activities.research import asking, steps
from segue.activities.research.reporting import Unread
from segue.activities.research.requests import (
    Compose,
    Composed,
    Divide,
    Gather,
    Noted,
    Planned,
    Publish,
    Published,
)
from segue.workflows.generation.running import Course, Plan
from segue.workflows.research.part import Inquiry
from segue.workflows.research.reading import known, read_folder
from segue.workflows.research.request import Corpus, Research, ResearchRequest

__all__ = ["DeepResearch"]


@workflow.defn(name="segue.DeepResearch")
class DeepResearch:
    """Answer a question out of documents."""

    @workflow.run
    async def run(self, request: ResearchRequest) -> Research:
        """Return the answer's references, counts and scores.

        Raises:
            InvalidResearch: There is nothing to search.
        """
        began = workflow.now()
        corpus, unread = await _corpus(request)
        inquiry = Inquiry(request, corpus.index, began)
        plan: Planned = await inquiry.asked(
            asking.ask_plan,
            steps.divide,
            Divide(question=request.question, most=request.parts, store=request.store),
            "plan",
        )
        notes = await _notes(inquiry, plan)
        sections = range(plan.count)
        answered = await asyncio.gather(
            *(inquiry.answered(plan.questions, number, plan.count, notes[number], plan.count) for number in sections)
        )
        composed: Composed = await workflow.execute_activity(
            steps.compose,
            Compose(
                questions=plan.questions,
                answered=tuple(answered),
                unsupported=request.unsupported,
                sentences=request.sentences,
                store=request.store,
            ),
            summary="put the answer together",
        )
        sheet = await _scored(inquiry, composed)
        engines = tuple(dict.fromkeys([*inquiry.found_by, *inquiry.made_by, *composed.engines]))
        published: Published = await workflow.execute_activity(
            steps.publish,
            Publish(
                composed=composed,
                scores=sheet.scores,
                total=sheet.total,
                engines=engines,
                documents=corpus.index.documents,
                unread=tuple(unread),
                usage=inquiry.usage,
                stopped=inquiry.stopped,
                failures=tuple(dict.fromkeys(inquiry.failures)),
                store=request.store,
            ),
            summary="report",
        )
        return Research(
            markdown=published.markdown,
            html=published.html,
            json_report=published.json_report,
            sections=plan.count,
            sentences=composed.sentences,
            quotes=composed.quotes,
            removed=composed.removed,
            marked=composed.marked,
            unanswered=composed.unanswered,
            doubtful=composed.doubtful,
            total=sheet.total,
            scores=sheet.scores,
            usage=inquiry.usage,
            engines=engines,
            documents=corpus.index.documents,
            unread=tuple(unread),
            corpus=corpus,
            failures=tuple(dict.fromkeys(inquiry.failures)),
            stopped=inquiry.stopped,
        )


async def _corpus(request: ResearchRequest) -> tuple[Corpus, list[Unread]]:
    if isinstance(request.corpus, str):
        return await read_folder(request.corpus, request.store)
    await known(request.corpus, request.store)
    return request.corpus, []


async def _notes(inquiry: Inquiry, plan: Planned) -> list[Noted]:
    """Return the notes on each question of a plan; those on the whole question are the best of its parts'."""
    if plan.count == 1:
        return [await inquiry.noted(plan.questions, 0, 1)]
    parts = await asyncio.gather(
        *(inquiry.noted(plan.questions, number, plan.count) for number in range(1, plan.count))
    )
    whole: Noted = await workflow.execute_activity(
        steps.gather,
        Gather(questions=plan.questions, notes=tuple(part.notes for part in parts), store=inquiry.request.store),
        summary="the question: the best notes",
    )
    return [whole, *parts]


async def _scored(inquiry: Inquiry, composed: Composed) -> ScoreSheet:
    request = inquiry.request
    if not request.requirements:
        return ScoreSheet()
    brief = await workflow.execute_activity(
        generation.assign,
        generation.Assign(task=composed.question, requirements=request.requirements, store=request.store),
        summary="requirements",
    )
    course = Course(
        Plan(name="the answer", store=request.store, requirements=request.requirements, models=inquiry.models), brief
    )
    scored = await course.scored(composed.text, "rules", Usage())
    inquiry.usage += scored.usage
    return scored.sheet
