"""Following a run: in place on a terminal, a line a change in a pipe, an object a change as JSON."""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import uuid
from pathlib import Path

import pytest
from tests.cli.conftest import SEGUE, Ended, Segue, environment

pytestmark = pytest.mark.usefixtures("worker")

BUSY = '{"id": "busy-7", "lines": [{"sku": "tea", "quantity": 2}]}'


class Terminal:
    """A terminal of 80 columns that a command runs in: obeys what the live view sends, and keeps every frame."""

    def __init__(self, folder: Path, address: str, *arguments: str, rows: int = 24) -> None:
        self.main, side = pty.openpty()
        fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 80, 0, 0))
        self.process = subprocess.Popen(
            [*SEGUE, *arguments], cwd=folder, env=environment(address), stdin=side, stdout=side, stderr=side,
            start_new_session=True,
        )  # fmt: skip
        os.close(side)
        self.lines = [""]
        self.row = self.column = 0
        self.widest = 0
        self.sent = ""

    def read(self, until: str | None = None) -> None:
        """Read until a text is on the screen, or the command has ended."""
        end = time.monotonic() + 60
        decode = codecs.getincrementaldecoder("utf-8")().decode
        while until is None or until not in "\n".join(self.lines):
            assert time.monotonic() < end, self.lines
            if not select.select([self.main], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(self.main, 65536)
            except OSError:  # Linux says so when the other side is closed
                data = b""
            if not data:
                return
            self._obey(decode(data))

    def _obey(self, text: str) -> None:
        self.sent += text
        for part in re.findall(r"\x1b\[\??[\d;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", text):
            if found := re.fullmatch(r"\x1b\[(\d+)A", part):
                self.row -= int(found[1])
                assert self.row >= 0
            elif part == "\n":
                self.row += 1
                if self.row == len(self.lines):
                    self.lines.append("")
            elif part == "\r":
                self.column = 0
            elif part in ("\x1b[K", "\x1b[J"):
                self.lines[self.row] = self.lines[self.row][: self.column]
                if part == "\x1b[J":
                    del self.lines[self.row + 1 :]
            elif not part.startswith("\x1b"):
                line = self.lines[self.row]
                self.lines[self.row] = line[: self.column] + part + line[self.column + len(part) :]
                self.column += len(part)
                self.widest = max(self.widest, self.column)

    def end(self) -> int:
        """Read to the end, and return the exit code."""
        self.read()
        os.close(self.main)
        return self.process.wait(60)


def test_on_a_terminal(segue: Segue, project: Path, address: str) -> None:
    """The table is redrawn in place within 80 columns, without erasing it first, and ends as `status` shows it."""
    workflow_id = f"test-{uuid.uuid4()}"
    terminal = Terminal(project, address, "run", "shop:FulfilOrder", "--input", BUSY, "--id", workflow_id, "--watch")
    terminal.read(until="↻ backing off  charge • busy-7")
    assert terminal.end() == 0
    status = segue("status", workflow_id, env={"COLUMNS": "80"})
    assert "\n".join(terminal.lines).rstrip() + "\n" == status.out
    assert terminal.widest == 80
    # The screen is never cleared, and the cursor is there again in the end.
    assert "\x1b[2J" not in terminal.sent
    assert terminal.sent.endswith("\x1b[?25h")


def test_on_a_terminal_that_is_too_low(segue: Segue, project: Path, address: str) -> None:
    """While a run goes on no frame is taller than the screen; the last one is whole."""
    workflow_id = f"test-{uuid.uuid4()}"
    terminal = Terminal(
        project, address, "run", "shop:FulfilOrder", "--input", BUSY, "--id", workflow_id, "--watch", rows=9
    )
    terminal.read(until="charge • busy-7")
    # On a busy machine the first frame may be the one that was waited for.
    assert max((int(up) for up in re.findall(r"\x1b\[(\d+)A", terminal.sent)), default=0) <= 8, terminal.sent
    assert terminal.end() == 0
    assert "\n".join(terminal.lines).rstrip() + "\n" == segue("status", workflow_id, env={"COLUMNS": "80"}).out


def test_interrupted(segue: Segue, project: Path, address: str) -> None:
    """Ctrl-C ends the watching with exit code 130, not the run, and says so."""
    workflow_id = f"test-{uuid.uuid4()}"
    terminal = Terminal(project, address, "run", "shop:Wait", "--id", workflow_id, "--watch")
    terminal.read(until="▶ running")
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == 130
    assert terminal.lines[-2:] == [f"{workflow_id} goes on running: segue status {workflow_id} --watch", ""]
    assert json.loads(segue("status", workflow_id, "--json").out)["status"] == "running"


def test_in_a_pipe(segue: Segue) -> None:
    """In a pipe each change is a line, and the last line tells how the run ended."""
    workflow_id = f"test-{uuid.uuid4()}"
    ended = segue("run", "shop:FulfilOrder", "--input", BUSY, "--id", workflow_id, "--watch")
    assert (ended.code, ended.err) == (0, "")
    lines = [re.sub(r"^\d\d:\d\d:\d\d  ", "", line) for line in ended.out.splitlines()]
    timeless = [re.sub(r"[\d.]+ m?s", "TIME", line) for line in lines]
    # What was over before the first look is seen in its last state only.
    assert timeless[-1] == f'{workflow_id} completed in TIME: {{"order_id": "busy-7", "cents": 200}}'
    assert "✓ reserve • busy-7 completed in TIME" in timeless
    assert "↻ charge • busy-7 backing off: attempt 2 in TIME: RuntimeError: card terminal busy" in timeless
    assert "✓ charge • busy-7 completed in TIME, 2 attempts" in timeless


def test_as_json(segue: Segue) -> None:
    """With `--json` each change is an object a line, and the last one is the run."""
    ended = segue("run", "shop:FulfilOrder", "--input", BUSY, "--watch", "--json")
    assert (ended.code, ended.err) == (0, "")
    *steps, last = [json.loads(line) for line in ended.out.splitlines()]
    assert {(one["step"]["name"], one["step"]["state"]) for one in steps} >= {
        ("reserve", "completed"),
        ("charge", "backing_off"),
        ("charge", "completed"),
    }
    assert (last["run"]["status"], len(last["run"]["steps"])) == ("completed", 2)


def test_a_run_that_fails(segue: Segue) -> None:
    """Whoever watches a run that fails ends with exit code 1."""
    workflow_id = f"test-{uuid.uuid4()}"
    ended = segue("run", "shop:Fail", "--id", workflow_id, "--watch")
    assert (ended.code, ended.err) == (1, "")
    assert re.fullmatch(rf"\d\d:\d\d:\d\d  {workflow_id} failed in \d+ m?s: ValueError: no luck\n", ended.out)
    again = segue("status", workflow_id, "--watch")
    assert (again.code, again.out[10:]) == (1, ended.out[10:])


def test_watch_and_wait(segue: Segue) -> None:
    """With `--watch --wait` the steps go to stderr and the result to stdout."""
    ended = segue("run", "shop:FulfilOrder", "--input", BUSY, "--watch", "--wait")
    assert (ended.code, ended.out) == (0, '{"order_id":"busy-7","cents":200}\n')
    assert "✓ charge • busy-7 completed in " in ended.err
    assert ended == Ended(0, ended.out, ended.err)
