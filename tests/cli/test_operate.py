"""`segue signal`, `query`, `update`, `cancel`, `terminate`: what they do to a run, and how they say no."""

from __future__ import annotations

import asyncio
import getpass
import json
import socket
import time
import uuid
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment
from tests.cli.conftest import Ended, Segue, Start, wait_for

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def waiting(segue: Segue) -> str:
    """The id of a run of Wait."""
    workflow_id = f"test-{uuid.uuid4()}"
    assert segue("run", "shop:Wait", "--id", workflow_id) == Ended(0, f"{workflow_id}\n", "")
    return workflow_id


def test_signals_queries_and_updates(segue: Segue, waiting: str) -> None:
    """Signals are delivered, queries and updates answer with JSON, arguments as for `segue run`."""
    assert segue("signal", waiting, "note", "--input", '["a", 2]', "-m", "shop") == Ended(
        0, f"Sent note to {waiting}\n", ""
    )
    assert segue("query", waiting, "read") == Ended(0, '["a","a"]\n', "")
    assert segue("update", waiting, "rename", "--input", '"lemon"') == Ended(0, "5\n", "")
    assert segue("query", waiting, "read", "--json") == Ended(0, '{"result":["lemon"]}\n', "")
    assert segue("signal", waiting, "proceed", "--json") == Ended(
        0, json.dumps({"workflow_id": waiting, "signal": "proceed"}, separators=(",", ":")) + "\n", ""
    )
    assert segue("result", waiting) == Ended(0, '["lemon"]\n', "")


def test_handlers_are_validated_where_their_class_is_known(segue: Segue, waiting: str) -> None:
    """An unknown handler and a wrong argument are refused with exit code 2 before anything is sent."""
    assert segue("signal", waiting, "notes", "-m", "shop") == Ended(
        2, "", "Error: Wait has no signal 'notes': its signals are note, proceed\n"
    )
    assert segue("update", waiting, "rename", "--input", "7", "-m", "shop") == Ended(
        2, "", "Error: rename: text: Input should be a valid string\n"
    )
    assert segue("query", waiting, "read") == Ended(0, "[]\n", "")


def test_handlers_that_segue_adds(segue: Segue, waiting: str) -> None:
    """A workflow's class does not have them, so their names are the worker's to judge."""
    assert segue("query", waiting, "segue_paused", "-m", "shop") == Ended(
        0, '{"supported":true,"pauses":[],"held":0,"turns":0,"steps":[]}\n', ""
    )
    ended = segue("query", waiting, "segue_pausd", "-m", "shop")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"Error: Query 'segue_pausd' of {waiting} failed: Query handler for 'segue_pausd' exp")


def test_a_handler_of_a_workflow_that_has_none(segue: Segue) -> None:
    """It is told that there are none, and not their empty list."""
    workflow_id = f"test-{uuid.uuid4()}"
    assert segue("run", "shop:Add", "--input", "1", "--id", workflow_id, "--wait") == Ended(0, "2\n", "")
    assert segue("query", workflow_id, "sum", "-m", "shop") == Ended(
        2, "", "Error: Add has no query 'sum': it has none\n"
    )


def test_a_module_that_is_named_is_used(segue: Segue, waiting: str, project: Path) -> None:
    """Nothing is sent if it cannot be imported, or lacks the workflow; a module of the project's is only missed."""
    missing = segue("signal", waiting, "proceed", "-m", "nomod")
    assert (missing.code, missing.out) == (2, "")
    assert missing.err.startswith("Error: No module named 'nomod'. Looked in ")
    assert segue("signal", waiting, "proceed", "-m", "depot") == Ended(
        2, "", "Error: No workflow 'Wait' in depot: known are Counted, Crossed, Loading\n"
    )
    (project / "pyproject.toml").write_text('[tool.segue]\nmodules = ["nomod"]\n')
    missed = segue("query", waiting, "read")
    assert (missed.code, missed.out) == (0, "[]\n")
    assert missed.err.startswith("Not validated here: No module named 'nomod'. Looked in ")
    assert json.loads(segue("status", waiting, "--json").out)["status"] == "running"


def test_an_update_that_fails(segue: Segue, waiting: str) -> None:
    """What an update's handler raises ends the command with exit code 1; the run goes on."""
    assert segue("update", waiting, "rename", "--input", '""') == Ended(
        1, "", f"Error: Update 'rename' of {waiting} failed: ValueError: a note has a text\n"
    )
    assert segue("query", waiting, "read") == Ended(0, "[]\n", "")


def test_a_query_that_is_not_there(segue: Segue, waiting: str) -> None:
    """Without the class at hand it is the worker that refuses a query's name."""
    ended = segue("query", waiting, "reed")
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(
        f"Error: Query 'reed' of {waiting} failed: Query handler for 'reed' expected but not found"
    )


def test_a_query_without_a_worker(segue: Segue) -> None:
    """A query that no worker answers ends after its timeout, and says what may be missing."""
    workflow_id = f"test-{uuid.uuid4()}"
    assert segue("run", "shop:Wait", "--task-queue", "deserted", "--id", workflow_id).code == 0
    assert segue("query", workflow_id, "read", "--timeout", "500ms") == Ended(
        1,
        "",
        "Error: No answer to query 'read' in 500ms: does a worker serve this workflow? "
        "A longer --timeout waits longer\n",
    )


async def test_a_query_after_the_last_worker_has_gone(
    segue: Segue, temporal: str, start: Start, tmp_path: Path
) -> None:
    """So says one that the server refuses at once, for nobody has polled for a while."""
    server = await WorkflowEnvironment.start_local(  # pyright: ignore[reportUnknownMemberType]
        dev_server_existing_path=temporal,
        dev_server_extra_args=["--dynamic-config-value", 'matching.queryPollerUnavailableWindow="10ms"'],
    )
    try:
        address = server.client.service_client.config.target_host
        env = {"TEMPORAL_ADDRESS": address}
        worker = start("worker", "shop", address=address)
        ended = await asyncio.to_thread(
            segue, "run", "shop:Hold", "--id", "left", "--input", f'"{tmp_path}/gate"', env=env
        )
        assert ended.code == 0
        await asyncio.to_thread(wait_for, (tmp_path / "gate.begun").exists, "the step has begun")
        worker.process.kill()
        worker.process.wait()

        def refused() -> bool:
            return segue("query", "left", "read", "--timeout", "1s", env=env) == Ended(
                1,
                "",
                "Error: No answer from left, for no worker polls its task queue: does a worker serve this workflow?\n",
            )

        await asyncio.to_thread(wait_for, refused, "the server knows that nobody polls")
    finally:
        await server.shutdown()


def test_an_update_without_a_worker(segue: Segue) -> None:
    """So does an update, which the run may yet take."""
    workflow_id = f"test-{uuid.uuid4()}"
    assert segue("run", "shop:Wait", "--task-queue", "deserted", "--id", workflow_id).code == 0
    assert segue("update", workflow_id, "rename", "--input", '"lemon"', "--timeout", "500ms") == Ended(
        1,
        "",
        "Error: No answer to update 'rename' in 500ms: does a worker serve this workflow? "
        "A longer --timeout waits longer\n",
    )


@pytest.mark.parametrize(
    "command",
    [
        ["update", "ID", "rename", "--input", '"lemon"'],
        ["approve", "ID"],
        ["repair", "ID", "hold-1", "--retry"],
        ["repair", "ID", "hold-1", "--retry", "--dry-run"],
        ["query", "ID", "read"],
    ],
    ids=["update", "approve", "repair", "repair --dry-run", "query"],
)
def test_an_answer_that_is_not_waited_for(segue: Segue, start: Start, address: str, command: list[str]) -> None:
    """Ctrl-C while no worker answers is an interruption, with exit code 130, and no time-out."""
    workflow_id = f"test-{uuid.uuid4()}"
    assert segue("run", "shop:Wait", "--task-queue", "deserted", "--id", workflow_id).code == 0
    waits = start(*[workflow_id if part == "ID" else part for part in command], address=address)
    time.sleep(3)  # it is not seen from outside that a command waits
    assert (waits.end(), waits.said()) == (130, "\n")


def test_cancel(segue: Segue, waiting: str) -> None:
    """A cancelled run ends as cancelled; a second request finds it ended, with exit code 5."""
    assert segue("cancel", waiting) == Ended(0, f"Asked {waiting} to cancel\n", "")
    assert segue("result", waiting) == Ended(1, "", f"Error: {waiting} was cancelled\n")
    assert segue("cancel", waiting) == Ended(5, "", f"Error: {waiting} has ended already: it was cancelled\n")


def test_terminate(segue: Segue, waiting: str) -> None:
    """A terminated run ends at once, and keeps the reason; without a reason nobody is terminated."""
    assert segue("terminate", waiting) == Ended(
        2, "", "Error: Missing option '--reason' (see segue terminate --help)\n"
    )
    assert segue("terminate", waiting, "--reason", "a test") == Ended(0, f"Terminated {waiting}\n", "")
    by = f"{getpass.getuser()}@{socket.gethostname()}"
    assert segue("result", waiting) == Ended(1, "", f"Error: {waiting} was terminated: a test (by {by})\n")
    assert segue("signal", waiting, "proceed") == Ended(5, "", f"Error: {waiting} has ended already\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["signal", "ID", "x"],
        ["query", "ID", "x"],
        ["update", "ID", "x"],
        ["cancel", "ID"],
        ["terminate", "ID", "--reason", "x"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_workflow_that_is_not_there(segue: Segue, arguments: list[str], address: str) -> None:
    """Whatever is asked of an id that nobody knows ends with exit code 4."""
    assert segue(*arguments) == Ended(4, "", f"Error: No workflow ID in namespace 'default' on {address}\n")
