"""`segue pause` and `resume`: what they say of a run and of many, and how they say no."""

from __future__ import annotations

import json
import re
import uuid

import pytest
from tests.cli.conftest import Ended, Segue

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def waiting(segue: Segue) -> str:
    """The id of a run of Wait."""
    workflow_id = f"pause-{uuid.uuid4()}"
    assert segue("run", "shop:Wait", "--id", workflow_id) == Ended(0, f"{workflow_id}\n", "")
    return workflow_id


def timeless(ended: Ended) -> Ended:
    """What a command printed, with times taken out."""
    out, err = (re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME", text) for text in (ended.out, ended.err))
    return Ended(ended.code, out, err)


def test_a_run_is_paused_and_resumed(segue: Segue, waiting: str) -> None:
    """Pausing twice says who paused first; the status says what the run waits for; resuming twice says it is not."""
    pause = ("pause", waiting, "--reason", "fire drill", "--by", "ann")
    assert segue(*pause) == Ended(0, f"Paused {waiting}\n", "")
    assert timeless(segue("pause", waiting)) == Ended(
        0, f"{waiting} is paused already: paused by ann: fire drill, since TIME\n", ""
    )
    status = json.loads(segue("status", waiting, "--json").out)
    assert status["status"] == "paused"
    assert re.sub(r"since .* UTC", "since TIME", status["waiting_for"]) == (
        "an operator to resume it (paused by ann: fire drill, since TIME, 0 steps wait)"
    )
    assert timeless(segue("resume", waiting)) == Ended(
        0, f"Resumed {waiting}, paused by ann: fire drill, since TIME\n", ""
    )
    assert segue("resume", waiting) == Ended(0, f"{waiting} is not paused\n", "")


def test_a_system_is_paused_in_a_run(segue: Segue, waiting: str) -> None:
    """The system's module is found as elsewhere, and who resumes the whole run is told of the system."""
    assert segue("pause", waiting, "--system", "payments", "-m", "shop", "--by", "ann") == Ended(
        0, f"Paused payments in {waiting}\n", ""
    )
    assert timeless(segue("resume", waiting)) == Ended(
        0,
        f"{waiting} is not paused; system 'payments' paused by ann, since TIME: resume it with --system payments\n",
        "",
    )
    changed = json.loads(segue("resume", waiting, "--system", "payments", "-m", "shop", "--json").out)
    assert (changed["changed"], changed["pause"]["activities"], changed["others"]) == (True, ["charge"], [])


def test_many_runs(segue: Segue, waiting: str) -> None:
    """Counted first, then paused and resumed, by a query; what is not covered is said."""
    query = f"WorkflowId = '{waiting}'"
    many = ("--query", query, "--system", "payments", "-m", "shop")
    uncovered = (
        "Steps of 'payments' in runs that start from now on are not held: only the runs that the query finds now are "
        "paused\n"
    )
    assert segue("pause", *many, "--dry-run") == Ended(0, f"Would have paused 1 run\n{uncovered}", "")
    assert segue("pause", *many) == Ended(0, f"Paused 1 run\n{uncovered}", "")
    assert segue("resume", *many) == Ended(0, "Resumed 1 run\n", "")
    assert segue("pause", "--query", query) == Ended(0, "Paused 1 run\n", "")
    assert segue("resume", "--query", query) == Ended(0, "Resumed 1 run\n", "")
    nothing = "Resumed 0 runs, for none that is open was paused so\n"
    assert segue("resume", "--query", query) == Ended(0, nothing, "")


def test_a_whole_system(segue: Segue) -> None:
    """Its task queue is stopped and started with its runs, and a second time that is said."""
    system = ("--system", "payments", "-m", "shop")
    # What it says of the runs depends on what else is open on this server.
    said = [segue(name, *system).out.splitlines() for name in ("pause", "pause", "resume", "resume")]
    assert [line for lines in said for line in lines if "ask queue 'payments'" in line] == [
        "Stopped task queue 'payments'",
        "Task queue 'payments' is stopped already",
        "Started task queue 'payments'",
        "Task queue 'payments' was not stopped by segue pause",
    ]


def test_what_is_refused(segue: Segue, waiting: str) -> None:
    """Wrong usage is refused before anything is sent; what is not there, and what has ended, say so."""
    missing = f"no-{uuid.uuid4()}"
    assert segue("terminate", waiting, "--reason", "over") == Ended(0, f"Terminated {waiting}\n", "")
    refusals = {
        ("pause",): "Name a workflow's ID, or many runs with --system or --query",
        ("pause", waiting, "--query", "a = 1"): "--query is for many runs: leave out ID",
        ("resume", waiting, "--dry-run"): "--dry-run is for many runs: leave out ID",
        ("pause", "--system", "payments", "--run-id", "x"): "--run-id is for one run: name its workflow's ID",
    }
    for arguments, message in refusals.items():
        assert segue(*arguments) == Ended(2, "", f"Error: {message}\n")
    unknown = segue("pause", "--system", "bank", "-m", "shop")
    assert (unknown.code, unknown.err.startswith("Error: No system 'bank' here: known are ")) == (2, True)
    assert segue("pause", waiting) == Ended(5, "", f"Error: {waiting} has ended already\n")
    gone = segue("pause", missing)
    assert (gone.code, gone.err.startswith(f"Error: No workflow {missing} in namespace 'default' on ")) == (4, True)
