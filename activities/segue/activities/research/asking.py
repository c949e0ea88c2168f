"""The steps of research that ask a model, once each: to plan, to take notes, to find other words, to judge.

What a model says is checked before anything is made of it. Where it fails, rules stand in, and the result says so. They
belong to the system `llm`, and have its policy, its capacity and its queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from pydantic import BaseModel

from segue.activities import documents, llm
from segue.activities.documents import ParsedDocument
from segue.activities.generation.brief import text_of
from segue.activities.generation.steps import llm_store, spent
from segue.activities.llm import Message, Model
from segue.activities.research.dividing import divided, numbered
from segue.activities.research.drafts import DraftNotes, DraftPlan, Judgements, judging, noting, planning, rephrasing
from segue.activities.research.evidence import Note, Passage, Sentence
from segue.activities.research.extracting import note_of
from segue.activities.research.kept import kept, opened_passages
from segue.activities.research.requests import (
    Account,
    Divide,
    JudgeSupport,
    Noted,
    Planned,
    Rephrase,
    Rephrased,
    TakeNotes,
    Verified,
)
from segue.activities.research.steps import (
    checked,
    lacking,
    noted,
    noted_by_rules,
    passages_of,
    planned,
    question_of,
    rephrased,
)
from segue.activities.research.terms import terms

__all__ = ["ask_notes", "ask_plan", "ask_words", "judge_support"]

T = TypeVar("T", bound=BaseModel)

# What one question's passages may hold: about 8,000 tokens.
_CHARACTERS: Final = 32_000
_TOKENS: Final = 4_000
_SUPPORTED_FROM: Final = 0.7
_LONGEST_QUESTION: Final = 400


@llm.system.activity(name="segue.research.ask_plan")
async def ask_plan(request: Divide) -> Planned:
    """Have a model divide a question."""
    question = request.question if isinstance(request.question, str) else await text_of(request.question)
    model = _model(request.model)
    draft, account, failure = await _asked(model, planning(question, request.most), DraftPlan, request.store)
    if draft is None:
        return await planned(divided(question, request.most), request.store, account=account, failure=failure)
    parts = [part[:_LONGEST_QUESTION] for part in draft.questions if terms(part)]
    return await planned(numbered(question, parts[: request.most]), request.store, account=account, engine=model.engine)


@llm.system.activity(name="segue.research.ask_notes")
async def ask_notes(request: TakeNotes) -> Noted:
    """Have a model take notes; what it does not quote word for word is dropped."""
    question = await question_of(request.questions, request.number)
    model = _model(request.model)
    found = _within(await opened_passages(await passages_of(request)))
    if not found:
        return await noted_by_rules(request, question)
    shown = [(passage.document.name, parsed.quote(passage.span)) for passage, parsed in found]
    draft, account, failure = await _asked(model, noting(question.text, shown), DraftNotes, request.store)
    earlier = await kept(request.earlier, list[Note]) if request.earlier is not None else []
    notes = list(earlier)
    invented = 0
    for one in draft.notes if draft is not None else ():
        if not 1 <= one.passage <= len(found):
            invented += 1
            continue
        passage, parsed = found[one.passage - 1]
        span = documents.locate(one.quote, parsed, passage.span)
        if span is None or not terms(parsed.quote(span)):
            invented += 1
            continue
        note = note_of(len(notes) + 1, passage, parsed, span, score=passage.score, claim=one.claim)
        if all(note.citation != other.citation for other in notes):
            notes.append(note)
    if len(notes) == len(earlier):
        by_rules = await noted_by_rules(request, question)
        return by_rules.model_copy(update={"account": account, "failure": failure, "invented": invented})
    return await noted(
        notes[: len(earlier) + request.limit],
        question,
        request.store,
        account=account,
        engine=model.engine,
        invented=invented,
    )


@llm.system.activity(name="segue.research.ask_words")
async def ask_words(request: Rephrase) -> Rephrased:
    """Have a model find other words to search for."""
    question = await question_of(request.questions, request.number)
    model = _model(request.model)
    draft, account, failure = await _asked(model, rephrasing(question.text, question.queries), DraftPlan, request.store)
    if draft is None:
        query = lacking(question, await kept(request.notes, list[Note]))
    else:
        query = " ".join(draft.questions)[:_LONGEST_QUESTION]
    ref = await rephrased(request.questions, question, query, request.store)
    return Rephrased(questions=ref, account=account, failure=failure)


@llm.system.activity(name="segue.research.judge_support")
async def judge_support(request: JudgeSupport) -> Verified:
    """Have a model look whether quotes support sentences. What it does not score, it does not support."""
    sentences = await kept(request.sentences, list[Sentence])
    asked = [one for one in sentences if one.supported]
    if not asked:
        return await checked(sentences, request.store)
    judged, account, failure = await _asked(request.model, judging(asked), Judgements, request.store)
    if judged is None:
        return await checked(sentences, request.store, account=account, failure=failure)
    scores: dict[int, float] = {}
    for one in judged.sentences:
        scores[one.sentence] = min(one.score, scores.get(one.sentence, 1.0))
    refused = {id(sentence) for number, sentence in enumerate(asked, 1) if scores.get(number, 0.0) < _SUPPORTED_FROM}
    said = f"{request.model.engine} finds that its quotes do not support it"
    return await checked(
        [
            one.model_copy(update={"supported": False, "problem": said}) if id(one) in refused else one
            for one in sentences
        ],
        request.store,
        account=account,
    )


async def _asked(
    model: Model, messages: tuple[Message, ...], kind: type[T], store: str
) -> tuple[T | None, Account, str | None]:
    """Return a model's answer as a type, or None and what is wrong with it; and what it took."""
    try:
        answer = await llm.chat(
            llm.Chat(
                model=model,
                messages=messages,
                output_schema=llm.schema_of(kind),
                maximum_tokens=_TOKENS,
                temperature=0,
                store=llm_store(store),
            )
        )
    except llm.ModelError as error:
        return None, Account(engine=model.engine, usage=spent(error)), error.type
    return answer.parsed(kind), Account(engine=answer.engine, usage=answer.usage), None


def _model(model: Model | None) -> Model:
    if model is None:
        raise ValueError("model= is missing: the step of the same kind without `ask` needs none")
    return model


def _within(
    found: Sequence[tuple[Passage, ParsedDocument]],
) -> list[tuple[Passage, ParsedDocument]]:
    """Return the best passages that a prompt has room for."""
    chosen: list[tuple[Passage, ParsedDocument]] = []
    left = _CHARACTERS
    for passage, parsed in found:
        left -= len(passage.span)
        if left < 0 and chosen:
            break
        chosen.append((passage, parsed))
    return chosen
