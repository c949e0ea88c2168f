"""A streamed answer, put together: server-sent events (the HTML standard, 9.2), each with a piece of the answer."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import pydantic_core

from segue.activities.llm._json import fields, is_count, items
from segue.activities.llm._messages import ToolCall
from segue.activities.llm._wire import Reply, text_of, usage_of

__all__ = ["Assembly", "events"]

_DONE = "[DONE]"


async def events(chunks: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """Yield the data of each event. A comment, such as servers send to keep a connection alive, is none."""
    lines: list[str] = []
    async for line in _lines(chunks):
        if line.startswith("data:"):
            lines.append(line[5:].removeprefix(" "))
        elif not line and lines:
            yield "\n".join(lines)
            lines = []
    if lines:
        yield "\n".join(lines)


class Assembly:
    """An answer as far as it has come.

    Attributes:
        reply: What there is of it.
        characters: How much has come.
        done: Whether the server has said that it is whole.
        error: What the server said went wrong; None if nothing did.
    """

    def __init__(self) -> None:
        self.reply = Reply()
        self.characters = 0
        self.done = False
        self.error: dict[str, Any] | None = None
        self._texts: list[str] = []
        self._refusals: list[str] = []
        self._calls: dict[int, dict[str, str]] = {}

    def take(self, data: str) -> None:
        """Add an event.

        Raises:
            ValueError: It is not JSON.
        """
        if data.strip() == _DONE:
            self.done = True
            return
        event = fields(pydantic_core.from_json(data, allow_inf_nan=False))
        if event.get("error"):
            self.error = fields(event["error"]) or {"message": str(event["error"])}
            return
        self.reply.model = str(event.get("model") or self.reply.model)
        self.reply.usage = usage_of(event.get("usage")) or self.reply.usage
        for choice in map(fields, items(event.get("choices"))):
            if not choice.get("index"):
                self._choice(choice)

    def whole(self) -> Reply:
        """Return the answer."""
        self.reply.text = "".join(self._texts)
        self.reply.refusal = "".join(self._refusals)
        self.reply.tool_calls = [
            ToolCall(id=call["id"] or f"call_{index}", name=call["name"], arguments=call["arguments"] or "{}")
            for index, call in sorted(self._calls.items())
        ]
        return self.reply

    def _choice(self, choice: dict[str, Any]) -> None:
        delta = fields(choice.get("delta") or choice.get("message"))
        text = text_of(delta.get("content"))
        self._texts.append(text)
        self.characters += len(text)
        self._refusals.append(text_of(delta.get("refusal")))
        for number, piece in enumerate(map(fields, items(delta.get("tool_calls")))):
            function = fields(piece.get("function"))
            index = piece.get("index")
            call = self._calls.setdefault(index if is_count(index) else number, {"id": "", "name": "", "arguments": ""})
            call["id"] = str(piece.get("id") or call["id"])
            call["name"] += str(function.get("name") or "")
            given = function.get("arguments") or ""
            arguments = given if isinstance(given, str) else pydantic_core.to_json(given).decode()
            call["arguments"] += arguments
            self.characters += len(arguments)
        if choice.get("finish_reason"):
            self.reply.finish_reason = str(choice["finish_reason"])


async def _lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """Yield lines, which end in a line feed, a carriage return, or both."""
    rest = b""
    async for chunk in chunks:
        # What ends in a carriage return may go on with the line feed that belongs to it.
        rest += chunk
        held = rest[-1:] == b"\r"
        parts = (rest[:-1] if held else rest).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        rest = parts.pop() + (b"\r" if held else b"")
        for part in parts:
            yield part.decode("utf-8", "replace")
    if rest:
        yield rest.rstrip(b"\r").decode("utf-8", "replace")
