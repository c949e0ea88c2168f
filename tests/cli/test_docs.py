"""The reference in docs/cli.md is the text of `--help`; run this file to write it anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from click.testing import CliRunner

from segue.workers.cli.root import segue

DOCUMENT = Path(__file__).parents[2] / "docs" / "cli.md"
MARK = "<!-- The text of --help; `python tests/cli/test_docs.py` writes it. -->\n"


def reference() -> str:
    """The help of every command, in their order, as Markdown."""
    parts: list[str] = []
    for words in commands():
        shown = CliRunner().invoke(segue, [*words, "--help"], terminal_width=100, prog_name="segue")
        lines = [line.rstrip() for line in shown.output.rstrip().splitlines()]
        parts.append("\n".join([f"\n### segue {' '.join(words)}", "```text", *lines, "```\n"]))
    return "".join(parts)


def commands() -> Iterator[list[str]]:
    """Every command, each group before its own."""
    for name in segue.commands_in_order():
        yield [name]
        command = segue.get_command(click.Context(segue), name)
        if isinstance(command, click.Group):
            yield from ([name, within] for within in command.commands)


def test_the_reference_is_up_to_date() -> None:
    """What docs/cli.md says of each command is what `--help` says."""
    _, _, written = DOCUMENT.read_text().partition(MARK)
    assert written == reference(), "run python tests/cli/test_docs.py"


if __name__ == "__main__":
    head, mark, _ = DOCUMENT.read_text().partition(MARK)
    DOCUMENT.write_text(head + mark + reference())
