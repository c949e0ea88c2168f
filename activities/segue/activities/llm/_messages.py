"""What is said to a model: messages, and the tools that it may ask to have called.

    Message.system("Answer in one sentence.")
    Message.user("Summarise this:\\n\\n", document_ref)      # the text of an object, read by the worker

Text that workflow code puts into a message stands in the run's history, as any argument does. What must not stand there
is given as a reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pydantic_core
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from segue.activities.objects import ObjectRef

__all__ = ["Content", "Message", "Role", "Tool", "ToolCall"]

Role = Literal["system", "developer", "user", "assistant", "tool"]
Content = str | ObjectRef | tuple[str | ObjectRef, ...]
"""A text, the object that holds it (UTF-8), or several of these, joined as they are."""

_MODEL = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ToolCall(BaseModel):
    """A model's wish to have a tool called.

    Attributes:
        id: What the tool's answer refers to.
        name: The tool.
        arguments: Its arguments, as the JSON text that the model wrote, which may be anything.
    """

    model_config = _MODEL

    id: str
    name: str
    arguments: str = "{}"

    @property
    def parsed(self) -> dict[str, Any]:
        """The arguments as an object.

        Raises:
            ValueError: They are not a JSON object.
        """
        value: Any = pydantic_core.from_json(self.arguments or "{}", allow_inf_nan=False)
        if not isinstance(value, dict):
            raise ValueError(f"the arguments of tool {self.name!r} are not a JSON object")
        return value  # pyright: ignore[reportUnknownVariableType]


class Tool(BaseModel):
    """A tool that a model may ask to have called.

    Attributes:
        name: Its name.
        description: What it does, for the model.
        parameters: JSON schema of its arguments, an object; `schema_of` makes one of a type.
    """

    model_config = _MODEL

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: str = ""
    parameters: Mapping[str, Any] = {"type": "object", "properties": {}}


class Message(BaseModel):
    """One message of a conversation.

    Attributes:
        role: Who says it.
        content: What is said.
        tool_calls: Of an assistant's message, the tools that it wished to have called.
        tool_call_id: Of a tool's message, the call that it answers.
    """

    model_config = _MODEL

    role: Role
    content: Content = ""
    tool_calls: tuple[ToolCall, ...] = Field(default=())
    tool_call_id: str | None = None

    @classmethod
    def system(cls, *parts: str | ObjectRef) -> Message:
        """Return an instruction."""
        return cls(role="system", content=_content(parts))

    @classmethod
    def user(cls, *parts: str | ObjectRef) -> Message:
        """Return what the model is asked."""
        return cls(role="user", content=_content(parts))

    @classmethod
    def assistant(cls, *parts: str | ObjectRef, tool_calls: tuple[ToolCall, ...] = ()) -> Message:
        """Return what a model has said."""
        return cls(role="assistant", content=_content(parts), tool_calls=tool_calls)

    @classmethod
    def tool(cls, call: ToolCall, *parts: str | ObjectRef) -> Message:
        """Return what a tool has answered."""
        return cls(role="tool", content=_content(parts), tool_call_id=call.id)

    @property
    def parts(self) -> tuple[str | ObjectRef, ...]:
        """The content's parts."""
        return self.content if isinstance(self.content, tuple) else (self.content,)


def _content(parts: tuple[str | ObjectRef, ...]) -> Content:
    return parts[0] if len(parts) == 1 else parts
