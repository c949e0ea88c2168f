"""`segue run` and `segue result`: what is started, what is refused before anything starts, and how it ends."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import time
import uuid
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment
from tests.cli.conftest import Background, Ended, Segue, Start, wait_for

ORDER = '{"id": "17", "lines": [{"sku": "tea", "quantity": 2}]}'

pytestmark = pytest.mark.usefixtures("worker")


def some_id() -> str:
    return f"test-{uuid.uuid4()}"


def test_wait_prints_the_result_alone(segue: Segue) -> None:
    """`--wait` prints the result as JSON on stdout, and nothing else anywhere."""
    assert segue("run", "FulfilOrder", "-m", "shop", "--input", ORDER, "--wait") == Ended(
        0, '{"order_id":"17","cents":200}\n', ""
    )


def test_an_interrupted_wait(segue: Segue, start: Start, address: str) -> None:
    """Ctrl-C ends the waiting with exit code 130, not the run, and says so."""
    workflow_id = some_id()
    for command in (["run", "shop:Wait", "--id", workflow_id, "--wait"], ["result", workflow_id]):
        waits = start(*command, "--debug", address=address)
        wait_for(lambda: segue("query", workflow_id, "read").code == 0, "the run has begun")
        time.sleep(1)  # it is not seen from outside that a command waits
        assert waits.end(signal.SIGINT) == 130
        assert waits.said() == f"{workflow_id} goes on running: segue result {workflow_id}\n"
    assert json.loads(segue("status", workflow_id, "--json").out)["status"] == "running"


def test_an_empty_id(segue: Segue) -> None:
    """As from a variable of a script that is not set: it is no wish for another id."""
    for given in ("", " "):
        assert segue("run", "shop:Wait", "--id", given) == Ended(
            2, "", f"Error: --id {given!r} is no id: leave it out to have one made\n"
        )


def test_the_id_is_printed_and_is_readable(segue: Segue) -> None:
    """Without `--wait` and `--watch` the id is printed: the workflow's name and six letters."""
    ended = segue("run", "shop:FulfilOrder", "--input", ORDER)
    assert (ended.code, ended.err) == (0, "")
    assert re.fullmatch(r"fulfil-order-[2-9a-z]{6}\n", ended.out)


def test_input_comes_from_a_file(segue: Segue, project: Path) -> None:
    """`--input FILE` reads the JSON that a file holds."""
    (project / "order.json").write_text(ORDER)
    ended = segue("run", "FulfilOrder", "-m", "shop.py", "--input", "order.json", "--wait")
    assert ended == Ended(0, '{"order_id":"17","cents":200}\n', "")


def test_input_comes_from_standard_input(segue: Segue) -> None:
    """`--input -` reads standard input."""
    ended = segue("run", "Add", "-m", "shop", "--input", "-", "--wait", stdin="[20, 22]")
    assert ended == Ended(0, "42\n", "")


@pytest.mark.parametrize(
    ("inputs", "result"),
    [(["[40, 2]"], "42\n"), (["40", "2"], "42\n"), (["[41]"], "42\n"), (["41"], "42\n")],
    ids=["array", "once each", "array without the optional", "one value"],
)
def test_several_arguments(segue: Segue, inputs: list[str], result: str) -> None:
    """Several arguments are a JSON array, or an `--input` each; what has a default may be left out."""
    given = [part for text in inputs for part in ("--input", text)]
    assert segue("run", "shop:Add", *given, "--wait") == Ended(0, result, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["shop:FulfilOrder", "--input", '{"lines": [{"sku": "tea", "quantity": "two"}]}'],
            "FulfilOrder: order.id: Field required; order.lines.0.quantity: Input should be a valid integer, unable to "
            "parse string as an integer",
        ),
        (["shop:FulfilOrder"], "FulfilOrder takes one argument (order: Order), and got none"),
        (["shop:Fail", "--input", "1"], "Fail takes no input"),
        (
            ["shop:Add", "--input", "[1, 2, 3]"],
            "Add takes 2 arguments (left: int; right: int, optional), and got 3",
        ),
        (["shop:Add", "--input", "[1, 2.5]"], "Add: right: Input should be a valid integer, got a number with a "
         "fractional part"),
        (
            ["shop:Add", "--input", "order.json"],
            "--input 'order.json' is neither a file nor JSON; a text is quoted twice: --input '\"order.json\"'",
        ),
        (
            ["shop:Add", "--input", "[1, "],
            "--input is not JSON: EOF while parsing a value at line 1 column 4",
        ),
        (["shop:FulfilOrde"], "No workflow 'FulfilOrde' in shop: did you mean FulfilOrder?"),
        (["shop:Zzz"], "No workflow 'Zzz' in shop: known are Add, Fail, FulfilOrder, Hold, Refund, Wait"),
        (
            ["FulfilOrder"],
            "No module is known that could hold workflow 'FulfilOrder'. Name one (-m app.workflows), or start segue "
            "dev in this folder, or give --task-queue to start it without a look at its class",
        ),
    ],
    ids=[
        "fields", "missing", "not wanted", "too many", "second argument", "no file", "not JSON", "close name",
        "no name", "no module",
    ],
)  # fmt: skip
def test_wrong_input_starts_nothing(segue: Segue, arguments: list[str], message: str) -> None:
    """Input that the workflow cannot take is refused with exit code 2, naming the field, before anything starts."""
    workflow_id = some_id()
    assert segue("run", *arguments, "--id", workflow_id) == Ended(2, "", f"Error: {message}\n")
    assert segue("status", workflow_id).code == 4


def test_a_workflow_that_fails(segue: Segue) -> None:
    """A failed run ends `--wait` with exit code 1 and its error on one line."""
    workflow_id = some_id()
    ended = segue("run", "shop:Fail", "--id", workflow_id, "--wait")
    assert ended == Ended(1, "", f"Error: {workflow_id} failed: ValueError: no luck\n")


def test_json_of_a_result(segue: Segue) -> None:
    """With `--json`, `--wait` prints one object: the run, its status, and its result or error."""
    workflow_id = some_id()
    ended = segue("run", "shop:Add", "--input", "41", "--id", workflow_id, "--wait", "--json")
    assert (ended.code, ended.err) == (0, "")
    found = json.loads(ended.out)
    assert uuid.UUID(found.pop("run_id"))
    assert found == {
        "workflow_id": workflow_id,
        "type": "Add",
        "task_queue": "shop",
        "status": "completed",
        "result": 42,
    }
    ended = segue("run", "shop:Fail", "--id", workflow_id, "--wait", "--json")
    assert (ended.code, ended.err) == (1, "")
    found = json.loads(ended.out)
    assert (found["status"], found["error"]) == (
        "failed",
        {"type": "ValueError", "message": "no luck", "cause": None},
    )


def test_an_id_in_use(segue: Segue) -> None:
    """The id of a run that is under way is refused with exit code 5, as JSON if JSON is asked for."""
    workflow_id = some_id()
    assert segue("run", "shop:Wait", "--id", workflow_id) == Ended(0, f"{workflow_id}\n", "")
    hint = f"Look at it with `segue status {workflow_id}`, or choose another --id"
    assert segue("run", "shop:Wait", "--id", workflow_id) == Ended(
        5, "", f"Error: {workflow_id} is already running. {hint}\n"
    )
    ended = segue("run", "shop:Wait", "--id", workflow_id, "--json")
    assert (ended.code, ended.out) == (5, "")
    assert json.loads(ended.err) == {
        "error": {
            "code": "conflict",
            "exit_code": 5,
            "message": f"{workflow_id} is already running",
            "hint": hint[0].lower() + hint[1:],
        }
    }


def test_without_a_module_the_task_queue_is_enough(segue: Segue) -> None:
    """A workflow whose class is not here starts all the same if its task queue is named, with a note."""
    ended = segue("run", "Add", "--task-queue", "shop", "--input", "40", "--input", "2", "--wait")
    assert ended == Ended(0, "42\n", "Not validated here: no module of Add is known; -m MODULE names one\n")


def test_a_queue_that_nobody_serves(segue: Segue) -> None:
    """A run that waits for a worker is started, and the wait is said."""
    workflow_id = some_id()
    ended = segue("run", "shop:Wait", "--task-queue", "deserted", "--id", workflow_id)
    assert ended == Ended(0, f"{workflow_id}\n", "No worker polls task queue 'deserted' yet: the run waits for one\n")


async def test_a_queue_that_may_not_be_looked_at(segue: Segue, temporal: str) -> None:
    """A run that has started is told of as started, also where the server refuses to describe its queue."""
    # One request a second: what follows the start is refused, and the start itself is tried again until it is not.
    limits = [f"frontend.{name}=1" for name in ("namespaceRPS", "namespaceBurstRatio")]
    server = await WorkflowEnvironment.start_local(  # pyright: ignore[reportUnknownMemberType]
        dev_server_existing_path=temporal,
        dev_server_extra_args=[part for limit in limits for part in ("--dynamic-config-value", limit)],
    )
    try:
        env = {"TEMPORAL_ADDRESS": server.client.service_client.config.target_host}
        workflow_id = some_id()
        ended = await asyncio.to_thread(segue, "run", "shop:Wait", "--id", workflow_id, env=env)
        assert ended == Ended(0, f"{workflow_id}\n", "")
    finally:
        await server.shutdown()


def test_the_project_names_modules_and_queue(segue: Segue, project: Path) -> None:
    """`[tool.segue]` in pyproject.toml spares both the module and the task queue."""
    (project / "pyproject.toml").write_text('[tool.segue]\nmodules = ["shop"]\ntask-queue = "elsewhere"\n')
    ended = segue("run", "Wait", "--json")
    assert json.loads(ended.out)["task_queue"] == "elsewhere"
    assert ended.err == "No worker polls task queue 'elsewhere' yet: the run waits for one\n"
    ended = segue("run", "Add", "--input", "41", "--wait", env={"SEGUE_TASK_QUEUE": "shop"})
    assert ended == Ended(0, "42\n", "")


def test_a_project_with_a_mistake_in_it(segue: Segue, project: Path) -> None:
    """A `[tool.segue]` that cannot be used is refused, naming the file and the field."""
    (project / "pyproject.toml").write_text('[tool.segue]\nmodule = "shop"\n')
    path = project / "pyproject.toml"
    assert segue("run", "Wait") == Ended(
        2, "", f"Error: {path}: [tool.segue] has an unknown field 'module': known are modules, task-queue\n"
    )


def test_result_waits_for_the_end(segue: Segue, worker: Background) -> None:
    """`segue result` prints the result of a run that was started before; of one that is not there, exit code 4."""
    workflow_id = some_id()
    assert segue("run", "shop:Wait", "--id", workflow_id).code == 0
    assert segue("signal", workflow_id, "note", "--input", '"hello"').code == 0
    assert segue("signal", workflow_id, "proceed").code == 0
    assert segue("result", workflow_id) == Ended(0, '["hello"]\n', "")
    missing = some_id()
    ended = segue("result", missing)
    assert (ended.code, ended.out) == (4, "")
    assert re.fullmatch(rf"Error: No workflow {missing} in namespace 'default' on [\w.:]+\n", ended.err)
