"""What a model is asked, and what comes back: values that travel as arguments and results of steps."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from segue.activities import faithful
from segue.activities.llm._errors import MODEL_ERRORS
from segue.activities.llm._messages import Message, Tool, ToolCall
from segue.activities.llm._models import Model
from segue.activities.llm._records import Recording
from segue.activities.llm._usage import Usage
from segue.activities.objects import ObjectPrefix, ObjectRef

__all__ = ["FALL_BACK_ON", "Answer", "Chat", "Completion", "Keep"]

T = TypeVar("T")

FALL_BACK_ON: Final = (
    "ModelUnavailable",
    "ModelNotFound",
    "QuotaExceeded",
    "ContextTooLong",
    "SchemaUnsupported",
)
"""The errors after which another model is asked unless the caller says otherwise: those in which the first has said
nothing. A refusal or a bad answer is an answer, of which its caller decides."""

Keep = Literal["reference", "inline", "digest"]
"""Where texts are kept: in objects, of which the history holds references; in the history; or nowhere, only their
digests."""

_MODEL = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Chat(BaseModel):
    """One question to a model.

    Attributes:
        model: The model.
        messages: The conversation so far.
        tools: What the model may ask to have called.
        tool_choice: Whether it may ("auto"), must ("required") or must not ("none"), or the name of the one it must.
        output_schema: JSON schema of the answer, which is then checked against it; `schema_of` makes one of a type.
        schema_name: What the schema is called, for the model.
        maximum_tokens: Bound on the answer's tokens; None for the server's.
        temperature: How far the answer may stray; None for the server's default.
        seed: Makes answers repeatable, as far as the server keeps to it.
        stop: Texts at which the answer ends.
        sample: Tells apart questions that are alike and still want an answer each: the candidates of a generation.
        keep: Where prompt and answer are kept.
        store: Object URL prefix under which they are kept, and under which a paid answer is found again after a crash.
        timeout: Longest time for the call; by default what is left of the step's attempt.
        key: Stands for this call in place of the step's own idempotency key: under it a paid answer is found again.
        fallbacks: Models that are asked in its place, in this order, where one has failed with an error that leads on.
        fall_back_on: Which errors lead on, by their classes' names; a class stands for those below it.
        recording: Where answers are recorded, or replayed from; by default what the worker's environment says.
    """

    model_config = _MODEL

    model: Model
    messages: Annotated[tuple[Message, ...], Field(min_length=1)]
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    output_schema: Mapping[str, Any] | None = None
    schema_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = "answer"
    maximum_tokens: Annotated[int, Field(gt=0)] | None = None
    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    sample: Annotated[int, Field(ge=0)] = 0
    keep: Keep = "reference"
    store: ObjectPrefix | None = None
    timeout: Annotated[timedelta, Field(gt=timedelta(0))] | None = None
    key: Annotated[str, Field(min_length=1)] | None = None
    fallbacks: tuple[Model, ...] = ()
    fall_back_on: tuple[str, ...] = FALL_BACK_ON
    recording: Recording | None = None

    @field_validator("fall_back_on")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in MODEL_ERRORS:
                raise ValueError(f"names {name!r}, which is none of {', '.join(sorted(MODEL_ERRORS))}")
        return names

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        if self.keep == "reference" and self.store is None:
            raise ValueError(
                "keep='reference' needs store=, the object URL prefix where texts are kept: give one, or choose "
                "keep='inline', which puts the answer into the history, or keep='digest', which keeps it nowhere"
            )
        return self


class Completion(BaseModel):
    """An answer, as far as a history holds it.

    Attributes:
        text: The answer, with `keep="inline"`.
        text_ref: The object that holds it, with `keep="reference"`.
        digest: SHA-256 of its UTF-8.
        tool_calls: The tools that the model wishes to have called.
        finish_reason: Why it ended, in the server's word: "stop", "tool_calls".
        usage: What it took.
        model: The model, as its server names it.
        engine: Which engine made it: the model's label, or its name.
        prompt_digest: SHA-256 of the request, but for the model.
        prompt_ref: The object that holds the request, with `keep="reference"`.
        instead_of: The models that were asked before it and failed, each with the error: `big: ContextTooLong`. What
            they took is in `usage`.
        reused: Whether it was paid for before: found after a crash, or recorded.
    """

    model_config = _MODEL

    text: str | None = None
    text_ref: ObjectRef | None = None
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str
    usage: Usage
    model: str
    engine: str
    prompt_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    prompt_ref: ObjectRef | None = None
    instead_of: tuple[str, ...] = ()
    reused: bool = False


class Answer:
    """An answer with its text, for the code of an activity. It cannot be sent: return its `completion`.

    Attributes:
        text: What the model said.
        completion: The same, as a history may hold it.
    """

    def __init__(self, text: str, completion: Completion) -> None:
        self.text = text
        self.completion = completion

    def __repr__(self) -> str:
        return f"Answer(engine={self.completion.engine!r}, digest={self.completion.digest!r})"

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tools that the model wishes to have called."""
        return self.completion.tool_calls

    @property
    def finish_reason(self) -> str:
        """Why the answer ended."""
        return self.completion.finish_reason

    @property
    def usage(self) -> Usage:
        """What it took."""
        return self.completion.usage

    @property
    def model(self) -> str:
        """The model, as its server names it."""
        return self.completion.model

    @property
    def engine(self) -> str:
        """Which engine made it."""
        return self.completion.engine

    def parsed(self, type: type[T]) -> T:
        """Return the text, which is JSON, as a type.

        Raises:
            pydantic.ValidationError: It is not of this type.
        """
        value: T = faithful.adapter(type).validate_json(self.text)
        return value
