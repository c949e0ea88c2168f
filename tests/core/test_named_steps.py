"""How a run's history tells that its activities have named ids."""

from __future__ import annotations

import uuid

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowHistory
from temporalio.plugin import SimplePlugin
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

with workflow.unsafe.imports_passed_through():
    from segue.activities import System
    from segue.activities.settings import Settings
    from segue.client import SeguePlugin
    from segue.workers import replay

desk = System("named-steps-test")


@desk.activity
async def countersign(name: str) -> str:
    return f"signed {name}"


@workflow.defn
class SignTwice:
    @workflow.run
    async def run(self) -> list[str]:
        return [await workflow.execute_activity(countersign, name) for name in ("one", "two")]


async def _history(client: Client, **options: object) -> WorkflowHistory:
    queue = str(uuid.uuid4())
    # Without a cache each workflow task replays the run from its beginning.
    async with Worker(
        client,
        task_queue=queue,
        workflows=[SignTwice],
        activities=[countersign],
        max_cached_workflows=0,
        **options,  # type: ignore[arg-type]
    ):
        handle = await client.start_workflow(SignTwice.run, id=str(uuid.uuid4()), task_queue=queue)
        assert await handle.result() == ["signed one", "signed two"]
    return await handle.fetch_history()


def _ids(history: WorkflowHistory) -> list[str]:
    return [
        event.activity_task_scheduled_event_attributes.activity_id
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]


def _names(history: WorkflowHistory) -> set[str]:
    return {event.WhichOneof("attributes") or "" for event in history.events}


async def _replay(history: WorkflowHistory, **options: object) -> None:
    assert await replay([history], [SignTwice], SeguePlugin(settings=Settings()), **options) == 1


async def test_a_flag_in_the_history_costs_no_event(client: Client) -> None:
    """Under the plugin's runner a history has named ids and not one event more than without the plugin."""
    history = await _history(client)
    assert _ids(history) == ["countersign-1", "countersign-2"]
    assert not _names(history) & {
        "marker_recorded_event_attributes",
        "upsert_workflow_search_attributes_event_attributes",
    }
    await _replay(history)


async def test_a_run_may_change_its_runner(client: Client) -> None:
    """A history that was begun in the sandbox replays outside it, and the other way round."""
    sandboxed = await _history(client)
    await _replay(sandboxed, workflow_runner=UnsandboxedWorkflowRunner())
    unsandboxed = await _history(client, workflow_runner=UnsandboxedWorkflowRunner())
    assert _ids(unsandboxed) == ["countersign-1", "countersign-2"]
    await _replay(unsandboxed)


class _OtherRunner(SimplePlugin):
    """A plugin that comes after Segue's and puts a runner of its own in the place of Segue's."""

    def __init__(self) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            "other-runner", workflow_runner=UnsandboxedWorkflowRunner()
        )


async def test_a_patch_serves_a_runner_that_keeps_no_flag(client: Client) -> None:
    """Under another plugin's runner a patch marks the history, and Segue's runner replays it."""
    history = await _history(client, plugins=[_OtherRunner()])
    assert _ids(history) == ["countersign-1", "countersign-2"]
    assert "marker_recorded_event_attributes" in _names(history)
    await _replay(history)


async def test_a_history_without_flag_or_patch_keeps_its_numbers(client: Client, plain: Client) -> None:
    """A run that began without the plugin replays with it under the ids it has."""
    queue = str(uuid.uuid4())
    handle = await plain.start_workflow("SignTwice", id=str(uuid.uuid4()), task_queue=queue)
    async with Worker(plain, task_queue=queue, workflows=[PlainSignTwice], activities=[countersign]):
        await handle.result()
    history = await handle.fetch_history()
    assert _ids(history) == ["1", "2"]
    await _replay(history)


@workflow.defn(name="SignTwice")
class PlainSignTwice:
    @workflow.run
    async def run(self) -> list[str]:
        timeout = desk.policy.start_to_close_timeout
        return [
            await workflow.execute_activity(countersign, name, start_to_close_timeout=timeout)
            for name in ("one", "two")
        ]


async def test_a_flag_survives_the_recorded_form(client: Client) -> None:
    """A history that was written to a file and read again still has its flag."""
    recorded = (await _history(client)).to_json()
    await _replay(WorkflowHistory.from_json("read-again", recorded))


@pytest.mark.parametrize("kept", [4, 10])
async def test_a_flagged_run_replays_from_any_of_its_tasks(client: Client, kept: int) -> None:
    """A run that has only come to one of its workflow tasks replays too: the flag is of the task that decided."""
    history = await _history(client)
    await _replay(WorkflowHistory("cut", history.events[:kept]))
