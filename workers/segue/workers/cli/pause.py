"""`segue pause`, `segue resume`: a run, or every run of a system, starts nothing new until it goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from segue.workers.cli import options, output
from segue.workers.cli.connection import Connection
from segue.workers.cli.exits import Exit, Failure

if TYPE_CHECKING:
    from temporalio.client import Client

    from segue.activities.settings import Settings
    from segue.activities.system import System
    from segue.client.pauses import Change
    from segue.client.sweeps import Swept

F = TypeVar("F", bound=Callable[..., Any])

# So many ids are shown of the runs that could not be told; --json has them all.
_SHOWN = 5


def _runs(function: F) -> F:
    """Add what `pause` and `resume` take."""
    for option in (
        options.of_modules,
        click.option("--by", metavar="NAME", help="Who does it; by default your user name."),
        click.option("--dry-run", is_flag=True, help="With --system or --query: only count the runs."),
        click.option("--query", metavar="FILTER", help="Every open run that this list filter finds, in place of ID."),
        click.option("--system", metavar="NAME", help="Only this system's steps; without ID and --query, in every "
                     "open run, and in its own task queue."),
        click.option("--run-id", metavar="RUN", help="One run of the workflow; by default the latest."),
        click.argument("workflow_id", metavar="[ID]", required=False),
    ):  # fmt: skip
        function = option(function)
    return function


@click.command("pause", short_help="Start nothing new: in a run, or in every run of a system")
@_runs
@click.option("--reason", metavar="TEXT", help="Why: it is kept in the history of each run.")
@options.connected
@options.machine_readable
@options.command
async def pause_command(*, reason: str | None, **given: Any) -> int:
    """Let the workflow ID start no step until `segue resume`; nothing is lost.

    What runs goes on, results are kept, timers run, updates and queries are answered, and it can be cancelled. Its
    children are paused with it. Without ID, --system pauses every open run for the steps of a system, and stops the
    system's own task queue, so that the steps of later runs wait there: they may exceed a schedule-to-start or
    schedule-to-close timeout.
    """
    return await _apply(True, reason=reason, **given)


@click.command("resume", short_help="Go on after segue pause")
@_runs
@options.connected
@options.machine_readable
@options.command
async def resume_command(**given: Any) -> int:
    """Let the workflow ID go on after `segue pause`: what waits starts, first come, first served.

    Give it what the pause was given: ID, --system, --query. What is not paused stays as it is.
    """
    return await _apply(False, reason=None, **given)


async def _apply(
    pausing: bool,
    *,
    workflow_id: str | None,
    run_id: str | None,
    system: str | None,
    query: str | None,
    reason: str | None,
    by: str | None,
    dry_run: bool,
    modules: tuple[str, ...],
    connection: Connection,
    as_json: bool,
) -> int:
    if workflow_id is None and system is None and query is None:
        raise Failure("Name a workflow's ID, or many runs with --system or --query", Exit.USAGE)
    if workflow_id is not None and (query is not None or dry_run):
        raise Failure(f"{'--query' if query is not None else '--dry-run'} is for many runs: leave out ID", Exit.USAGE)
    if workflow_id is None and run_id is not None:
        raise Failure("--run-id is for one run: name its workflow's ID", Exit.USAGE)
    found = _system(connection, system, modules) if system is not None else None
    client = await connection.client()
    by = by or client.identity.rpartition("@")[0] or None
    with connection.explained(workflow_id, run_id):
        if workflow_id is not None:
            return await _one(client, pausing, workflow_id, run_id, found, reason, by, as_json)
        return await _many(client, pausing, found, query, reason, by, dry_run, as_json)


def _system(connection: Connection, name: str, modules: tuple[str, ...]) -> System:
    """Return a system, which the project's modules declare, or Segue's own.

    Raises:
        Failure: None does.
    """
    from segue.activities.system import systems
    from segue.client.pauses import UnknownSystem, declared
    from segue.workers.cli.worker import load_known

    if connection.project.modules_or(modules):
        load_known(connection.project, modules)
    try:
        return declared(name)
    except UnknownSystem as error:
        known = ", ".join(sorted(systems())) or "none"
        raise Failure(f"No system {name!r} here: known are {known}. -m names a module", Exit.USAGE) from error


async def _one(
    client: Client,
    pausing: bool,
    workflow_id: str,
    run_id: str | None,
    system: System | None,
    reason: str | None,
    by: str | None,
    as_json: bool,
) -> int:
    from segue.client.pauses import PauseUnsupported, pause, resume

    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    try:
        if pausing:
            change = await pause(handle, system=system, reason=reason, by=by)
        else:
            change = await resume(handle, system=system, by=by)
    except PauseUnsupported as error:
        raise Failure(str(error), Exit.CONFLICT) from error
    if as_json:
        output.print_json(change)
    else:
        click.echo(_said(change, pausing, system.name if system is not None else None))
    return Exit.OK


def _said(change: Change, pausing: bool, system: str | None) -> str:
    what = change.workflow_id if system is None else f"{system} in {change.workflow_id}"
    if pausing:
        return f"Paused {what}" if change.changed else f"{change.workflow_id} is paused already: {change.pause}"
    if change.changed:
        return f"Resumed {what}, {change.pause}"
    others = "; ".join(f"{pause}: resume it with --system {pause.system}" for pause in change.others if pause.system)
    if system is not None and any(pause.system is None for pause in change.others):
        others = "the run as a whole is: leave out --system"
    return f"{what} is not paused" + (f"; {others}" if others else "")


async def _many(
    client: Client,
    pausing: bool,
    system: System | None,
    query: str | None,
    reason: str | None,
    by: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    from segue.client.sweeps import pause_all, resume_all

    settings = _settings(client)
    if pausing:
        swept = await pause_all(
            client, system=system, query=query, reason=reason, by=by, dry_run=dry_run, settings=settings
        )
    else:
        swept = await resume_all(client, system=system, query=query, by=by, dry_run=dry_run, settings=settings)
    if as_json:
        output.print_json(swept)
    else:
        for line in _counts(swept, pausing, dry_run):
            click.echo(line)
        for workflow_id, why in list(swept.failed.items())[:_SHOWN]:
            click.echo(f"Not told: {workflow_id}: {why}", err=True)
    return Exit.FAILED if swept.failed else Exit.OK


def _settings(client: Client) -> Settings:
    from segue.activities.settings import Settings
    from segue.client import SeguePlugin

    return next((p.settings for p in client.config()["plugins"] if isinstance(p, SeguePlugin)), Settings())


def _counts(swept: Swept, pausing: bool, dry_run: bool) -> list[str]:
    would = "Would have " if dry_run else ""
    verb = "paused" if pausing else "resumed"
    counts = [f"{would}{verb} {_of(swept.changed)}"]
    if swept.unchanged:
        # Of the open runs those that were not paused are no news where some were.
        counts += [f"{swept.unchanged} paused already"] if pausing else []
        counts += [] if pausing or swept.changed else ["for none that is open was paused so"]
    counts += [f"{swept.ended} ended meanwhile"] if swept.ended else []
    counts += [f"{len(swept.failed)} could not be told"] if swept.failed else []
    first = ", ".join(counts)
    lines = [first[:1].upper() + first[1:]]
    if swept.unsupported:
        shown = ", ".join(swept.unsupported[:_SHOWN])
        more = f" and {len(swept.unsupported) - _SHOWN} more" if len(swept.unsupported) > _SHOWN else ""
        lines.append(
            f"{_of(len(swept.unsupported))} cannot be paused, for they made their first step without Segue's plugin: "
            f"{shown}{more}"
        )
    if swept.queue is not None:
        queue, did = f"task queue {swept.queue!r}", "stopped" if pausing else "started"
        if swept.queue_changed:
            lines.append(f"{would}{did} {queue}" if dry_run else f"{did.capitalize()} {queue}")
        else:
            lines.append(f"T{queue[1:]} {'is stopped already' if pausing else 'was not stopped by segue pause'}")
    if swept.uncovered is not None:
        lines.append(swept.uncovered)
    return lines


def _of(count: int) -> str:
    return f"{count} run{'s' if count != 1 else ''}"
