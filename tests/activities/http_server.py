"""A real HTTP server on loopback that does what a script says, misbehaviour included.

    async with serve() as server:
        server.on("/charge", answer(503, headers={"retry-after": "1"}), answer(200, json={"id": 7}))
        ...
        assert [request.header("idempotency-key") for request in server.requests] == [key, key]

Each request to a path takes the next of its acts; the last one serves all further requests. An act writes to the socket
itself, so it can send half an answer, drip, or reset the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json as jsonlib
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeAlias

__all__ = ["Act", "Exchange", "Received", "Server", "answer", "chunked", "raw", "reset", "serve", "stall"]


@dataclasses.dataclass(frozen=True)
class Received:
    """A request as it arrived."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """The value of a header, several joined by commas; None if it is not there."""
        values = [value for key, value in self.headers if key == name.lower()]
        return ", ".join(values) if values else None


@dataclasses.dataclass
class Exchange:
    """What an act has to work with."""

    request: Received
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    closing: asyncio.Event

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def head(self, status: int, headers: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} Reason", *(f"{name}: {value}" for name, value in headers.items())]
        await self.send("\r\n".join([*lines, "", ""]).encode())


Act: TypeAlias = Callable[[Exchange], Awaitable[bool]]
"""Answers one request; returns whether the connection may serve another."""


def answer(
    status: int = 200,
    body: bytes | str = b"",
    *,
    json: Any = None,
    headers: dict[str, str] | None = None,
) -> Act:
    """A proper answer."""
    content = jsonlib.dumps(json).encode() if json is not None else body.encode() if isinstance(body, str) else body
    fields = {"content-length": str(len(content))}
    if json is not None:
        fields["content-type"] = "application/json"

    async def act(exchange: Exchange) -> bool:
        await exchange.head(status, fields | (headers or {}))
        if exchange.request.method != "HEAD":
            await exchange.send(content)
        return True

    return act


def raw(data: bytes) -> Act:
    """These bytes, and then the end of the connection."""

    async def act(exchange: Exchange) -> bool:
        await exchange.send(data)
        return False

    return act


def reset(data: bytes = b"") -> Act:
    """These bytes, and then a reset of the connection (RST)."""

    async def act(exchange: Exchange) -> bool:
        await exchange.send(data)
        _reset_on_close(exchange.writer)
        return False

    return act


def stall(data: bytes = b"") -> Act:
    """These bytes, and then nothing until the other side gives up or the server closes."""

    async def act(exchange: Exchange) -> bool:
        await exchange.send(data)
        gone = asyncio.ensure_future(exchange.reader.read(1))
        closing = asyncio.ensure_future(exchange.closing.wait())
        await asyncio.wait({gone, closing}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        closing.cancel()
        return False

    return act


def chunked(chunk: bytes, *, times: int | None = None, every: float = 0) -> Act:
    """A chunked body of the same chunk: so many times, or endlessly; at once, or dripping."""

    async def act(exchange: Exchange) -> bool:
        await exchange.head(200, {"transfer-encoding": "chunked", "content-type": "application/octet-stream"})
        sent = 0
        while times is None or sent < times:
            await exchange.send(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            sent += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(exchange.closing.wait(), every) if every else await asyncio.sleep(0)
            if exchange.closing.is_set():
                return False
        await exchange.send(b"0\r\n\r\n")
        return True

    return act


class Server:
    """A server and what it has received.

    Attributes:
        url: Such as `http://127.0.0.1:12345`.
        requests: In the order of their arrival.
        connections: How many were made.
    """

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Received] = []
        self.connections = 0
        self._acts: dict[str, list[Act]] = {}
        self._closing = asyncio.Event()
        self._arrival = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: asyncio.Server | None = None

    def on(self, path: str, *acts: Act) -> str:
        """Say what requests to a path get, one act each, the last one for ever. Return the path's URL."""
        self._acts[path] = list(acts)
        return self.url + path

    async def received(self, count: int) -> None:
        """Wait until so many requests have arrived."""
        async with self._arrival:
            await self._arrival.wait_for(lambda: len(self.requests) >= count)

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen on a free port."""
        self._listening = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=tls)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listening.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """Stop listening, and drop every connection."""
        assert self._listening is not None
        self._listening.close()
        self._closing.set()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        number = self.connections
        try:
            while (request := await _receive(reader, number)) is not None:
                async with self._arrival:
                    self.requests.append(request)
                    self._arrival.notify_all()
                acts = self._acts.get(request.path) or [answer(404, f"no act for {request.path}")]
                act = acts.pop(0) if len(acts) > 1 else acts[0]
                if not await act(Exchange(request, reader, writer, self._closing)):
                    break
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def serve(tls: ssl.SSLContext | None = None) -> AsyncGenerator[Server, None]:
    """A server on a free port of loopback."""
    server = Server()
    await server.start(tls)
    try:
        yield server
    finally:
        await server.stop()


async def _receive(reader: asyncio.StreamReader, connection: int) -> Received | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    fields = [line.split(":", 1) for line in lines]
    headers = [(name.lower(), value.strip()) for name, value in fields]
    length = int(dict(headers).get("content-length", "0"))
    return Received(method, target, headers, await reader.readexactly(length), connection)


def _reset_on_close(writer: asyncio.StreamWriter) -> None:
    plain: socket.socket = writer.get_extra_info("socket")
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
