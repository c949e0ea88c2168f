"""`segue dev`: the embedded server and a worker beside it, which starts anew when the sources change.

The worker is a process of its own, so a change is a fresh import, and a mistake in the sources ends a worker and no
more: its traceback is shown, and the next change starts another. Runs go on where they were; the server holds them.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import signal
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from segue.workers._reload import ReloadError, changes
from segue.workers.server import DevServer, DevServerError, dev_server

__all__ = ["GRACE", "develop"]

GRACE: Final = timedelta(seconds=3)
"""How long running steps may take to finish before a restart; what does not is retried by the next worker."""

# On top of the grace: a worker closes its connections, and Python ends.
_ENDING_SECONDS: Final = 10.0


async def develop(
    worker: Sequence[str],
    *,
    directory: Path,
    data: Path,
    port: int,
    ui_port: int,
    environment: Callable[[DevServer], Mapping[str, str]],
    started: Callable[[DevServer], contextlib.AbstractContextManager[object]],
    say: Callable[[str], None],
    reload: bool = True,
    grace: timedelta = GRACE,
) -> None:
    """Serve until SIGINT, SIGTERM or SIGHUP; then the worker drains, and the server ends after it.

    Args:
        worker: Command of the worker. Its standard input stays open for as long as this process lives.
        directory: The project's folder: where the worker runs, and where changes are looked for.
        data: File of the server's data.
        port: Port for clients.
        ui_port: Port of the Web UI.
        environment: Environment of the worker, given the server.
        started: Called once the server is up; entered until it ends.
        say: Tells the developer what happens.
        reload: Whether to start the worker anew when sources change.
        grace: How long a worker drains.

    Raises:
        DevServerError: The server cannot start, or ends by itself.
    """
    async with _told() as stop, dev_server(data, port=port, ui_port=ui_port) as server:
        with started(server):
            supervisor = _Supervisor(worker, directory, environment(server), server, stop, say, reload, grace)
            await supervisor.run()


@dataclasses.dataclass
class _Supervisor:
    command: Sequence[str]
    directory: Path
    environment: Mapping[str, str]
    server: DevServer
    stop: asyncio.Event
    say: Callable[[str], None]
    reload: bool
    grace: timedelta

    async def run(self) -> None:
        """Keep one worker running until told to stop."""
        # What may end the wait for the worker, or for the next change after it has ended.
        changed: asyncio.Queue[list[Path]] = asyncio.Queue()
        stop = asyncio.create_task(self.stop.wait())
        lost = asyncio.create_task(self.server.process.wait())
        watch = asyncio.create_task(self._watch(changed))
        try:
            while not self.stop.is_set():
                # What changed up to now, the next worker reads anyway.
                while not changed.empty():
                    changed.get_nowait()
                process = await self._start()
                change = asyncio.create_task(changed.get())
                ended = asyncio.create_task(process.wait())
                try:
                    await asyncio.wait([stop, lost, change, ended], return_when=asyncio.FIRST_COMPLETED)
                    if ended.done() and not stop.done() and not lost.done():
                        again = self._ended(process)
                        if not again:
                            await asyncio.wait([stop, lost, change], return_when=asyncio.FIRST_COMPLETED)
                    if stop.done():
                        self.say(f"Stopping; what the server knows stays in {self.server.path}")
                    elif change.done() and not lost.done():
                        self.say(f"{_named(change.result(), self.directory)} changed: the worker starts anew")
                finally:
                    change.cancel()
                    await asyncio.shield(self._end(process))
                if lost.done():
                    raise DevServerError(
                        f"The Temporal server ended by itself, with exit code {lost.result()}: "
                        f"its log is {self.server.path.with_name('temporal.log') if self.server.path else 'lost'}"
                    )
        finally:
            for task in (stop, lost, watch):
                task.cancel()
            await asyncio.gather(stop, lost, watch, return_exceptions=True)

    async def _start(self) -> asyncio.subprocess.Process:
        # A process group of its own: Ctrl-C must reach the worker once, from here. Its standard input ends with this
        # process, however that ends, and the worker with it.
        return await asyncio.create_subprocess_exec(
            *self.command,
            cwd=self.directory,
            env=dict(self.environment),
            stdin=asyncio.subprocess.PIPE,
            process_group=0,
        )

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), self.grace.total_seconds() + _ENDING_SECONDS)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.stdin is not None:
            process.stdin.close()

    def _ended(self, process: asyncio.subprocess.Process) -> bool:
        """Say that a worker ended by itself; return whether to start another at once."""
        code = process.returncode or 0
        if code < 0:
            self.say(f"The worker was killed ({signal.Signals(-code).name}): another one starts")
            return True
        waits = "waiting for a change" if self.reload else "nothing serves until segue dev is started again"
        self.say(f"The worker ended with exit code {code}: {waits}")
        return False

    async def _watch(self, changed: asyncio.Queue[list[Path]]) -> None:
        if not self.reload:
            return
        try:
            async for files in changes(self.directory):
                changed.put_nowait(files)
        except ReloadError as error:
            self.reload = False
            self.say(f"No restart on change: {error}")


def _named(files: Sequence[Path], directory: Path) -> str:
    first = files[0]
    with contextlib.suppress(ValueError):
        first = first.relative_to(directory)
    return f"{first} and {len(files) - 1} more" if len(files) > 1 else str(first)


@contextlib.asynccontextmanager
async def _told() -> AsyncGenerator[asyncio.Event]:
    """Give an event that any of the signals sets by which a terminal, a shell or a service manager ends a process."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
