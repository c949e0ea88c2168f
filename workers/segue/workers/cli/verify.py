"""`segue replay`: would runs under way survive today's code?"""

from __future__ import annotations

import logging
from pathlib import Path

import click

from segue.workers.cli import options, output
from segue.workers.cli.connection import Connection
from segue.workers.cli.executions import histories as stored
from segue.workers.cli.exits import Exit, Failure
from segue.workers.cli.worker import load_known


@click.command("replay", short_help="Would runs under way survive today's code?")
@click.argument("modules", metavar="[MODULE]...", nargs=-1)
@click.option("--histories", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="DIR",
              help="Folder of recorded histories, *.json.")  # fmt: skip
@click.option("--query", metavar="QUERY", help="Histories of the runs that a list filter finds, from the server.")
@options.connected
@options.machine_readable
@options.command
async def replay_command(
    *, modules: tuple[str, ...], histories: Path | None, query: str | None, connection: Connection, as_json: bool
) -> int:
    """Replay histories against today's code; exit 1 if one does not fit, naming workflow and event.

    MODULE as for `segue worker`; by default the modules of the running `segue dev`, or of pyproject.toml.

    \b
    segue replay app.workflows --histories tests/histories
    segue replay app.workflows --query 'ExecutionStatus = "Running"'
    """
    from segue.workers.replay import ReplayError, replay

    if (histories is None) == (query is None):
        raise Failure("Give one of --histories DIR and --query QUERY", Exit.USAGE)
    found = load_known(connection.project, modules)
    # What goes wrong is reported below; the SDK would log it first, with its own frames.
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)
    try:
        if histories is not None:
            count = await replay(histories, found.workflows)
        else:
            assert query is not None  # one of the two is given
            client = await connection.client()
            with connection.explained():
                count = await replay(stored(client, query), found.workflows)
    except ReplayError as error:
        if as_json:
            failures = [
                {
                    name: getattr(failure, name)
                    for name in ("source", "workflow_type", "event_id", "event_type", "message")
                }
                for failure in error.failures
            ]
            output.print_json({"replayed": error.replayed, "failures": failures})
        else:
            click.echo(str(error), err=True)
        return Exit.FAILED
    except ValueError as error:
        raise Failure(str(error), Exit.FAILED) from error
    if as_json:
        output.print_json({"replayed": count, "failures": []})
    else:
        click.echo(f"{count} {'history replays' if count == 1 else 'histories replay'}")
    return Exit.OK
