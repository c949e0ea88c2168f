"""`segue signal`, `query`, `update`, `cancel`, `terminate`: act on a run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import click

from segue.workers.cli import options, output, values
from segue.workers.cli.connection import Connection
from segue.workers.cli.exits import Exit, Failure
from segue.workers.cli.workflows import class_if_known, described, require_open

if TYPE_CHECKING:
    from temporalio.client import Client


@click.command("signal", short_help="Send a signal")
@options.one_run
@click.argument("name")
@options.with_input
@options.of_modules
@options.connected
@options.machine_readable
@options.command
async def signal_command(
    *,
    workflow_id: str,
    run_id: str | None,
    name: str,
    inputs: tuple[str, ...],
    modules: tuple[str, ...],
    connection: Connection,
    as_json: bool,
) -> int:
    """Send the signal NAME to a workflow; it is delivered even if no worker runs now."""
    texts = values.read_inputs(inputs)
    client = await connection.client()
    with connection.explained(workflow_id, run_id):
        arguments = await _arguments(client, connection, workflow_id, run_id, "signals", name, texts, modules)
        await client.get_workflow_handle(workflow_id, run_id=run_id).signal(name, args=arguments)
    return _done(as_json, f"Sent {name} to {workflow_id}", workflow_id=workflow_id, signal=name)


@click.command("query", short_help="Ask a workflow a query")
@options.one_run
@click.argument("name")
@options.with_input
@click.option("--timeout", type=options.DurationType(), default="10s", show_default=True,
              help="How long to wait for a worker's answer.")  # fmt: skip
@options.of_modules
@options.connected
@options.machine_readable
@options.command
async def query_command(
    *,
    workflow_id: str,
    run_id: str | None,
    name: str,
    inputs: tuple[str, ...],
    timeout: timedelta,
    modules: tuple[str, ...],
    connection: Connection,
    as_json: bool,
) -> int:
    """Ask a workflow the query NAME, and print the answer as JSON. A worker answers, also for a closed workflow."""
    from temporalio.client import WorkflowQueryFailedError
    from temporalio.service import RPCError, RPCStatusCode

    texts = values.read_inputs(inputs)
    client = await connection.client()
    with connection.explained(workflow_id, run_id):
        arguments = await _arguments(client, connection, workflow_id, run_id, "queries", name, texts, modules)
        handle = client.get_workflow_handle(workflow_id, run_id=run_id)
        try:
            answer: Any = await handle.query(name, args=arguments, rpc_timeout=timeout)
        except WorkflowQueryFailedError as error:
            raise Failure(f"Query {name!r} of {workflow_id} failed: {error}", Exit.FAILED) from error
        except RPCError as error:
            if error.status in (RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED):
                raise _no_answer(f"query {name!r}", timeout) from error
            raise
    output.print_json({"result": answer} if as_json else answer)
    return Exit.OK


@click.command("update", short_help="Send an update, and wait for its result")
@options.one_run
@click.argument("name")
@options.with_input
@click.option("--timeout", type=options.DurationType(), default="1m", show_default=True,
              help="How long to wait for its result.")  # fmt: skip
@options.of_modules
@options.connected
@options.machine_readable
@options.command
async def update_command(
    *,
    workflow_id: str,
    run_id: str | None,
    name: str,
    inputs: tuple[str, ...],
    timeout: timedelta,
    modules: tuple[str, ...],
    connection: Connection,
    as_json: bool,
) -> int:
    """Send the update NAME to a workflow, wait until it has been handled, and print its result as JSON."""
    from temporalio.client import WorkflowUpdateFailedError

    from segue.client._updates import send_update

    texts = values.read_inputs(inputs)
    client = await connection.client()
    with connection.explained(workflow_id, run_id):
        arguments = await _arguments(client, connection, workflow_id, run_id, "updates", name, texts, modules)
        handle = client.get_workflow_handle(workflow_id, run_id=run_id)
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                answer: Any = await send_update(handle, name, arguments, None)
        except WorkflowUpdateFailedError as error:
            reason = error.cause or error
            raise Failure(f"Update {name!r} of {workflow_id} failed: {reason}", Exit.FAILED) from error
        except TimeoutError as error:
            raise _no_answer(f"update {name!r}", timeout) from error
    output.print_json({"result": answer} if as_json else answer)
    return Exit.OK


@click.command("cancel", short_help="Ask a workflow to cancel")
@options.one_run
@options.connected
@options.machine_readable
@options.command
async def cancel_command(*, workflow_id: str, run_id: str | None, connection: Connection, as_json: bool) -> int:
    """Ask a workflow to cancel: its code may still clean up, compensate, or refuse."""
    client = await connection.client()
    with connection.explained(workflow_id, run_id):
        await require_open(client, workflow_id, run_id)
        await client.get_workflow_handle(workflow_id, run_id=run_id).cancel()
    return _done(as_json, f"Asked {workflow_id} to cancel", workflow_id=workflow_id)


@click.command("terminate", short_help="End a workflow at once")
@options.one_run
@click.option("--reason", metavar="TEXT", required=True, help="Why: it is kept in the run's history.")
@options.connected
@options.machine_readable
@options.command
async def terminate_command(
    *, workflow_id: str, run_id: str | None, reason: str, connection: Connection, as_json: bool
) -> int:
    """End a workflow at once: its code does not run again, and nothing is compensated."""
    client = await connection.client()
    with connection.explained(workflow_id, run_id):
        await require_open(client, workflow_id, run_id)
        await client.get_workflow_handle(workflow_id, run_id=run_id).terminate(reason=reason)
    return _done(as_json, f"Terminated {workflow_id}", workflow_id=workflow_id)


async def _arguments(
    client: Client,
    connection: Connection,
    workflow_id: str,
    run_id: str | None,
    kind: Literal["signals", "queries", "updates"],
    name: str,
    texts: Sequence[bytes],
    modules: Sequence[str],
) -> list[Any]:
    """Return the arguments of a handler, validated if the workflow's class can be found here."""
    expected = None
    if connection.project.modules_or(modules):
        execution = await described(client, workflow_id, run_id)
        cls = class_if_known(connection.project, execution.type, modules)
        function = values.handler(cls, kind, name) if cls is not None else None
        expected = values.parameters(function) if function is not None else None
    return values.bound(name, expected, texts)


def _no_answer(what: str, timeout: timedelta) -> Failure:
    from segue.activities.duration import format_duration

    return Failure(
        f"No answer to {what} in {format_duration(timeout)}: does a worker serve this workflow? A longer --timeout "
        "waits longer",
        Exit.FAILED,
    )


def _done(as_json: bool, text: str, **fields: Any) -> int:
    if as_json:
        output.print_json(fields)
    else:
        click.echo(text)
    return Exit.OK
