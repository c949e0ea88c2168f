"""`segue graph` and `segue status` of workflows with a graph: before they run, while they do, and after."""

from __future__ import annotations

import json
import re
import signal
import uuid
from pathlib import Path

import pytest
from tests.cli.conftest import Ended, Segue, Start, wait_for

DECLARED = """\
flowchart TD
    s0["open_gate"]
    s1["stow"]
    s2["depart"]
    s3["close_gate<br/>teardown of open_gate"]
    s0 --> s1
    s1 --> s2
    s2 -.-> s3
"""


def test_before_it_runs(segue: Segue, project: Path) -> None:
    """`graph --before` draws what a workflow would declare for an input; no server is needed, and nothing starts."""
    nowhere = {"TEMPORAL_ADDRESS": "127.0.0.1:1"}
    load = '{"gate": "g", "parcels": ["a"]}'
    before = ["graph", "--before", "depot:Loading", "--input", load]
    assert segue(*before, env=nowhere) == Ended(0, DECLARED, "")
    assert json.loads(segue("graph", "--before", "Loading", "-m", "depot", "--input", load, "--json").out) == {
        "workflow": "Loading",
        "drawn": "declared",
        "format": "mermaid",
        "text": DECLARED.rstrip(),
    }
    assert segue(*before, "-o", "loading.svg") == Ended(0, "", "4 steps of depot:Loading in loading.svg\n")
    drawn = (project / "loading.svg").read_text()
    assert re.findall(r"<text[^>]*>([^<]*)</text>", drawn) == [
        "Loading", "4 steps as declared", "open_gate", "stow", "depart", "close_gate", "teardown of open_gate",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (
            ["--before", "depot:Loading", "--input", '{"gate": 1, "parcels": "a"}'],
            "Error: Loading: load.gate: Input should be a valid string; load.parcels: Input should be a valid array\n",
        ),
        (["--before", "depot:Loading"], "Error: Loading takes one argument (load: Load), and got none\n"),
        (["--before", "depot:Loadin"], "Error: No workflow 'Loadin' in depot: did you mean Loading?\n"),
        (
            ["--before", "Loading"],
            "Error: No module is known that could hold workflow 'Loading'. Name one (-m app.workflows), or start segue "
            "dev in this folder\n",
        ),
        (
            ["--before", "depot:Counted", "--input", '["a", "b"]'],
            "Error: Counted asks Temporal for something before its graph (depot.py:64: "
            "count = await workflow.execute_activity(stow, parcels)). It can be drawn once it runs, with `segue graph "
            "ID`\n",
        ),
        (["--before", "shop:Fail"], "Error: Fail raises ValueError before its graph (shop.py:89: "
         'raise ValueError("no luck")): no luck\n'),
        (["--before", "shop:Add", "--input", "1"], "Error: Add came to its end without a graph\n"),
        (
            ["--before", "depot:Crossed"],
            "- Step 'stow' takes 'parcels' as list[str], but 'depart' returns str\n"
            "- Steps wait for each other in a cycle: 'stow' → 'depart' → 'stow'\n"
            "Error: Crossed: the graph cannot run, for these 2 reasons\n",
        ),
        (
            ["--before", "depot:Crossed", "--observed"],
            "Error: --before draws a workflow that has no run: leave out --run-id, --declared and --observed\n",
        ),
        (["order-17", "--input", "1"], "Error: --input and --module are for --before WORKFLOW: a run has its input\n"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_before_it_runs(segue: Segue, arguments: list[str], error: str) -> None:
    """Input that does not fit, code that needs a run, and a graph that cannot run each say so, with exit code 2."""
    assert segue("graph", *arguments) == Ended(2, "", error)


def test_during_and_after(segue: Segue, start: Start, address: str, project: Path, tmp_path: Path) -> None:
    """A run is drawn as declared and as observed; its status ends with what is to come; without a worker it says so."""
    queue, gate = f"queue-{uuid.uuid4()}", tmp_path / "gate"
    worker = start("worker", "depot", "--task-queue", queue, address=address)
    load = json.dumps({"gate": str(gate), "parcels": ["a", "b"]})
    run = segue("run", "depot:Loading", "--input", load, "--task-queue", queue, "--id", queue)
    assert (run.code, run.out) == (0, f"{queue}\n")

    def status() -> str:
        return segue("status", queue, env={"COLUMNS": "90"}).out

    wait_for(lambda: "▶ running" in status() and "┄ pending" in status(), "the gate is waited for, and the rest after")
    assert [line.rstrip() for line in status().splitlines()[-3:]] == [
        "┄ pending  stow · after open_gate",
        "┄ pending  depart · after stow",
        "┄ pending  close_gate · after depart",
    ]
    told = json.loads(segue("status", queue, "--json").out)
    assert told["pending"][0] == {
        "name": "stow", "kind": "activity", "after": ["open_gate"], "waiting_for": "after open_gate",
    }  # fmt: skip
    assert [(step["name"], step["state"], step["before"]) for step in told["graphs"][0]][:2] == [
        ("open_gate", "running", []),
        ("stow", "pending", ["open_gate"]),
    ]
    edges = ["start --> s0", "s0 -.-> s1", "s1 -.-> s2", "s2 -.-> s3"]
    during = segue("graph", queue)
    assert (during.code, during.err) == (0, "")
    assert re.findall(r"\S+ -\S+ \S+", during.out) == edges
    assert re.findall(r":::(\w+)", during.out) == ["running", "pending", "pending", "pending"]
    assert segue("graph", queue, "--declared") == Ended(0, DECLARED, "")
    observed = json.loads(segue("graph", queue, "--observed", "--json").out)
    assert (observed["drawn"], re.findall(r":::(\w+)", observed["text"])) == ("observed", ["running"])

    gate.touch()
    assert segue("result", queue).out == '"left with 2"\n'
    after = segue("graph", queue, "-o", "after.svg")
    assert after == Ended(0, "", f"4 steps of {queue} in after.svg\n")
    assert "teardown of open_gate" in (project / "after.svg").read_text()
    assert worker.end(signal.SIGTERM) == 0
    alone = segue("graph", queue)
    assert (alone.code, re.findall(r":::(\w+)", alone.out)) == (0, ["completed"] * 5)
    assert alone.err == (
        f"Drawn is what was observed: no worker on task queue '{queue}' says whether there are graphs, and what of "
        "them is still to come\n"
    )
    assert segue("graph", queue, "--observed") == Ended(0, alone.out, "")
    assert segue("graph", queue, "--declared") == Ended(
        1,
        "",
        f"Error: No worker says what {queue} declares: one must poll task queue '{queue}'. Start it, or draw what was "
        "observed with --observed\n",
    )


def test_a_run_without_a_graph(segue: Segue, worker: object) -> None:
    """What a run without a graph declares cannot be drawn."""
    workflow_id = f"test-{uuid.uuid4()}"
    assert segue("run", "shop:Add", "--input", "1", "--id", workflow_id, "--wait").out == "2\n"
    assert segue("graph", workflow_id, "--declared") == Ended(
        1, "", f"Error: {workflow_id} has no graph. Draw what was observed with --observed\n"
    )
