"""A worker as the examples run it: `segue worker` in a process of its own, which can be killed, and always is ended."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

__all__ = ["ProcessEnded", "Worker", "end"]

_ROOT: Final = Path(__file__).parents[1]

_STOP_SECONDS: Final = 10


class ProcessEnded(RuntimeError):
    """A process of an example ended by itself."""


class Worker:
    """The worker, `segue worker`, in a process of its own.

    Args:
        modules: What it serves.
        task_queue: Queue of the workflows.
        log: What it prints is added to this file.
        environment: Where the systems are, beside this process's own environment.
    """

    def __init__(self, modules: Sequence[str], task_queue: str, log: Path, environment: Mapping[str, str]) -> None:
        self.log = log
        self._served = (*modules, "--task-queue", task_queue)
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
                *(sys.executable, "-m", "segue.workers.cli", "worker", *self._served, "--attached"),
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
            await end(self._process)


async def end(process: Process) -> None:
    """End a process with SIGTERM, and with SIGKILL if that is not enough."""
    for stop in (process.terminate, process.kill):
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                stop()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _STOP_SECONDS)
