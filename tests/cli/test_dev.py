"""`segue dev`: server, Web UI and worker in one command, which follows the sources and ends without a trace."""

from __future__ import annotations

import json
import re
import resource
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from tests.cli.conftest import SEGUE, Background, Ended, Start, environment

from segue.workers import ports


@pytest.fixture
def development(start: Start) -> Background:
    """A `segue dev shop` that serves."""
    background = start("dev", "shop", "--port", "0")
    background.wait_for("Try: ")
    return background


def run(project: Path, *arguments: str) -> Ended:
    """Run a command in the project's folder, with nothing but what `segue dev` has left there to go by."""
    ended = subprocess.run(
        [*SEGUE, *arguments],
        cwd=project,
        env=environment(None),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def processes(parent: int) -> list[int]:
    """The process ids of a process's children."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split() if ports.command(int(line))]


def test_a_newcomers_first_commands(development: Background, project: Path) -> None:
    """`segue run` beside it needs no address, module or task queue; the banner says where everything is."""
    assert run(project, "run", "FulfilOrder", "--input", '{"id": "1"}', "--wait") == Ended(
        0, '{"order_id":"1","cents":0}\n', ""
    )
    found = json.loads((project / ".segue/dev.json").read_text())
    assert found["modules"] == ["shop"]
    assert [re.sub(r"^\d\S+  ", "", line) for line in development.said().splitlines()] == [
        "",
        f"  Web UI   {found['ui']}",
        f"  Server   {found['address']}, data in .segue/temporal.db",
        "  Serving  shop",
        "  Run      segue run WORKFLOW --input FILE --watch",
        "  Stop     Ctrl-C",
        "",
        "Queue shop: FulfilOrder, Add, Fail, Hold, Wait, Refund; reserve, hold",
        "Queue payments: charge (at most 50 a second, 8 at once)",
        "Try: segue run FulfilOrder --input order.json --watch",
    ]


def test_a_system_is_paused_beside_it(development: Background, project: Path) -> None:
    """`segue pause --system` looks for the system in the modules that it serves."""
    assert run(project, "pause", "--system", "payments", "--reason", "maintenance") == Ended(
        0, "Paused 0 runs\nStopped task queue 'payments'\n", ""
    )
    assert run(project, "resume", "--system", "payments") == Ended(
        0, "Resumed 0 runs\nStarted task queue 'payments'\n", ""
    )


def test_it_ends_without_a_trace(development: Background, project: Path) -> None:
    """SIGINT ends worker and server, and exits 0; what the server knows is there at the next start."""
    children = processes(development.process.pid)
    assert len(children) == 2
    assert run(project, "run", "Wait", "--id", "patient").code == 0
    address = json.loads((project / ".segue/dev.json").read_text())["address"]
    assert development.end(signal.SIGINT) == 0
    assert [ports.command(child) for child in children] == ["", ""]
    assert not (project / ".segue/dev.json").exists()
    assert "Stopping; what the server knows stays in .segue/temporal.db" in development.said()
    assert run(project, "status", "patient", "--address", address).code == 3


def test_runs_go_on_after_a_restart(development: Background, start: Start, project: Path) -> None:
    """A run that was under way when everything was killed goes on at the next start."""
    assert run(project, "run", "Wait", "--id", "patient").code == 0
    assert run(project, "signal", "patient", "note", "--input", '"before"').code == 0
    worker_and_server = processes(development.process.pid)
    development.process.kill()
    development.process.wait()
    again = start("dev", "shop", "--port", "0")
    again.wait_for("Try: ")
    # The worker ended with the process that started it, and the server was stopped by its successor.
    assert [ports.command(process) for process in worker_and_server] == ["", ""]
    assert run(project, "signal", "patient", "proceed").code == 0
    assert run(project, "result", "patient") == Ended(0, '["before"]\n', "")


def test_the_worker_follows_the_sources(development: Background, project: Path) -> None:
    """A change starts the worker anew; a mistake shows its traceback and waits for the next change."""
    source = (project / "shop.py").read_text()
    (project / "shop.py").write_text(source.replace("return left + right", "return left * 100 + right"))
    development.wait_for("shop.py changed: the worker starts anew")
    development.wait_for("Try: ", 2)
    assert run(project, "run", "Add", "--input", "[4, 2]", "--wait") == Ended(0, "402\n", "")
    (project / "shop.py").write_text(f"{source}\ndef broken(:\n")
    development.wait_for("The worker ended with exit code 2: waiting for a change")
    assert "    def broken(:\n               ^\nSyntaxError: invalid syntax\n" in development.said()
    (project / "shop.py").write_text(source)
    development.wait_for("Try: ", 3)
    assert run(project, "run", "Add", "--input", "[4, 2]", "--wait") == Ended(0, "6\n", "")


def test_a_new_folder_and_settings_count_as_sources(development: Background, project: Path) -> None:
    """A module in a folder that was not there before, and segue.toml, start the worker anew too."""
    (project / "lib" / "inner").mkdir(parents=True)
    (project / "lib" / "inner" / "words.py").write_text("HELLO = 1\n")
    development.wait_for("the worker starts anew", 1)
    development.wait_for("Try: ", 2)
    (project / "lib" / "inner" / "words.py").write_text("HELLO = 2\n")
    development.wait_for("lib/inner/words.py changed: the worker starts anew")
    development.wait_for("Try: ", 3)
    (project / "segue.toml").write_text("[systems.payments]\ncapacity = { per_second = 20 }\n")
    development.wait_for("segue.toml changed: the worker starts anew")
    development.wait_for("Queue payments: charge (at most 20 a second, 8 at once)")


def test_a_worker_that_is_killed(development: Background) -> None:
    """A worker that is killed is replaced at once."""
    [worker] = [child for child in processes(development.process.pid) if "segue" in ports.command(child)
                and " worker " in ports.command(child)]  # fmt: skip
    subprocess.run(["kill", "-KILL", str(worker)], check=True)
    development.wait_for("The worker was killed (SIGKILL): another one starts")
    development.wait_for("Try: ", 2)


def test_a_server_that_is_killed(development: Background) -> None:
    """Without its server it ends, with exit code 1, and says where the server's log is."""
    [server] = [child for child in processes(development.process.pid) if " start-dev " in ports.command(child)]
    subprocess.run(["kill", "-KILL", str(server)], check=True)
    assert development.process.wait(60) == 1
    assert development.said().splitlines()[-1] == (
        "Error: The Temporal server ended by itself, with exit code -9: its log is .segue/temporal.log"
    )


def test_a_second_one_in_the_same_place(development: Background, project: Path) -> None:
    """A second one says at once what is in the way, and what to do about it."""
    pid = development.process.pid
    found = json.loads((project / ".segue/dev.json").read_text())
    port = found["address"].rpartition(":")[2]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = run(project, "dev", "shop", "--port", port)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended == Ended(
        1,
        "",
        f"Error: A development server already runs on the data in .segue/temporal.db (process {pid}, on "
        f"localhost:{port}): use that one, stop it (kill {pid}), or start another beside it with --port and --data\n",
    )
    # Its own work, however busy the machine is; less than half a second of it on a slow one.
    assert (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime) < 1
    ended = run(project, "dev", "shop", "--port", port, "--data", ".segue/other.db")
    assert (ended.code, ended.out) == (1, "")
    assert re.fullmatch(
        rf"Error: Port {port} is taken by process {pid} \(.+\): stop it \(kill {pid}\), or choose another port, such "
        r"as --port \d+\n",
        ended.err,
    )
    # It has left alone what commands go by.
    assert json.loads((project / ".segue/dev.json").read_text()) == found


def test_a_port_that_is_taken_leaves_nothing(project: Path) -> None:
    """A start that is refused makes no folder, no lock and no log."""
    before = sorted(project.iterdir())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for data in ([], ["--data", "x.db"]):
            ended = run(project, "dev", "shop", "--port", str(port), *data)
            assert (ended.code, ended.err.startswith(f"Error: Port {port} is taken by process ")) == (1, True)
    assert sorted(project.iterdir()) == before


def test_without_a_module(project: Path) -> None:
    """Without a module there is nothing to develop."""
    assert run(project, "dev") == Ended(
        2,
        "",
        "Error: No module to serve: name one, as in `segue dev app.workflows`, or list them in pyproject.toml as "
        "modules = [...] under [tool.segue]\n",
    )


def test_a_file_that_is_not_there_starts_nothing(project: Path) -> None:
    """A mistyped file is refused before a server starts."""
    assert run(project, "dev", "shpo.py", "--port", "0") == Ended(2, "", f"Error: No file 'shpo.py' in {project}\n")
    assert not (project / ".segue").exists()
