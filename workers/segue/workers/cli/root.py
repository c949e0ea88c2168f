"""The command `segue` itself: its groups of commands, and its help."""

from __future__ import annotations

import importlib
from typing import Final

import click

from segue.workers.cli.exits import Exit

# Each module holds a group of commands; none imports Temporal before a command runs, so that `--help` is quick.
_COMMANDS: Final = {
    "Develop and serve": {"dev": "dev", "worker": "worker", "systems": "systems"},
    "Run": {"run": "run", "result": "run"},
    "Look": {"status": "look", "list": "look", "graph": "look", "history": "look"},
    "Operate": {
        "signal": "operate",
        "query": "operate",
        "update": "operate",
        "cancel": "operate",
        "terminate": "operate",
        "pause": "pause",
        "resume": "pause",
    },
    "Mend": {"parked": "repair", "repair": "repair"},
    "Decide": {"approvals": "decide", "approve": "decide", "reject": "decide"},
    "Verify": {"replay": "verify"},
    "Models": {"evals": "evals", "model": "model"},
}

_EPILOG: Final = f"""\
\b
Exit codes:
  {Exit.OK:<4} done
  {Exit.FAILED:<4} the run failed, was cancelled or timed out; or the command failed
  {Exit.USAGE:<4} wrong usage or input; nothing was sent
  {Exit.UNREACHABLE:<4} the server cannot be reached, or refuses this client
  {Exit.NOT_FOUND:<4} there is no such workflow
  {Exit.CONFLICT:<4} the workflow's state does not allow it, as when its id is in use
  {Exit.INTERRUPTED:<4} interrupted with Ctrl-C
"""


class Group(click.Group):
    """Commands under headings, in the order in which people need them."""

    def commands_in_order(self) -> list[str]:
        """Return the names of all commands."""
        return [name for commands in _COMMANDS.values() for name in commands]

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See base class."""
        return self.commands_in_order()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See base class."""
        for commands in _COMMANDS.values():
            if (module := commands.get(cmd_name)) is not None:
                found = getattr(importlib.import_module(f"segue.workers.cli.{module}"), f"{cmd_name}_command")
                return found if isinstance(found, click.Command) else None
        return None

    def invoke(self, ctx: click.Context) -> object:
        """See base class."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # click would exit with 1, which says that a run failed.
            return Exit.BROKEN_PIPE

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """See base class."""
        for heading, names in _COMMANDS.items():
            rows = [(name, self._help(ctx, name, formatter.width)) for name in names]
            with formatter.section(heading):
                formatter.write_dl(rows)

    def _help(self, ctx: click.Context, name: str, width: int) -> str:
        command = self.get_command(ctx, name)
        return (command.short_help or command.get_short_help_str(width)) if command is not None else ""


_SETTINGS: Final = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(
    cls=Group,
    epilog=_EPILOG,
    context_settings=_SETTINGS,
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
)
@click.version_option(package_name="segue", message="%(prog)s %(version)s")
@click.pass_context
def segue(context: click.Context) -> None:
    """Durable workflows in Python, on Temporal."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(Exit.USAGE)
