"""`segue worker`: what it serves, how it drains, and how it says that it cannot start."""

from __future__ import annotations

import re
import signal
import uuid
from pathlib import Path

import pytest
from tests.cli.conftest import Ended, Segue, Start, wait_for


def lines(text: str) -> list[str]:
    """What a worker logged, without the times."""
    return [re.sub(r"^\S+  ", "", line) for line in text.splitlines()]


def test_what_it_serves_and_how_it_ends(start: Start, segue: Segue, address: str) -> None:
    """It names each queue with what it serves there, and ends with exit code 0 on SIGTERM."""
    queue = f"queue-{uuid.uuid4()}"
    worker = start("worker", "shop", "--task-queue", queue, address=address)
    assert segue("run", "shop:Add", "--input", "41", "--task-queue", queue, "--wait").out == "42\n"
    assert worker.end(signal.SIGTERM) == 0
    assert lines(worker.said()) == [
        f"Worker {worker.process.pid} on {address}, namespace default",
        f"Queue {queue}: FulfilOrder, Add, Fail, Hold, Wait, Refund; reserve, hold",
        "Queue payments: charge (at most 50 a second, 8 at once)",
        "Draining: running steps have 20 s to finish",
        "Stopped",
    ]


def test_a_drain_loses_nothing(start: Start, segue: Segue, address: str, tmp_path: Path) -> None:
    """On SIGTERM a running step finishes in its worker, and its result reaches the run."""
    queue, gate = f"queue-{uuid.uuid4()}", tmp_path / "gate"
    worker = start("worker", "shop", "--task-queue", queue, address=address)
    workflow_id = f"test-{uuid.uuid4()}"
    segue("run", "shop:Hold", "--input", f'"{gate}"', "--task-queue", queue, "--id", workflow_id)
    wait_for(Path(f"{gate}.begun").exists, "the step has begun")
    worker.process.send_signal(signal.SIGTERM)
    worker.wait_for("Draining")
    gate.touch()
    assert worker.process.wait(60) == 0
    after = start("worker", "shop", "--task-queue", queue, address=address)
    assert segue("result", workflow_id) == Ended(0, f'"held by {worker.process.pid}"\n', "")
    assert after.end(signal.SIGTERM) == 0


def test_what_outlasts_the_grace_is_done_elsewhere(start: Start, segue: Segue, address: str, tmp_path: Path) -> None:
    """A step that does not finish within the grace is retried by another worker."""
    queue, gate = f"queue-{uuid.uuid4()}", tmp_path / "gate"
    worker = start("worker", "shop", "--task-queue", queue, "--grace", "100ms", address=address)
    workflow_id = f"test-{uuid.uuid4()}"
    segue("run", "shop:Hold", "--input", f'"{gate}"', "--task-queue", queue, "--id", workflow_id)
    wait_for(Path(f"{gate}.begun").exists, "the step has begun")
    assert worker.end(signal.SIGTERM) == 0
    gate.touch()
    after = start("worker", "shop", "--task-queue", queue, address=address)
    assert segue("result", workflow_id) == Ended(0, f'"held by {after.process.pid}"\n', "")


@pytest.fixture
def payments(project: Path) -> str:
    """A queue for the payments that no other worker on this server serves."""
    queue = f"payments-{uuid.uuid4()}"
    (project / "segue.toml").write_text(f'[systems.payments]\ntask_queue = "{queue}"\n')
    return queue


def test_a_process_for_one_system(start: Start, segue: Segue, address: str, payments: str) -> None:
    """`--only` serves one system's queue, or the workflow queue alone."""
    queue = f"queue-{uuid.uuid4()}"
    steps = start("worker", "shop", "--only", "payments", address=address)
    flows = start("worker", "shop", "--task-queue", queue, "--only", "workflows", address=address)
    ended = segue("run", "shop:FulfilOrder", "--input", '{"id": "1"}', "--task-queue", queue, "--wait")
    assert (ended.code, ended.out) == (0, '{"order_id":"1","cents":0}\n')
    assert (steps.end(signal.SIGTERM), flows.end(signal.SIGTERM)) == (0, 0)
    assert lines(steps.said())[1:3] == [
        f"Queue {payments}: charge (at most 50 a second, 8 at once)",
        "Draining: running steps have 20 s to finish",
    ]
    assert lines(flows.said())[1:3] == [
        f"Queue {queue}: FulfilOrder, Add, Fail, Hold, Wait, Refund; reserve, hold",
        "Draining: running steps have 20 s to finish",
    ]


@pytest.mark.usefixtures("payments")
def test_a_failing_step_is_logged_in_a_line(start: Start, segue: Segue, address: str) -> None:
    """A failed attempt is a line that names the step, with the frames of the project's own code."""
    queue, workflow_id = f"queue-{uuid.uuid4()}", f"test-{uuid.uuid4()}"
    worker = start("worker", "shop", "--task-queue", queue, address=address)
    order = '{"id": "busy-1"}'
    ended = segue("run", "shop:FulfilOrder", "--input", order, "--task-queue", queue, "--id", workflow_id, "--wait")
    assert ended.code == 0
    assert worker.end(signal.SIGTERM) == 0
    said = lines(worker.said())
    first = said.index(f"WARNING  charge-1 • {workflow_id}: RuntimeError: card terminal busy")
    assert re.fullmatch(r'  File ".*/shop\.py", line \d+, in charge', said[first + 1])
    assert said[first + 2 : first + 4] == [
        '    raise RuntimeError("card terminal busy")',
        "Draining: running steps have 20 s to finish",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            [],
            "No module to serve: name one, as in `segue worker app.workflows`, or list them in pyproject.toml as "
            "modules = [...] under [tool.segue]",
        ),
        (
            ["shop", "--only", "paiments"],
            "No activity here belongs to a system 'paiments': systems here are payments, warehouse",
        ),
        (
            ["shop", "--only", "warehouse"],
            "System 'warehouse' has no task queue of its own, so its steps run with the workflows: give it a capacity "
            "or a task_queue",
        ),
        (
            ["shop", "--grace", "20"],
            "Invalid value for '--grace': '20' is not a duration: write a number with its unit, such as '500ms', "
            "'20s', '1h30m' (see segue worker --help)",
        ),
    ],
    ids=["no module", "no such system", "no queue of its own", "no unit"],
)
def test_a_worker_that_cannot_start(segue: Segue, arguments: list[str], message: str) -> None:
    """What a worker cannot do is refused with exit code 2, on one line."""
    ended = segue("worker", *arguments)
    assert (ended.code, ended.err.splitlines()[-1]) == (2, f"Error: {message}")


def test_settings_with_a_mistake(segue: Segue, project: Path) -> None:
    """Settings that cannot be applied are refused before it says what it serves."""
    (project / "segue.toml").write_text("[systems.paiments]\nmaximum_attempts = 3\n")
    assert segue("worker", "shop") == Ended(
        2, "", "Error: segue.toml:2: systems.paiments: unknown system 'paiments': did you mean 'payments'?\n"
    )


def test_a_module_with_a_mistake_in_it(segue: Segue, project: Path) -> None:
    """A module that cannot be imported shows the traceback of its author's code, and the error on one line."""
    (project / "broken.py").write_text("import shop\n\n\ndef begin() -> None:\n    shop.nothing()\n\n\nbegin()\n")
    message = "module 'shop' has no attribute 'nothing'"
    ended = segue("worker", "broken")
    # Which part of a line is at fault, each Python marks in its own way.
    assert Ended(ended.code, ended.out, re.sub(r"\n *[~^]+(?=\n)", "", ended.err)) == Ended(
        2,
        "",
        "Traceback (most recent call last):\n"
        f'  File "{project}/broken.py", line 8, in <module>\n    begin()\n'
        f'  File "{project}/broken.py", line 5, in begin\n    shop.nothing()\n'
        f"AttributeError: {message}\n"
        f"Error: Importing 'broken' failed: AttributeError: {message}\n",
    )


def test_a_workflow_that_the_sandbox_refuses(segue: Segue, project: Path) -> None:
    """A workflow module that does at import what workflows must not is refused, naming the workflow and the reason."""
    (project / "rash.py").write_text(
        "import random\n\nfrom temporalio import workflow\n\nCHANCE = random.random()\n\n\n"
        "@workflow.defn\nclass Rash:\n    @workflow.run\n    async def run(self) -> None: ...\n"
    )
    ended = segue("worker", "rash")
    assert (ended.code, ended.out) == (1, "")
    last = ended.err.splitlines()[-1]
    assert last.startswith(
        "Error: Failed validating workflow Rash: RestrictedWorkflowAccessError: Cannot access random.random"
    )
