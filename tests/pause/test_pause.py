"""Pause and resume on a real Temporal server: nothing starts meanwhile, nothing is lost or done twice."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import CancelledError
from temporalio.service import RPCError
from temporalio.worker import Worker
from tests.pause.shifts import ACTIVITIES, WORKFLOWS, Foreman, PlainShift, Plan, Shift, Watch, done, released

from segue.client.inspect import run as run_of
from segue.client.pauses import PauseUnsupported, UnknownSystem, pause, paused, pauses_of, resume
from segue.client.waiting import waiting
from segue.workflows.pausing.pause import PAUSE, Pause


def worker(client: Client, queue: str) -> Worker:
    """A worker that keeps no run in memory, so that every task replays."""
    return Worker(client, task_queue=queue, workflows=WORKFLOWS, activities=ACTIVITIES, max_cached_workflows=0)


@pytest.fixture
async def queue(client: Client) -> AsyncIterator[str]:
    name = str(uuid.uuid4())
    async with worker(client, name):
        yield name


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    while not await condition():
        await asyncio.sleep(0.02)


async def until_held(handle: WorkflowHandle[Any, Any], count: int) -> None:
    """Wait until so many steps of a run wait for a pause to end."""

    async def is_so() -> bool:
        try:
            return (await paused(handle, timeout=timedelta(seconds=1))).held == count
        except RPCError:  # a worker that keeps no run loses a query that comes while it lets go of one
            return False

    await until(is_so)


async def until_paused(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until a run is paused by its history, which it may not have begun yet."""

    async def is_so() -> bool:
        try:
            return bool(await pauses_of(handle))
        except RPCError:
            return False

    await until(is_so)


async def until_done(workflow_id: str, count: int) -> None:
    async def is_so() -> bool:
        return len(done[workflow_id]) == count

    await until(is_so)


async def shift(client: Client, queue: str, count: int = 3) -> WorkflowHandle[Any, list[str]]:
    """A run of Shift whose slow step has begun."""
    handle = await client.start_workflow(Shift.run, count, id=f"shift-{uuid.uuid4()}", task_queue=queue)
    await until_done(handle.id, 1)
    return handle


def without_time(text: str | None) -> str:
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME", text or "")


def whole(count: int = 3) -> list[str]:
    """What a run of Shift does, once."""
    made = [f"{what} {n}" for what in ("weave", "local", "forge") for n in range(count)]
    return ["first", *made]


async def test_nothing_starts_in_a_paused_run(client: Client, queue: str) -> None:
    """What runs ends and is kept, timers run, updates are answered; then every step is done once, in its order."""
    handle = await shift(client, queue)
    change = await pause(handle, reason="fire drill", by="ann")
    assert (change.changed, str(change.pause)[:32]) == (True, "paused by ann: fire drill, since")
    again = await pause(handle, reason="another", by="bob")
    assert (again.changed, again.pause) == (False, change.pause)

    released.add(handle.id)
    await until_held(handle, 9)
    assert await handle.execute_update("note", "kept") == 1  # pyright: ignore[reportUnknownMemberType]
    assert done[handle.id] == ["begun first", "first"]

    resumed = await resume(handle, by="bob")
    assert (resumed.changed, resumed.pause) == (True, change.pause)
    assert await handle.result() == [*whole(), "kept"]
    assert sorted(done[handle.id]) == sorted(["begun first", *whole()])
    scheduled = [
        event.activity_task_scheduled_event_attributes.activity_id
        async for event in handle.fetch_history_events()
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    assert scheduled == ["weave_slowly-1", *(f"{name}-{n}" for name in ("weave", "hammer") for n in (1, 2, 3))]


async def test_a_pause_of_a_system_holds_its_steps_alone(client: Client, queue: str) -> None:
    """The steps of the other system go on, and those of the paused one wait."""
    handle = await shift(client, queue)
    await pause(handle, system="pause-test-forge", by="ann")
    released.add(handle.id)
    await until_held(handle, 3)
    await until_done(handle.id, 8)
    assert sorted(done[handle.id]) == sorted(["begun first", *whole()[:7]])
    assert (await resume(handle)).others[0].system == "pause-test-forge"
    await resume(handle, system="pause-test-forge")
    assert await handle.result() == whole()
    assert sorted(done[handle.id]) == sorted(["begun first", *whole()])


async def test_a_pause_is_shown(client: Client, queue: str) -> None:
    """In the details, the status, the query and the memo: who, why, since when, and how many steps wait."""
    handle = await shift(client, queue, 1)
    await pause(handle, reason="fire drill", by="ann")
    released.add(handle.id)
    await until_held(handle, 3)
    text = "paused by ann: fire drill, since TIME, 3 steps wait"

    metadata = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    assert without_time(metadata.current_details.splitlines()[-1]) == f"| ⏳ | {text} | | |"

    run = await run_of(handle)
    assert (run.status, without_time(run.waiting_for)) == ("paused", f"an operator to resume it ({text})")
    # What is held back is no step of the server's yet, and is shown as what it is: not running, but paused.
    held = "an operator to resume it, held back since TIME"
    found = [step for step in run.steps if step.is_open]
    assert [(step.id, step.kind, step.state, without_time(step.waiting_for)) for step in found] == [
        ("paused", "wait", "paused", f"an operator to resume it ({text})"),
        ("weave-1", "activity", "paused", held),
        ("held-2", "local_activity", "paused", held),
        ("hammer-1", "activity", "paused", held),
    ]
    assert found[0].commands == (f"segue resume {handle.id}",)
    assert [without_time(line) for line in metadata.current_details.splitlines() if line.startswith("| ‖ |")] == [
        "| ‖ | weave × 2 | | held back since TIME |",
        "| ‖ | hammer | | held back since TIME |",
    ]

    async def listed() -> bool:
        found = [info async for info in waiting(client, "paused", scan=True)]
        return handle.id in [info.execution.workflow_id for info in found]

    await until(listed)
    await resume(handle)
    assert await handle.result() == whole(1)
    assert await pauses_of_closed(handle) == "workflow execution already completed"


async def pauses_of_closed(handle: WorkflowHandle[Any, Any]) -> str:
    with pytest.raises(RPCError) as caught:
        await pause(handle)
    return caught.value.message


async def test_a_run_is_paused_before_a_worker_sees_it(client: Client) -> None:
    """With no worker alive the status tells of the pause, and the first worker starts nothing."""
    name = str(uuid.uuid4())
    handle = await client.start_workflow(Shift.run, 1, id=f"shift-{name}", task_queue=name)
    await pause(handle, by="ann")
    assert [(await run_of(handle)).status, *[held.by for held in await pauses_of(handle)]] == ["paused", "ann"]
    async with worker(client, name):
        await until_held(handle, 1)
        assert done[handle.id] == []
        released.add(handle.id)
        await resume(handle)
        assert await handle.result() == whole(1)
    assert sorted(done[handle.id]) == sorted(["begun first", *whole(1)])


async def test_a_paused_run_is_cancelled(client: Client, queue: str) -> None:
    """Cancelling ends it at once; what waited never starts."""
    handle = await shift(client, queue)
    await pause(handle)
    released.add(handle.id)
    await until_held(handle, 9)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, CancelledError)
    assert done[handle.id] == ["begun first", "first"]


async def test_a_pause_goes_over_to_the_continued_run(client: Client, queue: str) -> None:
    """The run that it continues as begins paused, says so with no signal of its own, and goes on when it is told."""
    handle = await client.start_workflow(Watch.run, 1, id=f"watch-{uuid.uuid4()}", task_queue=queue)
    await until_done(handle.id, 1)
    before = (await pause(handle, reason="shift change", by="ann")).pause
    await handle.signal(Watch.relieve)
    latest = client.get_workflow_handle(handle.id)

    async def continued() -> bool:
        return (await latest.describe()).run_id != handle.first_execution_run_id

    await until(continued)
    await until_held(latest, 1)
    assert await pauses_of(latest) == (before,)
    assert (await paused(latest)).pauses == (before,)
    assert done[handle.id] == ["watch 1"]
    await resume(latest)
    assert await handle.result() == "relieved"
    assert done[handle.id] == ["watch 1", "watch 2"]


async def test_the_children_of_a_paused_run_are_paused(client: Client, queue: str) -> None:
    """Open children are told, and told again to go on; a child that is asked for meanwhile is not started."""
    plan = Plan(children=2, later=1)
    handle = await client.start_workflow(Foreman.run, plan, id=f"foreman-{uuid.uuid4()}", task_queue=queue)
    children = [client.get_workflow_handle(f"{handle.id}-{n}") for n in range(2)]
    for child in children:
        await until_done(child.id, 1)
    held = (await pause(handle, by="ann")).pause
    for child in children:
        # It hears of the pause from its parent, a moment later.
        await until_paused(child)
        released.add(child.id)
        await until_held(child, 1)
        assert await pauses_of(child) == (held,)
    await handle.signal(Foreman.go_on)
    await until_held(handle, 1)
    released.add(f"{handle.id}-later-0")
    await resume(handle)
    assert await handle.result() == ["second of child 0", "second of child 1", "second of later 0"]
    assert [done[f"{handle.id}-{n}"][1:] for n in range(2)] == [
        ["first of child 0", "second of child 0"],
        ["first of child 1", "second of child 1"],
    ]


async def test_a_child_that_starts_later_begins_with_its_parents_pause(client: Client, queue: str) -> None:
    """A system that is paused in the parent is paused in a child that it starts meanwhile, until the parent goes on."""
    plan = Plan(children=0, later=1)
    handle = await client.start_workflow(Foreman.run, plan, id=f"foreman-{uuid.uuid4()}", task_queue=queue)
    held = (await pause(handle, system="pause-test-loom", by="ann")).pause
    await handle.signal(Foreman.go_on)
    child = client.get_workflow_handle(f"{handle.id}-later-0")

    await until_paused(child)
    assert await pauses_of(child) == (held,)
    await until_held(child, 1)
    assert done[child.id] == []
    released.add(child.id)
    await resume(handle, system="pause-test-loom")
    assert await handle.result() == ["second of later 0"]


async def test_a_run_without_the_plugin_is_refused(client: Client, plain: Client) -> None:
    """A run that made its first step without the plugin cannot be paused, and is told so in one sentence."""
    name = str(uuid.uuid4())
    async with Worker(plain, task_queue=name, workflows=[PlainShift], activities=ACTIVITIES):
        handle = await plain.start_workflow(PlainShift.run, id=f"plain-{name}", task_queue=name)
        await until_done(handle.id, 1)
    with pytest.raises(PauseUnsupported) as refused:
        await pause(client.get_workflow_handle(handle.id))
    assert str(refused.value) == (
        f"plain-{name} cannot be paused: it made its first step on a worker without Segue's plugin, or with one of an "
        "earlier version. Cancel it, or stop its workers"
    )
    await handle.signal(PAUSE)
    released.add(handle.id)
    async with Worker(client, task_queue=name, workflows=[PlainShift], activities=ACTIVITIES):
        assert (await paused(client.get_workflow_handle(handle.id))).supported is False
        assert await handle.result() == "second"


async def test_a_signal_that_is_no_request_does_nothing(client: Client, queue: str) -> None:
    """What somebody sends by hand pauses the run if it is empty, and is passed over if it is nonsense."""
    handle = await shift(client, queue, 1)
    await handle.signal(PAUSE, {"activities": 3})
    await handle.signal(PAUSE)
    released.add(handle.id)
    await until_held(handle, 3)
    [held] = (await paused(handle)).pauses
    assert held == Pause(by="somebody", since=held.since)
    assert await pauses_of(handle) != ()
    await resume(handle)
    assert await handle.result() == whole(1)


async def test_an_unknown_system_is_refused(client: Client) -> None:
    """A system that nothing here declares is refused before anything is sent, with what is known."""
    with pytest.raises(UnknownSystem) as refused:
        await pause(client.get_workflow_handle("any"), system="pause-test-anvil")
    assert str(refused.value).startswith(
        "No system 'pause-test-anvil' is declared in this process, so it is not known which steps are its own; known "
        "are "
    )
    assert str(refused.value).endswith("Import the module that declares it")
