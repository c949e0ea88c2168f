"""Approvals on a real Temporal server: decided, refused, raced, shown, interrupted, cancelled and replayed."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import uuid
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError, CancelledError
from temporalio.service import RPCError
from temporalio.worker import Worker
from tests.approvals.payments import (
    WORKFLOWS,
    Asked,
    Batch,
    Correction,
    Invalid,
    Monthly,
    Muddled,
    Payment,
    Payments,
    Told,
    tell_approvers,
)
from tests.recorded import beginnings, recorded

import segue.client
from segue.activities.settings import Settings
from segue.client import SeguePlugin, approvals_of, decide, inspect, pending_approvals
from segue.workers.replay import replay
from segue.workflows.approvals import (
    AlreadyDecided,
    AmbiguousApproval,
    Decided,
    DecisionNotAllowed,
    DecisionRefused,
    InvalidDecision,
    NoSuchApproval,
)
from segue.workflows.approvals.decision import UPDATE


def worker(client: Client, queue: str, **options: Any) -> Worker:
    return Worker(client, task_queue=queue, workflows=WORKFLOWS, activities=[tell_approvers], **options)


@pytest.fixture
async def queue(client: Client) -> AsyncIterator[str]:
    """A task queue that a worker serves which keeps no run in memory, so that every task replays."""
    name = str(uuid.uuid4())
    async with worker(client, name, max_cached_workflows=0):
        yield name


async def payment(client: Client, queue: str, asked: Asked | None = None) -> WorkflowHandle[Any, Told]:
    """A run of Payment that has asked."""
    handle = await client.start_workflow(Payment.run, asked or Asked(), id=f"payment-{uuid.uuid4()}", task_queue=queue)
    await until_asked(handle)
    return handle


async def until_asked(handle: WorkflowHandle[Any, Any], count: int = 1) -> None:
    """Wait until so many approvals of a run are shown to the server."""
    while True:
        found = await segue.client.steps(handle, query_timeout=None)
        if len([step for step in found if step.kind == "wait" and step.id != "wait"]) == count:
            return
        await asyncio.sleep(0.02)


async def refused(deciding: Awaitable[Any]) -> tuple[type[DecisionRefused], str]:
    """How a decision was refused, with the time taken out."""
    with pytest.raises(DecisionRefused) as caught:
        await deciding
    return type(caught.value), re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME", caught.value.message)


async def test_an_approval_is_decided(client: Client, queue: str) -> None:
    """The decider is told that it was taken; the run gets the choice, who, why, and the client that sent it."""
    handle = await payment(client, queue)
    decided = await decide(handle, approve=True, comment="as agreed", by="ann")
    told = await handle.result()

    assert dataclasses.replace(told, took=timedelta()) == Told(
        choice="approve", approved=True, by="ann", comment="as agreed", identity=client.identity
    )
    assert (decided.approval, decided.choice, decided.by, decided.identity) == (
        "approval-1", "approve", "ann", client.identity,
    )  # fmt: skip


async def test_a_decided_approval_is_one_step(client: Client, queue: str) -> None:
    """It shows what was asked and what came of it, and neither its timers nor its decision stand beside it."""
    handle = await payment(client, queue, Asked(by=timedelta(days=2), remind=timedelta(days=1), tell=True))
    decided = await decide(handle, approve=False, comment="too dear", by="ann")
    await handle.result()
    asked, *others = (await inspect.run(handle)).steps
    assert (asked.id, asked.kind, asked.summary, asked.state, asked.outcome, asked.commands) == (
        "approval-1", "wait", "Pay 12,000 EUR?", "completed", "rejected by ann: too dear", (),
    )  # fmt: skip
    assert (asked.closed_time, asked.duration) == (decided.at, decided.at - asked.scheduled_time)
    assert {step.kind for step in others} <= {"activity"}


async def test_a_second_decision_is_refused(client: Client, queue: str) -> None:
    """It says who decided before and what: while the run goes on, and when it has ended."""
    handle = await client.start_workflow(Payments.run, id=str(uuid.uuid4()), task_queue=queue)
    await until_asked(handle, 3)
    await decide(handle, "payment-1", approve=True, by="ann")
    assert await refused(decide(handle, "payment-1", approve=False, by="bob")) == (
        AlreadyDecided,
        "'payment-1' was decided by ann at TIME: approved",
    )
    await decide(handle, "payment-2", approve=False, by="ann")
    await decide(handle, choice="pay half", by="cyd")
    assert await handle.result() == [
        "payment-1: approve, True",
        "payment-2: reject, False",
        "bonus: Verdict.HALVE, True",
    ]
    assert await refused(decide(handle, approve=True, by="bob")) == (
        AlreadyDecided,
        "The run has ended: 'bonus' was decided by cyd at TIME: pay half",
    )


async def test_of_several_one_is_named(client: Client, queue: str) -> None:
    """With several open the decision names one; a name that is not there, and a choice that is none, are refused."""
    handle = await client.start_workflow(Payments.run, id=str(uuid.uuid4()), task_queue=queue)
    await until_asked(handle, 3)
    assert await refused(decide(handle, approve=True)) == (
        AmbiguousApproval,
        "3 approvals wait for a decision, name one of them: 'payment-1' (Pay rent?); 'payment-2' (Pay wages?); "
        "'bonus' (And the bonus?)",
    )
    assert await refused(decide(handle, "rent", approve=True)) == (
        NoSuchApproval,
        "There is no approval 'rent': 'payment-1', 'payment-2', 'bonus' wait for a decision",
    )
    assert await refused(decide(handle, "bonus", approve=True)) == (
        InvalidDecision,
        "'bonus': 2 of its choices approve, name one: 'pay', 'pay half', 'refuse'",
    )
    assert await refused(decide(handle, "bonus", choice="double")) == (
        InvalidDecision,
        "'bonus': 'double' is none of its choices: 'pay', 'pay half', 'refuse'",
    )
    assert await refused(decide(handle, "bonus", approve=True, choice="refuse")) == (
        InvalidDecision,
        "'bonus': 'refuse' does not approve",
    )
    assert await refused(decide(handle, "payment-1")) == (
        InvalidDecision,
        "'payment-1': a choice is missing: 'approve', 'reject'",
    )
    assert await refused(decide(handle, "payment-1", approve=True, input=1)) == (
        InvalidDecision,
        "'payment-1': it takes no input",
    )
    await handle.terminate()


async def test_a_form_is_validated_before_the_decision_is_taken(client: Client, queue: str) -> None:
    """What does not fit is refused by field, and leaves the approval open; what fits arrives typed."""
    handle = await payment(client, queue, Asked(form=True))
    assert await refused(decide(handle, approve=True)) == (
        InvalidDecision,
        "'approval-1': 'approve' needs an input: Correction is not valid: amount: Field required",
    )
    assert await refused(decide(handle, approve=True, input={"amount": 0})) == (
        InvalidDecision,
        "'approval-1': the input of Correction is not valid: amount: Input should be greater than 0",
    )
    await decide(handle, approve=True, input=Correction(amount=11_000, note="discount"))
    assert (await handle.result()).form == Correction(amount=11_000, note="discount")


async def test_a_rejection_needs_no_form(client: Client, queue: str) -> None:
    """A choice that does not approve may come without what the form asks for."""
    handle = await payment(client, queue, Asked(form=True))
    await decide(handle, approve=False)
    told = await handle.result()
    assert (told.choice, told.form) == ("reject", None)


async def test_who_may_decide(client: Client, queue: str) -> None:
    """A name that is not allowed is refused; an allowed one decides, and so does who has one as a role."""
    handle = await payment(client, queue, Asked(allowed=["finance", "ann"]))
    assert await refused(decide(handle, approve=True, by="bob")) == (
        DecisionNotAllowed,
        "'bob' may not decide 'approval-1': it is for 'ann' or 'finance' to decide, by name or in that role",
    )
    assert (await decide(handle, approve=True, by="bob", roles=["finance"])).by == "bob"


async def test_of_two_deciders_at_once_one_is_accepted(client: Client, queue: str) -> None:
    """Twenty decisions sent at once: one is taken, the others are told which."""
    handle = await client.start_workflow(Payments.run, id=str(uuid.uuid4()), task_queue=queue)
    await until_asked(handle, 3)
    outcomes = await asyncio.gather(
        *(decide(handle, "payment-1", approve=number % 2 == 0, by=f"no {number}") for number in range(10)),
        return_exceptions=True,
    )
    taken = [one for one in outcomes if not isinstance(one, BaseException)]
    others = [one for one in outcomes if isinstance(one, AlreadyDecided)]
    assert (len(taken), len(others)) == (1, 9)
    assert all(f"'payment-1' was decided by {taken[0].by} at" in one.message for one in others)
    [approval] = [one for one in await approvals_of(handle) if one.id == "payment-1"]
    assert approval.decision == taken[0]
    await handle.terminate()


async def test_who_comes_second_where_the_decision_ends_the_run(client: Client) -> None:
    """Of six who decide at once one is heard, and the run ends with that: the others are told who it was."""
    queue = str(uuid.uuid4())
    async with worker(client, queue):
        handle = await payment(client, queue)
        outcomes = await asyncio.gather(
            *(decide(handle, approve=number % 2 == 0, by=f"no {number}") for number in range(6)), return_exceptions=True
        )
        [taken] = [one for one in outcomes if isinstance(one, Decided)]
        assert (await handle.result()).by == taken.by
        others = [one.message for one in outcomes if isinstance(one, AlreadyDecided)]
        assert len(others) == 5
        outcome = "approved" if taken.approved else "rejected"
        decided = f"'approval-1' was decided by {taken.by} at {taken.at:%Y-%m-%d %H:%M:%S} UTC: {outcome}"
        assert set(others) <= {f"The run has ended: {decided}", f"Nothing waits for a decision: {decided}"}


async def test_a_decision_beside_a_cancellation(client: Client) -> None:
    """It is taken, or it is told that the approval was cancelled; never is it an error of the server's."""
    queue = str(uuid.uuid4())
    async with worker(client, queue):
        for _ in range(3):
            handle = await payment(client, queue)
            await handle.cancel()
            [outcome] = await asyncio.gather(decide(handle, approve=True, by="ann"), return_exceptions=True)
            told = outcome.by if isinstance(outcome, Decided) else re.sub(r"at .* UTC", "at TIME", str(outcome))
            cancelled = "'approval-1' was cancelled at TIME"
            assert told in (
                "ann",
                f"AlreadyDecided: The run has ended: {cancelled}",
                f"AlreadyDecided: Nothing waits for a decision: {cancelled}",
            )


async def test_a_run_that_asks_for_nothing(client: Client, queue: str) -> None:
    """A decision on a run that has asked for nothing is refused; on one that is not there the server says so."""
    handle = await client.start_workflow(Invalid.run, "none", id=str(uuid.uuid4()), task_queue="deserted")
    await handle.terminate()
    with pytest.raises(RPCError, match="workflow execution already completed"):
        await decide(handle, approve=True)
    with pytest.raises(RPCError, match="workflow not found"):
        await decide(client.get_workflow_handle("nobody"), approve=True)


async def test_what_is_no_decision_is_refused(client: Client, queue: str) -> None:
    """Any JSON that a client sends by hand is refused by field, and never fails the run's workflow task."""
    handle = await payment(client, queue)
    for argument, message in (
        ("yes", "The decision is not valid: (value): Input should be a valid dictionary or instance of Request"),
        ({"approved": True}, "The decision is not valid: approved: Extra inputs are not permitted"),
    ):
        with pytest.raises(WorkflowUpdateFailedError) as failed:
            await handle.execute_update(UPDATE, argument)  # pyright: ignore[reportUnknownMemberType]
        cause = failed.value.__cause__
        assert isinstance(cause, ApplicationError)
        assert (cause.type, cause.message) == ("InvalidDecision", message)
    await handle.execute_update(UPDATE, {"choice": "reject"})  # pyright: ignore[reportUnknownMemberType]
    assert (await handle.result()).by == client.identity


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("choices", "An approval needs two choices or more, and ['yes'] has 1"),
        ("twice", "choices=['yes', 'yes'] holds a choice twice"),
        ("approving", "approving=['maybe'] must be among the choices 'yes', 'no'"),
        ("outcome", "on_deadline='perhaps' is none of the choices 'approve', 'reject'"),
        ("no deadline", "on_deadline='reject' never comes without a deadline: give by="),
        (
            "form at deadline",
            "on_deadline='approve' cannot be chosen without a person: 'approve' needs an input: Correction is not "
            "valid: amount: Field required",
        ),
        ("naive", "by=datetime.datetime(2030, 1, 1, 0, 0) has no time zone: give it one, such as datetime.UTC"),
        ("past", "by=datetime.timedelta(0) must be longer than nothing"),
        ("remind", "A reminder tells nobody without an activity: give notify="),
        ("escalate", "The escalation to 'cfo' tells nobody and allows nobody more: give notify= or allowed="),
        ("allowed", "allowed='ann' must be a collection of names, not a text"),
    ],
)
async def test_what_cannot_be_decided_is_not_asked(client: Client, queue: str, how: str, message: str) -> None:
    """An approval that makes no sense fails the run before anybody is asked, and says why."""
    with pytest.raises(WorkflowFailureError) as failed:
        await client.execute_workflow(Invalid.run, how, id=str(uuid.uuid4()), task_queue=queue)
    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.message == message


async def test_two_choices_of_one_text(client: Client, queue: str) -> None:
    """An enum of which one member's text is another's name is refused, for only one of the two could be chosen."""
    handle = await client.start_workflow(Muddled.run, id=str(uuid.uuid4()), task_queue=queue)
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    assert isinstance(failed.value.cause, ApplicationError)
    assert (failed.value.cause.type, failed.value.cause.message) == (
        "InvalidApproval",
        "choices=<enum 'Muddle'> holds the choice 'REFUSE' twice: it is the text of PAY and of REFUSE, for a member's "
        "text is its value, or its name where the value is none: give each a text as its value",
    )
    history = await handle.fetch_history()
    assert await replay([history], WORKFLOWS, SeguePlugin(settings=Settings())) == 1


async def test_an_approval_is_shown(client: Client, queue: str) -> None:
    """It is a step of the run, in its current details, in its query, and among what waits in all runs."""
    handle = await payment(client, queue, Asked(by=timedelta(days=2), on_deadline="reject", form=True, allowed=["ann"]))
    run = await inspect.run(handle, query_timeout=None)
    [approval] = await approvals_of(handle)
    until = f"{approval.until:%Y-%m-%d %H:%M:%S} UTC"
    metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    while not (found := [one for one in await pending_approvals(client) if one.workflow_id == handle.id]):
        await asyncio.sleep(0.05)

    waits = f"a decision of ann until {until}: Pay 12,000 EUR?"
    [step] = run.steps
    assert (step.name, step.summary, step.state, step.waiting_for) == (
        "approval-1", "Pay 12,000 EUR?", "waiting", waits,
    )  # fmt: skip
    assert step.commands == (
        f"segue approve {handle.id} approval-1 --role ann --input -",
        f"segue reject {handle.id} approval-1 --role ann",
    )
    assert run.waiting_for == waits
    assert f"| ⏳ | approval-1: {waits} | | |" in metadata.current_details
    assert (approval.details, approval.form, approval.schema and approval.schema["required"]) == (
        "Invoice **17**", "Correction", ["amount"],
    )  # fmt: skip
    assert found == [
        segue.client.Pending(
            workflow_id=handle.id,
            run_id=handle.first_execution_run_id or "",
            workflow_type="Payment",
            approval=dataclasses.replace(approval, details=None, schema=None),
        )
    ]
    await decide(handle, approve=False, by="ann")
    await handle.result()
    [step] = await segue.client.steps(handle)
    assert (step.kind, step.state, step.outcome, step.commands) == ("wait", "completed", "rejected by ann", ())


async def test_a_child_is_asked_for_by_its_own_id(client: Client, queue: str) -> None:
    """A child workflow's approval is decided in the child, and the parent goes on with its result."""
    handle = await client.start_workflow(Batch.run, Asked(), id=str(uuid.uuid4()), task_queue=queue)
    child = client.get_workflow_handle(f"{handle.id}-payment")
    while "running" not in {step.state for step in await segue.client.steps(handle, query_timeout=None)}:
        await asyncio.sleep(0.02)
    await until_asked(child)
    await decide(child, approve=True, by="ann")
    assert (await handle.result()).by == "ann"


async def test_each_run_of_a_chain_asks_for_itself(client: Client, queue: str) -> None:
    """After continue-as-new the ids begin anew, and nothing of the run before is left among what waits."""
    handle = await client.start_workflow(Monthly.run, 1, id=str(uuid.uuid4()), task_queue=queue)
    await until_asked(handle)
    await decide(handle, choice="close")
    latest = client.get_workflow_handle(handle.id)
    while (await latest.describe()).run_id == handle.first_execution_run_id:
        await asyncio.sleep(0.02)
    await until_asked(latest)
    assert [one.question for one in await approvals_of(latest)] == ["Close month 2?"]
    await decide(latest, choice="leave open")
    assert await handle.result() == "approval-1: leave open"


async def test_a_cancelled_run_waits_no_longer(client: Client, queue: str) -> None:
    """Cancelling the run ends its wait; a decision after that is refused, and nobody is asked any more."""
    handle = await payment(client, queue, Asked(by=timedelta(days=2)))
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    assert isinstance(failed.value.cause, CancelledError)
    assert [approval.state for approval in await approvals_of(handle)] == ["cancelled"]
    assert await refused(decide(handle, approve=True)) == (
        AlreadyDecided,
        "The run has ended: 'approval-1' was cancelled at TIME",
    )


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_notice_under_way_is_cancelled(client: Client, queue: str, cancelled: bool) -> None:
    """A decision, or the run's cancellation, ends the activity that still tells of the approval, and then the run."""
    asked = Asked(by=timedelta(days=2), question="Slowly now?", tell=True, remind=timedelta(days=1))
    handle = await payment(client, queue, asked)
    while not (await handle.describe()).raw_description.pending_activities:
        await asyncio.sleep(0.02)
    if cancelled:
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        assert isinstance(failed.value.cause, CancelledError)
    else:
        await decide(handle, approve=True, by="ann")
        assert (await handle.result()).by == "ann"
    history = await handle.fetch_history()
    assert [event.event_id for event in history.events if event.HasField("workflow_task_failed_event_attributes")] == []


async def test_an_approval_survives_its_worker(client: Client) -> None:
    """A decision that is sent while no worker runs is taken by the next one, which replays the wait."""
    queue = str(uuid.uuid4())
    async with worker(client, queue):
        handle = await payment(client, queue, Asked(by=timedelta(days=2)))
    assert [step.name for step in await segue.client.steps(handle)] == ["approval-1"]
    deciding = asyncio.create_task(decide(handle, approve=True, by="ann"))
    async with worker(client, queue):
        assert (await deciding).choice == "approve"
        assert (await handle.result()).by == "ann"


async def test_recorded_approvals_replay() -> None:
    """Histories recorded with earlier versions replay with this one, whole and cut after each task.

    `muddled` is of a version that took two choices of one text for one.
    """
    plugin = SeguePlugin(settings=Settings())
    whole = recorded("approval")
    cut = beginnings(whole)
    assert len(whole) == 6
    assert await replay([*whole, *cut], WORKFLOWS, plugin) == len(whole) + len(cut)
