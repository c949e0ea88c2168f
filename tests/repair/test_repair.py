"""Steps that fail for good wait for an operator, who mends them: told, checked, done once, and kept in the history."""

from __future__ import annotations

import asyncio
import contextlib
import re
import uuid
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import (
    Client,
    Interceptor,
    OutboundInterceptor,
    StartWorkflowUpdateInput,
    WorkflowFailureError,
    WorkflowHandle,
    WorkflowUpdateHandle,
)
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker
from tests.repair.bank import (
    ACTIVITIES,
    WORKFLOWS,
    Altered,
    GoOn,
    Otherwise,
    Paid,
    Pay,
    PayAllLocally,
    PayEach,
    PayLocally,
    PayMany,
    Payment,
    PayUsual,
    Relay,
    Undo,
    closed,
    ledger,
)

import segue.client
from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.client.repairs import Attempt, Parked, check_repair, parked, parked_of, repair, repair_all
from segue.workflows.repair import InvalidRepair, NoSuchStep, NotParked, ParkedStep, RepairRefused


@contextlib.asynccontextmanager
async def worker(client: Client, queue: str, **options: Any) -> AsyncGenerator[Worker]:
    async with Worker(client, task_queue=queue, workflows=WORKFLOWS, activities=ACTIVITIES, **options) as running:
        yield running


async def until_parked(handle: WorkflowHandle[Any, Any], count: int = 1, times: int | None = 1) -> list[ParkedStep]:
    """Return the parked steps of a run once there are so many that have parked so often."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(Exception):
                found = await parked_of(handle)
                if len(found) == count and all(times in (None, one.times) for one in found):
                    return found
            await asyncio.sleep(0.05)


async def start(client: Client, run: Any, *args: Any) -> tuple[WorkflowHandle[Any, Any], str]:
    queue = str(uuid.uuid4())
    return await client.start_workflow(run, args=list(args), id=f"repair-{queue}", task_queue=queue), queue


def payment(**changes: Any) -> Payment:
    """A payment from an account that is closed from now on."""
    account = str(uuid.uuid4())[:8]
    closed.add(account)
    return Payment(order=f"order-{account}", account=account, cents=5).model_copy(update=changes)


async def replayed(handle: WorkflowHandle[Any, Any]) -> None:
    """Replay a run from its history."""
    await Replayer(workflows=WORKFLOWS, plugins=[SeguePlugin(settings=Settings())]).replay_workflow(
        await handle.fetch_history()
    )


async def test_a_step_parks_and_a_retry_finds_its_effect_again(client: Client) -> None:
    """Nothing fails; all screens tell it with what to do; it is tried again with its key, and parks again meanwhile."""
    paying = payment()
    handle, queue = await start(client, Pay.run, paying)
    async with worker(client, queue):
        [step] = await until_parked(handle)
        assert (step.step, step.activity, step.system, step.reason, step.error, step.times) == (
            "transfer_money-1",
            "transfer_money",
            "repair-test-bank",
            "terminal",
            f"Closed: account {paying.account} is closed",
            1,
        )
        assert (step.takes, step.returns, step.input) == (
            ("payment: Payment",),
            "Paid",
            [paying.model_dump()],
        )
        [shown] = await segue.client.steps(handle)
        assert (shown.state, shown.is_open, shown.closed_time) == ("parked", True, None)
        assert shown.waiting_for is not None
        assert re.sub(r"\d{4}-.* UTC", "TIME", shown.waiting_for) == (
            f"an operator to repair transfer_money-1, since TIME (terminal: Closed: account {paying.account} is closed)"
        )
        assert shown.commands == (f"segue repair {handle.id} transfer_money-1 --retry",)
        details = (await handle.query("__temporal_workflow_metadata")).current_details
        assert "| ▌ | transfer_money |" in details
        assert f", terminal: Closed: account {paying.account} is closed |" in details

        first = await repair(handle, "transfer_money-1", "retry", reason="try", by="ann")
        await until_parked(handle, times=2)
        closed.discard(paying.account)
        second = await repair(handle, "transfer_money-1", "retry", reason="reopened", by="ann")
        assert await handle.result() == Paid(order=paying.order, cents=5)
        assert [(one.action, one.by, one.reason, one.new_effect) for one in (first, second)] == [
            ("retry", "ann", "try", False),
            ("retry", "ann", "reopened", False),
        ]
        assert len(ledger[paying.order]) == 1
        with pytest.raises(NotParked) as refused:
            await repair(handle, "transfer_money-1", "retry")
        assert refused.value.message == "'transfer_money-1' is not parked: its run has ended"
    # Who, when and why are in the history.
    asked = [
        event.workflow_execution_update_accepted_event_attributes.accepted_request.input.args.payloads[0].data
        for event in (await handle.fetch_history()).events
        if event.HasField("workflow_execution_update_accepted_event_attributes")
    ]
    assert asked == [
        b'{"step":"transfer_money-1","action":"retry","reason":"try","by":"ann"}',
        b'{"step":"transfer_money-1","action":"retry","reason":"reopened","by":"ann"}',
    ]
    await replayed(handle)


async def test_what_does_not_fit_is_refused_and_changes_nothing(client: Client) -> None:
    """Each refusal says which step, field and type; it leaves no event; checking says the same as doing."""
    paying = payment()
    handle, queue = await start(client, Pay.run, paying)
    async with worker(client, queue):
        await until_parked(handle)
        length = (await handle.describe()).history_length
        wrong: list[tuple[str, Any, dict[str, Any], type[RepairRefused], str]] = [
            ("pay-9", "retry", {}, NoSuchStep, "There is no step 'pay-9': 'transfer_money-1' is parked"),
            (
                "transfer_money-1",
                "redo",
                {},
                InvalidRepair,
                "The repair is not valid: action: Input should be 'retry', 'retry_with', 'result', 'skip' or 'fail'",
            ),
            (
                "transfer_money-1",
                "retry_with",
                {"input": {"order": "a", "account": "b", "cents": "many"}},
                InvalidRepair,
                "'transfer_money-1': the input 'payment': Payment is not valid: cents: Input should be a valid "
                "integer, unable to parse string as an integer",
            ),
            (
                "transfer_money-1",
                "result",
                {"result": {"order": "a"}},
                InvalidRepair,
                "'transfer_money-1': the result: Paid is not valid: cents: Field required",
            ),
            ("transfer_money-1", "skip", {"result": 1}, InvalidRepair, "'transfer_money-1': skip takes no result"),
        ]
        for step, action, values, kind, message in wrong:
            for does in (repair, check_repair):
                with pytest.raises(kind) as refused:
                    await does(handle, step, action, **values)
                assert refused.value.message == message
        await check_repair(handle, "transfer_money-1", "retry")
        assert (await handle.describe()).history_length == length
        await handle.terminate()


async def test_another_input_is_another_effect(client: Client) -> None:
    """It is tried with a key of its own, but with the same key where the input is the same after all."""
    paying, keys = payment(), list[str]()
    for changed in (True, False):
        handle, queue = await start(client, Pay.run, paying)
        async with worker(client, queue):
            await until_parked(handle)
            given = paying.model_copy(update={"account": f"open-{paying.account}"}) if changed else paying
            closed.discard(given.account)
            done = await repair(handle, "transfer_money-1", "retry_with", input=given)
            assert done.new_effect is changed
            assert await handle.result() == Paid(order=paying.order, cents=5)
        await replayed(handle)
        keys.append(ledger[paying.order].pop()[1])
    assert len(set(keys)) == 2


@pytest.mark.parametrize(
    ("action", "result", "expected"),
    [("result", {"order": "by hand", "cents": "7"}, Paid(order="by hand", cents=7)), ("skip", None, None)],
)
async def test_a_result_takes_a_steps_place(client: Client, action: Any, result: Any, expected: Any) -> None:
    """It is of the step's type, as if the step had returned it; a skipped step returns None."""
    handle, queue = await start(client, Pay.run, payment())
    async with worker(client, queue):
        await until_parked(handle)
        await repair(handle, "transfer_money-1", action, result=result)
        assert await handle.result() == expected
    await replayed(handle)


async def test_a_step_may_fail_after_all(client: Client) -> None:
    """Its own error is raised, as if it had not parked."""
    paying = payment()
    handle, queue = await start(client, Pay.run, paying)
    async with worker(client, queue):
        await until_parked(handle)
        await repair(handle, "transfer_money-1", "fail")
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    assert isinstance(failed.value.cause, ActivityError)
    assert isinstance(failed.value.cause.cause, ApplicationError)
    assert failed.value.cause.cause.message == f"account {paying.account} is closed"
    await replayed(handle)


async def test_local_activities_and_several_arguments(client: Client) -> None:
    """A local activity parks and is repaired as any other; a step of several arguments takes an array of them."""
    paying = payment()
    handle, queue = await start(client, PayLocally.run, paying)
    async with worker(client, queue):
        [step] = await until_parked(handle)
        assert (step.step, step.kind) == ("note_transfer-1", "local_activity")
        [shown] = [one for one in await segue.client.steps(handle) if one.kind == "local_activity"]
        assert shown.state == "parked"
        await repair(handle, "note_transfer-1", "result", result="noted by hand")
        await until_parked(handle)
        with pytest.raises(InvalidRepair) as refused:
            await repair(handle, "transfer_two-1", "retry_with", input=paying.model_dump())
        assert refused.value.message == "'transfer_two-1' takes 2 arguments: give a JSON array of them"
        closed.discard(paying.account)
        await repair(handle, "transfer_two-1", "retry_with", input=[paying.model_dump(), 3])
        assert await handle.result() == "noted by hand"
    assert len(ledger[paying.order]) == 1
    await replayed(handle)


@pytest.mark.parametrize(("given", "paid"), [("open", 5), (["open"], 5), (["open", 7], 7)])
async def test_arguments_that_may_be_left_out(client: Client, given: Any, paid: int) -> None:
    """Each that is given is held to its type; those that have defaults may be left out, as in the call."""
    account = payment().account
    handle, queue = await start(client, PayUsual.run, account)
    async with worker(client, queue):
        [step] = await until_parked(handle)
        assert (step.takes, step.input) == (("account: str", "cents: int"), [account])
        no_text = "the input 'account': str is not valid: (value): Input should be a valid string"
        no_number = "(value): Input should be a valid integer, unable to parse string as an integer"
        for wrong, message in (
            (7, no_text),
            ([7], no_text),
            (["open", "many"], f"the input 'cents': int is not valid: {no_number}"),
        ):
            with pytest.raises(InvalidRepair) as refused:
                await repair(handle, step.step, "retry_with", input=wrong)
            assert refused.value.message == f"'transfer_cents-1': {message}"
        for many in ([], ["open", 7, 7]):
            with pytest.raises(InvalidRepair) as refused:
                await repair(handle, step.step, "retry_with", input=many)
            assert refused.value.message == f"'transfer_cents-1' takes 1 to 2 arguments, and is given {len(many)}"
        await repair(handle, step.step, "retry_with", input=given)
        assert await handle.result() == Paid(order="open", cents=paid)
    await replayed(handle)


async def test_local_activities_that_fail_together(client: Client) -> None:
    """Each is decided by itself, in whatever order they end, and a replay decides the same."""
    paying = payment()
    handle, queue = await start(client, PayAllLocally.run, paying, 6)
    async with worker(client, queue, max_cached_workflows=0):
        steps = await until_parked(handle, 3)
        assert sorted(one.step for one in steps) == ["note_slowly-1", "note_slowly-3", "note_slowly-5"]
        for one in steps:
            await repair(handle, one.step, "result", result=f"by hand {one.step[-1]}")
        assert await handle.result() == ["by hand 1", "failed", "by hand 3", "failed", "by hand 5", "failed"]
    await replayed(handle)


async def test_a_parked_step_is_cancelled_with_its_run(client: Client) -> None:
    """The run ends at once, and is listed no longer."""
    handle, queue = await start(client, Pay.run, payment())
    async with worker(client, queue):
        await until_parked(handle)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    assert is_cancelled_exception(failed.value.cause)
    await replayed(handle)


async def test_many_are_repaired_at_once(client: Client) -> None:
    """All runs that match are found by the server, checked by a dry run, and repaired; what is repaired is refused."""
    paying = payment()
    handle, queue = await start(client, PayMany.run, paying, 25)
    query = f"WorkflowId = '{handle.id}'"
    async with worker(client, queue):
        await until_parked(handle, 25)
        assert [step.state for step in await segue.client.steps(handle)] == ["parked"] * 25
        async with asyncio.timeout(30):
            while len(found := await parked(client, query, system="repair-test-bank")) != 25:
                await asyncio.sleep(0.1)
        assert await parked(client, query, system="another") == []
        assert len(await parked(client, query, step="transfer_money-3")) == 1
        tried = await repair_all(client, found, "retry", dry_run=True)
        assert [(one.repaired, one.refused) for one in tried] == [(None, None)] * 25
        closed.discard(paying.account)
        done = await repair_all(client, found, "retry", by="ann")
        assert [one.refused for one in done] == [None] * 25
        assert await handle.result() == 125
        again = await repair_all(client, found[:1], "retry")
        assert [one.refused for one in again] == [f"{found[0].step.step!r} is not parked: its run has ended"]
    assert len({key for _, key in ledger[paying.order]}) == len(ledger[paying.order]) == 25
    await replayed(handle)


async def test_steps_of_a_run_that_ends_with_the_first_repair(client: Client) -> None:
    """Where the first step that fails ends the run, the others are told so, and the repairs of other runs go on."""
    one, queue = await start(client, PayMany.run, payment(), 4)
    other = await client.start_workflow(PayMany.run, args=[payment(), 4], id=f"{one.id}-other", task_queue=queue)
    async with worker(client, queue):
        found = [
            Parked(
                workflow_id=handle.id, run_id=handle.first_execution_run_id or "", workflow_type="PayMany", step=step
            )
            for handle in (one, other)
            for step in await until_parked(handle, 4)
        ]
        seen: list[Attempt] = []
        done = await repair_all(client, found, "fail", by="ann", done=seen.append)
        for handle in (one, other):
            with pytest.raises(WorkflowFailureError):
                await handle.result()
    assert [attempt.parked for attempt in done] == found
    assert sorted(map(id, seen)) == sorted(map(id, done))
    assert {attempt.parked.workflow_id for attempt in done if attempt.repaired is not None} == {one.id, other.id}
    for attempt in done:
        ended = f"{attempt.parked.step.step!r} is not parked: its run has ended"
        assert attempt.refused == (ended if attempt.repaired is None else None)
    await replayed(one)


async def test_a_run_is_sent_few_repairs_at_once(server: WorkflowEnvironment) -> None:
    """The server lets a run have ten updates under way: of many steps of one, five at most are repaired at once."""
    sending = Sending()
    client = await Client.connect(
        server.client.service_client.config.target_host,
        plugins=[SeguePlugin(settings=Settings())],
        interceptors=[sending],
    )
    paying = payment()
    handle, queue = await start(client, PayMany.run, paying, 40)
    async with worker(client, queue):
        found = [
            Parked(
                workflow_id=handle.id, run_id=handle.first_execution_run_id or "", workflow_type="PayMany", step=step
            )
            for step in await until_parked(handle, 40)
        ]
        closed.discard(paying.account)
        done = await repair_all(client, found, "retry")
        assert [one.refused for one in done] == [None] * 40
        assert await handle.result() == 200
    assert (sending.most, sending.count) == (5, 40)


async def test_repairs_that_no_worker_takes(client: Client) -> None:
    """They say so after their time, once for each run, and hold up no other run's; one alone ends at its time-out."""
    paying = payment()
    served, queue = await start(client, Pay.run, paying)
    deserted, deserted_queue = await start(client, PayMany.run, payment(), 7)
    async with worker(client, queue):
        async with worker(client, deserted_queue):
            steps = [(served, await until_parked(served)), (deserted, await until_parked(deserted, 7))]
        found = [
            Parked(workflow_id=handle.id, run_id=handle.first_execution_run_id or "", workflow_type="", step=step)
            for handle, parked in steps
            for step in parked
        ]
        closed.discard(paying.account)
        second = timedelta(seconds=1)
        tried = await repair_all(client, found, "retry", timeout=second, dry_run=True)
        done = await repair_all(client, found, "retry", timeout=second)
        assert await served.result() == Paid(order=paying.order, cents=5)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await repair(deserted, "transfer_money-1", "retry")
        with pytest.raises(TimeoutError):
            await check_repair(deserted, "transfer_money-1", "retry", timeout=timedelta(milliseconds=200))
        await deserted.terminate()
    assert [one.refused for one in tried] == [None, *["no worker answers"] * 7]
    sent = "no worker answers; the repair was sent, and may still be taken"
    assert [one.refused for one in done] == [None, *[sent] * 5, *["no worker answers"] * 2]


class Sending(Interceptor):
    """Counts the updates that a client sends, and how many of them at once."""

    def __init__(self) -> None:
        self.most = self.count = self.now = 0

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        sending = self

        class Counted(OutboundInterceptor):
            async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
                sending.count += 1
                sending.now += 1
                sending.most = max(sending.most, sending.now)
                try:
                    return await super().start_workflow_update(input)
                finally:
                    sending.now -= 1

        return Counted(next)


async def test_continue_as_new_waits_for_what_is_parked(client: Client) -> None:
    """A parked step for which nobody waits is not lost: the next run begins when it has been repaired and has ended."""
    paying = payment()
    handle, queue = await start(client, GoOn.run, paying, 1)
    first = client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    async with worker(client, queue):
        await until_parked(first)
        while not any(step.kind == "timer" and step.state == "completed" for step in await segue.client.steps(first)):
            await asyncio.sleep(0.05)
        assert (await handle.describe()).run_id == handle.first_execution_run_id
        closed.discard(paying.account)
        await repair(first, "transfer_money-1", "retry")
        assert await handle.result() == 7
    assert len(ledger[paying.order]) == 1
    await replayed(first)


async def test_a_signal_that_continues_as_new_waits_for_what_is_parked(client: Client) -> None:
    """The run stays until its parked step is repaired and has ended, and then goes on as a new one."""
    paying = payment()
    handle, queue = await start(client, Relay.run, paying, 1)
    first = client.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
    async with worker(client, queue, max_cached_workflows=0):
        await until_parked(first)
        await handle.signal(Relay.go_on, paying)
        # Each repair is a task of its own, so by the first the signal has been handled.
        await repair(first, "transfer_money-1", "retry")
        await until_parked(first, times=2)
        assert (await handle.describe()).run_id == handle.first_execution_run_id
        closed.discard(paying.account)
        await repair(first, "transfer_money-1", "retry")
        assert await handle.result() == 7
        assert (await handle.describe()).run_id != handle.first_execution_run_id
    assert len(ledger[paying.order]) == 1
    await replayed(first)


async def test_what_undoes_earlier_work_parks_unless_its_system_says_to_fail(client: Client) -> None:
    """A compensation is not lost by default; its repair lets the saga end with its own error."""
    paying = payment()
    handle, queue = await start(client, Undo.run, paying, False)
    strict, strict_queue = await start(client, Undo.run, paying, True)
    async with worker(client, queue), worker(client, strict_queue):
        [step] = await until_parked(handle)
        assert (step.step, step.undoes) == ("usually_transfer-1", True)
        closed_error = f"account {paying.account} is closed"
        with pytest.raises(WorkflowFailureError) as not_undone:
            await strict.result()
        assert str(not_undone.value.cause).endswith(f"Closed: {closed_error}")
        closed.discard(paying.account)
        await repair(handle, "usually_transfer-1", "retry")
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
        assert str(failed.value.cause) == "No: no"
    assert len(ledger[paying.order]) == 1
    await replayed(handle)
    await replayed(strict)


async def test_an_error_that_leads_elsewhere_does_not_park(client: Client) -> None:
    """A fallback goes its other way at once, and code that says that its step is to fail is heard."""
    paying = payment()
    other = Payment(order=paying.order, account="open", cents=3)
    handle, queue = await start(client, Otherwise.run, paying, other)
    async with worker(client, queue):
        assert await handle.result() == [paying.order, f"Closed: account {paying.account} is closed"]
    await replayed(handle)


async def test_an_item_parks_where_none_may_fail(client: Client) -> None:
    """A fan-out that tolerates failures counts them; one that does not waits for its item's repair."""
    paying, other = payment(), payment()
    closed.discard(other.account)
    tolerant, tolerant_queue = await start(client, PayEach.run, [paying, other], 1)
    strict, strict_queue = await start(client, PayEach.run, [paying, other], None)
    async with worker(client, tolerant_queue), worker(client, strict_queue):
        assert await tolerant.result() == 1
        [step] = await until_parked(strict)
        closed.discard(paying.account)
        await repair(strict, step.step, "retry")
        assert await strict.result() == 0
    assert len(ledger[paying.order]) == 1
    await replayed(strict)


async def test_what_is_tried_again_is_what_was_sent(client: Client) -> None:
    """An argument that the workflow's code altered since is sent as it was, for the key is the same."""
    paying = payment()
    handle, queue = await start(client, Altered.run, paying)
    async with worker(client, queue):
        await until_parked(handle)
        closed.discard(paying.account)
        await repair(handle, "transfer_money-1", "retry")
        assert await handle.result() == 5
