"""What commands share: `--json`, `--debug`, the options of the connection, and how a command's coroutine runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

import click

from segue.workers.cli import project
from segue.workers.cli.connection import Connection

F = TypeVar("F", bound=Callable[..., Any])


class DurationType(click.ParamType[timedelta]):
    """A duration as `segue.toml` writes it: `500ms`, `20s`, `1h30m`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """See base class."""
        if isinstance(value, timedelta):
            return value
        from segue.activities.duration import parse_duration

        try:
            return parse_duration(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


def command(function: Callable[..., Coroutine[Any, Any, int | None]]) -> Callable[..., int | None]:
    """Make a command's function of a coroutine function: it runs in a loop of its own, and returns its exit code."""

    @functools.wraps(function)
    def run(**parameters: Any) -> int | None:
        import asyncio

        return asyncio.run(function(**parameters))

    return run


def machine_readable(function: F) -> F:
    """Add `--json` and `--debug`."""
    function = click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")(
        function
    )
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, errors too.")(function)


def connected(function: F) -> F:
    """Add the options of a connection, and pass the `Connection`."""

    @click.option("--profile", metavar="NAME", help="Profile of Temporal's configuration file.")
    @click.option("--address", metavar="HOST:PORT", help="The Temporal server.")
    @click.option("--namespace", metavar="NAME", help="The Temporal namespace.")
    @functools.wraps(function)
    def with_connection(*, profile: str | None, address: str | None, namespace: str | None, **parameters: Any) -> Any:
        found = project.find()
        return function(
            connection=Connection(profile=profile, address=address, namespace=namespace, project=found), **parameters
        )

    return with_connection  # type: ignore[return-value]


def one_run(function: F) -> F:
    """Add the argument `ID` and the option `--run-id`."""
    function = click.option("--run-id", metavar="RUN", help="One run of the workflow; by default the latest.")(function)
    return click.argument("workflow_id", metavar="ID")(function)


def with_input(function: F) -> F:
    """Add `--input`, the arguments of what is called; `values.read_inputs` reads them."""
    return click.option(
        "--input", "inputs", metavar="FILE|JSON|-", multiple=True,
        help="JSON, a file that holds JSON, or - for standard input: the argument, or an array of several. "
        "Repeatable, once for each argument.",
    )(function)  # fmt: skip


def of_modules(function: F) -> F:
    """Add `--module`, where a workflow's class is looked for."""
    return click.option(
        "-m", "--module", "modules", metavar="MODULE", multiple=True,
        help="Module of the workflow; by default those of the running segue dev, or of pyproject.toml.",
    )(function)  # fmt: skip
