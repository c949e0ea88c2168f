"""`segue approvals`, `approve`, `reject`: what waits for a person's decision, and the decision."""

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

    from segue.client.approvals import Pending
    from segue.workflows.approvals import Approval

F = TypeVar("F", bound=Callable[..., Any])

_QUERY_TIMEOUT: Final = timedelta(seconds=2)


@click.command("approvals", short_help="What waits for a person's decision, in all runs or in one")
@click.option("--workflow", "workflow_id", metavar="ID", help="Only this workflow's, with all that there is to know.")
@click.option("--scan", is_flag=True, help="Read through all open runs, in place of the search attribute: it finds the "
              "runs too that began to wait before the namespace had it.")  # fmt: skip
@options.connected
@options.machine_readable
@options.command
async def approvals_command(*, workflow_id: str | None, scan: bool, connection: Connection, as_json: bool) -> int:
    """List what waits for a person's decision, the oldest first.

    It is there whether or not a worker is alive; an approval shows up about a second after the run asked for it.
    """
    from segue.client.approvals import pending_approvals

    client = await connection.client()
    with connection.explained(workflow_id):
        if workflow_id is not None:
            found = await _of_one(client, workflow_id)
        else:
            found = await pending_approvals(client, scan=scan)
    if as_json:
        output.print_json(
            [
                {"workflow_id": one.workflow_id, "run_id": one.run_id, "workflow_type": one.workflow_type}
                | {"approval": one.approval}
                for one in found
            ]
        )
    elif not found:
        where = workflow_id or f"namespace {connection.namespace!r} on {connection.target}"
        click.echo(f"Nothing waits for a decision in {where}", err=True)
    elif workflow_id is not None:
        click.echo("\n\n".join("\n".join(_block(one, connection.options)) for one in found))
    else:
        for line in _listed(found):
            click.echo(line)
    return Exit.OK


def _decision(function: F) -> F:
    """Add what `approve` and `reject` take."""
    for option in (
        click.option("--timeout", type=options.DurationType(), default="30s", show_default=True,
                     help="How long to wait for a worker to take it."),
        click.option("--role", "roles", metavar="ROLE", multiple=True, help="A role that you decide in. Repeatable."),
        click.option("--by", metavar="NAME", help="Who decides; by default your user name."),
        click.option("--input", "given", metavar="FILE|JSON|-",
                     help="What the approval's form asks for: JSON, a file that holds JSON, or - for standard input."),
        click.option("--choice", metavar="CHOICE", help="The choice, where the command does not say which is meant."),
        click.option("--comment", metavar="TEXT", help="Why: it is kept in the run's history."),
        click.argument("name", metavar="[NAME]", required=False),
        options.one_run,
    ):  # fmt: skip
        function = option(function)
    return function


@click.command("approve", short_help="Approve what a run asks for")
@_decision
@options.connected
@options.machine_readable
@options.command
async def approve_command(**given: Any) -> int:
    """Approve what the workflow ID asks for: its approval NAME, or the only one that waits.

    You are told whether the decision was taken. A second one is refused, and says who decided before.
    """
    return await _decide(approve=True, **given)


@click.command("reject", short_help="Reject what a run asks for")
@_decision
@options.connected
@options.machine_readable
@options.command
async def reject_command(**given: Any) -> int:
    """Reject what the workflow ID asks for: its approval NAME, or the only one that waits.

    You are told whether the decision was taken. A second one is refused, and says who decided before.
    """
    return await _decide(approve=False, **given)


async def _decide(
    *,
    approve: bool,
    workflow_id: str,
    run_id: str | None,
    name: str | None,
    comment: str | None,
    choice: str | None,
    given: str | None,
    by: str | None,
    roles: tuple[str, ...],
    timeout: timedelta,
    connection: Connection,
    as_json: bool,
) -> int:
    from segue.activities.duration import format_duration
    from segue.client.approvals import decide
    from segue.workflows.approvals import AmbiguousApproval, DecisionNotAllowed, DecisionRefused, InvalidDecision
    from segue.workflows.approvals.decision import outcome

    value: Any = json.loads(values.read_inputs([given])[0]) if given is not None else None
    client = await connection.client()
    try:
        with connection.explained(workflow_id, run_id):
            async with asyncio.timeout(timeout.total_seconds()):
                decided = await decide(
                    client.get_workflow_handle(workflow_id, run_id=run_id),
                    name,
                    approve=approve,
                    choice=choice,
                    comment=comment,
                    input=value,
                    by=by or client.identity.rpartition("@")[0] or None,
                    roles=roles,
                )
    except DecisionRefused as error:
        wrong = isinstance(error, (AmbiguousApproval, InvalidDecision))
        hint = "--role ROLE says in which role you decide" if isinstance(error, DecisionNotAllowed) else ""
        raise Failure(f"{workflow_id}: {error.message}", Exit.USAGE if wrong else Exit.CONFLICT, hint=hint) from error
    except TimeoutError as error:
        raise Failure(
            f"No answer from {workflow_id} in {format_duration(timeout)}: does a worker serve it? The decision was "
            "sent, and may still be taken",
            Exit.FAILED,
        ) from error
    if as_json:
        output.print_json({"workflow_id": workflow_id, "decision": decided})
    else:
        click.echo(f"{decided.approval} of {workflow_id}: {outcome(decided.choice)} by {decided.by}")
    return Exit.OK


async def _of_one(client: Client, workflow_id: str) -> list[Pending]:
    """Return what waits in one run: all that its worker tells, or else what the server has of it."""
    from temporalio.client import WorkflowQueryFailedError, WorkflowQueryRejectedError
    from temporalio.service import RPCError

    from segue.client._server import describe
    from segue.client.approvals import Pending, approvals_in, approvals_of
    from segue.workers.cli.executions import execution

    info = (await describe(client, workflow_id)).workflow_execution_info
    run = execution(info)
    if run.close_time is not None:
        return []
    found = await approvals_in(client, workflow_id, info.memo.fields, info.start_time)
    if found:
        try:
            told = await approvals_of(
                client.get_workflow_handle(workflow_id, run_id=run.run_id), timeout=_QUERY_TIMEOUT
            )
            found = [one for one in told if one.state == "pending"]
        except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
            click.echo("No worker answers: details and forms are not shown", err=True)
    return [
        Pending(workflow_id=workflow_id, run_id=run.run_id, workflow_type=run.type, approval=approval)
        for approval in found
    ]


def _listed(found: Sequence[Pending]) -> list[str]:
    from segue.client.wording import duration, one_line

    now = datetime.now(UTC)
    rows = [
        (
            one_line(one.workflow_id),
            one_line(one.approval.id),
            one_line(one.approval.question),
            duration(now - one.approval.since),
            _left(one.approval, now),
            one_line(", ".join(one.approval.choices)),
            one_line(", ".join(one.approval.allowed or ()) or "anybody"),
        )
        for one in found
    ]
    return output.table(
        ("ID", "NAME", "QUESTION", "WAITS", "LEFT", "CHOICES", "WHO"),
        rows,
        limit=output.terminal_size()[0] if sys.stdout.isatty() else None,
    )


def _left(approval: Approval, now: datetime) -> str:
    from segue.client.wording import duration

    return duration(approval.until - now) if approval.until is not None else "-"


def _block(pending: Pending, options: str) -> list[str]:
    from segue.client._approvals import commands
    from segue.client.wording import duration, one_line, time

    approval, now = pending.approval, datetime.now(UTC)
    rows = [
        ("asked", f"{time(approval.since)}, {duration(now - approval.since)} ago"),
        ("until", f"{time(approval.until)}{_at_deadline(approval)}" if approval.until is not None else ""),
        ("choices", ", ".join(approval.choices)),
        ("who", ", ".join(approval.allowed or ()) or "anybody"),
        ("escalated", f"to {', '.join(approval.escalated_to)}" if approval.escalated_to else ""),
        ("input", f"{approval.form} {json.dumps(approval.schema) if approval.schema else ''}" if approval.form else ""),
    ]
    return [
        f"{click.style(one_line(approval.id), bold=True)}  {one_line(approval.question)}",
        *(f"  {name:<11}{one_line(text)}" for name, text in rows if text),
        *(f"  {'decide':<11}{command} {options}".rstrip() for command in commands(pending.workflow_id, approval)),
        *(f"  {one_line(line)}".rstrip() for line in (approval.details or "").splitlines()),
    ]


def _at_deadline(approval: Approval) -> str:
    return f", then {approval.on_deadline}" if approval.on_deadline is not None else ", then it fails"
