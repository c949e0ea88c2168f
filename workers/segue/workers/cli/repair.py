"""`segue parked`, `repair`: which steps wait for an operator, and what is done about them, one or many at once."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from segue.workers.cli import options, output, values
from segue.workers.cli.connection import Connection
from segue.workers.cli.exits import Exit, Failure

if TYPE_CHECKING:
    from temporalio.client import Client

    from segue.client.repairs import Attempt, Parked
    from segue.workflows.repair.records import Action, Repaired

F = TypeVar("F", bound=Callable[..., Any])

_QUERY_TIMEOUT: Final = timedelta(seconds=2)
_DONE: Final = {
    "retry": "is tried again",
    "retry_with": "is tried again, with another input",
    "result": "has the given result",
    "skip": "is skipped",
    "fail": "fails with its error",
}


@click.command("parked", short_help="Which steps wait for an operator, in all runs or in one")
@click.option("--workflow", "workflow_id", metavar="ID", help="Only this workflow's, with all that there is to know.")
@click.option("--query", metavar="QUERY", help="Only of the runs that match a visibility query.")
@click.option("--system", metavar="NAME", help="Only the steps of this system.")
@click.option("--step", metavar="NAME", help="Only the steps of this activity, or with this id.")
@click.option("--scan", is_flag=True, help="Read through all open runs, in place of the search attribute: it finds the "
              "runs too whose steps parked before the namespace had it.")  # fmt: skip
@options.connected
@options.machine_readable
@options.command
async def parked_command(
    *,
    workflow_id: str | None,
    query: str | None,
    system: str | None,
    step: str | None,
    scan: bool,
    connection: Connection,
    as_json: bool,
) -> int:
    """List the steps that wait for an operator, the oldest first.

    They are there whether or not a worker is alive; a step shows up about a second after it parked.
    """
    from segue.client.repairs import parked

    client = await connection.client()
    with connection.explained(workflow_id):
        if workflow_id is not None:
            found = await _of_one(client, workflow_id, system, step)
        else:
            found = await parked(client, query, system=system, step=step, scan=scan)
    if as_json:
        output.print_json([_as_object(one) | {"step": one.step} for one in found])
    elif not found:
        where = workflow_id or f"namespace {connection.namespace!r} on {connection.target}"
        click.echo(f"Nothing is parked in {where}", err=True)
    elif workflow_id is not None:
        click.echo("\n\n".join("\n".join(_block(one, connection.options)) for one in found))
    else:
        for line in _listed(found):
            click.echo(line)
    return Exit.OK


def _action(function: F) -> F:
    """Add what says what to do about a step."""
    for option in (
        click.option("--fail", is_flag=True, help="Let the step fail with its error."),
        click.option("--skip", is_flag=True, help="Go on without the step: its result is None."),
        click.option("--result", metavar="FILE|JSON|-", help="Go on with this result in the step's place: JSON, a file "
                     "that holds JSON, or - for standard input."),
        click.option("--retry-with", metavar="FILE|JSON|-", help="Try the step again with another input: its argument, "
                     "or an array of several. It is another effect, with another idempotency key."),
        click.option("--retry", is_flag=True, help="Try the step again. It keeps its idempotency key, so that an "
                     "effect that did happen is found again."),
    ):  # fmt: skip
        function = option(function)
    return function


@click.command("repair", short_help="Repair a parked step, or all that match a query")
@click.argument("workflow_id", metavar="[ID]", required=False)
@click.argument("step", metavar="[STEP]", required=False)
@_action
@click.option("--reason", metavar="TEXT", help="Why: it is kept in the run's history.")
@click.option("--by", metavar="NAME", help="Who repairs; by default your user name.")
@click.option(
    "--query",
    metavar="QUERY",
    help="In place of ID and STEP: every parked step of the runs that match a visibility query.",
)
@click.option("--system", metavar="NAME", help="With --query: only the steps of this system.")
@click.option("--step", "named", metavar="NAME", help="With --query: only the steps of this activity, or with this id.")
@click.option("--scan", is_flag=True, help="With --query: read through all open runs, in place of the search "
              "attribute: it finds the runs too whose steps parked before the namespace had it.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Only check, and tell what would be done.")
@click.option(
    "--timeout",
    type=options.DurationType(),
    default="30s",
    show_default=True,
    help="How long to wait for a run's worker.",
)
@options.connected
@options.machine_readable
@options.command
async def repair_command(
    *,
    workflow_id: str | None,
    step: str | None,
    retry: bool,
    retry_with: str | None,
    result: str | None,
    skip: bool,
    fail: bool,
    reason: str | None,
    by: str | None,
    query: str | None,
    system: str | None,
    named: str | None,
    scan: bool,
    dry_run: bool,
    timeout: timedelta,
    connection: Connection,
    as_json: bool,
) -> int:  # fmt: skip
    """Repair the parked step STEP of the workflow ID: --retry, --retry-with, --result, --skip or --fail it.

    A worker checks it, and you are told whether it was done. What does not fit the step's types is refused.
    """
    given: dict[Action, str | bool | None] = {
        "retry": retry, "retry_with": retry_with, "result": result, "skip": skip, "fail": fail
    }  # fmt: skip
    actions: list[Action] = [action for action, value in given.items() if value not in (False, None)]
    if len(actions) != 1:
        raise click.UsageError("Give one of --retry, --retry-with, --result, --skip and --fail")
    [action] = actions
    value = given[action]
    values_of: dict[str, Any] = {}
    if isinstance(value, str):
        read = json.loads(values.read_inputs([value], f"--{action.replace('_', '-')}")[0])
        values_of["input" if action == "retry_with" else "result"] = read
    if query is None and (system is not None or named is not None or scan):
        raise click.UsageError("--system, --step and --scan are for the steps of --query")
    client = await connection.client()
    author = by or client.identity.rpartition("@")[0] or None
    if query is not None:
        if workflow_id is not None:
            raise click.UsageError("Give ID and STEP, or --query, not both")
        with connection.explained():
            return await _many(
                client, query, system, named, action, values_of,
                reason=reason, by=author, scan=scan, dry_run=dry_run, timeout=timeout, as_json=as_json,
            )  # fmt: skip
    if workflow_id is None or step is None:
        raise click.UsageError("Give ID and STEP, or --query")
    return await _one(
        client, connection, workflow_id, step, action, values_of,
        reason=reason, by=author, dry_run=dry_run, timeout=timeout, as_json=as_json,
    )  # fmt: skip


async def _one(
    client: Client,
    connection: Connection,
    workflow_id: str,
    step: str,
    action: Action,
    values_of: dict[str, Any],
    *,
    reason: str | None,
    by: str | None,
    dry_run: bool,
    timeout: timedelta,
    as_json: bool,
) -> int:
    from segue.activities.duration import format_duration
    from segue.client.repairs import check_repair, repair
    from segue.workflows.repair import InvalidRepair, RepairRefused

    handle = client.get_workflow_handle(workflow_id)
    repaired: Repaired | None = None
    try:
        with connection.explained(workflow_id):
            async with asyncio.timeout(timeout.total_seconds()):
                if dry_run:
                    await check_repair(handle, step, action, timeout=timeout, **values_of)
                else:
                    repaired = await repair(handle, step, action, reason=reason, by=by, **values_of)
    except RepairRefused as error:
        wrong = isinstance(error, InvalidRepair)
        raise Failure(f"{workflow_id}: {error.message}", Exit.USAGE if wrong else Exit.CONFLICT) from error
    except TimeoutError as error:
        sent = "" if dry_run else " The repair was sent, and may still be taken"
        raise Failure(
            f"No answer from {workflow_id} in {format_duration(timeout)}: does a worker serve it?{sent}", Exit.FAILED
        ) from error
    if as_json:
        output.print_json({"workflow_id": workflow_id, "step": step, "action": action, "repaired": repaired})
    elif repaired is None:
        click.echo(f"{step} of {workflow_id} would be repaired: it {_DONE[action]}")
    else:
        click.echo(f"{step} of {workflow_id} {_DONE[action]}")
    return Exit.OK


async def _many(
    client: Client,
    query: str,
    system: str | None,
    named: str | None,
    action: Action,
    values_of: dict[str, Any],
    *,
    reason: str | None,
    by: str | None,
    scan: bool,
    dry_run: bool,
    timeout: timedelta,
    as_json: bool,
) -> int:
    from segue.client.repairs import parked, repair_all

    found = await parked(client, query, system=system, step=named, scan=scan)

    def told(attempt: Attempt) -> None:
        one = attempt.parked
        would = "would be repaired: it " if dry_run else ""
        outcome = f"{would}{_DONE[action]}" if attempt.refused is None else f"is not repaired: {attempt.refused}"
        click.echo(f"{one.step.step} of {one.workflow_id} {outcome}", err=attempt.refused is not None)

    attempts = await repair_all(
        client, found, action, reason=reason, by=by, dry_run=dry_run, timeout=timeout,
        done=None if as_json else told, **values_of,
    )  # fmt: skip
    refused = sum(attempt.refused is not None for attempt in attempts)
    done = len(attempts) - refused
    if as_json:
        steps = [
            _as_object(one.parked) | {"step": one.parked.step.step, "repaired": one.repaired, "refused": one.refused}
            for one in attempts
        ]
        output.print_json({"action": action, "dry_run": dry_run, "done": done, "refused": refused, "steps": steps})
    elif attempts:
        verb = "would be repaired" if dry_run else "repaired"
        click.echo(f"{done} {verb}, {refused} refused")
    else:
        click.echo("Nothing that is parked matches", err=True)
    return Exit.FAILED if refused else Exit.OK


async def _of_one(client: Client, workflow_id: str, system: str | None, step: str | None) -> list[Parked]:
    """Return what is parked in one run: all that its worker tells, or else what the server has of it."""
    from temporalio.client import WorkflowQueryFailedError, WorkflowQueryRejectedError
    from temporalio.service import RPCError

    from segue.client._server import describe
    from segue.client.repairs import Parked, is_meant, parked_in_memo, parked_of
    from segue.workers.cli.executions import execution

    info = (await describe(client, workflow_id)).workflow_execution_info
    run = execution(info)
    if run.close_time is not None:
        return []
    found = await parked_in_memo(client, workflow_id, info.memo.fields)
    if found:
        handle = client.get_workflow_handle(workflow_id, run_id=run.run_id)
        try:
            found = await parked_of(handle, timeout=_QUERY_TIMEOUT)
        except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
            click.echo("No worker answers: inputs and types are not shown", err=True)
    return [
        Parked(workflow_id=workflow_id, run_id=run.run_id, workflow_type=run.type, step=one)
        for one in found
        if is_meant(one, system, step)
    ]


def _as_object(one: Parked) -> dict[str, Any]:
    return {"workflow_id": one.workflow_id, "run_id": one.run_id, "workflow_type": one.workflow_type}


def _listed(found: Sequence[Parked]) -> list[str]:
    from segue.client.wording import duration, one_line

    now = datetime.now(UTC)
    rows = [
        (
            one_line(one.workflow_id),
            one_line(one.step.step),
            one_line(one.step.system or "-"),
            duration(now - one.step.since),
            one.step.reason,
            one_line(one.step.error),
        )
        for one in found
    ]
    return output.table(
        ("ID", "STEP", "SYSTEM", "PARKED", "REASON", "ERROR"),
        rows,
        limit=output.terminal_size()[0] if sys.stdout.isatty() else None,
    )


def _block(parked: Parked, options: str) -> list[str]:
    from segue.client.repairs import commands
    from segue.client.wording import duration, one_line, time

    step, now = parked.step, datetime.now(UTC)
    rows = [
        ("error", f"{step.reason}: {step.error}"),
        ("note", step.note or ""),
        ("parked", f"{time(step.since)}, {duration(now - step.since)} ago"
                   + (f", for the {step.times}. time" if step.times > 1 else "")),
        ("system", step.system or ""),
        ("undoes", "earlier work" if step.undoes else ""),
        ("takes", ", ".join(step.takes)),
        ("input", ", ".join(json.dumps(value, ensure_ascii=False) for value in step.input or ())),
        ("returns", step.returns or ""),
        *(("repair", f"{command} {options}".rstrip()) for command in commands(parked.workflow_id, step)),
    ]  # fmt: skip
    head = step.activity if step.summary is None else f"{step.activity} • {step.summary}"
    return [
        f"{click.style(one_line(step.step), bold=True)}  {one_line(head)}",
        *(f"  {name:<9}{one_line(text)}" for name, text in rows if text),
    ]
