"""TCP ports of this machine: which are free, and who listens on one that is not."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Final

__all__ = ["Process", "command", "free_port", "is_free", "listener", "parent"]

_LISTEN: Final = "0A"  # state of a listening socket in /proc/net/tcp


@dataclasses.dataclass(frozen=True)
class Process:
    """A process of this machine.

    Attributes:
        pid: Its process id.
        command: Its command line, as far as it can be read.
    """

    pid: int
    command: str


def free_port() -> int:
    """Return a port that is free on loopback at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Return whether a server could listen on a loopback port."""
    with socket.socket() as probe:
        # As servers do: connections that linger from an earlier listener do not make a port taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def listener(port: int) -> Process | None:
    """Return who listens on a port; None if nobody does, or if it is not ours to see."""
    pid = _from_proc(port) if Path("/proc/net/tcp").exists() else _from_lsof(port)
    return Process(pid, command(pid)) if pid is not None else None


def parent(pid: int) -> Process | None:
    """Return the process that started a process; None if that one is gone."""
    number = _output("ps", "-o", "ppid=", "-p", str(pid)).strip()
    return Process(int(number), command(int(number))) if number.isdigit() and int(number) > 1 else None


def command(pid: int) -> str:
    """Return the command line of a process; empty if there is none to be seen."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return _output("ps", "-o", "command=", "-p", str(pid)).strip()


def _from_proc(port: int) -> int | None:
    """Find the listening socket in the kernel's tables, then the process that has it open."""
    sockets: set[str] = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                    sockets.add(f"socket:[{fields[9]}]")
    if not sockets:
        return None
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            # Other users' processes cannot be looked into, and any may end meanwhile.
            with contextlib.suppress(OSError):
                for opened in (process / "fd").iterdir():
                    if os.readlink(opened) in sockets:
                        return int(process.name)
    return None


def _from_lsof(port: int) -> int | None:
    lines = _output("lsof", "-nP", "-t", f"-iTCP:{port}", "-sTCP:LISTEN").split()
    return int(lines[0]) if lines and lines[0].isdigit() else None


def _output(*command: str) -> str:
    """Return what a command prints; empty if it is not here or does not answer."""
    if shutil.which(command[0]) is None:
        return ""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
