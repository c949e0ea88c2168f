"""Connect as the command line is told to, and say in one line why a server does not do what was asked."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import getpass
import os
import re
import shlex
import socket
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, Final

from segue.workers.cli.exits import Exit, Failure
from segue.workers.cli.project import Project

if TYPE_CHECKING:
    from temporalio.client import Client
    from temporalio.service import RPCError

CONNECT_TIMEOUT_SECONDS: Final = 10.0
START_HINT: Final = "start a server with `segue dev MODULE...`, or name another with --address or TEMPORAL_ADDRESS"


@dataclasses.dataclass
class Connection:
    """Where to connect, from the options, Temporal's environment configuration, and the running `segue dev`.

    Attributes:
        profile: Profile of Temporal's configuration file; None for the default one.
        address: The server, None for the profile's, else that of the running `segue dev`, else `localhost:7233`.
        namespace: The namespace, None for the profile's, else `default`.
        project: The project around the working directory.
        target: The server that is meant, once `client` was called.
        options: The options that were given, as they are typed behind another command that is to mean the same server.
    """

    profile: str | None
    address: str | None
    namespace: str | None
    project: Project
    target: str = ""
    options: str = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        given = (("--profile", self.profile), ("--address", self.address), ("--namespace", self.namespace))
        self.options = shlex.join(part for name, value in given if value is not None for part in (name, value))

    async def client(self, *, identity: str | None = None) -> Client:
        """Return a client with Segue's plugin, which histories name as this user on this machine.

        Args:
            identity: The name, if that is not the one.

        Raises:
            Failure: The configuration cannot be used, or nothing answers.
        """
        from temporalio.envconfig import ClientConfig

        from segue.activities.settings import SettingsError
        from segue.client.connect import DEFAULT_TARGET, connect
        from segue.client.telemetry import TelemetryError

        options: dict[str, Any] = {"identity": identity or _user()}
        try:
            configured = ClientConfig.load_client_connect_config(profile=self.profile)
            if self.address is not None:
                options["target_host"] = self.address
            elif self.profile is None and "target_host" not in configured and self.project.running is not None:
                options["target_host"] = self.project.running.address
            if self.namespace is not None:
                options["namespace"] = self.namespace
            self.target = options.get("target_host") or configured.get("target_host") or DEFAULT_TARGET
            self.namespace = options.get("namespace") or configured.get("namespace") or "default"
        except RuntimeError as error:
            raise Failure(f"Temporal's configuration cannot be used: {error}", Exit.USAGE) from error
        if "://" in self.target:
            raise Failure(f"{self.target!r} is no server's address: write HOST:PORT, without a scheme", Exit.USAGE)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                return await connect(profile=self.profile, **options)
        except TimeoutError as error:
            raise self._unreachable(f"no answer in {CONNECT_TIMEOUT_SECONDS:g} s") from error
        except (SettingsError, TelemetryError) as error:
            raise Failure(str(error), Exit.USAGE) from error
        except RuntimeError as error:
            raise self._unreachable(_reason(str(error))) from error

    @contextlib.contextmanager
    def explained(self, workflow_id: str | None = None, run_id: str | None = None) -> Generator[None]:
        """Turn what the server refuses inside the block into a `Failure` that says so of this workflow."""
        from temporalio.service import RPCError

        try:
            yield
        except RPCError as error:
            raise self._explanation(error, workflow_id, run_id) from error

    def _explanation(self, error: RPCError, workflow_id: str | None, run_id: str | None) -> Failure:
        from temporalio.service import RPCStatusCode as Code

        message = error.message.strip().rstrip(".")
        if error.status in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.CANCELLED):
            return self._unreachable(message)
        if error.status in (Code.UNAUTHENTICATED, Code.PERMISSION_DENIED):
            return Failure(f"{self.target} refuses this client: {message}", Exit.UNREACHABLE)
        if error.status == Code.NOT_FOUND:
            if "namespace" in message.lower():
                return Failure(f"Namespace {self.namespace!r} does not exist on {self.target}", Exit.UNREACHABLE)
            if workflow_id is not None and "already completed" in message:
                return Failure(f"{workflow_id} has ended already", Exit.CONFLICT)
            if workflow_id is not None:
                which = workflow_id if run_id is None else f"{workflow_id} with run {run_id}"
                where = f"namespace {self.namespace!r} on {self.target}"
                return Failure(f"No workflow {which} in {where}", Exit.NOT_FOUND)
        if error.status == Code.FAILED_PRECONDITION and "no poller seen" in message:
            return Failure(
                f"No answer from {workflow_id}, for no worker polls its task queue: does a worker serve this workflow?",
                Exit.FAILED,
            )
        if error.status in (Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION, Code.OUT_OF_RANGE):
            return Failure(f"The server refuses: {message}", Exit.USAGE)
        return Failure(f"The server answers {error.status.name.lower()}: {message}", Exit.FAILED)

    def _unreachable(self, reason: str) -> Failure:
        return Failure(f"Cannot connect to {self.target} ({reason})", Exit.UNREACHABLE, hint=START_HINT)


def _user() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _reason(message: str) -> str:
    """Return the heart of the SDK's connection error, which is a nest of debugging output."""
    if found := re.search(r'message: \\?"([^"\\]+)\\?"', message):
        return found[1].lower()
    if "dns error" in message:
        return "the host's name is not known"
    return message.removeprefix("Failed client connect: ")[:200]


def environment_for(address: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which Temporal's configuration means one server, and nothing of the caller's own."""
    kept = {name: value for name, value in environment.items() if not name.startswith("TEMPORAL_")}
    # An empty file: the caller's default profile may hold a TLS setting or an API key, meant for another server.
    return {**kept, "TEMPORAL_ADDRESS": address, "TEMPORAL_CONFIG_FILE": os.devnull}
