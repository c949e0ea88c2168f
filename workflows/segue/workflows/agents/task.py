"""What an agent is given and what it returns, as values that travel: also to another workflow, or to its next run."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeVar

from segue.activities.agents import ToolAnswer
from segue.activities.generation.functions import FUNCTION_PATH
from segue.activities.llm import Model, Usage
from segue.activities.objects import ObjectPrefix, ObjectRef
from segue.workflows.agents.tools import AgentTool
from segue.workflows.generation.budget import Budget

__all__ = ["AgentResult", "AgentTask", "FinishReason", "Progress"]

T = TypeVar("T", default=Any)

FinishReason = Literal["answered", "attempts", "tokens", "cost", "wall_time", "stopped", "model_failed"]
"""Why an agent ended: it has answered, a bound of its budget is reached (`attempts` counts its turns), somebody stopped
it, or its model failed."""


class Progress(BaseModel):
    """How far an agent has come: what its next turn needs.

    Attributes:
        transcript: What was said.
        answers: What tools have answered since.
        prompt: What is to be said to the model.
        turns: How many turns it has had.
        calls: How many tools it has had called.
        usage: What it has spent, and what its children have.
        began: When it began.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    transcript: ObjectRef
    answers: tuple[ToolAnswer, ...] = ()
    prompt: str = ""
    turns: int = 0
    calls: int = 0
    usage: Usage = Usage()
    began: datetime


class AgentTask(BaseModel):
    """What an agent is to do: the argument of the workflow `Agent`.

    Attributes:
        task: What is asked for. Text is in the history, as this argument; an object's is not.
        store: Object URL prefix under which the transcript is kept.
        model: Who it is.
        tools: What it may call.
        instructions: How it is to go about it.
        output: The type of its answer, as `module:name`; empty for text.
        budget: What may be spent; `attempts` are its turns.
        transcript: What was said before, to go on from.
        name: What it is called on the operator's screens.
        maximum_tokens: Bound on each turn.
        temperature: How far it may stray.
        turns_a_run: After how many turns the workflow continues as new; sooner if the server suggests it.
        progress: How far it has come in earlier runs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    task: str | ObjectRef
    store: ObjectPrefix
    model: Model
    tools: tuple[AgentTool, ...] = ()
    instructions: str = ""
    output: str = Field(default="", pattern=f"^$|{FUNCTION_PATH}")
    budget: Budget = Budget(attempts=20)
    transcript: ObjectRef | None = None
    name: str = "agent"
    maximum_tokens: int | None = Field(default=None, gt=0)
    temperature: float | None = Field(default=None, ge=0)
    turns_a_run: int = Field(default=200, ge=1)
    progress: Progress | None = None


class AgentResult(BaseModel, Generic[T]):
    """What came of an agent.

    Attributes:
        output: The object of its answer; None if it has none.
        value: The answer itself, where the agent has an output type.
        transcript: What was said: give it to another agent to go on from there.
        finish_reason: Why it ended.
        turns: How many turns it had.
        calls: How many tools it had called.
        usage: What it spent, and what its children did that came to an end.
        engine: Which model.
        problem: What its model's error says, if that ended it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    output: ObjectRef | None = None
    value: T | None = None
    transcript: ObjectRef
    finish_reason: FinishReason
    turns: int
    calls: int
    usage: Usage = Usage()
    engine: str
    problem: str = ""
