"""What hangs or dies in plain Temporal: under Segue it completes, or fails at once and says what to do."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from temporalio.api.enums.v1 import WorkflowTaskFailedCause
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError
from temporalio.worker import Worker
from tests.limits.wide import (
    Bound,
    Wide,
    WideLeaf,
    WideResult,
    WideSink,
    bound,
    press_block,
    press_leaf,
    press_page,
    unbind,
)

from segue.activities import PayloadError
from segue.workers.run import defaults

WORKFLOWS: list[type] = [Bound, Wide, WideLeaf, WideSink, WideResult]
ACTIVITIES: list[Callable[..., Any]] = [press_leaf, press_block, press_page, unbind]


def worker(client: Client, queue: str) -> Worker:
    return Worker(client, task_queue=queue, workflows=WORKFLOWS, activities=ACTIVITIES, **defaults())


async def start(client: Client, queue: str, *args: Any) -> WorkflowHandle[Any, int]:
    return await client.start_workflow(Wide.run, args=args, id=f"wide-{uuid.uuid4()}", task_queue=queue)


# What the server does when more happens during a workflow task than it buffers, or something does as the run ends.
_OF_COURSE = ("WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND", "WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND")


async def failed_tasks(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """Return why workflow tasks failed."""
    found: list[str] = []
    async for event in handle.fetch_history_events():
        failed = event.workflow_task_failed_event_attributes
        if failed.ByteSize() and (cause := WorkflowTaskFailedCause.Name(failed.cause)) not in _OF_COURSE:
            found.append(f"{cause}: {failed.failure.message}")
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "count", "size"),
    [
        ("activities", 2_001, 0),
        ("activities", 50, 100_000),
        ("activities", 1_000, 5_000),
        ("local activities", 10_000, 0),
        ("local activities", 40, 100_000),
        ("children", 300, 0),
        ("signals", 2_001, 0),
        ("signals", 50, 100_000),
    ],
)
async def test_a_naive_gather_completes(client: Client, what: str, count: int, size: int) -> None:
    """However many calls are gathered, and however large: all are made, and no workflow task fails."""
    queue = f"wide-{uuid.uuid4()}"
    async with worker(client, queue):
        if what == "signals":
            handle = await client.start_workflow(
                WideSink.run, count, id=(id := f"wide-{uuid.uuid4()}") + "-sink", task_queue=queue
            )
            parent = await client.start_workflow(Wide.run, args=[what, count, size], id=id, task_queue=queue)
            await parent.result()
            assert await handle.result() == count
        else:
            parent = await start(client, queue, what, count, size)
            assert await parent.result() == sum(range(count))
    assert await failed_tasks(parent) == []


@pytest.mark.slow
@pytest.mark.parametrize(("what", "count", "size"), [("results", 30, 1_000_000), ("local results", 5, 1_000_000)])
async def test_large_results_that_fit_are_carried(client: Client, what: str, count: int, size: int) -> None:
    """Results near the limit of one call arrive, as many as a history holds."""
    queue = f"wide-{uuid.uuid4()}"
    async with worker(client, queue):
        handle = await start(client, queue, what, count, size)
        assert await handle.result() == count * size
    assert await failed_tasks(handle) == []


async def error_of(handle: WorkflowHandle[Any, Any]) -> ApplicationError:
    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    error: BaseException | None = failed.value.cause
    while isinstance(error, (ActivityError, ChildWorkflowError)):
        error = error.cause
    assert isinstance(error, ApplicationError)
    return error


async def test_more_steps_than_a_history_holds_fail_at_once(client: Client) -> None:
    """So many activities would end at the server's limit, hours later: the run fails before any is made."""
    queue = f"wide-{uuid.uuid4()}"
    async with worker(client, queue):
        handle = await start(client, queue, "activities", 12_600, 0)
        error = await error_of(handle)
    assert (error.type, error.message) == (
        "HistoryFull",
        "This run's history holds 3 events and 12,500 steps are to be added, which is more than the 51,200 events at "
        "which Temporal ends a run. Use fan_out, which spreads them over child workflows, or continue as new when "
        "workflow.info().is_continue_as_new_suggested()",
    )
    assert await failed_tasks(handle) == []


@pytest.mark.slow
async def test_results_that_a_history_does_not_hold_fail_the_run(client: Client) -> None:
    """Sixty results of a megabyte would end the run at fifty: it fails when the first of them have shown it."""
    queue = f"wide-{uuid.uuid4()}"
    async with worker(client, queue):
        handle = await start(client, queue, "results", 60, 1_000_000)
        error = await error_of(handle)
    assert error.type == "HistoryFull"
    assert re.fullmatch(
        r"This run's history holds \d+\.\d MB, and \d+ steps of about 1,024 kB each are still to come: Temporal ends a "
        r"run at 50 MB\. Let the steps store what is large as objects and send references, or spread them over child "
        r"workflows with fan_out",
        error.message,
    )


@pytest.mark.slow
async def test_a_large_result_says_nothing_of_other_steps(client: Client) -> None:
    """After a document of nearly two megabytes come three hundred small steps, which fit."""
    queue = f"wide-{uuid.uuid4()}"
    async with worker(client, queue):
        assert await (await start(client, queue, "a block, then leaves", 300, 1_900_000)).result() == 1_900_000 + 44_850


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "size"),
    [
        ("results", 1_500_000),
        ("a small one, then results", 1_000_000),
        ("activities", 1_000_000),
        ("local results", 1_000_000),
        ("local results in turn", 1_000_000),
        ("signals", 1_000_000),
    ],
)
async def test_the_server_ends_no_run_for_its_size(client: Client, what: str, size: int) -> None:
    """Sixty of about a megabyte, whichever way they come: the run fails by itself, with advice."""
    queue = f"wide-{uuid.uuid4()}"
    async with worker(client, queue):
        sink = f"wide-{uuid.uuid4()}"
        if what == "signals":
            await client.start_workflow(WideSink.run, 60, id=f"{sink}-sink", task_queue=queue)
        handle = await client.start_workflow(Wide.run, args=[what, 60, size], id=sink, task_queue=queue)
        error = await error_of(handle)
        if what == "signals":
            await client.get_workflow_handle(f"{sink}-sink").terminate()
    assert error.type == "HistoryFull"
    assert "Let the steps store what is large as objects and send references" in error.message


@pytest.mark.slow
@pytest.mark.parametrize("what", ["results", "activities"])
async def test_what_was_done_is_undone_though_the_history_is_full(client: Client, what: str) -> None:
    """Only what was not sent fails with HistoryFull: each effect is known, and undone before all that waits."""
    queue = f"wide-{uuid.uuid4()}"
    count, size = (60, 1_000_000) if what == "results" else (12_600, 0)
    bound.clear()
    async with worker(client, queue):
        handle = await client.start_workflow(Bound.run, args=[what, count, size], id=queue, task_queue=queue)
        error = await error_of(handle)
    assert error.type == "HistoryFull"
    assert bound[queue] == 0


async def test_a_local_result_that_is_too_large(client: Client) -> None:
    """A local activity's result over a megabyte fails its step, and says what to call instead."""
    queue = f"wide-{uuid.uuid4()}"
    async with worker(client, queue):
        error = await error_of(await start(client, queue, "local results", 1, 1_100_000))
    assert (error.type, error.message) == (
        "PayloadError",
        "The result of local activity 'press_block' is 1,100,002 bytes, and one of a local activity may be 1,048,576: "
        "all that end in one workflow task are recorded in one request. Call it with execute_activity, or store an "
        "object and return a reference to it",
    )


TOO_LARGE = 2_100_000


async def test_an_argument_a_result_and_an_input_that_are_too_large(client: Client) -> None:
    """What is over the limit of one call is refused where it is sent, and named."""
    queue = f"wide-{uuid.uuid4()}"
    advice = "and one call carries at most 2,097,152: store it as an object and send a reference to it"
    async with worker(client, queue):
        argument = await error_of(await start(client, queue, "activities", 1, TOO_LARGE))
        result = await error_of(await start(client, queue, "results", 1, TOO_LARGE))
        own: Any = await client.start_workflow(WideResult.run, TOO_LARGE, id=str(uuid.uuid4()), task_queue=queue)
        own = await error_of(own)
        with pytest.raises(PayloadError) as refused:
            await client.start_workflow("Wide", "x" * TOO_LARGE, id=str(uuid.uuid4()), task_queue=queue)
    told = "the value is 2,100,031 bytes"
    assert [error.message for error in (argument, result, own, refused.value)] == [
        f"Activity 'press_leaf' is not started: argument 2 'filling': {told} of 2,100,058 together, {advice}",
        f"The result of activity 'press_block': {told}, {advice}",
        f"The result of workflow 'WideResult': {told}, {advice}",
        f"Workflow 'Wide' is not started: argument 1: {told}, {advice}",
    ]
