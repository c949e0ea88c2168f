"""`segue run` and `segue result`: start a workflow, and have its result."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from segue.workers.cli import options, output, values
from segue.workers.cli.connection import Connection
from segue.workers.cli.executions import ended
from segue.workers.cli.exits import Exit, Failure
from segue.workers.cli.workflows import class_named

if TYPE_CHECKING:
    from temporalio.client import Client, WorkflowHandle

    from segue.client.records import Run

_NOTE_TIMEOUT = timedelta(seconds=5)
# Told apart when read aloud or copied from a screen: no 0, 1, i, l, o.
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"


@click.command("run", short_help="Start a workflow; watch it, or wait for its result")
@click.argument("workflow")
@options.with_input
@click.option("--id", "workflow_id", metavar="ID", help="Id of the workflow; by default its name and a few letters.")
@click.option("--task-queue", metavar="NAME", help="Queue of its worker; by default $SEGUE_TASK_QUEUE, that of the "
              "running segue dev or of pyproject.toml, or the first module's top name.")  # fmt: skip
@click.option("--watch", is_flag=True, help="Show its steps until it ends.")
@click.option("--wait", is_flag=True, help="Wait until it ends, and print its result as JSON.")
@options.of_modules
@options.connected
@options.machine_readable
@options.command
async def run_command(
    *,
    workflow: str,
    inputs: tuple[str, ...],
    workflow_id: str | None,
    task_queue: str | None,
    watch: bool,
    wait: bool,
    modules: tuple[str, ...],
    connection: Connection,
    as_json: bool,
) -> int:
    """Start a workflow; print its id, or watch it, or wait for its result.

    WORKFLOW is its name (FulfilOrder), or module:name (app.workflows:FulfilOrder). The input is validated against the
    type hints of its run method before anything starts.

    \b
    segue run FulfilOrder --input order.json --watch
    segue run FulfilOrder --input '{"id": "17", "lines": []}' --id order-17
    segue run Transfer --input '["alice", "bob", 25]' --wait
    """
    from temporalio.exceptions import WorkflowAlreadyStartedError

    from segue.activities.errors import PayloadError

    texts = values.read_inputs(inputs)
    name, arguments, queue = _resolved(connection, workflow, modules, task_queue, texts)
    if workflow_id is not None and not workflow_id.strip():
        raise Failure(f"--id {workflow_id!r} is no id: leave it out to have one made", Exit.USAGE)
    workflow_id = workflow_id or f"{_readable(name)}-{''.join(secrets.choice(_ALPHABET) for _ in range(6))}"
    client = await connection.client()
    try:
        with connection.explained():
            handle = await client.start_workflow(name, args=arguments, id=workflow_id, task_queue=queue)
    except WorkflowAlreadyStartedError as error:
        raise Failure(
            f"{workflow_id} is already running",
            Exit.CONFLICT,
            hint=f"look at it with `segue status {workflow_id}`, or choose another --id",
        ) from error
    except PayloadError as error:
        raise Failure(str(error.message), Exit.USAGE) from error
    started = {
        "workflow_id": workflow_id,
        "run_id": handle.first_execution_run_id,
        "type": name,
        "task_queue": queue,
    }
    if watch:
        from segue.workers.cli.watch import watch as follow

        code = await follow(handle, connection, as_json=as_json, to_stderr=wait)
        return await _print_result(handle, connection, as_json=False) if wait and code == Exit.OK else code
    # It runs: whatever else goes wrong, its id has been printed.
    if as_json and not wait:
        output.print_json(started)
    elif not wait:
        click.echo(workflow_id)
    await _note_missing_worker(client, queue)
    if wait:
        return await _print_result(handle, connection, as_json=as_json, started=started)
    return Exit.OK


@click.command("result", short_help="Wait until a workflow ends, and print its result")
@options.one_run
@options.connected
@options.machine_readable
@options.command
async def result_command(*, workflow_id: str, run_id: str | None, connection: Connection, as_json: bool) -> int:
    """Wait until a workflow ends, and print its result as JSON."""
    client = await connection.client()
    return await _print_result(client.get_workflow_handle(workflow_id, run_id=run_id), connection, as_json=as_json)


def _resolved(
    connection: Connection, workflow: str, modules: Sequence[str], task_queue: str | None, texts: Sequence[bytes]
) -> tuple[str, list[Any], str]:
    """Return the registered name, the arguments and the task queue of what is to be started."""
    from segue.workers.discover import workflow_name

    around = connection.project
    module, colon, name = workflow.rpartition(":")
    given = (module,) if colon else tuple(modules)
    known = around.modules_or(given)
    queue = around.task_queue_or(task_queue, known)
    if not known:
        if queue is None:
            raise Failure(
                f"No module is known that could hold workflow {workflow!r}",
                Exit.USAGE,
                hint="name one (-m app.workflows), or start segue dev in this folder, or give --task-queue to start it "
                "without a look at its class",
            )
        click.echo(f"Not validated here: no module of {workflow} is known; -m MODULE names one", err=True)
        return workflow, values.bound(workflow, None, texts), queue
    assert queue is not None  # there are modules
    cls = class_named(around, name, known, here=bool(given))
    registered = workflow_name(cls)
    expected = values.parameters(values.run_method(cls))
    return registered, values.bound(registered, expected, texts), queue


def _readable(name: str) -> str:
    """Return a name as the start of an id: `fulfil-order` for `FulfilOrder`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name)
    return re.sub(r"[^a-z0-9]+", "-", spaced.lower()).strip("-") or "run"


async def _note_missing_worker(client: Client, queue: str) -> None:
    """Say so if nobody polls the queue: the run then waits, and looks like one that hangs."""
    from temporalio.api.enums.v1 import TaskQueueType
    from temporalio.api.taskqueue.v1 import TaskQueue
    from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
    from temporalio.service import RPCError

    try:
        described = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=client.namespace,
                task_queue=TaskQueue(name=queue),
                task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
            ),
            timeout=_NOTE_TIMEOUT,
        )
    except RPCError:
        return  # only a note: who may start a workflow may not be allowed to look at its queue
    if not described.pollers:
        click.echo(f"No worker polls task queue {queue!r} yet: the run waits for one", err=True)


async def _print_result(
    handle: WorkflowHandle[Any, Any], connection: Connection, *, as_json: bool, started: dict[str, Any] | None = None
) -> int:
    from temporalio.client import WorkflowFailureError

    from segue.client.inspect import run
    from segue.workers.cli.watch import left_running

    with connection.explained(handle.id, handle.run_id):
        try:
            result: Any = await handle.result()
        except asyncio.CancelledError:
            return left_running(handle.id, f"segue result {handle.id}")
        except WorkflowFailureError:
            found = await run(handle, query_timeout=None)
            if not as_json:
                raise Failure(f"{handle.id} {ended(found.status)}{because(found)}", Exit.FAILED) from None
            output.print_json({**(started or {"workflow_id": handle.id}), "status": found.status, "error": found.error})
            return Exit.FAILED
    if as_json:
        output.print_json({**(started or {"workflow_id": handle.id}), "status": "completed", "result": result})
    else:
        output.print_json(result)
    return Exit.OK


def because(run: Run) -> str:
    """Return why a run did not complete, as the end of a sentence; empty if nobody said."""
    if run.error is None:
        return ""
    # Who cancels or terminates gives a reason in words; the type of the failure adds nothing to it.
    return f": {run.error.message if run.status in ('cancelled', 'terminated') else run.error}"
