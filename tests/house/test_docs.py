"""What the README and the docs show is run: their programs, their commands, and the output that they print.

A Python block whose first line is a comment with a file's name is a whole program or module. In a page of the docs it
is run as a script against a real server, and a `text` block right after it is its output. The README's commands are run
in the order they stand, on a `segue dev` of its own. Every other Python block must at least be Python.
"""

from __future__ import annotations

import ast
import contextlib
import itertools
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the file that its first line names."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def name(self) -> str | None:
        found = re.match(r"# ([\w/]+\.py)$", self.text.split("\n", 1)[0])
        return found[1] if found else None

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> list[Block]:
    found: list[Block] = []
    language, start, lines = "", 0, list[str]()
    for number, line in enumerate(page.read_text().split("\n"), 1):
        if line.startswith("```"):
            if start:
                found.append(Block(page, start, language, "\n".join(lines)))
                start = 0
            else:
                language, start, lines = line[3:].strip(), number, []
        elif start:
            lines.append(line)
    return found


ALL = [block for page in PAGES for block in blocks(page)]
PYTHON = [block for block in ALL if block.language == "python"]


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_each_python_block_is_python(block: Block) -> None:
    """A reader can paste any Python block without a syntax error; bare `await` is allowed, as in a REPL."""
    compile(block.text, str(block), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_leads_somewhere(page: Path) -> None:
    """A link to another page of this repository names a file that is there."""
    targets = re.findall(r"\]\((?!https?://|mailto:|#)([^)#]+)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def _programs() -> Iterator[tuple[Block, str | None]]:
    for page in PAGES[2:]:
        page_blocks = blocks(page)
        for block, after in itertools.zip_longest(page_blocks, page_blocks[1:]):
            if block.language == "python" and block.name is not None:
                yield block, after.text if after is not None and after.language == "text" else None


@pytest.mark.parametrize(("block", "output"), list(_programs()), ids=str)
def test_each_program_of_the_docs_runs(
    block: Block, output: str | None, server: WorkflowEnvironment, tmp_path: Path
) -> None:
    """A program of the docs runs against a real server and prints what its page says."""
    assert block.name is not None
    script = tmp_path / block.name
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(block.text)
    environment = {**os.environ, "TEMPORAL_ADDRESS": server.client.service_client.config.target_host}
    ran = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    if output is not None:
        assert ran.stdout.strip() == output.strip()


@contextlib.contextmanager
def _dev(folder: Path, module: str) -> Generator[str]:
    """`segue dev` in a folder, until it serves; its address."""
    log = folder / "dev.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [str(BIN / "segue"), "dev", module, "--port", "0", "--ui-port", "0"], cwd=folder, stdout=file, stderr=file
        )
    try:
        deadline = time.monotonic() + 60
        while not ((address := re.search(r"Server +(\S+),", log.read_text())) and "Queue app" in log.read_text()):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield address[1]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def _commands(block: Block) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block with the output that stands below it."""
    command, output = "", list[str]()
    for line in [*block.text.split("\n"), "$ "]:
        if line.startswith("$ "):
            if command:
                yield command, "\n".join(output)
            command, output = line[2:].partition("  #")[0].strip(), []
        else:
            output.append(line)


def test_the_readme_keeps_its_word(tmp_path: Path) -> None:
    """The README's first workflow, its commands and its client script run and print what the README says."""
    readme = blocks(PAGES[0])
    for block in readme:
        if block.language == "python" and block.name is not None:
            (tmp_path / block.name).write_text(block.text)
    shown = [pair for block in readme if block.language == "console" for pair in _commands(block) if pair[1]]
    assert len(shown) == 4
    with _dev(tmp_path, "app.py") as address:
        for command, output in shown:
            program, *arguments = shlex.split(command)
            ran = subprocess.run(
                [str(BIN / program), *arguments],
                cwd=tmp_path,
                env={**os.environ, "TEMPORAL_ADDRESS": address},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=60,
                check=False,
            )
            assert (command, ran.stdout.strip()) == (command, output)


def test_each_command_that_is_shown_exists() -> None:
    """Each `segue` command that a page shows is one that the command line has."""
    names = {
        words[1]
        for block in ALL
        if block.language == "console"
        for command, _ in _commands(block)
        if (words := command.split())[0] == "segue" and len(words) > 1 and not words[1].startswith("-")
    }
    known = subprocess.run([str(BIN / "segue"), "--help"], capture_output=True, text=True, check=True).stdout
    assert {name for name in names if not re.search(rf"^  {name} ", known, re.MULTILINE)} == set()
