"""`segue status`, `list`, `graph`, `history`, `systems`: what they print, for people and for scripts."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from tests.cli.conftest import Ended, Segue, wait_for


@pytest.fixture
def fulfilled(segue: Segue, worker: object) -> str:
    """The id of a run that took two steps, the second in two attempts."""
    workflow_id = f"test-{uuid.uuid4()}"
    order = '{"id": "busy-7", "lines": [{"sku": "tea", "quantity": 2}]}'
    assert segue("run", "shop:FulfilOrder", "--input", order, "--id", workflow_id, "--wait").code == 0
    return workflow_id


def test_status(segue: Segue, fulfilled: str) -> None:
    """`status` shows the run and its steps in a table; the terminal's width is kept."""
    ended = segue("status", fulfilled, env={"COLUMNS": "80"})
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert re.fullmatch(rf"FulfilOrder · {fulfilled} +✓ completed · [\d.]+ m?s", lines[0])
    assert re.fullmatch(r"started \d{4}-\d\d-\d\d [\d:]{8} UTC · task queue shop · \d+ events", lines[1])
    assert re.fullmatch(r"run [0-9a-f-]{36}", lines[2])
    assert lines[3:5] == ['result     {"order_id": "busy-7", "cents": 200}', ""]
    assert lines[5].split() == ["state", "step", "tries", "time"]
    assert [line.split()[:-2] for line in lines[6:]] == [
        ["✓", "completed", "reserve", "•", "busy-7"],
        ["✓", "completed", "charge", "•", "busy-7", "2/6"],
    ]
    assert max(map(len, lines)) <= 80


def test_status_as_json(segue: Segue, fulfilled: str) -> None:
    """`status --json` prints the whole run as one object: times in ISO 8601, durations in seconds."""
    ended = segue("status", fulfilled, "--json")
    assert (ended.code, ended.err) == (0, "")
    found = json.loads(ended.out)
    assert (found["workflow_id"], found["type"], found["status"], found["task_queue"]) == (
        fulfilled,
        "FulfilOrder",
        "completed",
        "shop",
    )
    assert isinstance(found["duration"], float)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", found["start_time"])
    steps = [
        {name: step[name] for name in ("id", "kind", "name", "summary", "state", "attempts", "task_queue")}
        for step in found["steps"]
    ]
    same = {"kind": "activity", "summary": "busy-7", "state": "completed"}
    assert steps == [
        {**same, "id": "reserve-1", "name": "reserve", "attempts": 1, "task_queue": "shop"},
        {**same, "id": "charge-1", "name": "charge", "attempts": 2, "task_queue": "payments"},
    ]


def test_list(segue: Segue, fulfilled: str) -> None:
    """`list` prints a row a run, the latest first; a list filter and a status choose, a limit bounds."""
    query = f'WorkflowId = "{fulfilled}"'

    def listed(*arguments: str) -> Ended:
        return segue("list", "--query", query, *arguments)

    # The list follows the run within a second.
    wait_for(lambda: "completed" in listed().out, "the run is listed as completed")
    header, row = listed().out.splitlines()
    assert re.split(r"  +", header) == ["ID", "TYPE", "STATUS", "STARTED (UTC)", "TOOK"]
    assert re.fullmatch(rf"{fulfilled}  FulfilOrder  completed  \d\d:\d\d:\d\d {{7}}[\d.]+ m?s", row)
    [found] = json.loads(listed("--json").out)
    assert set(found) == {
        "workflow_id", "run_id", "type", "status", "task_queue", "start_time", "close_time", "duration",
    }  # fmt: skip
    assert (found["workflow_id"], found["type"], found["status"], found["task_queue"]) == (
        fulfilled,
        "FulfilOrder",
        "completed",
        "shop",
    )
    assert listed("--status", "running", "--json") == Ended(0, "[]\n", "")
    none = listed("--status", "failed")
    assert (none.code, none.out) == (0, "")
    assert none.err.startswith("No runs in namespace 'default' on ")
    ended = segue("list", "--limit", "1", "--query", 'WorkflowType = "Add"')
    assert len(ended.out.splitlines()) <= 2


def test_list_shows_the_latest_start_first(segue: Segue, worker: object) -> None:
    """Whichever run closed last, and in UTC whatever the zone here is."""
    first, second, third = (f"test-{uuid.uuid4()}" for _ in range(3))
    for workflow_id, name in ((first, "Wait"), (second, "Wait"), (third, "Add")):
        assert segue("run", f"shop:{name}", "--id", workflow_id, *(["--input", "1"] if name == "Add" else [])).code == 0
    assert segue("signal", first, "proceed").code == 0
    query = f'WorkflowId IN ("{first}", "{second}", "{third}")'

    def listed() -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(segue("list", "--query", query, "--json").out)
        return found

    wait_for(
        lambda: {one["status"] for one in listed()} == {"running", "completed"} and len(listed()) == 3, "all three"
    )
    wait_for(lambda: [one["status"] for one in listed()] == ["completed", "running", "completed"], "two have ended")
    found = listed()
    assert [one["workflow_id"] for one in found] == [third, second, first]
    rows = segue("list", "--query", query, env={"TZ": "Asia/Tokyo"}).out.splitlines()[1:]
    started = [re.split(r"  +", row)[3][-8:] for row in rows]
    assert started == [one["start_time"][11:19] for one in found]


def test_list_of_what_is_paused(segue: Segue, worker: object) -> None:
    """A run that `segue pause` holds is listed as `segue status` tells it; one with a paused system is running."""
    held, part = (f"test-{uuid.uuid4()}" for _ in range(2))
    for workflow_id in (held, part):
        assert segue("run", "shop:Wait", "--id", workflow_id).code == 0
    assert segue("pause", held).code == 0
    assert segue("pause", part, "--system", "payments", "-m", "shop").code == 0
    query = f'WorkflowId IN ("{held}", "{part}")'

    def listed(status: str) -> list[tuple[str, str]]:
        found = json.loads(segue("list", "--query", query, "--status", status, "--json").out)
        return [(one["workflow_id"], one["status"]) for one in found]

    wait_for(lambda: listed("paused") == [(held, "paused")], "the run is listed as paused")
    assert listed("running") == [(part, "running")]
    assert segue("list", "--status", "parked") == Ended(
        2,
        "",
        "Error: Invalid value for '--status': a run with a parked step is running: `segue parked` lists the steps that "
        "are parked (see segue list --help)\n",
    )


def test_a_list_filter_with_a_mistake(segue: Segue) -> None:
    """A list filter that the server refuses ends with exit code 2 and the server's reason."""
    ended = segue("list", "--query", "Colour = 'red'")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("Error: The server refuses: invalid query: ")


def test_graph(segue: Segue, fulfilled: str, project: Path) -> None:
    """`graph` prints Mermaid, or writes the form that the file's name asks for."""
    mermaid = segue("graph", fulfilled)
    assert (mermaid.code, mermaid.err) == (0, "")
    assert mermaid.out.startswith(f'flowchart TD\n    start(["FulfilOrder<br/>{fulfilled}')
    assert segue("graph", fulfilled, "-o", "run.svg") == Ended(0, "", f"2 steps of {fulfilled} in run.svg\n")
    assert (project / "run.svg").read_text().startswith("<svg ")
    assert segue("graph", fulfilled, "--format", "svg").out == (project / "run.svg").read_text()
    assert json.loads(segue("graph", fulfilled, "--json").out)["text"] + "\n" == mermaid.out
    assert segue("graph", fulfilled, "-o", "run.png", "--format", "svg").code == 0
    assert (project / "run.png").read_text() == (project / "run.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["-o", "run.png"],
            "run.png ends in no form that can be drawn: name it .svg, .mmd, .mermaid, .md, .txt, or give --format "
            "mermaid or svg",
        ),
        (["-o", "drawn/of/run.svg"], "drawn/of/run.svg cannot be written: there is no folder drawn/of"),
        (["-o", "shop.py/run.svg"], "shop.py/run.svg cannot be written: there is no folder shop.py"),
        (["--declared", "--observed"], "Give one of --declared and --observed: without either, both are drawn"),
    ],
    ids=["suffix", "no folder", "a file for a folder", "both"],
)
def test_a_graph_that_is_not_drawn(segue: Segue, project: Path, arguments: list[str], message: str) -> None:
    """What cannot be drawn as asked is refused with exit code 2, and nothing is written."""
    before = sorted(project.iterdir())
    assert segue("graph", "ID", *arguments) == Ended(2, "", f"Error: {message}\n")
    assert sorted(project.iterdir()) == before


def test_history(segue: Segue, fulfilled: str, project: Path) -> None:
    """`history` writes what Temporal's own reader of histories reads."""
    ended = segue("history", fulfilled, "-o", "history.json")
    text = (project / "history.json").read_text()
    history = WorkflowHistory.from_json(fulfilled, text)
    assert ended == Ended(0, "", f"{len(history.events)} events of {fulfilled} in history.json\n")
    assert history.events[0].workflow_execution_started_event_attributes.workflow_type.name == "FulfilOrder"
    assert segue("history", fulfilled).out == text


@pytest.mark.parametrize("command", [["status"], ["status", "--watch"], ["graph"], ["history"], ["result"]])
def test_a_workflow_that_is_not_there(segue: Segue, command: list[str], address: str) -> None:
    """A look at an id that nobody knows ends with exit code 4; at a run of it that nobody knows, too."""
    name, *options = command
    assert segue(name, "ID", *options) == Ended(4, "", f"Error: No workflow ID in namespace 'default' on {address}\n")


def test_systems(segue: Segue, project: Path) -> None:
    """`systems` prints every value of each system with its origin: default, declared, or a line of the file."""
    (project / "segue.toml").write_text(
        '[systems.payments]\nstart_to_close_timeout = "20s"\ncapacity = { per_second = 20 }\n'
    )
    assert segue("systems", "shop") == Ended(
        0,
        """\
warehouse  reserve, hold
  task_queue                 the workflow's  default
  capacity.per_second        none            default
  capacity.concurrent        none            default
  start_to_close_timeout     30s             default
  schedule_to_close_timeout  none            default
  schedule_to_start_timeout  none            default
  heartbeat_timeout          derived: none   default
  initial_interval           1s              default
  backoff_coefficient        2               default
  maximum_interval           1m              default
  maximum_attempts           10              default
  on_exhausted               none            default

payments  charge
  task_queue                 payments       declared
  capacity.per_second        20             segue.toml:3
  capacity.concurrent        8              declared
  start_to_close_timeout     20s            segue.toml:2
  schedule_to_close_timeout  none           default
  schedule_to_start_timeout  none           default
  heartbeat_timeout          derived: none  default
  initial_interval           1s             default
  backoff_coefficient        2              default
  maximum_interval           1m             default
  maximum_attempts           6              declared
  on_exhausted               none           default
""",
        "",
    )
    found = {system["name"]: system for system in json.loads(segue("systems", "shop", "--json").out)}
    assert found["payments"]["activities"] == ["charge"]
    assert found["payments"]["values"]["start_to_close_timeout"] == {"value": 20.0, "from": "segue.toml:2"}
    assert found["payments"]["values"]["maximum_attempts"] == {"value": 6, "from": "declared"}


def test_systems_with_a_mistake_in_the_settings(segue: Segue, project: Path) -> None:
    """Settings that cannot be applied end with exit code 2, naming file, line and field."""
    (project / "segue.toml").write_text("[systems.paiments]\nmaximum_attempts = 3\n")
    assert segue("systems", "shop") == Ended(
        2, "", "Error: segue.toml:2: systems.paiments: unknown system 'paiments': did you mean 'payments'?\n"
    )
