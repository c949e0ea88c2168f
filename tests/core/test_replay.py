"""Replay: adding the plugin to running workflows breaks none, and neither does a changed policy or deployment."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, Worker
from tests.core import replayed
from tests.core.record import drive
from tests.recorded import HISTORIES

from segue.activities.settings import Settings
from segue.client import SeguePlugin

RECORDED = sorted(HISTORIES.glob("core_*.json"))


def replayer(settings: Settings | None = None, workflows: Sequence[type] = replayed.WORKFLOWS) -> Replayer:
    return Replayer(workflows=workflows, plugins=[SeguePlugin(settings=settings or Settings())])


async def replay(histories: list[WorkflowHistory], with_: Replayer) -> None:
    """Replay, and raise what the first history that does not fit raises, with its length."""

    async def each(histories: list[WorkflowHistory]) -> AsyncIterator[WorkflowHistory]:
        for history in histories:
            yield history

    while histories:
        interrupted: list[WorkflowHistory] = []
        async with with_.workflow_replay_iterator(each(histories)) as results:
            async for result in results:
                # The SDK takes what a busy machine leaves waiting for two seconds for a deadlock.
                if "[TMPRL1101]" in str(result.replay_failure):
                    interrupted.append(result.history)
                else:
                    assert result.replay_failure is None, (len(result.history.events), result.replay_failure)
        histories = interrupted


def half_finished(history: WorkflowHistory) -> list[WorkflowHistory]:
    """Return the history as it was after each of its events, from its first workflow task on."""
    return [
        WorkflowHistory(history.workflow_id, history.events[:length]) for length in range(3, len(history.events) + 1)
    ]


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
async def test_every_recorded_history_replays_with_the_plugin(path: Path) -> None:
    """A history, recorded with or without the plugin, replays with it, whole and cut after each of its events."""
    history = WorkflowHistory.from_json("recorded", path.read_text())
    await replay(half_finished(history), replayer())


def test_what_is_recorded() -> None:
    """There is a plain history of each workflow, in which activities have numbers, and one of each with named ones."""
    kinds = {path.stem.removeprefix("core_") for path in RECORDED}
    names = {cls.__name__ for cls in replayed.WORKFLOWS}
    plain = names - {"Scans"}
    segue = names - {"Altered", "Echo", "Scans"}
    assert kinds == {
        *(f"plain_{name}" for name in plain),
        *(f"segue_{name}" for name in segue),
        "default_Chain",
        "default_Scans",
    }
    assert _ids("plain_Chain") == ["1", "2", "3", "4"]
    assert _ids("segue_Chain") == ["weigh-1", "weigh-2", "shout-1", "weigh-3"]


def _ids(stem: str) -> list[str]:
    history = WorkflowHistory.from_json("recorded", (HISTORIES / f"core_{stem}.json").read_text())
    return [
        event.activity_task_scheduled_event_attributes.activity_id
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]


async def test_a_changed_policy_replays(tmp_path: Path) -> None:
    """Other timeouts, retries, capacity and task queue of a system break no replay."""
    file = tmp_path / "segue.toml"
    file.write_text(
        """
        [systems.replayed-warehouse]
        start_to_close_timeout = "7m"
        schedule_to_close_timeout = "1h"
        heartbeat_timeout = "12s"
        maximum_attempts = 2
        initial_interval = "3s"
        task_queue = "elsewhere"
        capacity = { per_second = 3, concurrent = 1 }
        """
    )
    histories = [WorkflowHistory.from_json(path.stem, path.read_text()) for path in RECORDED]
    await replay(histories, replayer(Settings.load(file)))


@workflow.defn(name="Chain")
class AnotherChain:
    @workflow.run
    async def run(self, parcel: replayed.Parcel) -> str:
        return await workflow.execute_activity(replayed.shout, parcel.id, start_to_close_timeout=timedelta(seconds=10))


async def test_changed_code_is_noticed() -> None:
    """A history that the code no longer fits fails its replay: what the other tests rest on."""
    history = WorkflowHistory.from_json("recorded", (HISTORIES / "core_plain_Chain.json").read_text())
    with pytest.raises(workflow.NondeterminismError, match="Nondeterminism"):
        await replayer(workflows=[AnotherChain]).replay_workflow(history)


async def _until(handle: WorkflowHandle[Any, Any], tasks: int) -> None:
    """Wait until a run has completed that many workflow tasks, or has closed."""
    while True:
        done = 0
        async for event in handle.fetch_history_events():
            done += event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        if done >= tasks or (await handle.describe()).close_time is not None:
            return
        await asyncio.sleep(0.05)


async def _outcome(handle: WorkflowHandle[Any, Any]) -> Any:
    try:
        return await handle.result()
    except WorkflowFailureError as error:
        return type(error.cause).__name__


OUTCOMES: dict[type, Any] = {
    replayed.Chain: 750,
    replayed.TimerFirst: [250, 250],
    replayed.FanOut: ["250", "250", "broken", "HEY", "250"],
    replayed.Local: ["ONE", "250", "TWO", "250", "ApplicationError"],
    replayed.Parent: 502,
    replayed.Signalled: ["ANN", "CYD"],
    replayed.Cancelled: "CancelledError",
    replayed.Continued: "done",
    replayed.Raced: "timer won",
    replayed.Patched: 250,
}


# The plain worker is stopped in the middle of a run. Its core then may cancel a local activity that has just ended,
# which the SDK warns of, and a warning that is raised in the SDK's own loop ends the worker.
@pytest.mark.filterwarnings("ignore:Cannot find activity to cancel:UserWarning")
@pytest.mark.slow
@pytest.mark.parametrize("tasks", [1, 2, 3])
async def test_runs_begun_without_the_plugin_go_on_with_it(
    server: WorkflowEnvironment, client: Client, tasks: int
) -> None:
    """Runs that a plain worker has brought to their first tasks are finished by one with the plugin, and replay."""
    plain = await Client.connect(
        server.client.service_client.config.target_host, data_converter=pydantic_data_converter
    )
    queue = f"adopted-{uuid.uuid4()}"
    # Both replay each run from its beginning for each of its tasks.
    options: dict[str, Any] = {
        "task_queue": queue,
        "workflows": replayed.WORKFLOWS,
        "activities": replayed.ACTIVITIES,
        "max_cached_workflows": 0,
    }
    async with Worker(plain, **options):
        handles = await asyncio.gather(*(drive(plain, cls, task_queue=queue) for cls in OUTCOMES))
        await asyncio.gather(*(_until(handle, tasks) for handle in handles))
    async with Worker(client, **options):
        outcomes = await asyncio.gather(*(_outcome(handle) for handle in handles))
    assert outcomes == list(OUTCOMES.values())
    for handle in handles:
        first = plain.get_workflow_handle(handle.id, run_id=handle.first_execution_run_id)
        await replay(half_finished(await first.fetch_history()), replayer())


async def test_an_altered_value_is_sent_on_by_a_run_from_before(server: WorkflowEnvironment, client: Client) -> None:
    """What Segue refuses, a run begun without it goes on to send; a run begun with it is refused."""
    plain = await Client.connect(
        server.client.service_client.config.target_host, data_converter=pydantic_data_converter
    )
    queue = f"altered-{uuid.uuid4()}"
    options: dict[str, Any] = {
        "task_queue": queue,
        "workflows": [replayed.Lossy],
        "activities": replayed.ACTIVITIES,
        "max_cached_workflows": 0,
    }
    async with Worker(plain, **options):
        old = await plain.start_workflow(replayed.Lossy.run, id=str(uuid.uuid4()), task_queue=queue)
        await _until(old, 2)
    async with Worker(client, **options):
        await old.signal(replayed.Lossy.go_on)
        [value] = await old.result()
        assert value is not None
        assert math.isnan(value)
        new = await client.start_workflow(replayed.Lossy.run, id=str(uuid.uuid4()), task_queue=queue)
        with pytest.raises(WorkflowFailureError) as failed:
            await new.result()
    assert str(failed.value.cause) == (
        "PayloadError: Activity 'stick' is not started: argument 1 'label': scale is nan, which JSON cannot carry: "
        "send None or a string"
    )
    histories = [await old.fetch_history(), await new.fetch_history()]
    await replay(
        [half for history in histories for half in half_finished(history)], replayer(workflows=[replayed.Lossy])
    )
