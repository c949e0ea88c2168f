"""What is given in place of a call is refused, by each that makes calls, before anything starts."""

from __future__ import annotations

import uuid

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker
from tests.recorded import beginnings, recorded
from tests.reroute.no_calls import ACTIVITIES, WORKFLOWS, Forgetful, Lucky

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.replay import replay

GIVEN = [
    "the activity 'post_parcel', which is no call: write call(post_parcel, ...)",
    "the workflow 'Deliver', which is no call: write call(Deliver.run, ...)",
    "the workflow 'Deliver', which is no call: write call(Deliver.run, ...)",
    "the function 'nothing', which is no call: write call(nothing, ...)",
    "a coroutine of 'nothing', which is no call: write call(fn, ...)",
    "None, which is no call: write call(fn, ...)",
    "'post_parcel', which is no call: write call(fn, ...)",
]


async def test_what_is_no_call_is_refused(client: Client) -> None:
    """The error says which it is, what was given, and what to write; nothing was started, and the history replays."""
    queue = str(uuid.uuid4())
    async with Worker(client, task_queue=queue, workflows=WORKFLOWS, activities=ACTIVITIES, max_cached_workflows=0):
        handle = await client.start_workflow(Forgetful.run, id=queue, task_queue=queue)
        told = await handle.result()

    numbered = [f"its call {number} is {one}" for number, one in enumerate(GIVEN, 2)]
    assert told == [
        f"InvalidCall: fallback() cannot be made: {'; '.join(numbered)}",
        f"InvalidCall: hedge() cannot be made: its call 1 is {GIVEN[0]}",
        f"InvalidCall: first_success() cannot be made: its call 2 is {GIVEN[0]}",
        *(f"InvalidCall: Saga 'saga' cannot take a step: it is given {one}" for one in GIVEN),
    ]
    history = await handle.fetch_history()
    assert not any(event.HasField("activity_task_scheduled_event_attributes") for event in history.events)
    assert await replay([history], WORKFLOWS, SeguePlugin(settings=Settings())) == 1


async def test_a_way_that_is_never_taken_is_looked_at_too(client: Client) -> None:
    """A fallback that cannot be made is refused although the first call would succeed."""
    queue = str(uuid.uuid4())
    async with Worker(client, task_queue=queue, workflows=WORKFLOWS, activities=ACTIVITIES):
        with pytest.raises(WorkflowFailureError) as failed:
            await client.execute_workflow(Lucky.run, id=queue, task_queue=queue)

    assert isinstance(failed.value.cause, ApplicationError)
    assert failed.value.cause.message == f"fallback() cannot be made: its call 2 is {GIVEN[0]}"


async def test_what_was_let_pass_goes_on() -> None:
    """A history of the version that let it pass replays with this one, whole and cut after each task."""
    whole = recorded("older_no_call")
    cut = beginnings(whole)
    assert [one.workflow_id for one in whole] == ["older_no_call_taken"]
    assert await replay([*whole, *cut], WORKFLOWS, SeguePlugin(settings=Settings())) == len(whole) + len(cut)
