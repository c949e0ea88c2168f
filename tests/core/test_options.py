"""The options of a call: what the call says always wins, and the system's policy says the rest."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from segue.activities import Policy, System
from segue.activities.settings import Settings
from segue.client import SeguePlugin

SECOND = timedelta(seconds=1)

bank = System(
    "bank-options-test",
    policy=Policy(
        start_to_close_timeout=20 * SECOND,
        schedule_to_close_timeout=300 * SECOND,
        schedule_to_start_timeout=60 * SECOND,
        heartbeat_timeout=10 * SECOND,
        initial_interval=2 * SECOND,
        backoff_coefficient=3,
        maximum_interval=30 * SECOND,
        maximum_attempts=4,
    ),
    task_queue="bank-options-test-queue",
)
desk = System("desk-options-test")


class Order(BaseModel):
    id: str


@bank.activity
async def pay(order: Order) -> str:
    return f"paid {order.id}"


@bank.activity(name="bank.refund")
async def refund(order: Order, cents: int = 5) -> str:
    return f"refunded {cents} of {order.id}"


@desk.activity
def stamp(text: str) -> str:
    """Sync: it runs in a thread."""
    return f"stamped {text}"


class Clerk:
    def __init__(self, name: str) -> None:
        self.name = name

    @desk.activity
    async def sign(self, order: Order) -> str:
        return f"{self.name} signed {order.id}"

    @desk.activity(name="clerk.file")
    def file(self, order: Order) -> str:
        return f"{self.name} filed {order.id}"


@desk.activity
class Count:
    async def __call__(self, order: Order) -> str:
        return f"counted {order.id}"


@activity.defn
async def unowned(text: str) -> str:
    return text


ORDER = Order(id="17")


@workflow.defn
class Calls:
    """Makes each call of a list of calls, at once, and returns the results."""

    @workflow.run
    async def run(self) -> list[Any]:
        once = RetryPolicy(maximum_attempts=1)
        long = timedelta(hours=1)
        return await asyncio.gather(
            workflow.execute_activity(pay, ORDER, activity_id="plain"),
            workflow.execute_activity(pay, ORDER, activity_id="s2c", schedule_to_close_timeout=7 * SECOND),
            workflow.execute_activity(pay, ORDER, activity_id="stc", start_to_close_timeout=8 * SECOND),
            workflow.execute_activity(pay, ORDER, activity_id="long-stc", start_to_close_timeout=long),
            workflow.execute_activity(pay, ORDER, activity_id="sts", schedule_to_start_timeout=9 * SECOND),
            workflow.execute_activity(pay, ORDER, activity_id="long-sts", schedule_to_start_timeout=long),
            workflow.execute_activity(pay, ORDER, activity_id="hb", heartbeat_timeout=3 * SECOND),
            workflow.execute_activity(pay, ORDER, activity_id="retry", retry_policy=once),
            workflow.execute_activity(pay, ORDER, activity_id="queue", task_queue="given-options-test-queue"),
            workflow.execute_activity(pay, ORDER, activity_id="summary", summary="the big one"),
            workflow.execute_activity("pay", ORDER, activity_id="by-name"),
            workflow.execute_activity("bank.refund", args=[ORDER, 3], activity_id="named"),
            workflow.execute_activity(stamp, "letter", activity_id="default"),
            workflow.execute_activity(stamp, "book", activity_id="default-long", start_to_close_timeout=long),
            workflow.execute_activity_method(Clerk.sign, ORDER, activity_id="method"),
            workflow.execute_activity("clerk.file", ORDER, activity_id="sync-method"),
            workflow.execute_activity("Count", ORDER, activity_id="class"),
            workflow.execute_activity(unowned, "free", activity_id="unowned", start_to_close_timeout=6 * SECOND),
        )


def scheduled(handle_events: Any) -> dict[str, Any]:
    """Return the scheduling of each activity in a history, by its id."""
    return {
        event.activity_task_scheduled_event_attributes.activity_id: event
        for event in handle_events
        if event.HasField("activity_task_scheduled_event_attributes")
    }


def options_of(event: Any) -> dict[str, Any]:
    said = event.activity_task_scheduled_event_attributes
    retry = said.retry_policy
    return {
        "queue": said.task_queue.name,
        "stc": said.start_to_close_timeout.ToTimedelta(),
        "s2c": said.schedule_to_close_timeout.ToTimedelta(),
        "sts": said.schedule_to_start_timeout.ToTimedelta(),
        "hb": said.heartbeat_timeout.ToTimedelta(),
        "retry": (
            retry.initial_interval.ToTimedelta(),
            retry.backoff_coefficient,
            retry.maximum_interval.ToTimedelta(),
            retry.maximum_attempts,
        ),
        "summary": event.user_metadata.summary.data.decode(),
    }


async def test_what_the_call_says_wins_and_the_policy_says_the_rest(client: Client) -> None:
    """Each option of a call is on the server as given, the rest as the policy has it, and no policy shortens a call."""
    clerk = Clerk("ann")
    activities: list[Callable[..., Any]] = [pay, refund, stamp, clerk.sign, clerk.file, Count(), unowned]
    with _threads() as executor:
        async with (
            Worker(client, task_queue="options", workflows=[Calls], activities=activities, activity_executor=executor),
            # Whichever begins first serves the system's queue for both, so it has all of the system.
            Worker(client, task_queue="given-options-test-queue", activities=[pay, refund]),
        ):
            handle = await client.start_workflow(Calls.run, id=str(uuid.uuid4()), task_queue="options")
            results = await handle.result()
    assert results == [
        *["paid 17"] * 11,
        "refunded 3 of 17",
        "stamped letter",
        "stamped book",
        "ann signed 17",
        "ann filed 17",
        "counted 17",
        "free",
    ]
    events = scheduled((await handle.fetch_history()).events)
    zero, hour = timedelta(0), timedelta(hours=1)
    plain: dict[str, Any] = {
        "queue": "bank-options-test-queue",
        "stc": 20 * SECOND,
        "s2c": 300 * SECOND,
        "sts": 60 * SECOND,
        "hb": 10 * SECOND,
        "retry": (2 * SECOND, 3, 30 * SECOND, 4),
        "summary": '"17"',
    }
    default: dict[str, Any] = {
        "queue": "options",
        "stc": 30 * SECOND,
        # The server fills in what is not given: the longest that the run may take, and no more.
        "s2c": zero,
        "sts": zero,
        "hb": zero,
        "retry": (SECOND, 2, 60 * SECOND, 10),
        "summary": '"17"',
    }
    expected: dict[str, dict[str, Any]] = {
        "plain": plain,
        # The server holds the other timeouts within a total that is shorter.
        "s2c": {**plain, "s2c": 7 * SECOND, "stc": 7 * SECOND, "sts": 7 * SECOND, "hb": 7 * SECOND},
        "stc": {**plain, "stc": 8 * SECOND, "hb": 8 * SECOND},
        "long-stc": {**plain, "stc": hour, "s2c": zero},
        "sts": {**plain, "sts": 9 * SECOND},
        "long-sts": {**plain, "sts": hour, "s2c": zero},
        "hb": {**plain, "hb": 3 * SECOND},
        "retry": {**plain, "retry": (SECOND, 2, 100 * SECOND, 1)},
        "queue": {**plain, "queue": "given-options-test-queue"},
        "summary": {**plain, "summary": '"the big one"'},
        "by-name": plain,
        "named": {**plain, "summary": '"17, 3"'},
        "default": {**default, "summary": '"letter"'},
        "default-long": {**default, "summary": '"book"', "stc": hour, "hb": 30 * SECOND},
        "method": default,
        "sync-method": default,
        "class": default,
        "unowned": {**default, "stc": 6 * SECOND, "retry": (SECOND, 2, 100 * SECOND, 0), "summary": '"free"'},
    }
    assert {name: options_of(event) for name, event in events.items()} == expected


@workflow.defn
class Locals:
    """Local activities, with and without options, and one that fails twice."""

    @workflow.run
    async def run(self) -> list[Any]:
        return [
            await workflow.execute_local_activity(pay, ORDER),
            await workflow.execute_local_activity(stamp, "letter", start_to_close_timeout=timedelta(hours=1)),
            await workflow.execute_local_activity(third_time),
        ]


@desk.activity
async def third_time() -> int:
    attempt = activity.info().attempt
    if attempt < 3:
        raise ValueError("not yet")
    return attempt


async def test_local_activities_take_the_policy_too(client: Client) -> None:
    """A local activity without options has the timeouts and retries of its system, and the worker's own queue."""
    desk_settings = Settings()
    assert desk_settings.resolve(desk).policy.maximum_attempts == 10
    with _threads() as executor:
        async with Worker(
            client,
            task_queue="options-local",
            workflows=[Locals],
            activities=[pay, stamp, third_time],
            activity_executor=executor,
        ):
            handle = await client.start_workflow(Locals.run, id=str(uuid.uuid4()), task_queue="options-local")
            assert await handle.result() == ["paid 17", "stamped letter", 3]
    assert scheduled((await handle.fetch_history()).events) == {}


@workflow.defn
class Careless:
    """Calls an activity that no system owns, without a timeout."""

    @workflow.run
    async def run(self, how: str) -> str:
        if how == "function":
            return await workflow.execute_activity(unowned, "x")
        if how == "name":
            await workflow.execute_activity("misspelt", "x")
        return await workflow.execute_local_activity(unowned, "x")


async def task_failure(handle: WorkflowHandle[Any, Any]) -> str:
    """Wait until a workflow task of a run has failed, and return with what."""
    while True:
        async for event in handle.fetch_history_events():
            if event.HasField("workflow_task_failed_event_attributes"):
                return event.workflow_task_failed_event_attributes.failure.message
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(("how", "name"), [("function", "unowned"), ("name", "misspelt"), ("local", "unowned")])
async def test_a_call_without_any_timeout_fails_the_task_at_once(client: Client, how: str, name: str) -> None:
    """A call to which neither the call site nor a system gives a timeout names the activity, and what to do."""
    async with Worker(client, task_queue="careless", workflows=[Careless], activities=[unowned]):
        handle = await client.start_workflow(Careless.run, how, id=str(uuid.uuid4()), task_queue="careless")
        failure = await asyncio.wait_for(task_failure(handle), 10)
        await handle.terminate()
    assert failure == (
        f"Activity {name!r} has no timeout: no system declares it in this process. Declare it with "
        "@system.activity and import its module in the worker, or pass start_to_close_timeout"
    )


async def test_a_process_that_only_imports_the_declaration(client: Client, plain: Client) -> None:
    """Workers of workflows and of activities may stand apart: the first needs the declarations only."""
    target = plain.service_client.config.target_host
    pydantic = await Client.connect(target, data_converter=pydantic_data_converter)
    async with (
        Worker(client, task_queue="apart", workflows=[Calls, OneCall]),
        # A worker without the plugin, as one written in another language would be.
        Worker(pydantic, task_queue="bank-options-test-queue", activities=[pay]),
    ):
        handle = await client.start_workflow(OneCall.run, id=str(uuid.uuid4()), task_queue="apart")
        assert await handle.result() == "paid 17"
    [event] = scheduled((await handle.fetch_history()).events).values()
    assert options_of(event)["retry"] == (2 * SECOND, 3, 30 * SECOND, 4)
    assert event.activity_task_scheduled_event_attributes.activity_id == "pay-1"


@workflow.defn
class OneCall:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(pay, ORDER)


async def test_settings_reach_the_call(server: WorkflowEnvironment, tmp_path: Path) -> None:
    """What `segue.toml` says is scheduled in place of what is declared."""
    file = tmp_path / "segue.toml"
    file.write_text(
        "[systems.bank-options-test]\n"
        'start_to_close_timeout = "9s"\nheartbeat_timeout = "none"\nschedule_to_start_timeout = "none"\n'
        'schedule_to_close_timeout = "none"\nmaximum_attempts = 2\nmaximum_interval = "none"\n'
        'task_queue = "bank-at-night"\n'
    )
    client = await Client.connect(
        server.client.service_client.config.target_host, plugins=[SeguePlugin(settings=Settings.load(file))]
    )
    async with Worker(client, task_queue="options-settings", workflows=[OneCall], activities=[pay]):
        handle = await client.start_workflow(OneCall.run, id=str(uuid.uuid4()), task_queue="options-settings")
        assert await handle.result() == "paid 17"
    [event] = scheduled((await handle.fetch_history()).events).values()
    zero = timedelta(0)
    assert options_of(event) == {
        "queue": "bank-at-night",
        "stc": 9 * SECOND,
        "s2c": zero,
        "sts": zero,
        "hb": zero,
        # The server fills in a hundred times the initial interval.
        "retry": (2 * SECOND, 3, 200 * SECOND, 2),
        "summary": '"17"',
    }


left = System("left-options-test")
right = System("right-options-test", policy=Policy(maximum_attempts=1))


def declare_twice() -> tuple[Callable[[], Any], Callable[[], Any]]:
    async def ambiguous() -> int:
        policy = activity.info().retry_policy
        return policy.maximum_attempts if policy is not None else -1

    async def also() -> int:
        return 0

    return left.activity(name="ambiguous")(ambiguous), right.activity(name="ambiguous")(also)


of_left, of_right = declare_twice()


@workflow.defn
class Ambiguous:
    @workflow.run
    async def run(self) -> Any:
        return await workflow.execute_activity("ambiguous")


async def test_a_name_in_two_systems(client: Client, plain: Client) -> None:
    """A name that two systems declare means that of the worker's own activity, and without one fails the task."""
    async with Worker(client, task_queue="ambiguous", workflows=[Ambiguous], activities=[of_left]):
        handle = await client.start_workflow(Ambiguous.run, id=str(uuid.uuid4()), task_queue="ambiguous")
        assert await handle.result() == 10
    elsewhere = await Client.connect(
        plain.service_client.config.target_host, plugins=[SeguePlugin(settings=Settings())]
    )
    async with Worker(elsewhere, task_queue="ambiguous", workflows=[Ambiguous]):
        handle = await client.start_workflow(Ambiguous.run, id=str(uuid.uuid4()), task_queue="ambiguous")
        failure = await asyncio.wait_for(task_failure(handle), 10)
        await handle.terminate()
    assert failure == (
        f"Activity 'ambiguous' belongs to several systems: 'left-options-test' ({left.declared_at}) and "
        f"'right-options-test' ({right.declared_at}). Give one of them another name with "
        '@system.activity(name="...")'
    )
    assert left.declared_at.rpartition(":")[0] == __file__


@workflow.defn
class Shadowed:
    """Gives an id that looks like one of Segue's own."""

    @workflow.run
    async def run(self, taken: bool) -> list[str]:
        first = workflow.start_activity(pay, ORDER)
        given = "pay-1" if taken else "pay-2"
        second = workflow.start_activity(pay, ORDER, activity_id=given)
        third = workflow.start_activity(pay, ORDER)
        return [await first, await second, await third]


async def test_an_id_that_is_taken(client: Client) -> None:
    """An id given at the call is kept and Segue's own step around it; one that is in use fails the run."""
    async with Worker(client, task_queue="ids", workflows=[Shadowed], activities=[pay]):
        handle = await client.start_workflow(Shadowed.run, False, id=str(uuid.uuid4()), task_queue="ids")
        assert await handle.result() == ["paid 17"] * 3
        assert list(scheduled((await handle.fetch_history()).events)) == ["pay-1", "pay-2", "pay-3"]
        handle = await client.start_workflow(Shadowed.run, True, id=str(uuid.uuid4()), task_queue="ids")
        with pytest.raises(WorkflowFailureError) as failed:
            await asyncio.wait_for(handle.result(), 10)
    assert str(failed.value.cause) == (
        "DuplicateActivityId: Activity 'pay' is not started: an activity with the id 'pay-1' is still running in this "
        "run. Temporal tells the activities of a run apart by their ids: give another, or none"
    )


def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(2)
