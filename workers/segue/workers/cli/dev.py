"""`segue dev`: a Temporal server, its Web UI and a worker in one command, for the time of development."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import click

from segue.workers import dev, server
from segue.workers.cli import options, project
from segue.workers.cli.connection import environment_for
from segue.workers.cli.exits import Exit, Failure
from segue.workers.discover import DiscoveryError, check_names


@click.command("dev", short_help="A Temporal server, its Web UI, and a worker that follows the sources")
@click.argument("modules", metavar="[MODULE]...", nargs=-1)
@click.option("--task-queue", metavar="NAME", help="Queue of the workflows; by default $SEGUE_TASK_QUEUE, that of "
              "pyproject.toml, or the first module's top name.")  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=server.PORT, show_default=True,
              help="Port of the Temporal server; 0 for any that is free.")  # fmt: skip
@click.option("--ui-port", type=click.IntRange(0, 65535), default=None, show_default="1000 above --port",
              help="Port of the Web UI; 0 for any that is free.")  # fmt: skip
@click.option("--data", type=click.Path(dir_okay=False, path_type=Path), default=server.DATA_PATH, show_default=True,
              help="File of the server's data.")  # fmt: skip
@click.option("--grace", type=options.DurationType(), default="3s", show_default=True,
              help="How long running steps may take to finish before a restart.")  # fmt: skip
@click.option("--reload/--no-reload", default=True, help="Start the worker anew when sources change.")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
@options.command
async def dev_command(
    *,
    modules: tuple[str, ...],
    task_queue: str | None,
    port: int,
    ui_port: int | None,
    data: Path,
    grace: timedelta,
    reload: bool,
) -> int:
    """Develop: a Temporal server, its Web UI, and a worker that follows the sources.

    MODULE is a dotted name (app.workflows), a package (app, for all its modules) or a file (app/workflows.py); by
    default the modules that pyproject.toml names in [tool.segue].

    What the server knows is kept in a file: runs that were under way go on at the next start. Ctrl-C ends everything.
    """
    around = project.find()
    served = modules or around.modules
    if not served:
        raise Failure(
            "No module to serve: name one, as in `segue dev app.workflows`, or list them in pyproject.toml as "
            "modules = [...] under [tool.segue]",
            Exit.USAGE,
        )
    directory = Path.cwd() if modules else around.directory
    try:
        check_names(served, directory)
    except DiscoveryError as error:
        raise Failure(str(error), Exit.USAGE) from error
    queue = project.Project(directory=directory, task_queue=around.task_queue).task_queue_or(task_queue, served)
    assert queue is not None  # there are modules
    if ui_port is None:
        ui_port = port + 1000 if 0 < port < 64536 else 0

    @contextlib.contextmanager
    def started(up: server.DevServer) -> Generator[None]:
        running = project.Running(
            pid=os.getpid(), address=up.address, namespace=up.namespace, ui=up.ui, modules=served, task_queue=queue
        )
        path = directory / project.DEV_FILE
        # A second one, on other data and another port, leaves alone what commands go by.
        first = around.running is None
        if first:
            path.parent.mkdir(exist_ok=True)
            project.write(path, running)
        click.echo(_banner(up, data, served, "" if first else f"--address {up.address} "))
        try:
            yield
        finally:
            if first:
                path.unlink(missing_ok=True)

    try:
        await dev.develop(
            [
                *(sys.executable, "-m", "segue.workers.cli", "worker", "--attached"),
                *("--task-queue", queue, "--grace", f"{grace.total_seconds():g}s", "--", *served),
            ],
            directory=directory,
            data=directory / data if directory != Path.cwd() else data,
            port=port,
            ui_port=ui_port,
            environment=lambda up: environment_for(up.address, os.environ),
            started=started,
            say=lambda text: click.echo(click.style(text, bold=True)),
            reload=reload,
            grace=grace,
        )
    except server.DevServerError as error:
        raise Failure(str(error), Exit.FAILED) from error
    return Exit.OK


def _banner(up: server.DevServer, data: Path, modules: tuple[str, ...], address: str) -> str:
    rows = [
        ("Web UI", click.style(up.ui or "none", fg="cyan", underline=up.ui is not None)),
        ("Server", f"{up.address}, data in {data}"),
        ("Serving", " ".join(modules)),
        ("Run", f"segue run {address}WORKFLOW --input FILE --watch"),
        ("Stop", "Ctrl-C"),
    ]
    lines = [f"  {click.style(f'{name:<9}', bold=True)}{text}" for name, text in rows]
    return "\n".join(["", *lines, ""])
