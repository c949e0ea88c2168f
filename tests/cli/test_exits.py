"""How commands end: exit codes that mean something, errors on one line, and never an abort of the interpreter."""

from __future__ import annotations

import concurrent.futures
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.cli.conftest import SEGUE, Ended, Segue, environment

from segue.workers import ports
from segue.workers.cli.root import segue as root


def test_no_command_aborts_at_its_end(segue: Segue) -> None:
    """Thirty commands that have connected all exit 0: none dies in the interpreter's shutdown after its work."""
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        begun = [threads.submit(segue, "list", "--limit", "1", "--json") for _ in range(30)]
        ended = [one.result() for one in begun]
    assert [(one.code, one.err) for one in ended] == [(0, "")] * 30


def test_a_reader_that_leaves(segue: Segue, address: str, project: Path) -> None:
    """A command whose reader has gone ends quietly, as programs do that a broken pipe kills."""
    process = subprocess.Popen(
        [*SEGUE, "systems", "shop"],
        cwd=project,
        env=environment(address),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.wait(60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_help_is_quick() -> None:
    """Help needs neither Temporal nor pydantic, which take longer to import than people wait."""
    script = (
        "import sys\n"
        "from segue.workers.cli import run\n"
        "code = run(['--help'])\n"
        "slow = {'temporalio', 'pydantic', 'httpx', 'opentelemetry'} & set(sys.modules)\n"
        "print(code, sorted(slow), file=sys.stderr)\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stderr == "0 []\n"
    assert ended.stdout.startswith("Usage: segue [OPTIONS] COMMAND [ARGS]...\n")


@pytest.mark.parametrize("width", [80, 120])
def test_every_command_has_help(width: int) -> None:
    """Every command explains itself within the terminal's width."""
    for name in ("", *root.commands_in_order()):
        result = CliRunner().invoke(root, [*name.split(), "--help"], terminal_width=width, prog_name="segue")
        assert result.exit_code == 0
        assert max(map(len, result.output.splitlines())) <= width, name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["strt"], "No such command 'strt' (see segue --help)"),
        (["run"], "Missing argument 'WORKFLOW' (see segue run --help)"),
        (["status", "x", "--wach"], "No such option '--wach'. Did you mean '--watch'? (see segue status --help)"),
        (
            ["list", "--status", "broken"],
            "Invalid value for '--status': 'broken' is not one of 'running', 'paused', 'completed', 'failed', "
            "'cancelled', 'terminated', 'timed_out', 'continued_as_new' (see segue list --help)",
        ),
        (["list", "--profile", "nope"], "Temporal's configuration cannot be used: Profile 'nope' not found"),
        (
            ["list", "--address", "http://localhost:7233"],
            "'http://localhost:7233' is no server's address: write HOST:PORT, without a scheme",
        ),
    ],
    ids=["command", "argument", "option", "choice", "profile", "address"],
)
def test_wrong_usage(segue: Segue, arguments: list[str], message: str) -> None:
    """Wrong usage is exit code 2 and one line on stderr; with `--json` it is an object."""
    assert segue(*arguments) == Ended(2, "", f"Error: {message}\n")
    ended = segue(*arguments, "--json")
    assert (ended.code, ended.out) == (2, "")
    assert json.loads(ended.err) == {"error": {"code": "usage", "exit_code": 2, "message": message}}


def test_no_command(segue: Segue) -> None:
    """Without a command the help is shown, as for wrong usage."""
    ended = segue()
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == segue("--help").out


def test_no_server(segue: Segue) -> None:
    """Where nothing listens it is exit code 3, with the address, and how to start a server."""
    address = f"localhost:{ports.free_port()}"
    hint = "tart a server with `segue dev MODULE...`, or name another with --address or TEMPORAL_ADDRESS"
    message = f"Cannot connect to {address} (connection refused)"
    assert segue("list", "--address", address) == Ended(3, "", f"Error: {message}. S{hint}\n")
    ended = segue("list", "--address", address, "--json")
    assert (ended.code, ended.out) == (3, "")
    assert json.loads(ended.err) == {
        "error": {"code": "unreachable", "exit_code": 3, "message": message, "hint": f"s{hint}"}
    }


def test_no_such_namespace(segue: Segue, address: str) -> None:
    """A namespace that the server does not have is exit code 3, by its name."""
    assert segue("list", "--namespace", "nowhere") == Ended(
        3, "", f"Error: Namespace 'nowhere' does not exist on {address}\n"
    )


def test_a_profile_says_where(segue: Segue, project: Path, address: str) -> None:
    """Server and namespace come from a profile of Temporal's configuration file, and options win over it."""
    (project / "temporal.toml").write_text(f'[profile.test]\naddress = "{address}"\nnamespace = "nowhere"\n')
    configured = {"TEMPORAL_CONFIG_FILE": "temporal.toml", "TEMPORAL_ADDRESS": None}
    assert segue("list", "--profile", "test", env=configured) == Ended(
        3, "", f"Error: Namespace 'nowhere' does not exist on {address}\n"
    )
    assert segue("list", "--profile", "test", "--namespace", "default", env=configured).code == 0


def test_debug_shows_the_traceback(segue: Segue) -> None:
    """`--debug` shows the traceback before the line."""
    ended = segue("list", "--address", "nowhere.invalid:1", "--debug")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("Traceback (most recent call last):\n") or "\nTraceback" in ended.err
    assert ended.err.splitlines()[-1] == (
        "Error: Cannot connect to nowhere.invalid:1 (the host's name is not known). Start a server with `segue dev "
        "MODULE...`, or name another with --address or TEMPORAL_ADDRESS"
    )


def test_version(segue: Segue) -> None:
    """`--version` prints the version of the package that is installed."""
    ended = segue("--version")
    assert (ended.code, ended.err, ended.out.startswith("segue ")) == (0, "", True)
