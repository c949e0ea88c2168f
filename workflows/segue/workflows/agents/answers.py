"""What passes between an agent's model and its tools: answers as a model is shown them, and the schema of its own."""

from __future__ import annotations

from typing import Any, Final

import pydantic_core

from segue.activities.agents import steps
from segue.activities.agents.steps import ToolAnswer
from segue.activities.llm import schema_of
from segue.activities.objects import ObjectRef
from segue.workflows.agents.task import AgentResult

__all__ = ["content", "fitting", "object_schema", "unwrapped"]

# Bytes that JSON makes of one character at most.
_MOST_ESCAPED: Final = 6


def content(result: Any) -> str | ObjectRef:
    """Return what a model is shown of a tool's result: a text as it is, an object's text, else JSON."""
    if isinstance(result, AgentResult):
        return _told(result)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(result, ObjectRef):
        return result
    if isinstance(result, str):
        return steps.shortened(result)
    return "done" if result is None else steps.shortened(pydantic_core.to_json(result).decode())


def fitting(answer: ToolAnswer, most: int) -> ToolAnswer:
    """Return an answer that takes no more than so many bytes of the history."""
    text = answer.content
    if isinstance(text, ObjectRef) or len(pydantic_core.to_json(text)) <= most:
        return answer
    return answer.model_copy(update={"content": steps.shortened(text, most // _MOST_ESCAPED)})


def _told(ended: AgentResult[Any]) -> str | ObjectRef:
    """Return what another agent has answered, or why it has not."""
    if ended.output is not None:
        return ended.output
    if ended.value is not None:
        return steps.shortened(pydantic_core.to_json(ended.value).decode())
    return f"It ended without an answer ({ended.finish_reason}). {ended.problem}".strip()


def object_schema(output: Any) -> dict[str, Any]:
    """Return the schema of an answer as a tool's parameters, which are an object always."""
    schema = schema_of(output)
    if schema.get("type") == "object":
        return schema
    definitions = schema.pop("$defs", None)
    wrapped: dict[str, Any] = {"type": "object", "properties": {"value": schema}, "required": ["value"]}
    return wrapped | ({"$defs": definitions} if definitions else {})


def unwrapped(output: Any, arguments: str) -> str | bytes:
    """Return an answer as JSON, out of the arguments with which it was given.

    Raises:
        ValueError: It is not among them.
    """
    if schema_of(output).get("type") == "object":
        return arguments
    value: Any = pydantic_core.from_json(arguments)
    if not isinstance(value, dict) or "value" not in value:
        raise ValueError("give it as `value`")
    return pydantic_core.to_json(value["value"])
