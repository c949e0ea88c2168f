"""Fan-outs on a real Temporal server: results, failures, retries, batches, children, interruptions and replays."""

from __future__ import annotations

import asyncio
import hashlib
import re
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkerDeploymentVersion
from temporalio.exceptions import CancelledError
from temporalio.worker import Worker, WorkerDeploymentConfig
from tests.fanout.pages import (
    ACTIVITIES,
    WORKFLOWS,
    Altered,
    Copies,
    Defaults,
    Edition,
    Ended,
    Heavy,
    Print,
    Refused,
    Undeclared,
    Versioned,
    released,
    seen,
)
from tests.recorded import beginnings, recorded

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.replay import replay
from segue.workflows import Failure, fan_out, history_room
from segue.workflows.fanout import foresight, shard
from segue.workflows.fanout.shard import FanOutShard, PinnedFanOutShard


@pytest.fixture
def test() -> Iterator[str]:
    """A name under which the activities note what they see in this test."""
    name = str(uuid.uuid4())
    yield name
    seen.pop(name, None)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fan-outs spread over children from 100 activities on, 60 each."""
    module = sys.modules[fan_out.__module__]
    monkeypatch.setattr(module, "_HERE", 100)
    monkeypatch.setattr(module, "_A_CHILD", 60)


def worker(client: Client, queue: str, **options: Any) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        workflows=WORKFLOWS,
        activities=ACTIVITIES,
        activity_executor=ThreadPoolExecutor(20),
        **options,
    )


async def start(client: Client, edition: Edition) -> WorkflowHandle[Any, Ended]:
    return await client.start_workflow(Print.run, edition, id=edition.test, task_queue=edition.test)


async def run(client: Client, edition: Edition) -> Ended:
    async with worker(client, edition.test):
        return await (await start(client, edition)).result()


async def started(handle: WorkflowHandle[Any, Any]) -> Counter[str]:
    """How many activities and children of each type a run started."""
    counts: Counter[str] = Counter()
    async for event in handle.fetch_history_events():
        if event.HasField("activity_task_scheduled_event_attributes"):
            counts[event.activity_task_scheduled_event_attributes.activity_type.name] += 1
        if event.HasField("start_child_workflow_execution_initiated_event_attributes"):
            counts[event.start_child_workflow_execution_initiated_event_attributes.workflow_type.name] += 1
        if event.HasField("timer_started_event_attributes"):
            counts["timer"] += 1
    return counts


async def task_failure(handle: WorkflowHandle[Any, Any]) -> str:
    """Wait until a workflow task of a run has failed, and return with what."""
    while True:
        async for event in handle.fetch_history_events():
            if event.HasField("workflow_task_failed_event_attributes"):
                return event.workflow_task_failed_event_attributes.failure.message
        await asyncio.sleep(0.05)


def printed(pages: int) -> list[dict[str, Any]]:
    """What `print_page` returns for all pages that can be printed."""
    return [
        {"number": number, "at": "2026-01-02T03:04:05", "attempt": 2 if number % 10 == 3 else 1}
        for number in range(pages)
        if number % 10 != 7
    ]


async def test_items_are_activities_of_their_own(client: Client, test: str) -> None:
    """Results stand in the items' order, each item is tried by itself, and a tolerated failure is told."""
    assert await run(client, Edition(test, tolerate=2)) == Ended(
        printed(20),
        [Failure(7, "Terminal", "page 7 is blank"), Failure(17, "Terminal", "page 17 is blank")],
    )
    assert seen[test].runs == {number: 2 if number % 10 == 3 else 1 for number in range(20)}


async def test_items_of_a_batch_are_steps_of_their_own(client: Client, test: str) -> None:
    """In a batch each item has its own attempts, failure, id and key; only what failed once is sent again."""
    async with worker(client, test):
        handle = await start(client, Edition(test, batch=5, tolerate=0.1))
        ended = await handle.result()

    assert ended == Ended(
        printed(20),
        [Failure(7, "Terminal", "page 7 is blank", 1), Failure(17, "Terminal", "page 17 is blank", 1)],
    )
    assert seen[test].runs == {number: 2 if number % 10 == 3 else 1 for number in range(20)}
    assert seen[test].ids == {f"print_page/{number}" for number in range(20)}
    assert all(len(keys) == 1 for keys in seen[test].keys.values())
    assert len({key for keys in seen[test].keys.values() for key in keys}) == 20
    # Pages 3 and 13 failed at about the same time: they are sent again together, or one after the other.
    assert (await started(handle))["segue.batch"] in (5, 6)


async def test_too_many_failures_fail_it_early(client: Client, test: str) -> None:
    """The error says how many failed, how many may, how many are done, and the first errors."""
    assert await run(client, Edition(test, batch=10, tolerate=0.05, concurrency=1)) == Ended(
        [],
        [Failure(7, "Terminal", "page 7 is blank", 1), Failure(17, "Terminal", "page 17 is blank", 1)],
        "Fan-out 'print_page' failed: 2 of 20 items failed, and 1 may, 14 are done: item 7: Terminal: page 7 is blank; "
        "item 17: Terminal: page 17 is blank",
    )


async def test_attempts_are_counted_for_each_item(client: Client, test: str) -> None:
    """An item that keeps failing is tried as often as its system's policy says, across batches."""
    assert await run(client, Edition(test, 3, "refuse", batch=2, tolerate=3)) == Ended(
        [], [Failure(number, "Retryable", "press is down", 3) for number in range(3)]
    )


@pytest.mark.parametrize("fn", ["slow", "slow_in_thread"])
async def test_an_item_that_takes_too_long_fails_alone(client: Client, test: str, fn: str) -> None:
    """The time limit of an attempt holds for each item of a batch, and a call's own options for all of them."""
    assert await run(client, Edition(test, 3, fn, batch=3, tolerate=1.0)) == Ended(
        [0],
        [Failure(number, "TimeoutError", "no result within 0.3 s (start_to_close_timeout)", 1) for number in (1, 2)],
    )


async def test_sync_items_run_in_threads(client: Client, test: str) -> None:
    """Items of a sync function run in the worker's threads, so many at once as a batch says."""
    ended = await run(client, Edition(test, 40, "print_in_thread", batch=40, concurrency=7))

    assert ended == Ended([number * 2 for number in range(40)], [])
    assert seen[test].most == 7


async def test_a_batch_keeps_within_the_capacity(client: Client, test: str) -> None:
    """A slot of a system with a capacity runs one item at once, also of a batch; the queue is that of the system."""
    ended = await run(client, Edition(test, 20, "narrow_step", batch=5))

    assert ended == Ended(list(range(20)), [])
    assert seen[test].most == 2


async def test_a_rate_takes_no_batches(client: Client, test: str) -> None:
    """The server counts activities, so a batch would break its system's rate: refused before any item runs."""
    with pytest.raises(WorkflowFailureError) as failed:
        await run(client, Edition(test, 20, "metered_step", batch=5))

    assert str(failed.value.cause) == (
        "InvalidFanOut: The system of activity 'metered_step' takes 100 steps a second, which the server keeps by "
        "counting activities: leave batch= out, so that each item is one"
    )


@pytest.mark.parametrize(
    ("batch", "here", "again"),
    [(None, 1000, "by the server"), (2, 1000, "here"), (2, 1000, "in children"), (2, 1, "here"), (2, 1, "in children")],
)
async def test_items_are_kept_as_they_were(
    client: Client, test: str, monkeypatch: pytest.MonkeyPatch, batch: int | None, here: int, again: str
) -> None:
    """What the workflow makes of its items after the call changes none, however late, and how often, it is sent."""
    module = sys.modules[fan_out.__module__]
    monkeypatch.setattr(module, "_HERE", here)
    if here == 1 and again == "here":
        monkeypatch.setattr(shard, "_CARRIED_BYTES", 20)  # children leave to the calling run what they do not end
    elif again == "in children":
        monkeypatch.setattr(module, "_EVENTS_HERE", 0)
    async with worker(client, test):
        handle = await client.start_workflow(Altered.run, args=[test, batch], id=test, task_queue=test)
        ended = await handle.result()

    assert ended == [(number, ["draft"]) for number in range(6)]
    assert ((await started(handle))["segue.FanOut"] > 1) == (here == 1 and again == "here")
    assert seen[test].runs == dict.fromkeys(range(6), 2)
    assert [len(seen[test].keys[number]) for number in range(6)] == [1] * 6


@pytest.mark.parametrize(("batch", "wide"), [(None, 1), (None, 60), (2, 1)])
async def test_arguments_with_defaults_may_be_left_out(
    client: Client, test: str, short: None, batch: int | None, wide: int
) -> None:
    """Items and arguments arrive as what they are, and what is left out as its default, however items travel."""
    async with worker(client, test):
        ended = await client.execute_workflow(Defaults.run, args=[batch, wide], id=test, task_queue=test)

    assert ended == (
        [f"page {number} of 2026-01-02 03:04:05, thin, 1.5, 2026-01-01 00:00:00" for number in (1, 2)],
        ["3 by Unknown", "4 by Unknown"],
    )


@pytest.mark.parametrize("batch", [None, 2])
async def test_an_activity_without_a_system_will_do(client: Client, test: str, batch: int | None) -> None:
    """A plain activity runs with the options of the call, as itself, whether in batches or not."""
    assert await run(client, Edition(test, 3, "undeclared", batch=batch)) == Ended(
        [f"page {number} by undeclared, undeclared/{number}" for number in range(3)], []
    )


async def test_a_batch_with_large_results_comes_in_parts(client: Client, test: str) -> None:
    """A batch stops before its results are more than a call carries; what it left is sent again, and run once."""
    async with worker(client, test):
        handle = await start(client, Edition(test, 12, "large", batch=12))
        ended = await handle.result()

    assert ended == Ended([300_000] * 12, [])
    assert (await started(handle))["segue.batch"] == 3


async def test_wide_fan_outs_spread_over_children(client: Client, test: str, short: None) -> None:
    """Children do the work; failures, retries and results are as without, and keys those of the calling run."""
    async with worker(client, test):
        handle = await start(client, Edition(test, 310, batch=2, tolerate=0.1))
        ended = await handle.result()
    run_id = handle.first_execution_run_id

    assert ended == Ended(
        printed(310), [Failure(number, "Terminal", f"page {number} is blank", 1) for number in range(7, 310, 10)]
    )
    assert seen[test].runs == {number: 2 if number % 10 == 3 else 1 for number in range(310)}
    assert await started(handle) == {"segue.FanOut": 3}
    assert seen[test].keys == {
        number: {
            hashlib.sha256("\0".join(("default", test, str(run_id), f"print_page/{number}", "")).encode()).hexdigest()[
                :32
            ]
        }
        for number in range(310)
    }


async def copied(
    client: Client, test: str, sizes: list[int], batch: int | None, concurrency: int = 10
) -> tuple[int, str, str]:
    async with worker(client, test):
        args = [test, sizes, batch, concurrency]
        return await client.execute_workflow(Copies.run, args=args, id=test, task_queue=test)


@pytest.mark.parametrize(
    ("batch", "here", "most", "advice"),
    [
        (None, 1000, 60, "batch= and results_to="),
        (10, 1000, 60, "results_to="),
        (10, 10, 190, "results_to="),
    ],
)
async def test_results_that_will_not_fit_fail_it_early(
    client: Client, test: str, monkeypatch: pytest.MonkeyPatch, batch: int | None, here: int, most: int, advice: str
) -> None:
    """The first results show that all of them are more than a history holds: few items are done in vain."""
    monkeypatch.setattr(foresight, "ROOM", 1_500_000)
    monkeypatch.setattr(sys.modules[fan_out.__module__], "_HERE", here)
    monkeypatch.setattr(sys.modules[fan_out.__module__], "_A_CHILD", 6)
    copies, kind, message = await copied(client, test, [3000] * 600, batch)

    assert (copies, kind) == (0, "HistoryFull")
    assert re.fullmatch(
        r"Fan-out 'copy_page': \d+ of 600 items are done\. Their results are 0\.\d MB, and with those to come this "
        r"run's history would hold about [12]\.\d MB: Temporal ends a run at 50 MB\. Give "
        + re.escape(advice)
        + r", so that the workers write the results to objects and return references, or have 'copy_page' store what "
        "is large itself",
        message,
    )
    assert seen[test].runs.total() <= most


@pytest.mark.parametrize("batch", [None, 10])
async def test_large_results_at_first_say_little(
    client: Client, test: str, monkeypatch: pytest.MonkeyPatch, batch: int | None
) -> None:
    """Results that fit are waited for, also where the first of them are the largest by far."""
    # The events take what depends on how many results come at once: more than a machine that is busy needs.
    monkeypatch.setattr(foresight, "ROOM", 2_000_000)
    sizes = [9000] * 10 + [500] * 490 + [9000] * 100
    assert await copied(client, test, sizes, batch) == (sum(sizes), "", "")
    assert seen[test].runs == {9000: 110, 500: 490}


async def test_steps_that_find_no_room_name_the_way_out(
    client: Client, test: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where flow control is the first to see that the history will not do, its error tells what a fan-out can do."""
    monkeypatch.setattr(history_room, "ROOM", 500_000)
    copies, kind, message = await copied(client, test, [20_000] * 100, None, concurrency=100)

    assert (copies, kind) == (0, "HistoryFull")
    assert re.fullmatch(
        r"Fan-out 'copy_page': \d+ of 100 items are done\. This run's history holds 0\.\d MB, and \d\d steps of about "
        r"20 kB each are still to come: Temporal ends a run at 50 MB\. Give batch= and results_to=, so that the "
        r"workers write the results to objects and return references, or have 'copy_page' store what is large itself",
        message,
    )
    assert seen[test].runs.total() < 20


@pytest.mark.parametrize("batch", [None, 1])
async def test_large_arguments_spread_over_children(
    client: Client, test: str, monkeypatch: pytest.MonkeyPatch, batch: int | None
) -> None:
    """What goes with every item counts as often: children send it, and continue as new before they hold too much."""
    for module in (sys.modules[fan_out.__module__], shard):
        monkeypatch.setattr(module, "SENT_BYTES", 1_000_000)
    async with worker(client, test):
        handle = await client.start_workflow(Heavy.run, args=[test, 30, 70_000, batch], id=test, task_queue=test)
        ended = await handle.result()
    children = [
        one async for one in client.list_workflows(f"WorkflowType = 'segue.FanOut' AND WorkflowId STARTS_WITH '{test}'")
    ]
    sizes = [
        event.workflow_task_started_event_attributes.history_size_bytes
        for one in children
        for event in (await client.get_workflow_handle(one.id, run_id=one.run_id).fetch_history()).events
        if event.HasField("workflow_task_started_event_attributes")
    ]

    assert ended == [number + 70_000 for number in range(30)]
    assert seen[test].runs == {number: 2 if number % 10 == 3 else 1 for number in range(30)}
    assert await started(handle) == {"segue.FanOut": 1}
    assert len(children) == (2 if batch is None else 3)
    assert 1_000_000 < max(sizes) < 1_300_000


async def test_single_items_spread_over_children_too(client: Client, test: str) -> None:
    """More than a thousand items that are activities of their own go to children, 500 each."""
    async with worker(client, test):
        handle = await start(client, Edition(test, 1001, "double"))
        ended = await handle.result()

    assert ended == Ended([number * 2 for number in range(1001)], [])
    assert await started(handle) == {"segue.FanOut": 3}


async def test_a_child_continues_as_new(
    client: Client, test: str, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child whose history grows long goes on in another run, with what is done and what waits for another try."""
    monkeypatch.setattr(shard, "_EVENTS", 150)
    async with worker(client, test):
        handle = await start(client, Edition(test, 310, batch=2, tolerate=0.1, concurrency=20))
        ended = await handle.result()
    runs = [
        one async for one in client.list_workflows(f"WorkflowType = 'segue.FanOut' AND WorkflowId STARTS_WITH '{test}'")
    ]

    assert ended.results == printed(310)
    assert len(ended.failures) == 31
    assert seen[test].runs == {number: 2 if number % 10 == 3 else 1 for number in range(310)}
    assert len(runs) > 3


async def test_what_keeps_failing_goes_to_children(client: Client, test: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where retries make the calling run's history long, children go on with them, with the attempts so far."""
    monkeypatch.setattr(sys.modules[fan_out.__module__], "_EVENTS_HERE", 30)
    async with worker(client, test):
        handle = await start(client, Edition(test, 100, batch=10, tolerate=0.1, concurrency=10))
        ended = await handle.result()

    assert ended.results == printed(100)
    assert [failure.index for failure in ended.failures] == list(range(7, 100, 10))
    assert seen[test].runs == {number: 2 if number % 10 == 3 else 1 for number in range(100)}
    assert (await started(handle))["segue.FanOut"] >= 1


async def test_too_many_failures_in_children_fail_it(client: Client, test: str, short: None) -> None:
    """A child that has failed more items than may stops, and so do the others."""
    ended = await run(client, Edition(test, 310, batch=2, tolerate=2, concurrency=10))

    assert ended.results == []
    # Which child is the first to have three failures is a matter of chance.
    indices = [failure.index for failure in ended.failures]
    assert ended.failures == [Failure(index, "Terminal", f"page {index} is blank", 1) for index in indices]
    assert [index - indices[0] for index in indices[:3]] == [0, 10, 20]
    assert len(seen[test].runs) < 310


async def test_a_cancelled_fan_out_cancels_its_items(client: Client, test: str) -> None:
    """A cancelled run cancels the items under way, in batches too, and starts no other."""
    async with worker(client, test):
        handle = await start(client, Edition(test, 40, "hold", batch=10, concurrency=20))
        while seen[test].runs.total() < 20:
            await asyncio.sleep(0.02)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()

    assert isinstance(failed.value.cause, CancelledError)
    assert set(seen[test].runs) == set(range(20))


async def test_a_worker_that_drains_hands_over_what_it_has_not_begun(client: Client, test: str) -> None:
    """A batch under way when its worker is told to end finishes what runs; another worker does the rest, once."""
    async with worker(client, test, graceful_shutdown_timeout=timedelta(seconds=10)) as draining:
        handle = await start(client, Edition(test, 30, "hold", batch=30, concurrency=1))
        while seen[test].runs.total() < 10:
            await asyncio.sleep(0.02)
        ending = asyncio.create_task(draining.shutdown())
        while not draining.is_shutdown and not ending.done() and test not in released:
            await asyncio.sleep(0.2)
            released.add(test)
        await ending
    assert seen[test].runs.total() == 10
    async with worker(client, test):
        ended = await handle.result()

    assert ended == Ended(list(range(30)), [])
    assert seen[test].runs == dict.fromkeys(range(30), 1)


async def test_a_worker_with_a_deployment_version_takes_the_child(client: Client, test: str) -> None:
    """Where each workflow must say how it changes versions, the child that the plugin brings does so too."""
    version = WorkerDeploymentVersion(deployment_name="fan-out", build_id="1")
    made = Worker(
        client,
        task_queue=test,
        workflows=[Versioned],
        deployment_config=WorkerDeploymentConfig(version=version, use_worker_versioning=True),
    )
    [plugin] = client.config()["plugins"]
    assert isinstance(plugin, SeguePlugin)
    assert plugin.configure_worker(made.config()).get("workflows") == [Versioned, PinnedFanOutShard]  # pyright: ignore[reportUnknownMemberType]


async def test_progress_is_shown(client: Client, test: str) -> None:
    """The current details have one line for the fan-out, and a query tells its numbers."""
    async with worker(client, test):
        handle = await start(client, Edition(test, 21, "hold", batch=1, concurrency=20))
        while (await handle.query("segue_fan_out"))[0]["done"] < 19:
            await asyncio.sleep(0.05)
        shown = await handle.query("segue_fan_out")
        details = (await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)).current_details
        released.add(test)
        await handle.result()

    assert shown == [{"name": "fanout_hold", "total": 21, "done": 19, "failed": 0}]
    assert "| ⏳ | fan_out fanout_hold: 19 of 21 done | | |" in details.split("\n")


async def test_what_cannot_run_is_refused_before_anything_starts(client: Client, test: str) -> None:
    """Each wrong call is told what is wrong with it, and with which item; no activity is scheduled."""
    async with worker(client, test):
        handle = await client.start_workflow(Refused.run, id=test, task_queue=test)
        told = await handle.result()

    assert told == [
        "fan_out needs an activity, not len: declare it with @system.activity or @activity.defn",
        "fan_out needs an activity, not 'double': declare it with @system.activity or @activity.defn",
        "fan_out of 'double' needs a sequence of items, not a set: give a list, in an order that a replay finds again",
        "fan_out of 'double' needs a sequence of items, not a str: give a list, in an order that a replay finds again",
        "fan_out of 'double' needs a sequence of items, not a list_iterator: give a list, in an order that a replay "
        "finds again",
        "fan_out of 'double': concurrency must be a whole number from 1, not 0",
        "fan_out of 'double': concurrency must be a whole number from 1, not True",
        "fan_out of 'double': batch must be a whole number from 1, or a Batch, not 0",
        "fan_out of 'double': batch.size_bytes must be at most 1,500,000, for one call carries 2 MiB",
        "fan_out of 'double': tolerate must be a number of items, as 3, or a share from 0.0 to 1.0, not -1",
        "fan_out of 'double': tolerate must be a number of items, as 3, or a share from 0.0 to 1.0, not 1.5",
        "fan_out of 'double': tolerate must be a number of items, as 3, or a share from 0.0 to 1.0, not nan",
        "fan_out of 'double': item 2: int is not valid: (value): Input should be a valid integer, unable to parse "
        "string as an integer",
        "fan_out of 'double': it takes 1 arguments, and these are 2 with the item",
        "fan_out of 'print_page': it takes 2 arguments, and these are 1 with the item",
        "fan_out of 'print_page': argument 2 'test': str is not valid: (value): Input should be a valid string",
        "fan_out of 'double': start_to_close_timeout must be a timedelta, not 5",
        "fan_out of 'double' has no option 'activity_id': it has task_queue, start_to_close_timeout, "
        "schedule_to_close_timeout, schedule_to_start_timeout, heartbeat_timeout, retry_policy",
        "fan_out of 'fanout_hold': item 1: the value is a tests.fanout.pages.Unknown, which has no JSON form",
        "Item 1 is 2,000,004 bytes, and one call carries at most 1,900,000: store it as an object and pass a reference "
        "to it",
        "The 21 items are 21,000,084 bytes together, and a run's history has room for about 20,971,520 of them beside "
        "the results: pass references to objects that hold them",
        "fan_out of 'double': items and results in objects are read and written by whole batches: give batch=",
        "fan_out of 'double': results_to must be the URL of a folder: Object '../elsewhere' climbs out of its folder "
        "with '..'",
        "fan_out of 'double': the 1,001 items fall into 1,001 batches, and at most 1,000 write their results: make "
        "batch larger",
        "fan_out of 'bind': argument 2 'by' is left out, and its default cannot be sent: the value is a "
        "tests.fanout.pages.Unknown, which has no JSON form. Temporal goes by type hints only when all parameters are "
        "given: give it, or give batch=",
        "fan_out of 'fanout_hold': the arguments beside the item are 1,000,004 bytes and go with each of 30 batches, "
        "and a run's history has room for about 25,165,824 of them and of items, beside the results: make batch "
        "larger, or store them as an object and pass a reference to it",
        "fan_out of 'fanout_hold': the arguments beside the item are 1,000,004 bytes and go with each of 26 child "
        "workflows, and a run's history has room for about 25,165,824 of them and of items, beside the results: store "
        "them as an object and pass a reference to it",
    ]
    assert await started(handle) == {}


@pytest.mark.parametrize(("pages", "batch"), [(5, None), (1200, None), (1200, 1), (5, 2)])
async def test_an_undeclared_activity_fails_the_task_at_once(
    client: Client, test: str, pages: int, batch: int | None
) -> None:
    """However wide: the calling run's own task names what has no timeout, and nothing waits for it in a child."""
    async with worker(client, test):
        handle = await client.start_workflow(Undeclared.run, args=[pages, batch], id=test, task_queue=test)
        failure = await asyncio.wait_for(task_failure(handle), 10)
        begun = await started(handle)
        await handle.terminate()

    assert failure == (
        "fan_out of 'undeclared' has no timeout: no system declares it in this process. Declare it with "
        "@system.activity and import its module in the worker, or pass start_to_close_timeout"
    )
    assert begun == {}


async def test_recorded_fan_outs_replay() -> None:
    """Histories recorded with the first version of fan-outs replay with this one, whole and cut after each task."""
    whole = recorded("fanout")
    cut = beginnings(whole)
    assert len(whole) == 6
    plugin = SeguePlugin(settings=Settings())
    assert await replay([*whole, *cut], [*WORKFLOWS, FanOutShard], plugin) == len(whole) + len(cut)
