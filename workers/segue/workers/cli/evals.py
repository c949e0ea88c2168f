"""`segue evals`: what runs asked models, asked again and compared; and what runs spent on them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from segue.workers.cli import options, output, spending
from segue.workers.cli.connection import Connection
from segue.workers.cli.exits import Exit, Failure

if TYPE_CHECKING:
    from segue.activities.llm import Comparison, Model, Price, Scorer


@click.group("evals", short_help="Ask again what runs asked models, and compare; what runs spent")
def evals_command() -> None:
    """Compare models on what runs really asked them, and see what runs spent."""


@evals_command.command("rerun", short_help="Ask another model what was asked before, and compare")
@click.argument("store", metavar="STORE")
@click.option("--model", "name", metavar="NAME", required=True, help="The model to ask, as its server calls it.")
@click.option("--base-url", metavar="URL", required=True, help="Its server.")
@click.option("--key", metavar="REF", help="Where its key is: env:NAME or file:/path.")
@click.option("--price", metavar="IN,OUT", help="US dollars for a million tokens read and written.")
@click.option("--label", metavar="TEXT", default="", help="What the comparison calls it.")
@click.option("--instructions", type=click.File(encoding="utf-8"), metavar="FILE",
              help="Instructions in place of those of before.")  # fmt: skip
@click.option("--workflow-id", metavar="ID", help="Only what this workflow asked.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many questions.")
@click.option("--concurrency", type=click.IntRange(min=1), default=4, show_default=True, help="So many at a time.")
@click.option("--recording", metavar="URL", help="Where answers are kept and found again; by default under STORE.")
@click.option("--offline", is_flag=True, help="Ask nobody: use what is recorded.")
@click.option("--score", "scorers", metavar="MODULE:FUNCTION", multiple=True,
              help="A score of one's own: a function of a segue.activities.llm.Past and an answer.")  # fmt: skip
@options.machine_readable
@options.command
async def rerun_command(
    *,
    store: str,
    name: str,
    base_url: str,
    key: str | None,
    price: str | None,
    label: str,
    instructions: TextIO | None,
    workflow_id: str | None,
    limit: int,
    concurrency: int,
    recording: str | None,
    offline: bool,
    scorers: Sequence[str],
    as_json: bool,
) -> int:
    """Ask a model what runs asked another before, and compare what both made of it: scores, tokens, cost.

    STORE is where the runs kept what they asked (the `store` of their calls), or a recording. What is answered now is
    recorded too, so that the same comparison costs nothing the next time, and can be made offline.
    """
    from temporalio.exceptions import ApplicationError

    from segue.activities import http, llm, objects

    try:
        asked = _model(name, base_url, key, price, label)
        made = await llm.rerun(
            store,
            asked,
            instructions=instructions.read() if instructions is not None else None,
            workflow_id=workflow_id,
            limit=limit,
            concurrency=concurrency,
            recording=recording if recording is not None else objects.join(store, "reruns"),
            offline=offline,
            scorers={_short(scorer): _scorer(scorer) for scorer in scorers},
        )
    except (ImportError, ValueError) as error:
        raise Failure(str(error), Exit.USAGE) from error
    except ApplicationError as error:
        raise Failure(error.message, Exit.FAILED) from error
    finally:
        await http.close()
    if as_json:
        before, after = made.summary()
        output.print_json({"before": before, "after": after, "trials": made.trials})
    else:
        for line in _compared(made):
            click.echo(line)
    return Exit.OK


@evals_command.command("usage", short_help="What a run spent on models, by step and engine")
@options.one_run
@options.connected
@options.machine_readable
@options.command
async def usage_command(*, workflow_id: str, run_id: str | None, connection: Connection, as_json: bool) -> int:
    """Show the tokens and the cost of a run's steps, by engine, and their sum.

    Counted is what the results and errors of its steps say. Its children are runs of their own.
    """
    from segue.activities.llm import Usage

    client = await connection.client()
    with connection.explained(workflow_id, run_id):
        rows = await spending.spent(client, workflow_id, run_id)
    total = sum((usage for *_, usage in rows), Usage())
    if as_json:
        steps = [{"step": step, "engine": engine, "usage": usage} for step, engine, usage in rows]
        output.print_json({"steps": steps, "total": total})
        return Exit.OK
    if not rows:
        click.echo(f"No step of {workflow_id} says that it asked a model", err=True)
        return Exit.OK
    shown = [(step, engine, *spending.counts(usage)) for step, engine, usage in [*rows, ("", "total", total)]]
    for line in output.table(("STEP", "ENGINE", "CALLS", "READ", "WRITTEN", "COST"), shown):
        click.echo(line)
    return Exit.OK


def _compared(made: Comparison) -> Iterator[str]:
    """Yield the lines of a comparison: a row a side, and what went wrong."""
    sides = made.summary()
    names = list(sides[0].scores)
    rows = [
        (when, side.engine, f"{side.answered}/{side.calls}", *(f"{side.scores[name]:.2f}" for name in names),
         *spending.counts(side.usage)[1:])
        for when, side in zip(("before", "after"), sides, strict=True)
    ]  # fmt: skip
    yield from output.table(
        ("", "ENGINE", "ANSWERED", *(name.upper() for name in names), "READ", "WRITTEN", "COST"), rows
    )
    for when, side in zip(("before", "after"), sides, strict=True):
        if side.errors:
            yield f"{when}: {', '.join(f'{count} {error}' for error, count in side.errors.items())}"


def _model(name: str, base_url: str, key: str | None, price: str | None, label: str) -> Model:
    import pydantic

    from segue.activities.errors import describe
    from segue.activities.llm import Model
    from segue.activities.secrets import SecretRef

    try:
        return Model(
            name=name,
            base_url=base_url,
            key=SecretRef(key) if key is not None else None,
            label=label,
            price=_price(price) if price is not None else None,
            answers_as=("*",),
        )
    except pydantic.ValidationError as error:
        raise ValueError(describe(error)) from None


def _price(text: str) -> Price:
    from segue.activities.llm import Price

    read, _, written = text.partition(",")
    try:
        return Price(input=float(read), output=float(written or 0))
    except ValueError:
        raise ValueError(f"--price {text!r} is not two numbers, such as 0.15,0.6") from None


def _short(scorer: str) -> str:
    return scorer.rpartition(":")[2]


def _scorer(text: str) -> Scorer:
    """Return the function that a text names."""
    module, colon, name = text.partition(":")
    if not colon:
        raise ValueError(f"--score {text!r} names no function: write MODULE:FUNCTION")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    found: Callable[..., Any] | None = getattr(importlib.import_module(module), name, None)
    if found is None:
        raise ValueError(f"--score {text!r}: module {module!r} has no {name!r}")
    return found
