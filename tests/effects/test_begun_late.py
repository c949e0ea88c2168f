"""An at-most-once step is not begun by an attempt that the server has given up: somebody may count on that."""

from __future__ import annotations

import asyncio
import dataclasses
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor, Worker

with workflow.unsafe.imports_passed_through():
    from segue.activities import NotDone, Policy, System
    from segue.activities.certainty import begun_in_time
    from segue.client.repairs import parked_of, repair

bell = System("effect-test-bell", policy=Policy(start_to_close_timeout=timedelta(seconds=1)))


@bell.activity(effect="at_most_once")
async def ring_bell(folder: str) -> str:
    with (Path(folder) / "rung").open("a") as file:
        file.write("ding\n")
    return "rung"


@workflow.defn
class Ring:
    @workflow.run
    async def run(self, folder: str) -> str:
        return await workflow.execute_activity(ring_bell, folder)


class Busy(Interceptor):
    """A worker that comes to the first attempt only after its time, and is asked to begin it all the same."""

    def __init__(self) -> None:
        self.refused: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.go = asyncio.Event()

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        busy = self

        class Late(ActivityInboundInterceptor):
            async def execute_activity(self, input: ExecuteActivityInput) -> Any:
                if busy.refused.done():
                    return await super().execute_activity(input)
                try:
                    await busy.go.wait()
                except asyncio.CancelledError:
                    # What the server has given up the SDK cancels; a thread that is late would hear nothing of it.
                    await busy.go.wait()
                try:
                    result = await super().execute_activity(input)
                except NotDone as error:
                    busy.refused.set_result(error.message)
                    raise
                busy.refused.set_result("begun")
                return result

        return Late(next)


async def test_an_attempt_that_is_given_up_is_not_begun(client: Client, tmp_path: Path) -> None:
    """The step parks; what the late attempt would have done does not happen, and the operator's retry does it once."""
    queue, busy = str(uuid.uuid4()), Busy()
    handle = await client.start_workflow(Ring.run, str(tmp_path), id=f"bell-{queue}", task_queue=queue)
    async with Worker(client, task_queue=queue, workflows=[Ring], activities=[ring_bell], interceptors=[busy]):
        while True:
            try:
                [parked] = await parked_of(handle)
                break
            except Exception:
                await asyncio.sleep(0.05)
        busy.go.set()
        refused = await busy.refused
        rung = (tmp_path / "rung").exists()
        await repair(handle, parked.step, "retry")
        result = await handle.result()

    assert refused.startswith("Not begun: ")
    assert refused.endswith(
        " s after its start, and an attempt may take 1 s (start_to_close_timeout). The worker is overloaded, or its "
        "clock differs from the server's"
    )
    assert (parked.reason, rung, result) == ("ambiguous", False, "rung")
    assert (tmp_path / "rung").read_text() == "ding\n"


@pytest.mark.parametrize("timeout", [timedelta(seconds=10), None])
def test_an_attempt_in_time_is_begun(timeout: timedelta | None) -> None:
    """An attempt that has time left, or that nothing bounds, is not refused."""
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, start_to_close_timeout=timeout)
    if timeout is not None:
        environment.info = dataclasses.replace(environment.info, started_time=datetime.now(UTC) - timeout / 2)

    @activity.defn
    def begin() -> None:
        begun_in_time()

    environment.run(begin)
