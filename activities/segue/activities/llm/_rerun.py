"""What was asked before, asked again of another model or with other instructions, and compared: answers, scores, cost.

    made = await llm.rerun("s3://bucket/llm", other, recording="s3://bucket/reruns")
    for row in made.summary(): ...

The questions are those that were recorded under a store (`Chat.store`) or in a recording. What the other model answers
is recorded in turn, so that a second time costs nothing, and needs no server.
"""

from __future__ import annotations

import asyncio
import difflib
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Final

import pydantic_core
from pydantic import BaseModel, ConfigDict

from segue.activities import objects
from segue.activities.errors import Terminal
from segue.activities.llm._answers import checked
from segue.activities.llm._chatting import chat
from segue.activities.llm._conformity import check_schema
from segue.activities.llm._errors import InvalidSchema, ModelError, ModelUnavailable, NotRecorded
from segue.activities.llm._json import fields, items
from segue.activities.llm._messages import Message, Tool, ToolCall
from segue.activities.llm._models import Model
from segue.activities.llm._records import Call, Recording
from segue.activities.llm._requests import Chat
from segue.activities.llm._usage import Usage

__all__ = ["Comparison", "Outcome", "Past", "Row", "Scorer", "Trial", "rerun"]

_NAME: Final = re.compile(r"[0-9a-f]{64}\.json")
# Beside the records: prompts, and what was answered again.
_OTHERS: Final = ("texts", "reruns")


class Past(BaseModel):
    """A question that was asked before.

    Attributes:
        chat: The question, to the model that was asked.
        call: What it answered.
        text: Its answer; None where it was none.
        error: What was wrong with it; None if it was good.
    """

    model_config = ConfigDict(frozen=True)

    chat: Chat
    call: Call
    text: str | None
    error: str | None


Scorer = Callable[[Past, str], float]
"""Scores an answer to a past question, from 0 to 1."""


class Outcome(BaseModel):
    """What one model made of a question.

    Attributes:
        engine: Which engine.
        error: The class of what was wrong with its answer; None if it was good.
        usage: What it took.
        scores: Its scores by their names.
    """

    model_config = ConfigDict(frozen=True)

    engine: str
    error: str | None = None
    usage: Usage = Usage()
    scores: Mapping[str, float] = {}


class Trial(BaseModel):
    """A question with both outcomes.

    Attributes:
        prompt_digest: SHA-256 of the question, as it was asked before.
        labels: Whose step it was.
        before: What was made of it before.
        after: What the other model made of it.
    """

    model_config = ConfigDict(frozen=True)

    prompt_digest: str
    labels: Mapping[str, str]
    before: Outcome
    after: Outcome


class Row(BaseModel):
    """One side of a comparison, added up.

    Attributes:
        engine: Which engine, several joined by commas.
        calls: How many questions.
        answered: How many good answers.
        errors: What was wrong with the others, and how often.
        usage: What it took.
        scores: Mean scores; what is no good answer scores 0.
    """

    model_config = ConfigDict(frozen=True)

    engine: str
    calls: int
    answered: int
    errors: Mapping[str, int]
    usage: Usage
    scores: Mapping[str, float]


class Comparison(BaseModel):
    """Questions asked before and again.

    Attributes:
        trials: One for each question, in the order of their digests.
    """

    model_config = ConfigDict(frozen=True)

    trials: tuple[Trial, ...]

    def summary(self) -> tuple[Row, Row]:
        """Return both sides, the one before first."""
        return _row([one.before for one in self.trials]), _row([one.after for one in self.trials])


async def rerun(
    store: str,
    model: Model,
    *,
    instructions: str | None = None,
    workflow_id: str | None = None,
    limit: int = 100,
    concurrency: int = 4,
    recording: str | None = None,
    offline: bool = False,
    scorers: Mapping[str, Scorer] | None = None,
) -> Comparison:
    """Return what a model makes of the questions that were asked before, beside what was made of them then.

    Every comparison has two scores: `good`, 1 for an answer that is none of the errors of this package, and
    `agreement`, how much of its words and their order an answer shares with the one before.

    Args:
        store: Object URL prefix of a `Chat.store`, or of a recording.
        model: The model to ask.
        instructions: What it is told in place of the instructions of before.
        workflow_id: Only what this workflow asked.
        limit: Most questions, the first in the order of their records' names.
        concurrency: How many are asked at a time.
        recording: Object URL prefix where answers are kept, and found again.
        offline: Ask nobody: what is not in the recording is an error of its question, `NotRecorded`.
        scorers: Further scores by their names.

    Raises:
        Terminal: There is nothing that was asked before.
    """
    found: list[Past] = []
    async for past in _past(store, workflow_id):
        found.append(past)
        if len(found) == limit:
            break
    if not found:
        of = f" by workflow {workflow_id!r}" if workflow_id is not None else ""
        raise Terminal(
            f"Nothing that was asked{of} is recorded under {store!r}: give the store= of the questions, or a recording",
            type="NothingRecorded",
        )
    slots = asyncio.Semaphore(concurrency)
    wanted = {"good": _good, "agreement": _agreement} | dict(scorers or {})

    async def trial(past: Past) -> Trial:
        async with slots:
            text, after = await _again(past, model, instructions, recording, offline)
        before = Outcome(engine=past.call.engine, error=past.error, usage=past.call.usage)
        return Trial(
            prompt_digest=past.call.prompt_digest,
            labels=past.call.labels,
            before=before.model_copy(update={"scores": _scores(wanted, past, past.text)}),
            after=after.model_copy(update={"scores": _scores(wanted, past, text)}),
        )

    return Comparison(trials=tuple(await asyncio.gather(*map(trial, found))))


async def _past(store: str, workflow_id: str | None) -> AsyncIterator[Past]:
    """Yield what was asked before, in the order of the records' names."""
    calls = objects.join(store, "calls")
    prefix = calls if (await objects.list_objects(objects.ListObjects(prefix=calls, limit=1))).objects else store
    after: str | None = None
    while True:
        page = await objects.list_objects(objects.ListObjects(prefix=prefix, start_after=after))
        for ref in page.objects:
            *_, folder, _, name = ref.url.split("/")
            if not _NAME.fullmatch(name) or (folder in _OTHERS and not store.rstrip("/").endswith(folder)):
                continue
            try:
                call = Call.model_validate_json(await objects.read(ref.url))
            except ValueError:  # somebody else's object
                continue
            if call.kind == "chat" and workflow_id in (None, call.labels.get("workflow_id")):
                past = await _asked(call)
                if past is not None:
                    yield past
        if (after := page.next_start_after) is None:
            return


async def _asked(call: Call) -> Past | None:
    """Return the question of a record; None if it was not kept."""
    if call.prompt is not None:
        prompt = call.prompt
    elif call.prompt_ref is not None:
        prompt = (await objects.read(call.prompt_ref)).decode()
    else:
        return None
    asked = fields(pydantic_core.from_json(prompt))
    then = Model(name=call.engine, base_url="http://localhost", answers_as=("*",))
    question = Chat(
        model=then,
        messages=tuple(map(_message, items(asked.get("messages")))),
        tools=tuple(Tool.model_validate(tool) for tool in items(asked.get("tools"))),
        tool_choice=asked.get("tool_choice") or "auto",
        output_schema=asked.get("output_schema"),
        schema_name=asked.get("schema_name") or "answer",
        maximum_tokens=asked.get("maximum_tokens"),
        temperature=asked.get("temperature"),
        seed=asked.get("seed"),
        stop=tuple(items(asked.get("stop"))),
        sample=asked.get("sample", 0),
        keep="inline",
    )
    try:
        if question.output_schema is not None:
            check_schema(question.output_schema)
        return Past(chat=question, call=call, text=checked(question, then, call), error=None)
    except (ModelError, ModelUnavailable, InvalidSchema) as error:
        return Past(chat=question, call=call, text=None, error=type(error).__name__)


def _message(message: Any) -> Message:
    told = fields(message)
    made = [
        ToolCall(id=one["id"], name=one["function"]["name"], arguments=one["function"]["arguments"])
        for one in map(fields, items(told.get("tool_calls")))
    ]
    return Message(
        role=told["role"],
        content=told.get("content") or "",
        tool_calls=tuple(made),
        tool_call_id=told.get("tool_call_id"),
    )


async def _again(
    past: Past, model: Model, instructions: str | None, recording: str | None, offline: bool
) -> tuple[str | None, Outcome]:
    messages = past.chat.messages
    if instructions is not None:
        rest = tuple(one for one in messages if one.role not in ("system", "developer"))
        messages = (Message.system(instructions), *rest)
    question = past.chat.model_copy(update={"model": model, "messages": messages, "recording": _OFF})
    if recording is not None:
        try:
            return await _answered(question, Recording(url=recording, mode="replay"))
        except NotRecorded:
            if offline:
                return None, Outcome(engine=model.engine, error="NotRecorded")
    elif offline:
        return None, Outcome(engine=model.engine, error="NotRecorded")
    return await _answered(question, Recording(url=recording, mode="record") if recording is not None else _OFF)


async def _answered(question: Chat, recording: Recording) -> tuple[str | None, Outcome]:
    engine = question.model.engine
    try:
        answer = await chat(question.model_copy(update={"recording": recording}))
    except NotRecorded:
        raise
    except ModelError as error:
        return None, Outcome(engine=engine, error=type(error).__name__, usage=error.spent or Usage())
    except ModelUnavailable as error:
        return None, Outcome(engine=engine, error=type(error).__name__)
    return answer.text, Outcome(engine=engine, usage=answer.usage)


def _scores(scorers: Mapping[str, Scorer], past: Past, text: str | None) -> dict[str, float]:
    return {name: scorer(past, text) if text is not None else 0.0 for name, scorer in scorers.items()}


def _good(past: Past, text: str) -> float:
    return 1.0


def _agreement(past: Past, text: str) -> float:
    return difflib.SequenceMatcher(None, (past.text or "").split(), text.split(), autojunk=False).ratio()


def _row(outcomes: Sequence[Outcome]) -> Row:
    errors = Counter(one.error for one in outcomes if one.error is not None)
    names = dict.fromkeys(name for one in outcomes for name in one.scores)
    return Row(
        engine=", ".join(dict.fromkeys(one.engine for one in outcomes)),
        calls=len(outcomes),
        answered=sum(one.error is None for one in outcomes),
        errors=dict(sorted(errors.items())),
        usage=sum((one.usage for one in outcomes), Usage()),
        scores={name: sum(one.scores[name] for one in outcomes) / len(outcomes) for name in names},
    )


_OFF: Final = Recording(url="", mode="off")
