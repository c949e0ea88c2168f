"""The processes of a round that are killed: the Temporal server and the workers, each brought up again when it dies.

    async with supervised(server.keep()), supervised(worker.keep()): ...

A supervisor does what systemd or Kubernetes would: what has ended is started again. Each process is killed by its own
process id, and none outlives the round.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final

from segue.workers import ports
from segue.workers.server import DevServer, dev_server

__all__ = ["ProcessFailed", "Server", "Worker", "stable_port", "supervised"]

ROOT: Final = Path(__file__).parents[2]
MODULES: Final = ("examples.order_to_cash.workflows", "tests.chaos.stocktake")

_STOP_SECONDS: Final = 25
# A worker may find no server when it starts, and one that never starts is no victim of ours.
_STARTS: Final = 20


class ProcessFailed(RuntimeError):
    """A process ends by itself again and again."""


def stable_port() -> int:
    """Return a free port that no outgoing connection takes while its server is down: below the ephemeral ones."""
    while True:
        port = random.randrange(15000, 32000)
        if ports.is_free(port):
            return port


@contextlib.asynccontextmanager
async def supervised(keeping: Coroutine[Any, Any, None]) -> AsyncGenerator[asyncio.Task[None]]:
    """Run a supervisor for the length of the block; its process ends with it."""
    task = asyncio.create_task(keeping)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Server:
    """The Temporal server, always on the same port and file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "temporal.db"
        self._port = stable_port()
        self._server: DevServer | None = None
        self.address = f"127.0.0.1:{self._port}"
        self.up = asyncio.Event()
        self.killed = 0

    def kill(self) -> None:
        """Kill it with SIGKILL, if it is up."""
        if self._server is not None and self._server.process.returncode is None:
            self.up.clear()
            os.kill(self._server.pid, signal.SIGKILL)
            self.killed += 1

    async def keep(self) -> None:
        """Keep it up until cancelled."""
        starts = 0
        while True:
            starts += 1
            log = self._path.with_name("temporal.log")
            if log.exists():
                log.rename(log.with_name(f"temporal-{starts - 1}.log"))
            async with dev_server(self._path, port=self._port, ui_port=None) as self._server:
                self.up.set()
                await self._server.process.wait()
                self.up.clear()
            if starts > self.killed:
                raise ProcessFailed(f"The Temporal server ended by itself: see {log}")


class Worker:
    """One `segue worker` process.

    Args:
        name: What it is called in the round.
        log: What it prints is added to this file.
        environment: Where everything is, beside this process's own environment.
    """

    def __init__(self, name: str, log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        self._environment = environment
        self._process: Process | None = None
        self.killed = 0

    def kill(self) -> bool:
        """Kill it with SIGKILL: it learns nothing of it, and tells nobody. Return whether it was there."""
        if self._process is None or self._process.returncode is not None:
            return False
        self._process.kill()
        return True

    async def keep(self) -> None:
        """Keep it up until cancelled; then let it drain."""
        failures = 0
        try:
            while failures < _STARTS:
                await self._start()
                assert self._process is not None
                code = await self._process.wait()
                # By somebody else, or by a step of its own.
                self.killed += code == -signal.SIGKILL
                failures += code != -signal.SIGKILL
                if code != -signal.SIGKILL:
                    await asyncio.sleep(0.2)
            raise ProcessFailed(f"The {self.name} ended by itself {failures} times: see {self.log}")
        finally:
            await asyncio.shield(self._stop())

    async def _start(self) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "segue.workers.cli", "worker", *MODULES),
                *("--task-queue", "orders", "--attached", "--grace", "10s"),
                cwd=ROOT,
                env={**os.environ, **self._environment},
                # It ends when this pipe does, so it never outlives this process, however that ends.
                stdin=PIPE,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    async def _stop(self) -> None:
        process = self._process
        if process is None:
            return
        for stop in (process.terminate, process.kill):
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    stop()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), _STOP_SECONDS)
