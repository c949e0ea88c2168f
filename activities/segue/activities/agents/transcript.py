"""What an agent and its tools have said: one object, written anew under its own digest by each turn.

So a repeated attempt writes the same object, an earlier transcript stays what it was, and any of them can be gone on
from.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from segue.activities import objects
from segue.activities.generation.brief import put
from segue.activities.llm import Message
from segue.activities.objects import ObjectRef

__all__ = ["Transcript", "opened_transcript", "written"]


class Transcript(BaseModel):
    """A conversation.

    Attributes:
        version: Of this form.
        messages: What was said, in that order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    messages: tuple[Message, ...]


async def opened_transcript(ref: ObjectRef) -> Transcript:
    """Return the conversation of an object."""
    return Transcript.model_validate_json(await objects.read(ref))


async def written(store: str, transcript: Transcript) -> ObjectRef:
    """Write a conversation, and return its object."""
    return await put(store, "transcripts", transcript.model_dump_json(), "json")
