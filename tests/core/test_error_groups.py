"""What an activity raises in an exception group, on a real server: how often it runs, and what its caller is told."""

from __future__ import annotations

import asyncio
import builtins
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, FailureError
from temporalio.worker import Worker

from segue.activities import Policy, System, Terminal

groups = System("groups-errors-test", policy=Policy(maximum_attempts=3, initial_interval=timedelta(milliseconds=10)))
GROUP_ATTEMPTS: list[int] = []


@groups.activity
async def charge_in_a_group() -> None:
    async def decline() -> None:
        raise Terminal("card declined", type="Declined")

    GROUP_ATTEMPTS.append(activity.info().attempt)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asyncio.Event().wait())
        tasks.create_task(decline())


@groups.activity
async def stop_in_a_group(terminal: bool) -> None:
    GROUP_ATTEMPTS.append(activity.info().attempt)
    try:
        while True:
            activity.heartbeat()
            await asyncio.sleep(0.05)
    except asyncio.CancelledError as error:
        errors = [error, Terminal("not undone", type="Undone")] if terminal else [error]
        raise BaseExceptionGroup("all tasks", errors) from None


@workflow.defn
class Grouped:
    started = False

    @workflow.run
    async def run(self, how: str) -> None:
        if how == "declined":
            await workflow.execute_activity(charge_in_a_group)
        handle = workflow.start_activity(
            stop_in_a_group,
            how == "undone",
            heartbeat_timeout=timedelta(seconds=10),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        await workflow.wait_condition(lambda: self.started)
        handle.cancel()
        await handle

    @workflow.signal
    def has_started(self) -> None:
        self.started = True


@pytest.mark.parametrize(
    ("how", "kind", "message", "type"),
    [
        ("declined", ApplicationError, "card declined", "Declined"),
        ("undone", ApplicationError, "not undone", "Undone"),
        ("cancelled", CancelledError, "Cancelled", None),
    ],
)
async def test_groups_on_a_server(
    client: Client, how: str, kind: builtins.type[FailureError], message: str, type: str | None
) -> None:
    """What an activity raises in a group ends it at the first attempt if terminal, and as cancelled if that is all."""
    GROUP_ATTEMPTS.clear()
    activities: list[Callable[..., Any]] = [charge_in_a_group, stop_in_a_group]
    async with Worker(client, task_queue="groups", workflows=[Grouped], activities=activities):
        handle = await client.start_workflow(Grouped.run, how, id=str(uuid.uuid4()), task_queue="groups")
        while not GROUP_ATTEMPTS:
            await asyncio.sleep(0.02)
        if how != "declined":
            await handle.signal(Grouped.has_started)
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
    failed = raised.value.cause
    assert isinstance(failed, ActivityError)
    assert isinstance(failed.cause, kind)
    assert (failed.cause.message, getattr(failed.cause, "type", None)) == (message, type)
    assert GROUP_ATTEMPTS == [1]
