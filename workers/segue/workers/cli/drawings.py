"""What `segue graph` draws: a run, as declared and as observed, or the graph of a workflow before it runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import click

from segue.client import draw
from segue.client.declared import NoGraph, declared
from segue.client.graphs import graphs_of
from segue.client.inspect import run
from segue.workers.cli import values
from segue.workers.cli.connection import Connection
from segue.workers.cli.exits import Exit, Failure
from segue.workers.cli.project import Project
from segue.workers.cli.workflows import class_named
from segue.workers.discover import workflow_name
from segue.workflows.graph import DeclaredStep, InvalidGraph

# A closed run is replayed before its worker answers.
_TIMEOUT: Final = timedelta(seconds=10)

Graphs = Sequence[Sequence[DeclaredStep]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drawing:
    """A drawing, and what it is of.

    Attributes:
        text: Mermaid or SVG.
        of: The run or the workflow, as JSON names it.
        drawn: What is drawn of it: `declared`, `observed`, or `both`.
        steps: How many steps.
    """

    text: str
    of: dict[str, Any]
    drawn: str
    steps: int


async def of_run(connection: Connection, workflow_id: str, run_id: str | None, only: str | None, form: str) -> Drawing:
    """Return a run drawn, with a note on stderr where that is less than there may be.

    Raises:
        Failure: There is no such run; or only what it declared was asked for, and there is none, or no worker to ask.
    """
    client = await connection.client()
    with connection.explained(workflow_id, run_id):
        found = await run(client.get_workflow_handle(workflow_id, run_id=run_id))
        handle = client.get_workflow_handle(workflow_id, run_id=found.run_id)
        graphs: Graphs | None = found.graphs
        if only != "observed" and not graphs:
            graphs = await graphs_of(handle, task_queue=found.task_queue, timeout=_TIMEOUT)
    of = {"workflow_id": found.workflow_id, "run_id": found.run_id}
    if only == "declared":
        if graphs is None:
            raise Failure(
                f"No worker says what {workflow_id} declares: one must poll task queue {found.task_queue!r}",
                Exit.FAILED,
                hint="start it, or draw what was observed with --observed",
            )
        if not graphs:
            raise Failure(f"{workflow_id} has no graph", Exit.FAILED, hint="draw what was observed with --observed")
        return _declared(graphs, f"{found.type} · {found.workflow_id}", of, form)
    if graphs is None:
        click.echo(
            f"Drawn is what was observed: no worker on task queue {found.task_queue!r} says whether there are graphs, "
            "and what of them is still to come",
            err=True,
        )
    shown = () if only == "observed" else tuple(map(tuple, graphs or ()))
    found = dataclasses.replace(found, graphs=shown)
    return Drawing(
        text=draw.svg(found) if form == "svg" else draw.mermaid(found),
        of=of,
        drawn="both" if shown else "observed",
        steps=draw.count(found),
    )


async def of_workflow(
    project: Project, workflow: str, modules: Sequence[str], inputs: Sequence[str], form: str, *, as_json: bool
) -> Drawing:
    """Return the graph of a workflow drawn as it would be declared with an input.

    Raises:
        Failure: There is no such workflow; the input does not fit it; its code does not come to a graph, or to one that
            cannot run.
    """
    texts = values.read_inputs(inputs)
    module, colon, name = workflow.rpartition(":")
    given = (module,) if colon else tuple(modules)
    known = project.modules_or(given)
    if not known:
        raise Failure(
            f"No module is known that could hold workflow {workflow!r}",
            Exit.USAGE,
            hint="name one (-m app.workflows), or start segue dev in this folder",
        )
    cls = class_named(project, name, known, here=bool(given))
    registered = workflow_name(cls)
    arguments = values.bound(registered, values.parameters(values.run_method(cls)), texts)
    try:
        graph = await declared(cls, *arguments)
    except NoGraph as error:
        hint = "it can be drawn once it runs, with `segue graph ID`" if error.needs_run else ""
        raise Failure(str(error), Exit.USAGE, hint=hint) from error
    try:
        graph.check()
    except InvalidGraph as error:
        raise _invalid(registered, error, as_json=as_json) from error
    return _declared([graph.declared()], registered, {"workflow": registered}, form)


def _declared(graphs: Graphs, title: str, of: dict[str, Any], form: str) -> Drawing:
    count = sum(map(len, graphs))
    said = f"{count} step{'s' if count != 1 else ''} as declared"
    text = draw.declared_svg(graphs, title, said) if form == "svg" else draw.declared_mermaid(graphs)
    return Drawing(text=text, of=of, drawn="declared", steps=count)


def _invalid(workflow: str, error: InvalidGraph, *, as_json: bool) -> Failure:
    if len(error.problems) == 1 or as_json:
        return Failure(f"{workflow}: {'; '.join(error.problems)}", Exit.USAGE)
    listed = "\n".join(f"- {problem}" for problem in error.problems)
    return Failure(
        f"{workflow}: the graph cannot run, for these {len(error.problems)} reasons", Exit.USAGE, details=listed
    )
