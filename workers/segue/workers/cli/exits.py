"""How a command ends: its exit code, and its error on one line."""

from __future__ import annotations

import enum
import json

import click


class Exit(enum.IntEnum):
    """Exit codes, as docs/cli.md lists them."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_FOUND = 4
    CONFLICT = 5
    INTERRUPTED = 130
    BROKEN_PIPE = 141


class Failure(Exception):
    """Ends a command.

    Attributes:
        code: The exit code.
        hint: What to do about it; empty if the message says so.
        details: Lines to show before the message, such as the traceback of a user's module.
    """

    def __init__(self, message: str, code: Exit, *, hint: str = "", details: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint
        self.details = details


def report(failure: Failure, *, as_json: bool) -> int:
    """Say on stderr why a command failed, and return the exit code."""
    # A message may come from anywhere: a server, a user's exception.
    message = " ".join(str(failure).split())
    if as_json:
        error = {"code": failure.code.name.lower(), "exit_code": int(failure.code), "message": message}
        if failure.hint:
            error["hint"] = failure.hint
        click.echo(json.dumps({"error": error}, ensure_ascii=False), err=True)
        return failure.code
    if failure.details:
        click.echo(failure.details, err=True)
    line = f"{message}. {failure.hint[:1].upper()}{failure.hint[1:]}" if failure.hint else message
    click.echo(f"{click.style('Error:', fg='red')} {line}", err=True)
    return failure.code
