"""What rules and models leave open is asked of people: an approval for each question, whose answer is checked.

The question says where to look, not what stands there: document texts stay out of histories. What a person sends is in
the history, as any decision is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field
from temporalio import workflow

from segue.activities import extraction
from segue.activities.extraction import Answered, How, OpenQuestion, Settled, TakeQuestions
from segue.activities.objects import ObjectRef
from segue.workflows.approvals import ApprovalExpired, approval

__all__ = ["CHOICES", "People", "PersonsAnswer", "answers"]

CHOICES: Final = ("answer", "absent", "skip")
"""What a person may choose: give the value, say that the document has none, or leave the question open."""

_ASKED_AGAIN: Final = 3


class PersonsAnswer(BaseModel):
    """What a person sends along with `answer`.

    Attributes:
        quote: The document's own words that say the value.
        value: The value, as it stands in the quote; left out for the whole quote.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    quote: str = Field(min_length=1, max_length=4000)
    value: str = Field(default="", max_length=4000)


class People(BaseModel):
    """How people are asked.

    Attributes:
        allowed: Names of who may answer; empty for anybody.
        within: How long a question waits; None for ever.
        maximum: How many questions are asked; the others stay in the report.
        at_once: How many are open at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    allowed: tuple[str, ...] = ()
    within: timedelta | None = None
    maximum: int = Field(default=100, ge=1, le=500)
    at_once: int = Field(default=20, ge=1, le=100)


async def answers(how: How, questions: ObjectRef, people: People) -> int:
    """Ask people, and return how many questions they have settled."""
    open_: list[OpenQuestion] = await workflow.execute_activity(
        extraction.take_questions, TakeQuestions(questions=questions, limit=people.maximum)
    )
    turns = asyncio.Semaphore(people.at_once)
    # What is asked of one document is settled one after another: each answer is put into the same record.
    documents: dict[str, list[OpenQuestion]] = {}
    for question in open_:
        documents.setdefault(question.document.digest, []).append(question)

    async def each(asked: list[OpenQuestion]) -> int:
        settled = 0
        for question in asked:
            async with turns:
                settled += await _asked(how, question, people)
        return settled

    return sum(await asyncio.gather(*(each(asked) for asked in documents.values())))


async def _asked(how: How, asked: OpenQuestion, people: People) -> bool:
    question, wrong = asked.question, ""
    for _ in range(_ASKED_AGAIN):
        options: dict[str, Any] = {"allowed": people.allowed or None}
        if people.within is not None:
            options |= {"by": people.within, "on_deadline": "skip"}
        try:
            decision = await _approval(
                f"{asked.document.name}: {question.field or how.form.name}?",
                name="question",
                choices=CHOICES,
                approving=["answer"],
                form=PersonsAnswer,
                details=_details(asked, wrong),
                **options,
            )
        except ApprovalExpired:
            return False
        if decision.choice == "skip":
            return False
        answer = decision.form if decision.choice == "answer" else None
        settled: Settled = await workflow.execute_activity(
            extraction.answer_question,
            Answered(
                how=how,
                question=asked,
                quote=None if answer is None else answer.quote,
                value="" if answer is None else answer.value,
                by=decision.by or "",
            ),
        )
        if settled.accepted:
            return True
        wrong = settled.why
    return False


# With options in a dictionary none of its overloads can be told.
_approval: Callable[..., Any] = approval


def _details(asked: OpenQuestion, wrong: str) -> str:
    question, document = asked.question, asked.document
    where = f", characters {question.start:,} to {question.end:,}" if question.start is not None else ""
    lines = [
        f"**{question.reason}**: {question.detail}.",
        f"Source: {document.source.url}{where}.",
        "Choose `answer` with the document's words as `quote` and the value as it stands there, `absent` if the "
        "document does not say it, or `skip`.",
    ]
    if wrong:
        lines.insert(0, f"The last answer does not hold: {wrong}.")
    return "\n\n".join(lines)
