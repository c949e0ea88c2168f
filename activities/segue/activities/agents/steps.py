"""The steps of an agent: to begin a conversation, and to have a model take a turn in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from segue.activities import llm, objects
from segue.activities.agents.transcript import Transcript, opened_transcript, written
from segue.activities.generation.brief import put, text_of
from segue.activities.generation.steps import llm_store, spent
from segue.activities.llm import Message, Model, Tool, ToolCall, Usage
from segue.activities.objects import ObjectPrefix, ObjectRef
from segue.activities.policy import Policy
from segue.activities.system import System

__all__ = [
    "ACTIVITIES",
    "Append",
    "Begin",
    "ToolAnswer",
    "Turn",
    "Turned",
    "append",
    "begin",
    "shortened",
    "system",
    "taken",
    "turn",
]

system = System("agents", policy=Policy())
"""What an agent does without a model: on the queue of the workflow that calls it."""

_MODEL = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

# What a model is shown of one tool's answer: about 8,000 tokens.
_SHOWN_CHARACTERS: Final = 32_000

# What a model may wish for in one turn goes into the history, whose values end at 2 MB, and again to the tools.
_CALLS_BYTES: Final = 500_000
_CALLS: Final = 100
_NAME_CHARACTERS: Final = 64


class Begin(BaseModel):
    """Begin a conversation.

    Attributes:
        task: What the agent is to do, as text or as the object that holds it.
        instructions: How it is to do it.
        store: Object URL prefix.
    """

    model_config = _MODEL

    task: str | ObjectRef
    instructions: str = ""
    store: ObjectPrefix


class ToolAnswer(BaseModel):
    """What a tool has answered.

    Attributes:
        call: Id of the call.
        content: The answer: a text, or the object that holds it, whose text the model is shown.
    """

    model_config = _MODEL

    call: str
    content: str | ObjectRef


class Append(BaseModel):
    """Write down what tools have answered, without a further turn.

    Attributes:
        transcript: What was said so far.
        answers: What tools have answered since.
        store: Object URL prefix.
    """

    model_config = _MODEL

    transcript: ObjectRef
    answers: tuple[ToolAnswer, ...]
    store: ObjectPrefix


class Turn(BaseModel):
    """Have a model take a turn.

    Attributes:
        transcript: What was said so far.
        answers: What tools have answered since, one for each call of the turn before.
        prompt: What is said to the model, where it is its turn without any call: that its answer could not be used.
        model: The model.
        tools: What it may call.
        store: Object URL prefix.
        name: What the step is about, for whoever looks.
        maximum_tokens: Bound on what it says.
        temperature: How far it may stray.
    """

    model_config = _MODEL

    transcript: ObjectRef
    answers: tuple[ToolAnswer, ...] = ()
    prompt: str = ""
    model: Model
    tools: tuple[Tool, ...] = ()
    store: ObjectPrefix
    name: str = ""
    maximum_tokens: int | None = Field(default=None, gt=0)
    temperature: float | None = Field(default=None, ge=0)


class Turned(BaseModel):
    """What a model did with its turn.

    Attributes:
        transcript: What was said so far, this turn with it; without it where the model failed.
        calls: The tools that it wishes to have called, each with an id of its own.
        unfit: Of the calls that are too large to be carried, whose arguments are left out: what the model is told.
        output: The object of what it said, where it wishes for no tool: its answer.
        usage: What it took.
        engine: Which model.
        failure: Type of the model's error.
        problem: What that error says.
    """

    model_config = _MODEL

    transcript: ObjectRef
    calls: tuple[ToolCall, ...] = ()
    unfit: dict[str, str] = {}
    output: ObjectRef | None = None
    usage: Usage = Usage()
    engine: str
    failure: str | None = None
    problem: str = ""


@system.activity(name="segue.agents.begin")
async def begin(request: Begin) -> ObjectRef:
    """Begin a conversation, and return its object."""
    task = request.task if isinstance(request.task, str) else await text_of(request.task)
    messages = [Message.user(task)]
    if request.instructions:
        messages.insert(0, Message.system(request.instructions))
    return await written(request.store, Transcript(messages=tuple(messages)))


@system.activity(name="segue.agents.append")
async def append(request: Append) -> ObjectRef:
    """Write down what tools have answered, and return the conversation's object."""
    before = await opened_transcript(request.transcript)
    said = [*before.messages, *[await _shown(answer) for answer in request.answers]]
    return await written(request.store, Transcript(messages=tuple(said)))


@llm.system.activity(name="segue.agents.turn")
async def turn(request: Turn) -> Turned:
    """Have a model take a turn."""
    before = await opened_transcript(request.transcript)
    said = [*before.messages, *[await _shown(answer) for answer in request.answers]]
    if request.prompt:
        said.append(Message.user(request.prompt))
    engine = request.model.engine
    try:
        answer = await llm.chat(
            llm.Chat(
                model=request.model,
                messages=tuple(said),
                tools=request.tools,
                maximum_tokens=request.maximum_tokens,
                temperature=request.temperature,
                store=llm_store(request.store),
            )
        )
    except llm.ModelError as error:
        ref = await written(request.store, Transcript(messages=tuple(said)))
        return Turned(
            transcript=ref, usage=spent(error), engine=engine, failure=error.type, problem=error.message[:500]
        )
    calls, unfit = taken(answer.tool_calls)
    said.append(Message.assistant(answer.text, tool_calls=calls))
    output = None if calls else await put(request.store, "outputs", answer.text.strip(), "txt")
    return Turned(
        transcript=await written(request.store, Transcript(messages=tuple(said))),
        calls=calls,
        unfit=unfit,
        output=output,
        usage=answer.usage,
        engine=engine,
    )


ACTIVITIES: Final[tuple[Callable[..., Any], ...]] = (begin, turn, append)
"""What a worker needs that runs `segue.workflows.agent`, beside the agent's tools."""


def taken(calls: Sequence[ToolCall]) -> tuple[tuple[ToolCall, ...], dict[str, str]]:
    """Return what a model wished for as it can be carried, and what it is told of what cannot, by the calls' ids.

    An id that is missing, long or there already is another's answer to whoever reads the conversation: such a call gets
    one of its own. What is too long is left out, and said; so are calls after the hundredth, which are not said.
    """
    found: list[ToolCall] = []
    unfit: dict[str, str] = {}
    ids = {call.id for call in calls}
    used: set[str] = set()
    left = _CALLS_BYTES
    for number, call in enumerate(calls[:_CALLS], 1):
        id = call.id
        if not id or id in used or len(id) > _NAME_CHARACTERS:
            id = f"call-{number}"
            while id in ids or id in used:
                id += "-again"
        used.add(id)
        size = len(call.model_dump_json())
        if size > left:
            unfit[id] = f"Not called: what you sent is too large, {size:,} bytes of {left:,} that this turn has left."
            found.append(ToolCall(id=id, name=call.name[:_NAME_CHARACTERS]))
        else:
            left -= size
            found.append(call.model_copy(update={"id": id}))
    return tuple(found), unfit


def shortened(text: str, most: int = _SHOWN_CHARACTERS) -> str:
    """Return a text as a model is shown it: cut where it is longer than a prompt takes, which is then said."""
    if len(text) <= most:
        return text
    # What was cut before is not cut again for what was said of it.
    kept = max(most - 100, 0)
    return f"{text[:kept]}\n[cut: {len(text) - kept:,} more characters]"


async def _shown(answer: ToolAnswer) -> Message:
    """Return a tool's answer as a model is shown it: an object's text, cut where it is longer than a prompt takes."""
    text = answer.content if isinstance(answer.content, str) else await _text(answer.content)
    return Message(role="tool", content=shortened(text), tool_call_id=answer.call)


async def _text(ref: ObjectRef) -> str:
    try:
        return (await objects.read(ref)).decode()
    except UnicodeDecodeError:
        return ref.model_dump_json()
