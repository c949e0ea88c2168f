"""`segue approvals`, `approve`, `reject`: what waits, the decision, and how they say no."""

from __future__ import annotations

import getpass
import json
import re
import uuid

import pytest
from tests.cli.conftest import Ended, Segue, wait_for

pytestmark = pytest.mark.usefixtures("worker")

ME = getpass.getuser()
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")


def asked(segue: Segue, large: str = "false") -> str:
    """The id of a run of Refund that has asked."""
    workflow_id = f"test-{uuid.uuid4()}"
    assert segue("run", "shop:Refund", "--id", workflow_id, "--input", large).code == 0
    wait_for(lambda: bool(segue("approvals", "--workflow", workflow_id).out), "approvals of the run")
    return workflow_id


def untimed(ended: Ended) -> Ended:
    """The same with TIME in the place of each time."""
    return Ended(ended.code, TIME.sub("TIME", ended.out), TIME.sub("TIME", ended.err))


def test_what_waits(segue: Segue) -> None:
    """What waits is listed with all other runs, and of one run with all that there is to know."""
    workflow_id = asked(segue)
    wait_for(lambda: workflow_id in segue("approvals").out, "the run among those that wait")
    [line] = [line for line in segue("approvals").out.splitlines() if line.startswith(workflow_id)]
    assert re.fullmatch(
        rf"{workflow_id}  approval-1  Refund 120 EUR\? +[\d.]+ m?s +2 d +approve, reject  anybody", line
    ), line
    shown = untimed(segue("approvals", "--workflow", workflow_id))
    assert (shown.code, shown.err) == (0, "")
    assert re.sub(r"TIME, .* ago", "TIME", shown.out) == (
        "approval-1  Refund 120 EUR?\n"
        "  asked      TIME\n"
        "  until      TIME, then it fails\n"
        "  choices    approve, reject\n"
        "  who        anybody\n"
        '  input      Correction {"properties": {"cents": {"title": "Cents", "type": "integer"}}, '
        '"required": ["cents"], "title": "Correction", "type": "object"}\n'
        f"  decide     segue approve {workflow_id} approval-1 --input -\n"
        f"  decide     segue reject {workflow_id} approval-1\n"
        "  Order **17**\n"
    )
    [found] = json.loads(segue("approvals", "--workflow", workflow_id, "--json").out)
    assert (found["workflow_id"], found["workflow_type"], found["approval"]["question"]) == (
        workflow_id, "Refund", "Refund 120 EUR?",
    )  # fmt: skip
    assert workflow_id in segue("approvals", "--scan", "--json").out


def test_approve(segue: Segue) -> None:
    """An approval is decided with its form's input and a comment, and the run goes on with them."""
    workflow_id = asked(segue)
    assert segue("approve", workflow_id, "--input", '{"cents": 11000}', "--comment", "as agreed") == Ended(
        0, f"approval-1 of {workflow_id}: approved by {ME}\n", ""
    )
    result = f"approval-1: approve by {ME}, as agreed, cents=11000"
    assert segue("result", workflow_id) == Ended(0, f'["{result}"]\n', "")


def test_reject(segue: Segue) -> None:
    """A rejection is printed as JSON, in the name of somebody else."""
    workflow_id = asked(segue)
    rejected = untimed(segue("reject", workflow_id, "approval-1", "--by", "ann", "--json"))
    assert (rejected.code, rejected.err) == (0, "")
    decision = json.loads(rejected.out)["decision"]
    assert decision.pop("identity").startswith(f"{ME}@")
    assert decision == {
        "approval": "approval-1",
        "choice": "reject",
        "approved": False,
        "by": "ann",
        "at": "TIME",
        "comment": None,
        "from_deadline": False,
    }


def test_a_second_decision(segue: Segue) -> None:
    """It is refused with exit code 5, and says who decided before: while the run goes on, and after its end."""
    workflow_id = asked(segue, "true")
    assert segue("reject", workflow_id, "customer", "--by", "ann").code == 0
    assert untimed(segue("approve", workflow_id, "customer")) == Ended(
        5, "", f"Error: {workflow_id}: 'customer' was decided by ann at TIME: rejected\n"
    )
    assert segue("reject", workflow_id).code == 0
    assert untimed(segue("approve", workflow_id, "customer")) == Ended(
        5, "", f"Error: {workflow_id}: The run has ended: 'customer' was decided by ann at TIME: rejected\n"
    )
    assert segue("approvals", "--workflow", workflow_id) == Ended(
        0, "", f"Nothing waits for a decision in {workflow_id}\n"
    )


def test_what_is_refused(segue: Segue) -> None:
    """Several open, a wrong choice, a wrong input: exit code 2, and what to do; the approvals stay open."""
    workflow_id = asked(segue, "true")
    assert segue("approve", workflow_id) == Ended(
        2,
        "",
        f"Error: {workflow_id}: 2 approvals wait for a decision, name one of them: 'approval-1' (Refund 120 EUR?); "
        "'customer' (Is it the right customer?)\n",
    )
    assert segue("approve", workflow_id, "customer", "--choice", "maybe") == Ended(
        2, "", f"Error: {workflow_id}: 'customer': 'maybe' is none of its choices: 'approve', 'reject'\n"
    )
    assert segue("approve", workflow_id, "customer", "--input", '{"cents": "many"}', "--json") == Ended(
        2,
        "",
        json.dumps(
            {
                "error": {
                    "code": "usage",
                    "exit_code": 2,
                    "message": f"{workflow_id}: 'customer': the input of Correction is not valid: cents: Input should "
                    "be a valid integer, unable to parse string as an integer",
                }
            }
        )
        + "\n",
    )
    assert segue("approve", workflow_id, "nobody") == Ended(
        5,
        "",
        f"Error: {workflow_id}: There is no approval 'nobody': 'approval-1', 'customer' wait for a decision\n",
    )
    assert segue("terminate", workflow_id, "--reason", "a test").code == 0


def test_nothing_to_decide(segue: Segue, address: str) -> None:
    """A run that asks for nothing ends with exit code 5, one that is not there with 4."""
    workflow_id = f"test-{uuid.uuid4()}"
    assert segue("run", "shop:Wait", "--id", workflow_id).code == 0
    assert segue("approve", workflow_id) == Ended(5, "", f"Error: {workflow_id}: Nothing waits for a decision\n")
    assert segue("signal", workflow_id, "proceed").code == 0
    for command in (["approve", "ID"], ["reject", "ID"], ["approvals", "--workflow", "ID"]):
        assert segue(*command) == Ended(4, "", f"Error: No workflow ID in namespace 'default' on {address}\n")


def test_without_a_worker(segue: Segue) -> None:
    """A decision that no worker takes in time says so, and that it may still be taken."""
    workflow_id = f"test-{uuid.uuid4()}"
    assert segue("run", "shop:Refund", "--task-queue", "deserted", "--id", workflow_id).code == 0
    assert segue("approve", workflow_id, "--timeout", "500ms") == Ended(
        1,
        "",
        f"Error: No answer from {workflow_id} in 500ms: does a worker serve it? The decision was sent, and may still "
        "be taken\n",
    )
