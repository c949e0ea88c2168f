"""Workflow classes by name, from the modules that the command line or the project names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from segue.workers.cli.executions import Execution, ended, execution
from segue.workers.cli.exits import Exit, Failure
from segue.workers.cli.project import Project
from segue.workers.discover import DiscoveryError, discover, workflow_name

if TYPE_CHECKING:
    from temporalio.client import Client


def class_named(project: Project, name: str, modules: Sequence[str], *, here: bool = False) -> type:
    """Return the workflow class of a registered name, or of a class's own name.

    Args:
        project: The project, in whose folder modules are looked for.
        name: The name.
        modules: The modules to look in.
        here: Whether the modules were named on the command line, and so start in the working directory.

    Raises:
        Failure: A module cannot be loaded, or none of them has such a workflow.
    """
    try:
        found = discover(modules, None if here else project.directory)
    except DiscoveryError as error:
        raise Failure(str(error), Exit.USAGE, details=error.traceback) from error
    by_name = {cls.__name__: cls for cls in found.workflows} | {workflow_name(cls): cls for cls in found.workflows}
    if name in by_name:
        return by_name[name]
    close = difflib.get_close_matches(name, by_name, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(by_name)) or 'none'}"
    raise Failure(f"No workflow {name!r} in {', '.join(modules)}: {hint}", Exit.USAGE)


def class_if_known(project: Project, name: str, given: Sequence[str]) -> type | None:
    """Return the workflow class of a registered name; None if no module is known, and, with a note, if it is not there.

    For those who act on a run at night, in a folder whose sources may be half-way through a change. Who names a module
    wants it to be used.

    Args:
        project: The project, whose modules are looked in where none are given.
        name: The name.
        given: The modules that the command line names.

    Raises:
        Failure: A module that is given cannot be loaded, or none of them has such a workflow.
    """
    if given:
        return class_named(project, name, given, here=True)
    if not (known := project.modules_or(())):
        return None
    try:
        return class_named(project, name, known)
    except Failure as error:
        click.echo(f"Not validated here: {error}", err=True)
        return None


async def described(client: Client, workflow_id: str, run_id: str | None) -> Execution:
    """Return what the server says of a run.

    Raises:
        RPCError: The server does not know the workflow, or cannot be reached.
    """
    from segue.client._server import describe

    return execution((await describe(client, workflow_id, run_id)).workflow_execution_info)


async def require_open(client: Client, workflow_id: str, run_id: str | None) -> None:
    """Do nothing if a run is open; the server takes some requests for a closed one, and does nothing.

    Raises:
        Failure: It has ended.
    """
    found = await described(client, workflow_id, run_id)
    if found.close_time is not None:
        raise Failure(f"{workflow_id} has ended already: it {ended(found.status)}", Exit.CONFLICT)
