"""A server on loopback that speaks the OpenAI-compatible protocol and answers as a test's script says, at its worst.

    async with scripted() as server:
        server.script("Paris")                                        # each question gets this
        server.script("first", dies("half an ans"), status(429, retry_after="1"), "last, and for ever")
        server.script(lambda asked: '{"quote": "' + asked.user[:20] + '"}')     # by function of the question
        ...
        completion = await workflow.execute_activity(llm.complete, Chat(model=server.model(), ...))
        assert (server.paid, len(server.asked)) == (1, 3)

A script is a row of turns, one for each question, the last one for all further questions. A turn is a text, a value
that becomes JSON (a dict, a list, a model), one of the acts below, or a function of the question that returns one.

    says(text)          an answer, with its finish reason, its usage and the model's name as wanted
    calls(name=...)     a wish to have tools called
    refuses()           a refusal; filtered() is one by the server; truncated(text) ends at the bound on tokens
    status(429, ...)    an error of HTTP, with Retry-After, code and message
    dies(text)          streams this, and resets the connection
    stalls(text)        streams this, and then nothing

`paid` counts the answers that a provider would charge for: each one for which the model wrote something, whether or not
it arrived. Whoever asks with a key finds in `asked` which.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import json
import math
import re
import zlib
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any, TypeAlias, cast

from pydantic import BaseModel
from tests.activities.http_server import Act, Exchange, Server, answer, raw, reset, serve, stall

from segue.activities.llm import Model, Price
from segue.activities.secrets import SecretRef

__all__ = [
    "Asked",
    "Says",
    "Scripted",
    "Turn",
    "calls",
    "dies",
    "filtered",
    "refuses",
    "says",
    "scripted",
    "stalls",
    "status",
    "truncated",
]

PRICE = Price(input=1.0, output=2.0)


@dataclasses.dataclass(frozen=True)
class Asked:
    """One question as it arrived.

    Attributes:
        number: From 1, in the order of arrival.
        body: The body of the request.
        headers: Its headers, by lower-case name.
    """

    number: int
    body: dict[str, Any]
    headers: Mapping[str, str]

    @property
    def model(self) -> str:
        return str(self.body["model"])

    @property
    def messages(self) -> list[dict[str, Any]]:
        return list(self.body["messages"])

    @property
    def system(self) -> str:
        """All instructions."""
        said = [str(one["content"]) for one in self.messages if one["role"] in ("system", "developer")]
        return "\n\n".join(said)

    @property
    def user(self) -> str:
        """What the user said last."""
        return str(next((one["content"] for one in reversed(self.messages) if one["role"] == "user"), ""))

    @property
    def last(self) -> dict[str, Any]:
        """The last message, which may be a tool's."""
        return self.messages[-1]

    @property
    def text(self) -> str:
        """Everything that was said."""
        return "\n".join(str(one.get("content") or "") for one in self.messages)

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON schema that was asked for in `response_format`."""
        found = self.body.get("response_format", {}).get("json_schema", {}).get("schema")
        return found if isinstance(found, dict) else None  # pyright: ignore[reportUnknownVariableType]

    @property
    def tools(self) -> list[str]:
        """Names of the tools on offer."""
        return [str(one["function"]["name"]) for one in self.body.get("tools", ())]

    @property
    def streams(self) -> bool:
        return bool(self.body.get("stream"))


@dataclasses.dataclass(frozen=True)
class Says:
    """An answer.

    Attributes:
        text: Its content.
        tool_calls: Names and arguments; arguments given as a text go out as they are, valid or not.
        finish_reason: Why it ended; None for what fits.
        refusal: What is said in place of an answer.
        usage: Tokens read and written; None to count words; False to say nothing.
        model: What the server calls the model; None for what it was called.
        then: What follows what was said: the end, a reset, or silence.
    """

    text: str = ""
    tool_calls: tuple[tuple[str, Any], ...] = ()
    finish_reason: str | None = None
    refusal: str | None = None
    usage: tuple[int, int] | bool | None = None
    model: str | None = None
    then: str = "end"

    @property
    def finish(self) -> str:
        return self.finish_reason or ("tool_calls" if self.tool_calls else "stop")


@dataclasses.dataclass(frozen=True)
class Status:
    """An error of HTTP."""

    act: Act


Turn: TypeAlias = "str | Says | Status | Mapping[str, Any] | list[Any] | BaseModel | Callable[[Asked], Any]"


def says(
    text: str,
    *,
    finish_reason: str | None = None,
    usage: tuple[int, int] | bool | None = None,
    model: str | None = None,
) -> Says:
    """An answer in full."""
    return Says(text, finish_reason=finish_reason, usage=usage, model=model)


def calls(*tool_calls: tuple[str, Any], text: str = "") -> Says:
    """A wish to have tools called: `calls(("search", {"query": "rent"}))`."""
    return Says(text, tool_calls=tool_calls)


def refuses(words: str = "I cannot help with that.") -> Says:
    """A refusal of the model's."""
    return Says(refusal=words)


def filtered(text: str = "") -> Says:
    """An answer that the server withholds."""
    return Says(text, finish_reason="content_filter")


def truncated(text: str) -> Says:
    """An answer that ends at its bound on tokens."""
    return Says(text, finish_reason="length")


def dies(text: str = "") -> Says:
    """The connection is reset after this; where nothing was said, before any answer."""
    return Says(text, then="reset")


def stalls(text: str = "") -> Says:
    """Nothing comes after this until somebody gives up."""
    return Says(text, then="stall")


def status(
    code: int, *, retry_after: str | None = None, error: str = "", message: str = "", body: str | None = None
) -> Status:
    """An error of HTTP: its status, `Retry-After`, and the provider's code and words; or any body."""
    told = {"error": {"code": error or None, "type": "error", "message": message}}
    content = json.dumps(told) if body is None else body
    headers = {"content-type": "application/json"} | ({"retry-after": retry_after} if retry_after is not None else {})
    return Status(answer(code, content, headers=headers))


class Scripted:
    """The server.

    Attributes:
        url: Its base URL, such as `http://127.0.0.1:12345/v1`.
        asked: The questions, in the order of their arrival.
        paid: How many answers would be charged for.
        embedded: How many texts were embedded.
        takes: Which kinds of `response_format` it takes; any other is refused as many servers refuse it.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.url = f"{server.url}/v1"
        self.asked: list[Asked] = []
        self.paid = 0
        self.embedded = 0
        self.takes = {"text", "json_object", "json_schema"}
        self._turns: list[Turn] = ["An answer."]
        server.on("/v1/chat/completions", self.chat)
        server.on("/v1/embeddings", self._embed)

    def script(self, *turns: Turn) -> None:
        """Say what the next questions get, one turn each, the last one for ever."""
        self._turns = list(turns)

    def raw(self, data: bytes) -> None:
        """Say what every question gets, to the byte, the head of the answer included."""
        self.server.on("/v1/chat/completions", raw(data))

    def model(self, name: str = "scripted-1", **fields: Any) -> Model:
        """The model, as a program declares it, with a price of $1 and $2 for a million tokens."""
        return Model.model_validate({"name": name, "base_url": self.url, "price": PRICE} | fields)

    def guarded(self, name: str = "scripted-1", variable: str = "SCRIPTED_KEY", **fields: Any) -> Model:
        """The same with a key, which the worker finds in a variable of its environment."""
        return self.model(name, key=SecretRef(f"env:{variable}"), **fields)

    async def received(self, count: int) -> None:
        """Wait until so many requests have arrived."""
        await self.server.received(count)

    async def chat(self, exchange: Exchange) -> bool:
        """Answer one question: for a test that serves it at another address."""
        asked = Asked(len(self.asked) + 1, json.loads(exchange.request.body), dict(exchange.request.headers))
        self.asked.append(asked)
        kind = asked.body.get("response_format", {}).get("type", "text")
        if kind not in self.takes:
            refused = status(400, error="unsupported_value", message=f"response_format {kind} is not supported here")
            return await refused.act(exchange)
        turn = self._turns.pop(0) if len(self._turns) > 1 else self._turns[0]
        while callable(turn) and not isinstance(turn, BaseModel):
            made = turn(asked)
            turn = cast("Turn", await made if inspect.isawaitable(made) else made)
        if isinstance(turn, Status):
            return await turn.act(exchange)
        said = turn if isinstance(turn, Says) else Says(_text(turn))
        if said.text or said.tool_calls or said.refusal or said.then == "end":
            self.paid += 1
        return await (_stream if asked.streams else _whole)(exchange, asked, said)

    async def _embed(self, exchange: Exchange) -> bool:
        body = json.loads(exchange.request.body)
        texts: list[str] = body["input"] if isinstance(body["input"], list) else [body["input"]]
        self.embedded += len(texts)
        data = [{"index": index, "embedding": vector(text)} for index, text in enumerate(texts)]
        counts = sum(map(_words, texts))
        told = {"data": data, "model": body["model"], "usage": {"prompt_tokens": counts, "total_tokens": counts}}
        return await answer(json=told)(exchange)


@contextlib.asynccontextmanager
async def scripted() -> AsyncGenerator[Scripted]:
    """A scripted server on a free port of loopback."""
    async with serve() as server:
        yield Scripted(server)


def vector(text: str, size: int = 32) -> list[float]:
    """A vector by which texts with words in common are near each other."""
    counts = [0.0] * size
    for word in re.findall(r"\w+", text.lower()):
        counts[zlib.crc32(word.encode()) % size] += 1
    length = math.sqrt(sum(count * count for count in counts)) or 1.0
    return [count / length for count in counts]


def _text(turn: Any) -> str:
    if isinstance(turn, str):
        return turn
    return turn.model_dump_json() if isinstance(turn, BaseModel) else json.dumps(turn)


def _words(text: str) -> int:
    return len(text.split())


def _name(asked: Asked, said: Says) -> str:
    return said.model if said.model is not None else asked.model


def _usage(asked: Asked, said: Says) -> dict[str, int] | None:
    if said.usage is False:
        return None
    if isinstance(said.usage, tuple):
        read, written = said.usage
    else:
        read, written = _words(asked.text), _words(said.text) + len(said.tool_calls)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _tool_calls(said: Says) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call-{number}",
            "index": number,
            "type": "function",
            "function": {"name": name, "arguments": given if isinstance(given, str) else json.dumps(given)},
        }
        for number, (name, given) in enumerate(said.tool_calls)
    ]


async def _whole(exchange: Exchange, asked: Asked, said: Says) -> bool:
    message: dict[str, Any] = {"role": "assistant", "content": said.text or None, "refusal": said.refusal}
    if said.tool_calls:
        message["tool_calls"] = _tool_calls(said)
    told = {
        "id": f"chatcmpl-{asked.number}",
        "object": "chat.completion",
        "model": _name(asked, said),
        "choices": [{"index": 0, "message": message, "finish_reason": said.finish}],
        "usage": _usage(asked, said),
    }
    if said.then == "end":
        return await answer(json=told)(exchange)
    half = json.dumps(told)[: len(said.text) and 40]
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n{half}".encode()
    return await (reset if said.then == "reset" else stall)(head if half else b"")(exchange)


async def _stream(exchange: Exchange, asked: Asked, said: Says) -> bool:
    nothing = not (said.text or said.tool_calls or said.refusal)
    if said.then != "end" and nothing:
        return await (reset() if said.then == "reset" else stall())(exchange)
    await exchange.head(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})

    async def event(data: str) -> None:
        content = f"data: {data}\n\n".encode()
        await exchange.send(f"{len(content):x}\r\n".encode() + content + b"\r\n")

    async def chunk(delta: dict[str, Any], finish_reason: str | None = None) -> None:
        told = {
            "id": f"chatcmpl-{asked.number}",
            "object": "chat.completion.chunk",
            "model": _name(asked, said),
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
        }
        await event(json.dumps(told))

    await chunk({"role": "assistant", "content": ""})
    for piece in re.findall(r"\s*\S+\s*", said.text) or ([said.text] if said.text else []):
        await chunk({"content": piece})
    if said.refusal:
        await chunk({"refusal": said.refusal})
    for call in _tool_calls(said):
        arguments = call["function"]["arguments"]
        await chunk({"tool_calls": [{**call, "function": {"name": call["function"]["name"], "arguments": ""}}]})
        size = max(7, len(arguments) // 500)
        for start in range(0, len(arguments), size):
            piece = arguments[start : start + size]
            await chunk({"tool_calls": [{"index": call["index"], "function": {"arguments": piece}}]})
    if said.then == "reset":
        return await reset()(exchange)
    if said.then == "stall":
        return await stall()(exchange)
    await chunk({}, said.finish)
    usage = _usage(asked, said)
    if usage is not None and asked.body.get("stream_options", {}).get("include_usage"):
        await event(json.dumps({"model": _name(asked, said), "choices": [], "usage": usage}))
    await event("[DONE]")
    await exchange.send(b"0\r\n\r\n")
    return True
