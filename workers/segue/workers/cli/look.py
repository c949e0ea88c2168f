"""`segue status`, `list`, `graph`, `history`: look at runs, whether or not a worker is alive."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from segue.workers.cli import options, output, spending
from segue.workers.cli.connection import Connection
from segue.workers.cli.executions import STATUSES, executions, with_status
from segue.workers.cli.exits import Exit, Failure

if TYPE_CHECKING:
    from segue.workers.cli.executions import Execution

_COLOURS: Final = {
    "running": "blue",
    "paused": "yellow",
    "completed": "green",
    "failed": "red",
    "timed_out": "red",
    "terminated": "red",
    "cancelled": "yellow",
}

_FORMS: Final = {".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid", ".md": "mermaid", ".txt": "mermaid"}
"""What is drawn into a file, by how its name ends."""


@click.command("status", short_help="Each step of a run: state, attempts, times, what it waits for")
@options.one_run
@click.option("--watch", is_flag=True, help="Follow it until it ends.")
@options.connected
@options.machine_readable
@options.command
async def status_command(
    *, workflow_id: str, run_id: str | None, watch: bool, connection: Connection, as_json: bool
) -> int:
    """Show a run and each of its steps: state, attempts, times, the last error, what it waits for.

    Everything comes from the server, so it is there whether or not a worker is alive. With --watch the exit code is
    that of the run: 0 if it completed, 1 if not. A run that asked models ends with what they took in all; `segue evals
    usage` tells it by step.
    """
    from segue.client.inspect import run
    from segue.client.table import render

    client = await connection.client()
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    if watch:
        from segue.workers.cli.watch import watch as follow

        return await follow(handle, connection, as_json=as_json, to_stderr=False)
    with connection.explained(workflow_id, run_id):
        found = await run(handle)
        total = None if as_json else spending.line(await spending.spent(client, workflow_id, run_id))
    if as_json:
        output.print_json(found)
    else:
        click.echo(render(found, output.terminal_size()[0], output.coloured(), options=connection.options))
        if total is not None:
            click.echo(f"\n{total}")
    return Exit.OK


class _StatusType(click.Choice[str]):
    """A status that a run may have."""

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """See base class."""
        if value == "parked":
            self.fail("a run with a parked step is running: `segue parked` lists the steps that are parked", param, ctx)
        return super().convert(value, param, ctx)


@click.command("list", short_help="Runs, the latest first")
@click.option("--query", metavar="QUERY", default="", help="A list filter of Temporal, such as "
              "'WorkflowType = \"FulfilOrder\" AND StartTime > \"2026-11-01\"'.")  # fmt: skip
@click.option("--status", type=_StatusType(list(STATUSES)), metavar="STATUS",
              help=f"Only runs with this status: {', '.join(STATUSES)}.")  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many.")
@options.connected
@options.machine_readable
@options.command
async def list_command(*, query: str, status: str | None, limit: int, connection: Connection, as_json: bool) -> int:
    """List runs, the latest first. Of more than --limit it shows those that are open, then the last to have closed.

    A run shows up within a second of its start, or of a change of its status. Times are in UTC.
    """
    client = await connection.client()
    wanted = await with_status(client, status) if status is not None else ""
    both = f"({query}) AND ({wanted})" if query and wanted else query or wanted
    found: list[Execution] = []
    more = False
    with connection.explained():
        async for one in executions(client, both):
            if status is not None and one.status != status:
                continue
            if len(found) == limit:
                more = True
                break
            found.append(one)
    # The server lists them by when they closed, and can be asked for no other order.
    found.sort(key=lambda one: one.start_time, reverse=True)
    if as_json:
        output.print_json(found)
        return Exit.OK
    if not found:
        click.echo(f"No runs in namespace {connection.namespace!r} on {connection.target}", err=True)
        return Exit.OK
    for line in _listed(found):
        click.echo(line)
    if more:
        click.echo(f"More than {limit}: --limit shows more, --status and --query fewer", err=True)
    return Exit.OK


@click.command("history", short_help="Record a run's history, for replay")
@options.one_run
@click.option("-o", "--output", "path", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Where to write it; by default standard output.")  # fmt: skip
@options.connected
@options.machine_readable
@options.command
async def history_command(
    *, workflow_id: str, run_id: str | None, path: Path | None, connection: Connection, as_json: bool
) -> int:
    """Record a run's history as JSON, for `segue replay`, as Temporal's own tools write it."""
    client = await connection.client()
    with connection.explained(workflow_id, run_id):
        history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
    text = history.to_json()
    if path is None:
        click.echo(text)
        return Exit.OK
    written(path, text + "\n")
    if as_json:
        output.print_json({"workflow_id": workflow_id, "run_id": history.run_id, "path": str(path)})
    else:
        click.echo(f"{len(history.events)} events of {workflow_id} in {path}", err=True)
    return Exit.OK


def written(path: Path, text: str) -> None:
    """Write a file, and make the folder for it where there is none.

    Raises:
        Failure: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error.strerror}", Exit.FAILED) from error


def _form(path: Path | None) -> str:
    """Return what a file's name says is to be drawn in it."""
    form = _FORMS.get(path.suffix.lower()) if path is not None else "mermaid"
    if form is None:
        raise Failure(
            f"{path} ends in no form that can be drawn: name it {', '.join(_FORMS)}, or give --format mermaid or svg",
            Exit.USAGE,
        )
    return form


def _require_folder(path: Path) -> None:
    """Do nothing if there is a folder for a file: one that is made for a mistyped path is found by nobody."""
    if not path.parent.is_dir():
        raise Failure(f"{path} cannot be written: there is no folder {path.parent}", Exit.USAGE)


def _listed(found: list[Execution]) -> list[str]:
    from segue.client.wording import duration, one_line

    now = datetime.now(UTC)
    rows = [
        (
            one_line(one.workflow_id),
            one_line(one.type),
            one.status.replace("_", " "),
            _when(one.start_time, now),
            duration(one.duration),
        )
        for one in found
    ]
    return output.table(
        ("ID", "TYPE", "STATUS", "STARTED (UTC)", "TOOK"),
        rows,
        limit=output.terminal_size()[0] if sys.stdout.isatty() else None,
        paint=lambda column, text, cell: click.style(cell, fg=_COLOURS.get(text)) if column == 2 else cell,
    )


def _when(start: datetime, now: datetime) -> str:
    return start.strftime("%H:%M:%S" if start.date() == now.date() else "%Y-%m-%d %H:%M")


@click.command("graph", short_help="Draw a run, or what a workflow declares, as Mermaid or SVG")
@click.argument("name", metavar="ID|WORKFLOW")
@click.option("--run-id", metavar="RUN", help="One run of the workflow; by default the latest.")
@click.option("--declared", is_flag=True, help="Only what its graphs declare.")
@click.option("--observed", is_flag=True, help="Only what was observed, without its graphs.")
@click.option("--before", is_flag=True, help="Draw the graph of WORKFLOW before it runs, from its code and --input.")
@options.with_input
@options.of_modules
@click.option(
    "--format",
    "form",
    type=click.Choice(["mermaid", "svg"]),
    help="By default what FILE ends in: .svg, .mmd, .mermaid, .md or .txt; without FILE mermaid.",
)
@click.option("-o", "--output", "path", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Where to write it; by default standard output.")  # fmt: skip
@options.connected
@options.machine_readable
@options.command
async def graph_command(
    *,
    name: str,
    run_id: str | None,
    declared: bool,
    observed: bool,
    before: bool,
    inputs: tuple[str, ...],
    modules: tuple[str, ...],
    form: str | None,
    path: Path | None,
    connection: Connection,
    as_json: bool,
) -> int:
    """Draw the steps of a run: those of its graphs as declared, all others in the order that was observed.

    What a graph declares, and which of its steps are still to come, only a worker knows; without one, what was observed
    is drawn. --before asks nobody: WORKFLOW's code is run as far as its graph, and nothing is started.

    \b
    segue graph order-17 -o order-17.svg
    segue graph order-17 >> notes.md
    segue graph --before Nightly --input '"sales"' -o nightly.svg
    """
    from segue.workers.cli import drawings

    if declared and observed:
        raise Failure("Give one of --declared and --observed: without either, both are drawn", Exit.USAGE)
    only = "declared" if declared else "observed" if observed else None
    form = form or _form(path)
    if path is not None:
        _require_folder(path)
    if before:
        if run_id is not None or only is not None:
            raise Failure("--before draws a workflow that has no run: leave out --run-id, --declared and --observed",
                          Exit.USAGE)  # fmt: skip
        drawing = await drawings.of_workflow(connection.project, name, modules, inputs, form, as_json=as_json)
    elif inputs or modules:
        raise Failure("--input and --module are for --before WORKFLOW: a run has its input", Exit.USAGE)
    else:
        drawing = await drawings.of_run(connection, name, run_id, only, form)
    text = drawing.text.rstrip("\n")
    if path is not None:
        written(path, text + "\n")
    if as_json:
        where = {"path": str(path)} if path is not None else {"text": text}
        output.print_json({**drawing.of, "drawn": drawing.drawn, "format": form, **where})
    elif path is None:
        click.echo(text)
    else:
        count = drawing.steps
        click.echo(f"{count} step{'s' if count != 1 else ''} of {name} in {path}", err=True)
    return Exit.OK
