"""The processes of the demo: started, found by what they say, and always ended, each by its own process id."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Final

from examples.order_to_cash.services.ledger import INVENTORY

from segue.activities.objects import ROOT_VARIABLE

__all__ = ["ProcessEnded", "Worker", "addresses", "service"]

_ROOT: Final = Path(__file__).parents[2]

_STOP_SECONDS: Final = 10


class ProcessEnded(RuntimeError):
    """A process of the demo ended by itself."""


def addresses(folder: Path, payments: str, mail: str) -> dict[str, str]:
    """Return the environment that tells a worker where the systems are."""
    return {
        "INVENTORY_URL": f"sqlite:///{folder / INVENTORY}",
        "PAYMENTS_URL": f"http://{payments}",
        "SMTP_URL": f"smtp://{mail}",
        ROOT_VARIABLE: str(folder),
    }


@contextlib.asynccontextmanager
async def service(system: str, folder: Path, seed: int) -> AsyncGenerator[str]:
    """Run one of the `services`, and give the address it listens on."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.order_to_cash.services", system, str(folder), "--seed", str(seed)),
        cwd=_ROOT,
        # It ends when this pipe does, so it never outlives this process, however that ends.
        stdin=PIPE,
        stdout=PIPE,
        # Ctrl-C goes to the whole group of the terminal, and each of these is to be ended in its turn.
        process_group=0,
    )
    try:
        assert process.stdout is not None
        address = (await process.stdout.readline()).decode().strip()
        if not address:
            raise ProcessEnded(f"The {system} service ended before it listened")
        yield address
    finally:
        await asyncio.shield(_end(process))


class Worker:
    """The worker, `segue worker`, in a process of its own.

    Args:
        log: What it prints is added to this file.
        environment: Where the systems are, beside this process's own environment.
    """

    def __init__(self, log: Path, environment: Mapping[str, str]) -> None:
        self.log = log
        self._environment = environment
        self._process: Process | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start it; it takes work as soon as it is connected."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "segue.workers.cli", "worker", "examples.order_to_cash.workflows"),
                *("--task-queue", "orders", "--attached"),
                cwd=_ROOT,
                env={**os.environ, **self._environment},
                # As with the services: whatever ends this process ends the worker.
                stdin=PIPE,
                stdout=log,
                stderr=log,
                process_group=0,
            )

    def check(self) -> None:
        """Raise ProcessEnded if it is not there any more."""
        if self._process is not None and self._process.returncode is not None:
            raise ProcessEnded(f"The worker ended by itself, with exit code {self._process.returncode}: see {self.log}")

    async def kill(self) -> None:
        """Kill it with SIGKILL: it learns nothing of it, and tells nobody."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        """Tell it to end: it drains."""
        if self._process is not None:
            await _end(self._process)


async def _end(process: Process) -> None:
    """End a process with SIGTERM, and with SIGKILL if that is not enough."""
    for stop in (process.terminate, process.kill):
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                stop()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _STOP_SECONDS)
