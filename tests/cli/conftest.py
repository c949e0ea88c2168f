"""The `segue` command in processes of its own, on the session's real server, with a real worker beside it."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Protocol

import pytest
from temporalio.testing import WorkflowEnvironment

PROJECT = Path(__file__).with_name("project")
SEGUE = [sys.executable, "-m", "segue.workers.cli"]
PATIENCE = 60.0


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, and all that it printed."""

    code: int
    out: str
    err: str


class Segue(Protocol):
    """Runs one command and waits for its end."""

    def __call__(
        self, *arguments: str, stdin: str | None = None, env: Mapping[str, str | None] | None = None
    ) -> Ended: ...


def environment(address: str | None) -> dict[str, str]:
    """The caller's environment without what would configure Temporal or colour the output."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TEMPORAL_", "SEGUE_", "OTEL_"))}
    kept |= {"TEMPORAL_CONFIG_FILE": os.devnull, "NO_COLOR": "1", "TZ": "UTC", "PYTHONUNBUFFERED": "1"}
    return kept if address is None else {**kept, "TEMPORAL_ADDRESS": address}


def wait_for(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Return as soon as a condition holds; fail naming it if it never does."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"after {seconds:g} s, still not: {what}")
        time.sleep(0.05)


@dataclasses.dataclass
class Background:
    """A command that runs on: its process, and what it has printed so far on both streams."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        """Everything that it has printed."""
        return self.log.read_text()

    def wait_for(self, text: str, count: int = 1) -> None:
        """Return once a text was printed so many times; fail with all that was if the process ends before."""

        def there() -> bool:
            ended = self.process.poll() is not None
            if self.said().count(text) >= count:
                return True
            if ended:
                pytest.fail(f"ended with {self.process.returncode} before it said {text!r}:\n{self.said()}")
            return False

        end = time.monotonic() + PATIENCE
        while not there():
            if time.monotonic() > end:
                pytest.fail(f"never said {text!r}:\n{self.said()}")
            time.sleep(0.05)

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal, and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


class Start(Protocol):
    """Starts one command that runs on, and is ended with the test if it has not before."""

    def __call__(self, *arguments: str, address: str | None = None) -> Background: ...


@pytest.fixture
def start(project: Path, tmp_path: Path) -> Iterator[Start]:
    """Start commands in the background."""
    begun: list[tuple[Background, IO[bytes]]] = []

    def begin(*arguments: str, address: str | None = None) -> Background:
        log = tmp_path / f"command-{len(begun)}.log"
        stream = log.open("wb")
        process = subprocess.Popen(
            [*SEGUE, *arguments],
            cwd=project,
            env=environment(address),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        begun.append((background := Background(process, log), stream))
        return background

    yield begin
    for background, stream in begun:
        if background.process.poll() is None:
            background.process.terminate()
            try:
                background.process.wait(30)
            except subprocess.TimeoutExpired:
                background.process.kill()
                background.process.wait()
        stream.close()


@pytest.fixture(scope="session")
def address(server: WorkflowEnvironment) -> str:
    """Where the session's server listens."""
    return server.client.service_client.config.target_host


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the project, and nothing else."""
    return Path(shutil.copytree(PROJECT, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.fixture(scope="session")
def worker(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Background]:
    """One `segue worker shop` for the whole session."""
    folder = tmp_path_factory.mktemp("worker")
    shutil.copytree(PROJECT, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    log = folder / "worker.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*SEGUE, "worker", "shop"],
            cwd=folder,
            env=environment(address),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        try:
            # Once it has done something it polls, and commands have no wait for it to tell of.
            warm = subprocess.run(
                [*SEGUE, "run", "shop:Add", "--input", "1", "--wait"],
                cwd=folder,
                env=environment(address),
                check=False,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
            assert warm.stdout == "2\n", f"{warm.stderr}\n{log.read_text()}"
            yield Background(process, log)
        finally:
            process.terminate()
            process.wait(PATIENCE)


@pytest.fixture
def segue(project: Path, address: str) -> Segue:
    """Run one command in the project's folder, against the session's server."""

    def run(*arguments: str, stdin: str | None = None, env: Mapping[str, str | None] | None = None) -> Ended:
        variables: dict[str, str | None] = {**environment(address), **(env or {})}
        ended = subprocess.run(
            [*SEGUE, *arguments],
            cwd=project,
            env={name: value for name, value in variables.items() if value is not None},
            input=(stdin or "").encode(),
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    return run
