"""What the research tests share: a worker on a queue of its own, a scripted model, and an answer looked into."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest
from temporalio.client import Client
from temporalio.worker import Worker
from tests.llm.scripted import Scripted, scripted
from tests.research.leases import ACTIVITIES, WORKFLOWS

from segue.activities import llm, objects
from segue.activities.llm import Usage
from segue.activities.research import Report
from segue.workflows.research import DeepResearch, Research, ResearchRequest

# The workflow that gave each answer, by its report.
_ids: dict[str, str] = {}


@pytest.fixture
async def queue(client: Client) -> AsyncIterator[str]:
    name = str(uuid.uuid4())
    async with Worker(client, task_queue=name, workflows=WORKFLOWS, activities=ACTIVITIES):
        yield name


@pytest.fixture
async def model() -> AsyncIterator[Scripted]:
    async with scripted() as server:
        yield server


async def answered(client: Client, queue: str, request: ResearchRequest) -> Research:
    """The answer to a request."""
    id = str(uuid.uuid4())
    answer: Research = await client.execute_workflow(DeepResearch.run, request, id=id, task_queue=queue)
    _ids[answer.json_report.url] = id
    return answer


async def report_of(answer: Research) -> Report:
    """What stands in the report."""
    return Report.model_validate_json(await objects.read(answer.json_report))


async def steps_of(client: Client, answer: Research) -> list[str]:
    """The summaries of the steps that made an answer, in their order."""
    handle = client.get_workflow_handle(_ids[answer.json_report.url])
    return [
        event.user_metadata.summary.data.decode().strip('"')
        async for event in handle.fetch_history_events()
        if event.HasField("activity_task_scheduled_event_attributes")
    ]


async def spent_of(client: Client, answer: Research) -> dict[str, Usage]:
    """What each engine took, as the results of the steps that made an answer say."""
    spent: dict[str, Usage] = {}
    async for event in client.get_workflow_handle(_ids[answer.json_report.url]).fetch_history_events():
        if event.HasField("activity_task_completed_event_attributes"):
            payloads = event.activity_task_completed_event_attributes.result.payloads
            for value in await client.data_converter.decode(payloads):
                for engine, usage in llm.accounts(value):
                    spent[engine] = spent.get(engine, Usage()) + usage
    return {engine: usage for engine, usage in spent.items() if usage.calls}


async def history_of(client: Client, answer: Research) -> bytes:
    """The history of the run that made an answer, as the server keeps it."""
    handle = client.get_workflow_handle(_ids[answer.json_report.url])
    return b"".join([event.SerializeToString() async for event in handle.fetch_history_events()])
