"""One server a file: SQLite would let a second one in, and Temporal does not notice.

The lock lies beside the data, is held by the server's process as well as by the one that started it, and says who they
are. So it is told apart who has the data: somebody at work, or a server left behind when its starter was killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import IO, Any, Final

from segue.workers import ports

# A server that is told to end takes a second or two.
_PATIENCE_SECONDS: Final = 10.0


class HeldError(Exception):
    """Somebody else has the data.

    Attributes:
        owner: What is known of them: `pid` of the process that started the server, `server`, `address`.
    """

    def __init__(self, owner: Mapping[str, Any]) -> None:
        super().__init__(str(owner))
        self.owner = owner


def path_of(path: Path) -> Path:
    """Return the lock of the data in a file."""
    return path.with_name(f"{path.name}.lock")


@contextlib.contextmanager
def held(path: Path) -> Generator[IO[str]]:
    """Hold the data in a file for this process; yield the lock, for the server to inherit.

    A server that has outlived the process that started it is stopped.

    Raises:
        HeldError: Another process has them.
    """
    # Imported here, because Windows has none, and workers run there.
    import fcntl

    with path_of(path).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = _inscription(lock)
            if not _left_behind(owner, path):
                raise HeldError(owner) from None
            _end(owner["server"])
            fcntl.flock(lock, fcntl.LOCK_EX)
        _write(lock, {"pid": os.getpid()})
        try:
            yield lock
        finally:
            _write(lock, {})


def inscribe(lock: IO[str], server: int, address: str) -> None:
    """Write into a lock which server it is held for."""
    _write(lock, {"pid": os.getpid(), "server": server, "address": address})


def _left_behind(owner: Mapping[str, Any], path: Path) -> bool:
    server = owner.get("server")
    if not isinstance(server, int) or ports.command(owner.get("pid", 0)):
        return False
    # The number alone may meanwhile be another process's.
    return str(path) in ports.command(server)


def _end(server: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(server, signal.SIGTERM)
        end = time.monotonic() + _PATIENCE_SECONDS
        while ports.command(server):
            if time.monotonic() > end:
                os.kill(server, signal.SIGKILL)
                return
            time.sleep(0.02)


def _write(lock: IO[str], content: dict[str, Any]) -> None:
    lock.truncate(0)
    lock.write(json.dumps(content))
    lock.flush()


def _inscription(lock: IO[str]) -> dict[str, Any]:
    lock.seek(0)
    with contextlib.suppress(ValueError):
        content: object = json.load(lock)
        if isinstance(content, dict):
            return content  # pyright: ignore[reportUnknownVariableType]
    return {}
