"""What a reply is worth: an answer, or one of the errors that say why it is none."""

from __future__ import annotations

import re
from typing import Final

import pydantic_core

from segue.activities.llm._conformity import problems
from segue.activities.llm._errors import (
    Filtered,
    InvalidOutput,
    ModelUnavailable,
    Refused,
    Truncated,
    UsageMissing,
    WrongModel,
)
from segue.activities.llm._models import Model
from segue.activities.llm._records import Call
from segue.activities.llm._requests import Chat
from segue.activities.llm._schemas import json_in
from segue.activities.llm._usage import Usage
from segue.activities.llm._wire import Prompt, Reply

__all__ = ["CHARACTERS_A_TOKEN", "checked", "recorded", "tokens_of"]

CHARACTERS_A_TOKEN: Final = 4
"""Of English in the vocabularies of the time; other languages and code take more tokens."""

# Servers that are not OpenAI's have words of their own for why an answer ended.
_TRUNCATED: Final = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
_FILTERED: Final = frozenset({"content_filter", "safety", "recitation", "prohibited_content", "blocklist", "spii"})
_VERSION: Final = re.compile(r"(?:[-@:](?:\d{3,}(?:-\d{2}){0,2}|\d{2}-\d{2}|v\d+(?:\.\d+)*|latest|preview|exp))+$")


def tokens_of(text: bytes | str) -> int:
    """Return how many tokens a text takes, roughly."""
    return len(text) // CHARACTERS_A_TOKEN + 1


def recorded(model: Model, prompt: Prompt, reply: Reply) -> Call:
    """Return a reply as it is recorded, with its tokens counted and priced."""
    counted = reply.usage or Usage(
        input_tokens=tokens_of(prompt.asked),
        output_tokens=tokens_of(reply.text + "".join(call.arguments for call in reply.tool_calls)),
        calls=1,
        estimated=True,
    )
    return Call(
        engine=model.engine,
        model=reply.model,
        prompt_digest=prompt.digest,
        text=reply.text,
        tool_calls=tuple(reply.tool_calls),
        finish_reason=reply.finish_reason or ("tool_calls" if reply.tool_calls else "stop"),
        refusal=reply.refusal,
        usage=counted.priced(model.price),
    )


def checked(chat: Chat, model: Model, call: Call) -> str:
    """Return the text of an answer; of one that is to be JSON, the JSON alone.

    Raises:
        Refused, Filtered, Truncated, InvalidOutput, WrongModel, UsageMissing: It is none. Each tells what it cost.
        ModelUnavailable: The server says that it failed while it answered.
    """
    named, engine, spent = f"Model {model.name!r}", model.engine, call.usage
    if call.usage.estimated and model.requires_usage:
        raise UsageMissing(
            f"{named} does not say how many tokens its answer took (requires_usage)", engine=engine, spent=spent
        )
    if not _is_the_same(model, call.model):
        raise WrongModel(
            f"{named} was asked, and {call.model[:80]!r} answered: correct the name, or allow it with answers_as",
            engine=engine,
            spent=spent,
        )
    reason = call.finish_reason.lower()
    if call.refusal:
        raise Refused(f"{named} refuses to answer", engine=engine, spent=spent)
    if reason in _FILTERED:
        raise Filtered(f"{named}: its server withheld the answer", engine=engine, spent=spent)
    if reason in _TRUNCATED:
        bound = f"its bound of {chat.maximum_tokens:,} tokens" if chat.maximum_tokens else "the server's bound"
        raise Truncated(
            f"{named}: the answer ends at {bound}, after {call.usage.output_tokens:,}: raise maximum_tokens, or ask "
            "for less",
            engine=engine,
            spent=spent,
        )
    if reason == "error":
        raise ModelUnavailable(f"{named}: its server failed while it answered", engine=engine)
    if chat.output_schema is None or call.tool_calls:
        return call.text
    found = json_in(call.text)
    wrong = (
        ("(value): is not JSON",)
        if found is None
        else problems(chat.output_schema, pydantic_core.from_json(found, allow_inf_nan=False))
    )
    if found is None or wrong:
        told = "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")
        raise InvalidOutput(
            f"{named} answered with what does not conform to the schema: {told}",
            problems=wrong,
            engine=engine,
            spent=spent,
        )
    return found


def _is_the_same(model: Model, answered: str) -> bool:
    """Return whether a server's name for a model is another for the one that was asked: dated, or with its path."""
    if not answered or "*" in model.answers_as:
        return True
    return any(_bare(name) == _bare(answered) for name in (model.name, *model.answers_as))


def _bare(name: str) -> str:
    last = name.lower().replace("\\", "/").rstrip("/").rpartition("/")[2]
    return _VERSION.sub("", last.removesuffix(".gguf"))
