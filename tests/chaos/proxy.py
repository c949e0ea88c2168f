"""A TCP proxy on loopback that breaks connections, and delays what passes, at planned answers.

    payments = Proxy("127.0.0.1:8001", faults={3: "cut", 7: "late"}, delay=4, kill=kill)
    address = await payments.listen("worker 0")      # where worker 0 finds the payment provider

Each worker has a port of its own, so that it is known whose request it is. An answer is what comes back first after
something was asked; the n-th is counted over all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from tests.chaos.plan import AnswerFault

__all__ = ["Proxy"]

_CHUNK: Final = 65536
# Whoever sends a request in pieces sends the next one within this time.
_PIECE_SECONDS: Final = 0.3


class Proxy:
    """Stands between the workers and one address.

    Args:
        upstream: The address, as host:port.
        faults: What befalls the n-th request or its answer.
        delay: Seconds by which answers are late and requests are held.
        kill: Kills the worker with a name.
        greets: Whether upstream speaks first, as mail servers do.
    """

    def __init__(
        self,
        upstream: str,
        *,
        faults: Mapping[int, AnswerFault] | None = None,
        delay: float = 0,
        kill: Callable[[str], None] | None = None,
        greets: bool = False,
    ) -> None:
        host, _, port = upstream.rpartition(":")
        self._upstream = (host, int(port))
        self._faults: dict[int, AnswerFault] = dict(faults or {})
        self._delay = delay
        self._kill = kill
        self._greets = greets
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._requests = 0
        self._cutting = 0
        self._passing = asyncio.Event()
        self._passing.set()
        self.done: Counter[str] = Counter()
        """What befell how many."""

    async def listen(self, owner: str) -> str:
        """Return an address for one worker."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._connection(owner, reader, writer)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self._servers.append(server)
        return f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """Break the connection that has the next answer, instead of passing it on."""
        self._cutting += 1

    async def stall(self, seconds: float) -> None:
        """Let nothing pass for a while; then everything that has waited."""
        self._passing.clear()
        await asyncio.sleep(seconds)
        self._passing.set()
        self.done["stall"] += 1

    async def settled(self) -> None:
        """Return when no request is held any more."""
        while held := [task for task in self._tasks if task.get_name() == "held"]:
            await asyncio.wait(held)

    async def close(self) -> None:
        """Break all connections."""
        for server in self._servers:
            server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connection(self, owner: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, requests = await asyncio.open_connection(*self._upstream)
        except OSError:
            _reset(writer)
            return
        asked = asyncio.Event()
        # What befalls a request is decided when it begins: its answer may be another's by the time it comes.
        fates: list[AnswerFault | None] = []
        if self._greets:
            self._begin(asked, fates)
        pumps = [
            asyncio.ensure_future(self._ask(reader, requests, asked, fates)),
            asyncio.ensure_future(self._answer(owner, answers, writer, asked, fates)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            for end in (writer, requests):
                _reset(end)
            await asyncio.gather(*pumps, return_exceptions=True)

    def _begin(self, asked: asyncio.Event, fates: list[AnswerFault | None]) -> AnswerFault | None:
        asked.set()
        if not self._faults:
            fates.append(None)
            return None
        self._requests += 1
        fate: AnswerFault | None = self._faults.pop(self._requests, None)
        fates.append(fate)
        return fate

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        requests: asyncio.StreamWriter,
        asked: asyncio.Event,
        fates: list[AnswerFault | None],
    ) -> None:
        while data := await reader.read(_CHUNK):
            await self._passing.wait()
            if not asked.is_set() and self._begin(asked, fates) == "held":
                with contextlib.suppress(TimeoutError):
                    while piece := await asyncio.wait_for(reader.read(_CHUNK), _PIECE_SECONDS):
                        data += piece
                held = asyncio.create_task(self._late(data), name="held")
                self._tasks.add(held)
                held.add_done_callback(self._tasks.discard)
                # The caller waits until it has had enough.
                while await reader.read(_CHUNK):
                    pass
                return
            requests.write(data)
            await requests.drain()

    async def _late(self, data: bytes) -> None:
        """Bring a request after all, though nobody waits for its answer any more."""
        await asyncio.sleep(self._delay)
        with contextlib.suppress(OSError):
            answers, requests = await asyncio.open_connection(*self._upstream)
            requests.write(data)
            await requests.drain()
            await answers.read(_CHUNK)
            requests.close()
            self.done["held"] += 1

    async def _answer(
        self,
        owner: str,
        answers: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        asked: asyncio.Event,
        fates: list[AnswerFault | None],
    ) -> None:
        while data := await answers.read(_CHUNK):
            await self._passing.wait()
            fate: AnswerFault | None = None
            if asked.is_set():
                asked.clear()
                fate = fates.pop() if fates else None
            if self._cutting:
                self._cutting -= 1
                fate = "cut"
            if fate == "kill" and self._kill is not None:
                self._kill(owner)
            if fate in ("cut", "kill"):
                self.done[fate] += 1
                return
            if fate == "late":
                self.done["late"] += 1
                await asyncio.sleep(self._delay)
            writer.write(data)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection so that the other side sees it broken."""
    found = writer.get_extra_info("socket")
    if found is not None:
        with contextlib.suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
