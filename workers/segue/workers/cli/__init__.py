"""The `segue` command: one module a group of commands, and here what they share in how they end.

Whatever happens, the process ends with a code that means something and one line on stderr, and never by way of the
interpreter's exit: Temporal's SDK may abort there after everything has succeeded.

    from segue.workers.cli import main
    main(["status", "order-17"])
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from segue.workers.cli.exits import Exit, Failure, report

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line, by default the process's own, and end the process with its exit code."""
    code = run(sys.argv[1:] if arguments is None else arguments)
    try:
        _flush_telemetry()
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        code = Exit.BROKEN_PIPE
    # Not sys.exit: threads of the SDK that outlive the interpreter's shutdown make it abort, with code 134 or 139, in
    # up to half of all short-lived processes (temporalio/sdk-python#300).
    os._exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; errors are reported on stderr."""
    from segue.workers.cli.root import segue

    try:
        code: object = segue.main(list(arguments), "segue", standalone_mode=False)
        return code if isinstance(code, int) else Exit.OK
    except SystemExit as error:  # completion scripts of shells end so
        return error.code if isinstance(error.code, int) else Exit.OK
    except click.exceptions.Exit as error:
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except click.ClickException as error:
        return report(Failure(_usage(error), Exit.USAGE), as_json="--json" in arguments)
    except BrokenPipeError:
        return Exit.BROKEN_PIPE
    except Exception as error:
        if "--debug" in arguments:
            import traceback

            traceback.print_exception(error)
        failure = error if isinstance(error, Failure) else _unexpected(error)
        return report(failure, as_json="--json" in arguments)


def _usage(error: click.ClickException) -> str:
    message = error.format_message().rstrip(".")
    context = getattr(error, "ctx", None)
    return message if context is None else f"{message} (see {context.command_path} --help)"


def _unexpected(error: Exception) -> Failure:
    message = " ".join(str(error).split())
    return Failure(
        f"{type(error).__name__}: {message}" if message else type(error).__name__,
        Exit.FAILED,
        hint="--debug shows the traceback",
    )


def _flush_telemetry() -> None:
    # Only a command that has connected can have something to send.
    if "segue.client.telemetry" in sys.modules:
        from segue.client import telemetry

        telemetry.flush()
