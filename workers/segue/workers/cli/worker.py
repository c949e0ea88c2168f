"""`segue worker`: serve the workflows and activities of modules until told to stop."""

from __future__ import annotations

import dataclasses
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from segue.workers.cli import options, project
from segue.workers.cli.connection import Connection
from segue.workers.cli.exits import Exit, Failure
from segue.workers.discover import Discovered, DiscoveryError

if TYPE_CHECKING:
    from temporalio.client import Client

    from segue.activities.settings import Effective, Settings

logger = logging.getLogger("segue.workers")


@click.command("worker", short_help="Serve workflows and activities until SIGTERM")
@click.argument("modules", metavar="[MODULE]...", nargs=-1)
@click.option("--task-queue", metavar="NAME", help="Queue of the workflows; by default $SEGUE_TASK_QUEUE, that of "
              "pyproject.toml, or the first module's top name.")  # fmt: skip
@click.option("--only", metavar="SYSTEM", multiple=True, help="Serve only this system's steps (repeatable), or only "
              "the `workflows` queue.")  # fmt: skip
@click.option("--grace", type=options.DurationType(), default="20s", show_default=True,
              help="How long running steps may take to finish after SIGTERM.")  # fmt: skip
@click.option("--attached", is_flag=True, hidden=True, help="End when standard input does.")
@options.connected
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
@options.command
async def worker_command(
    *,
    modules: tuple[str, ...],
    task_queue: str | None,
    only: tuple[str, ...],
    grace: timedelta,
    attached: bool,
    connection: Connection,
) -> int:
    """Serve workflows and activities until SIGTERM.

    MODULE is a dotted name (app.workflows), a package (app, for all its modules) or a file (app/workflows.py); by
    default the modules that pyproject.toml names in [tool.segue].

    A system with a capacity or task queue of its own is served on its own queue, in this process too; --only gives it a
    process of its own. SIGTERM takes no new step, lets running ones finish within the grace, and exits 0.
    """
    if attached:
        _end_with_standard_input()
    found, queue = load(connection.project, modules, task_queue)
    client = await _connected(connection)
    from segue.activities.settings import SettingsError
    from segue.activities.system import systems
    from segue.workers.run import run

    try:
        # Before it says what it serves.
        _settings(client).check(systems().values())
        _announce(client, connection, found, queue, only, attached=attached)
        await run(
            client, task_queue=queue, workflows=found.workflows, activities=found.activities, only=only, grace=grace
        )
    except (SettingsError, ValueError) as error:
        raise Failure(str(error), Exit.USAGE) from error
    except RuntimeError as error:
        raise _refused(error) from error
    logger.info("Stopped")
    return Exit.OK


def load(around: project.Project, given: Sequence[str], task_queue: str | None) -> tuple[Discovered, str]:
    """Return what the modules offer that are given, or that the project names, and their task queue.

    Raises:
        Failure: There are none, or they cannot be loaded.
    """
    from segue.workers.discover import discover

    modules = tuple(given) or around.modules
    if not modules:
        raise Failure(
            "No module to serve: name one, as in `segue worker app.workflows`, or list them in pyproject.toml as "
            "modules = [...] under [tool.segue]",
            Exit.USAGE,
        )
    try:
        found = discover(modules, None if given else around.directory)
    except DiscoveryError as error:
        raise Failure(str(error), Exit.USAGE, details=error.traceback) from error
    return found, around.task_queue_or(task_queue, modules) or found.task_queue


def load_known(around: project.Project, given: Sequence[str]) -> Discovered:
    """Return what the modules offer that are given, else those of the running `segue dev`, else the project's.

    Raises:
        Failure: There are none, or they cannot be loaded.
    """
    return load(dataclasses.replace(around, modules=around.modules_or(())), given, None)[0]


async def _connected(connection: Connection) -> Client:
    from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

    from segue.workers.cli import logs

    logs.configure()
    # What the SDK's core has to say comes in the same form as everything else.
    core = LoggingConfig(
        filter=TelemetryFilter(core_level="WARN", other_level="ERROR"),
        forwarding=LogForwardingConfig(logger=logging.getLogger("temporalio.core")),
    )
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=core)), error_if_already_set=False)
    return await connection.client(identity=f"{os.getpid()}@{socket.gethostname()}")


def _settings(client: Client) -> Settings:
    from segue.activities.settings import Settings
    from segue.client import SeguePlugin

    return next((p.settings for p in client.config()["plugins"] if isinstance(p, SeguePlugin)), Settings())


def _announce(
    client: Client, connection: Connection, found: Discovered, queue: str, only: Sequence[str], *, attached: bool
) -> None:
    from segue.activities.system import activity_name, system_of
    from segue.workers.discover import workflow_name

    settings = _settings(client)
    effective = {system.name: settings.resolve(system) for system in found.systems}
    shared: list[str] = []
    apart: dict[str, list[str]] = {}
    bounds: dict[str, Effective] = {}
    for fn in found.activities:
        name, system = activity_name(fn) or "(dynamic)", system_of(fn)
        held = effective[system.name] if system is not None else None
        if held is None or held.task_queue is None or held.task_queue == queue:
            shared.append(name)
        elif not only or (system is not None and system.name in only):
            apart.setdefault(held.task_queue, []).append(name)
            bounds[held.task_queue] = held
    if not attached:
        logger.info("Worker %s on %s, namespace %s", os.getpid(), connection.target, connection.namespace)
    if not only or "workflows" in only:
        workflows = ", ".join(workflow_name(cls) for cls in found.workflows)
        logger.info("Queue %s: %s", queue, "; ".join(filter(None, (workflows, ", ".join(shared)))))
    for name, steps in apart.items():
        logger.info("Queue %s: %s%s", name, ", ".join(steps), _bound(bounds[name]))
    if attached and found.workflows and (example := _example(found.workflows)):
        logger.info("Try: %s", example)


def _bound(effective: Effective) -> str:
    capacity = effective.capacity
    parts: list[str] = []
    if capacity.per_second is not None:
        parts.append(f"{capacity.per_second:g} a second")
    if capacity.concurrent is not None:
        parts.append(f"{capacity.concurrent} at once")
    return f" (at most {', '.join(parts)})" if parts else ""


def _example(workflows: Iterable[type]) -> str:
    """Return a command that runs the first workflow."""
    from segue.workers.cli.values import parameters, run_method
    from segue.workers.discover import workflow_name

    for cls in workflows:
        if (name := workflow_name(cls)) != "(dynamic)":
            expected = parameters(run_method(cls))
            given = f" --input {expected[0].name if len(expected) == 1 else 'arguments'}.json" if expected else ""
            return f"segue run {name}{given} --watch"
    return ""


def _refused(error: RuntimeError) -> Failure:
    """Return why Temporal's worker did not start, or ended: it says so in the causes of its error."""
    import traceback

    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__) is not None:
        causes.append(cause)
    last = causes[-1]
    text = f"{error}: {type(last).__name__}: {last}" if last is not error else str(error)
    details = "".join(traceback.format_exception(last)).rstrip() if last is not error else ""
    return Failure(text, Exit.FAILED, details=details)


def _end_with_standard_input() -> None:
    """Drain when standard input ends: it is held open by the process that started this one, and ends with it."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="standard input", daemon=True).start()
