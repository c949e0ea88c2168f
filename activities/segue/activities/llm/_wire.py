"""The OpenAI-compatible protocol: a question as the body of a request, and an answer out of the JSON that comes back.

What servers differ in is tolerated where its meaning is plain: content as a list of parts, a missing id of a tool call,
arguments as an object in place of a text, counts of tokens under the other name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pydantic_core

from segue.activities.llm._json import canonical, digest_of, fields, is_count, items
from segue.activities.llm._messages import Message, ToolCall
from segue.activities.llm._models import Model
from segue.activities.llm._requests import Chat
from segue.activities.llm._schemas import is_strict
from segue.activities.llm._usage import Usage
from segue.activities.objects import ObjectRef, read

__all__ = ["Prompt", "Reply", "Way", "body", "rendered", "reply_of", "text_of", "usage_of"]

Way = Literal["text", "json_schema", "json_object", "prompt"]
"""How a server is asked for its answer: as text, or for JSON in one of three ways."""

_INSTRUCTION = (
    "Answer with one JSON value that conforms to this JSON schema, and with nothing else: no explanation, no "
    "Markdown.\n"
)


@dataclasses.dataclass(frozen=True)
class Prompt:
    """A question with its texts in place, which is the same whichever model is asked.

    Attributes:
        messages: The conversation, as the protocol has it.
        asked: All that was asked, as JSON.
        digest: SHA-256 of that.
        words: All texts in one, their white space single: what may be repeated in no error.
    """

    messages: list[dict[str, Any]]
    asked: bytes
    digest: str
    words: str


@dataclasses.dataclass
class Reply:
    """What came back.

    Attributes:
        text: The content.
        tool_calls: The tools that the model wishes to have called.
        finish_reason: Why it ended; empty if the server does not say.
        usage: The tokens, without their price; None if the server does not say.
        model: The model, as the server names it; empty if it does not.
        refusal: What the model said in place of an answer.
    """

    text: str = ""
    tool_calls: list[ToolCall] = dataclasses.field(default_factory=list[ToolCall])
    finish_reason: str = ""
    usage: Usage | None = None
    model: str = ""
    refusal: str = ""


async def rendered(chat: Chat) -> Prompt:
    """Return a question with the texts of its objects in place.

    Raises:
        ObjectChanged: An object is not the one referred to. Likewise the other errors of `segue.activities.objects`.
    """
    messages = [await _rendered(message) for message in chat.messages]
    asked = canonical(
        {
            "messages": messages,
            "tools": [tool.model_dump(mode="json") for tool in chat.tools],
            "tool_choice": chat.tool_choice if chat.tools else None,
            "output_schema": chat.output_schema,
            "schema_name": chat.schema_name if chat.output_schema is not None else None,
            "maximum_tokens": chat.maximum_tokens,
            "temperature": chat.temperature,
            "seed": chat.seed,
            "stop": chat.stop,
            "sample": chat.sample,
        }
    )
    words = " ".join(" ".join(str(message["content"] or "") for message in messages).split())
    return Prompt(messages, asked, digest_of(asked), words)


def body(model: Model, chat: Chat, prompt: Prompt, way: Way) -> dict[str, Any]:
    """Return the body of the request."""
    messages = prompt.messages
    if way in ("json_object", "prompt"):
        messages = _instructed(messages, chat.output_schema or {})
    made: dict[str, Any] = {"model": model.name, "messages": messages}
    if chat.tools:
        made["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    **({"description": tool.description} if tool.description else {}),
                    "parameters": tool.parameters,
                },
            }
            for tool in chat.tools
        ]
        named = chat.tool_choice not in ("auto", "required", "none")
        made["tool_choice"] = (
            {"type": "function", "function": {"name": chat.tool_choice}} if named else chat.tool_choice
        )
    if way == "json_schema":
        schema = {"name": chat.schema_name, "schema": chat.output_schema, "strict": is_strict(chat.output_schema)}
        made["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif way == "json_object":
        made["response_format"] = {"type": "json_object"}
    if chat.maximum_tokens is not None:
        made[model.limit_field] = chat.maximum_tokens
    if chat.temperature is not None:
        made["temperature"] = chat.temperature
    if chat.seed is not None:
        made["seed"] = chat.seed
    if chat.stop:
        made["stop"] = list(chat.stop)
    if model.streams:
        made |= {"stream": True, "stream_options": {"include_usage": True}}
    return made | dict(model.options)


def reply_of(answer: Any) -> Reply:
    """Return what a whole answer says.

    Raises:
        ValueError: It is no answer of this protocol.
    """
    told = fields(answer)
    choices = items(told.get("choices"))
    choice = fields(choices[0]) if choices else {}
    if "message" not in choice:
        raise ValueError("it holds no message")
    said = fields(choice["message"])
    return Reply(
        text=text_of(said.get("content")),
        tool_calls=[_tool_call(one, number) for number, one in enumerate(items(said.get("tool_calls")))],
        finish_reason=str(choice.get("finish_reason") or ""),
        usage=usage_of(told.get("usage")),
        model=str(told.get("model") or ""),
        refusal=text_of(said.get("refusal")),
    )


def usage_of(counts: Any) -> Usage | None:
    """Return the tokens that an answer says it took; None if it does not."""
    told = fields(counts)
    read = told.get("prompt_tokens", told.get("input_tokens"))
    written = told.get("completion_tokens", told.get("output_tokens", 0))
    if not is_count(read) or not is_count(written):
        return None
    details = fields(told.get("prompt_tokens_details") or told.get("input_tokens_details"))
    cached = details.get("cached_tokens")
    return Usage(
        input_tokens=read,
        output_tokens=written,
        cached_input_tokens=min(cached, read) if is_count(cached) else 0,
        cost_usd=None,
        calls=1,
    )


def text_of(content: Any) -> str:
    """Return the text of a message's content: as it is, or of its parts."""
    if isinstance(content, str):
        return content
    return "".join(text_of(fields(part).get("text")) for part in items(content))


def _tool_call(call: Any, number: int) -> ToolCall:
    given = fields(call)
    function = fields(given.get("function"))
    arguments = function.get("arguments", "{}")
    return ToolCall(
        id=str(given.get("id") or f"call_{number}"),
        name=str(function.get("name") or ""),
        arguments=arguments if isinstance(arguments, str) else pydantic_core.to_json(arguments).decode(),
    )


async def _rendered(message: Message) -> dict[str, Any]:
    texts = [part if isinstance(part, str) else await _read(part) for part in message.parts]
    made: dict[str, Any] = {"role": message.role, "content": "".join(texts)}
    if message.tool_calls:
        made["content"] = made["content"] or None
        made["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        made["tool_call_id"] = message.tool_call_id
    return made


async def _read(ref: ObjectRef) -> str:
    return (await read(ref)).decode()


def _instructed(messages: Sequence[dict[str, Any]], schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the messages with the schema among the instructions."""
    instruction = _INSTRUCTION + canonical(schema).decode()
    first, *others = messages
    if first["role"] in ("system", "developer"):
        return [{**first, "content": f"{first['content']}\n\n{instruction}"}, *others]
    return [{"role": "system", "content": instruction}, *messages]
