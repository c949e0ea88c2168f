"""The steps of a generation: each asks a model once at most, and returns references, scores and what was paid.

What is asked is put together here, of objects, so that neither a prompt nor an answer passes through a history. The
steps that ask a model belong to the system `llm`, and have its policy, its capacity and its queue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field

from segue.activities import llm
from segue.activities.generation.brief import Assign, assigned, opened_brief, put, text_of
from segue.activities.generation.checking import checked, scored
from segue.activities.generation.draft import Verdict
from segue.activities.generation.prompts import Judgement, judging, mending, planning, writing
from segue.activities.generation.score import Score
from segue.activities.llm import Model, Usage
from segue.activities.objects import ObjectPrefix, ObjectRef
from segue.activities.policy import Policy
from segue.activities.system import System

__all__ = [
    "ACTIVITIES",
    "Assign",
    "Check",
    "Checked",
    "Judge",
    "Judged",
    "Plan",
    "Planned",
    "ReadText",
    "Write",
    "Written",
    "assign",
    "check",
    "judge",
    "plan",
    "read_text",
    "system",
    "write",
]

system = System("generation", policy=Policy())
"""What a generation does without a model: on the queue of the workflow that calls it."""

_MODEL = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

# Without a limit of one's own a server's default cuts answers at some hundred tokens.
_JUDGE_TOKENS_A_REQUIREMENT: Final = 150
_JUDGE_TOKENS: Final = 300
_UNJUDGED: Final = "the judge gave no score"


class Plan(BaseModel):
    """Ask for a plan.

    Attributes:
        brief: What is to be written.
        model: Who plans it.
        store: Object URL prefix.
        maximum_tokens: Bound on the plan.
    """

    model_config = _MODEL

    brief: ObjectRef
    model: Model
    store: ObjectPrefix
    maximum_tokens: int | None = Field(default=None, gt=0)


class Planned(BaseModel):
    """A plan, or why there is none.

    Attributes:
        plan: The object that holds it.
        usage: What it took.
        engine: Which engine made it; empty in runs of earlier versions.
        failure: Type of the model's error.
        problem: What that error says.
    """

    model_config = _MODEL

    plan: ObjectRef | None = None
    usage: Usage = Usage()
    engine: str = ""
    failure: str | None = None
    problem: str = ""


class Write(BaseModel):
    """Ask for a draft: a first one, or one in which another's shortfalls are mended.

    Attributes:
        brief: What is to be written.
        model: Who writes it.
        store: Object URL prefix.
        name: What the step is about, for whoever looks.
        sample: Tells apart drafts that are asked for in the same words.
        plan: The plan to follow.
        draft: The draft to mend.
        short: Its scores that fall short.
        notes: What was wrong with answers that could not be used, and what a person has said.
        maximum_tokens: Bound on the draft.
        temperature: How far it may stray.
    """

    model_config = _MODEL

    brief: ObjectRef
    model: Model
    store: ObjectPrefix
    name: str = ""
    sample: int = 0
    plan: ObjectRef | None = None
    draft: ObjectRef | None = None
    short: tuple[Score, ...] = ()
    notes: tuple[str, ...] = ()
    maximum_tokens: int | None = Field(default=None, gt=0)
    temperature: float | None = Field(default=None, ge=0)


class Written(BaseModel):
    """A draft, or why there is none.

    Attributes:
        text: The object that holds it.
        digest: SHA-256 of its UTF-8.
        usage: What it took; also of an answer that is no draft.
        engine: Which engine wrote it.
        failure: Type of the model's error: `Refused`, `Truncated`, `InvalidOutput`, ...
        problem: What that error says.
    """

    model_config = _MODEL

    text: ObjectRef | None = None
    digest: str = ""
    usage: Usage = Usage()
    engine: str
    failure: str | None = None
    problem: str = ""


class Check(BaseModel):
    """Score a draft by code, then by evidence.

    Attributes:
        brief: What was to be written.
        text: The draft.
        name: What the step is about, for whoever looks.
        form: Whether nobody has looked yet if it conforms to the schema of the output.
    """

    model_config = _MODEL

    brief: ObjectRef
    text: ObjectRef
    name: str = ""
    form: bool = False


class Checked(BaseModel):
    """What code and evidence say of a draft.

    Attributes:
        scores: One for each requirement that has a validator.
        problem: In what it does not conform to the schema of the output; then it is not scored.
    """

    model_config = _MODEL

    scores: tuple[Score, ...] = ()
    problem: str = ""


class Judge(BaseModel):
    """Have a model score a draft.

    Attributes:
        brief: What was to be written.
        text: The draft.
        model: Who judges it.
        requirements: Names of the requirements to score.
        store: Object URL prefix.
        name: What the step is about, for whoever looks.
        sample: Tells apart judgements that are asked for in the same words.
    """

    model_config = _MODEL

    brief: ObjectRef
    text: ObjectRef
    model: Model
    requirements: tuple[str, ...]
    store: ObjectPrefix
    name: str = ""
    sample: int = 0


class Judged(BaseModel):
    """What a model says of a draft, or why it says nothing: then every score is 0.

    Attributes:
        scores: One for each requirement that was asked about.
        usage: What it took.
        engine: Which engine judged; empty in runs of earlier versions.
        failure: Type of the model's error.
        problem: What that error says.
    """

    model_config = _MODEL

    scores: tuple[Score, ...] = ()
    usage: Usage = Usage()
    engine: str = ""
    failure: str | None = None
    problem: str = ""


class ReadText(BaseModel):
    """Read a text into the history.

    Attributes:
        source: The object that holds it.
    """

    model_config = _MODEL

    source: ObjectRef


@system.activity(name="segue.generation.assign")
async def assign(request: Assign) -> ObjectRef:
    """Write down what is to be generated, and return the object; refuse validators that this worker does not have."""
    return await assigned(request)


@llm.system.activity(name="segue.generation.plan")
async def plan(request: Plan) -> Planned:
    """Ask for a plan."""
    brief = await opened_brief(request.brief)
    messages = planning(brief, await brief.opened())
    try:
        answer = await llm.chat(
            llm.Chat(
                model=request.model,
                messages=messages,
                maximum_tokens=request.maximum_tokens,
                store=llm_store(request.store),
            )
        )
    except llm.ModelError as error:
        return Planned(usage=spent(error), engine=request.model.engine, failure=error.type, problem=error.message)
    return Planned(plan=await put(request.store, "plans", answer.text, "txt"), usage=answer.usage, engine=answer.engine)


@llm.system.activity(name="segue.generation.write")
async def write(request: Write) -> Written:
    """Ask for a draft. A model's own fault, such as a refusal, is told in the result: it is the loop's to go on."""
    brief = await opened_brief(request.brief)
    sources = await brief.opened()
    planned = await text_of(request.plan) if request.plan is not None else None
    if request.draft is None:
        messages = writing(brief, sources, plan=planned, notes=request.notes)
    else:
        draft = await text_of(request.draft)
        messages = mending(brief, sources, draft, request.short, plan=planned, notes=request.notes)
    try:
        answer = await llm.chat(
            llm.Chat(
                model=request.model,
                messages=messages,
                output_schema=brief.output_schema,
                maximum_tokens=request.maximum_tokens,
                temperature=request.temperature,
                sample=request.sample,
                store=llm_store(request.store),
            )
        )
    except llm.ModelError as error:
        return Written(usage=spent(error), engine=request.model.engine, failure=error.type, problem=_problem(error))
    text = answer.text.strip()
    if not text:
        return Written(usage=answer.usage, engine=answer.engine, failure="InvalidOutput", problem="the answer is empty")
    ref = await put(request.store, "drafts", text, "txt" if brief.output_schema is None else "json")
    return Written(text=ref, digest=ref.sha256 or "", usage=answer.usage, engine=answer.engine)


@system.activity(name="segue.generation.check")
async def check(request: Check) -> Checked:
    """Score a draft without a model."""
    brief, text = await opened_brief(request.brief), await text_of(request.text)
    if request.form and brief.output_schema is not None:
        try:
            wrong = llm.problems(brief.output_schema, pydantic_core.from_json(text, allow_inf_nan=False))
        except ValueError:
            wrong = ("(value): is not JSON",)
        if wrong:
            return Checked(problem=_misformed(wrong))
    return Checked(scores=await checked(brief, text))


@llm.system.activity(name="segue.generation.judge")
async def judge(request: Judge) -> Judged:
    """Have a model score a draft."""
    brief = await opened_brief(request.brief)
    sources, draft = await brief.opened(), await text_of(request.text)
    asked = [one for one in brief.requirements if one.name in request.requirements]
    engine = request.model.engine
    texts = (draft, *(source.text for source in sources))
    try:
        answer = await llm.chat(
            llm.Chat(
                model=request.model,
                messages=judging(brief, sources, draft, asked),
                output_schema=llm.schema_of(Judgement),
                schema_name="judgement",
                maximum_tokens=_JUDGE_TOKENS + _JUDGE_TOKENS_A_REQUIREMENT * len(asked),
                temperature=0,
                sample=request.sample,
                store=llm_store(request.store),
            )
        )
    except llm.ModelError as error:
        verdict = Verdict(0, f"{_UNJUDGED}: {error.type}")
        scores = tuple(scored(one, verdict, engine) for one in asked)
        return Judged(scores=scores, usage=spent(error), engine=engine, failure=error.type, problem=_problem(error))
    verdicts = _verdicts(answer.parsed(Judgement))
    scores = tuple(scored(one, verdicts.get(one.name, Verdict(0, _UNJUDGED)), engine, *texts) for one in asked)
    return Judged(scores=scores, usage=answer.usage, engine=answer.engine)


@system.activity(name="segue.generation.read")
async def read_text(request: ReadText) -> str:
    """Return a text, for callers who want it in their history."""
    return await text_of(request.source)


ACTIVITIES: Final[tuple[Callable[..., Any], ...]] = (assign, plan, write, check, judge, read_text)
"""What a worker needs that runs `segue.workflows.generate`."""


def llm_store(store: str) -> str:
    """Return the prefix under which prompts and answers are kept."""
    return f"{store.removesuffix('/')}/llm"


def spent(error: llm.ModelError) -> Usage:
    """Return what an answer cost that could not be used."""
    return error.spent or Usage()


def _problem(error: llm.ModelError) -> str:
    if isinstance(error, llm.InvalidOutput) and error.problems:
        return _misformed(error.problems)
    return error.message[:500]


def _misformed(problems: Sequence[str]) -> str:
    return f"the answer is not of the form asked for: {'; '.join(problems[:5])}"[:500]


def _verdicts(judgement: Judgement) -> dict[str, Verdict]:
    """Return what a judge said, by requirement; what it said twice counts as the lower."""
    found: dict[str, Verdict] = {}
    for one in judgement.scores:
        if one.requirement not in found or one.score < found[one.requirement].score:
            found[one.requirement] = Verdict(one.score, one.reason)
    return found
