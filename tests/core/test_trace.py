"""One trace from a script to the system that an activity asks, in a process of its own: a provider is set only once."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from temporalio.client import Client
from tests.activities.http_server import Server, answer, serve

SCRIPT = """
import asyncio
import sys
from datetime import timedelta

from opentelemetry import trace
from temporalio import workflow
from temporalio.client import Client
from temporalio.contrib.opentelemetry import OpenTelemetryInterceptor
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from segue.activities import System, http
    from segue.activities.settings import Settings
    from segue.client import SeguePlugin

exchange = System("exchange-trace-test")


@exchange.activity
async def quote_traced(url: str) -> int:
    return await http.get_json(url, response=int)


@workflow.defn
class Quote:
    @workflow.run
    async def run(self, url: str) -> int:
        return await workflow.execute_activity(quote_traced, url)


async def main(address: str, id: str, url: str) -> None:
    client = await Client.connect(address, plugins=[SeguePlugin(settings=Settings())])
    interceptors = client.config(active_config=True)["interceptors"]
    traced = any(isinstance(each, OpenTelemetryInterceptor) for each in interceptors)
    print(f"traced: {traced}", file=sys.stderr)
    async with Worker(client, task_queue=id, workflows=[Quote], activities=[quote_traced]):
        with trace.get_tracer("script").start_as_current_span("script"):
            print(await client.execute_workflow(Quote.run, url, id=id, task_queue=id), file=sys.stderr)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
"""


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Server]:
    """A system that does what the test scripts."""
    async with serve() as server:
        yield server


async def ran(client: Client, folder: Path, url: str, **variables: str) -> tuple[str, str, str]:
    """Run the script with these variables; return its workflow's id, its output, and its errors."""
    script = folder / "script.py"
    script.write_text(SCRIPT)
    id = f"quote-{uuid.uuid4()}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(script), client.service_client.config.target_host, id, url),
        env={**kept, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    return id, output.decode(), errors.decode()


def printed(output: str) -> list[dict[str, Any]]:
    """The spans that the console exporter has printed, one JSON object after the other."""
    spans: list[dict[str, Any]] = []
    decoder = json.JSONDecoder()
    rest = output.strip()
    while rest:
        span, end = decoder.raw_decode(rest)
        spans.append(span)
        rest = rest[end:].lstrip()
    return spans


async def headers(client: Client, id: str) -> list[list[str]]:
    """The names of the headers with which the run and its step were started, as history has them."""
    found: list[list[str]] = []
    for event in (await client.get_workflow_handle(id).fetch_history()).events:
        if event.HasField("workflow_execution_started_event_attributes"):
            found.append(sorted(event.workflow_execution_started_event_attributes.header.fields))
        elif event.HasField("activity_task_scheduled_event_attributes"):
            found.append(sorted(event.activity_task_scheduled_event_attributes.header.fields))
    return found


async def test_one_trace_from_the_script_to_the_system(client: Client, site: Server, tmp_path: Path) -> None:
    """Script, workflow, activity and request are one trace, each the child of the last, and the system gets it."""
    url = site.on("/quote", answer(200, b"7", headers={"content-type": "application/json"}))

    id, output, errors = await ran(client, tmp_path, url, OTEL_TRACES_EXPORTER="console")

    assert errors.split("\n") == ["traced: True", "7", ""]
    spans = printed(output)
    by_id = {span["context"]["span_id"]: span for span in spans}
    [request] = site.requests
    version, trace_id, parent, flags = (request.header("traceparent") or "").split("-")
    assert (version, flags) == ("00", "01")
    assert {span["context"]["trace_id"] for span in spans} == {f"0x{trace_id}"}
    chain: list[str] = []
    span = by_id.get(f"0x{parent}")
    while span is not None:
        chain.append(span["name"])
        span = by_id.get(span["parent_id"])
    assert chain[::-1] == [
        "script",
        "StartWorkflow:Quote",
        "RunWorkflow:Quote",
        "StartActivity:quote_traced",
        "RunActivity:quote_traced",
        "GET",
    ]
    assert [span["name"] for span in spans if span["parent_id"] is None] == ["script"]
    assert await headers(client, id) == [["_tracer-data"], ["_tracer-data"]]


async def test_nothing_is_traced_unless_it_is_asked_for(client: Client, site: Server, tmp_path: Path) -> None:
    """Without the variables there is no interceptor, no header in history, no header of the request, and no output."""
    url = site.on("/quote", answer(200, b"7", headers={"content-type": "application/json"}))

    id, output, errors = await ran(client, tmp_path, url)

    assert (output, errors.split("\n")) == ("", ["traced: False", "7", ""])
    assert await headers(client, id) == [[], []]
    [request] = site.requests
    assert request.header("traceparent") is None
