"""The workflow that summarises a document, on a real Temporal server."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle
from tests.analysis.calls import CALL, call
from tests.analysis.service import WORKFLOWS, payloads, process, worker
from tests.llm.scripted import Asked, Scripted, refuses, scripted, stalls
from tests.recorded import beginnings, recorded

from segue.activities import objects, summary
from segue.activities.settings import Settings
from segue.activities.summary import Summary
from segue.client import SeguePlugin, steps
from segue.workers.replay import replay
from segue.workflows.analysis import DocumentSummary, Summarise, SummariseDocument


@pytest.fixture
async def queue(client: Client) -> AsyncIterator[str]:
    name = str(uuid.uuid4())
    async with worker(client, name):
        yield name


@pytest.fixture
async def model() -> AsyncIterator[Scripted]:
    async with scripted() as server:
        yield server


@pytest.fixture
def request_(tmp_path: Path) -> Summarise:
    """The call as a file, and a store beside it."""
    (tmp_path / "q3.txt").write_text(CALL)
    return Summarise(document=str(tmp_path / "q3.txt"), store=str(tmp_path / "store"), words=110)


async def begun(client: Client, queue: str, request: Summarise) -> WorkflowHandle[Any, DocumentSummary]:
    return await client.start_workflow(SummariseDocument.run, request, id=str(uuid.uuid4()), task_queue=queue)


def first(asked: Asked, start: str) -> int:
    """The number of the sentence that begins so."""
    found = re.search(rf"\[(\d+)\] (?:[\w ]+: )?{start}", asked.user)
    assert found is not None
    return int(found[1])


async def test_a_call_is_summarised_by_its_own_sentences(client: Client, queue: str, request_: Summarise) -> None:
    """The result tells where the summary lies, and that no model wrote it."""
    handle = await begun(client, queue, request_)
    report = await handle.result()
    found = summary.summarise(call(), words=110)

    assert Summary.model_validate_json(await objects.read(report.data)) == found
    assert (await objects.read(report.html)).decode() == summary.to_html(found, call())
    assert (await objects.read(report.markdown)).decode() == summary.to_markdown(found, call())
    assert (report.kind, report.words, report.statements, report.parts) == ("call", found.words, 7, 4)
    assert (report.engines, report.removed, report.unwritten, report.usage.calls) == (("extractive",), 0, 0, 0)
    assert [(step.name, step.summary) for step in await steps(handle)] == [
        ("segue.documents.load", "read the document"),
        ("segue.summary.draw", "q3.txt"),
        ("segue.summary.write", "4 parts of 34 sentences"),
    ]


async def test_a_model_writes_what_its_sources_bear_out(
    client: Client, queue: str, request_: Summarise, model: Scripted
) -> None:
    """Its sentences cite; those that say more than they cite are removed; what it does not write is told without it."""

    def write(asked: Asked) -> Any:
        if "Part: Results" in asked.user:
            return {
                "sentences": [
                    {"text": "Revenue increased 12% to $84.2 million.", "sources": [first(asked, "Revenue")]},
                    {"text": "Net income was $91 million.", "sources": [first(asked, "Net income")]},
                ]
            }
        if "Part: Outlook" in asked.user:
            return {
                "sentences": [{"text": "Revenue will be $400 million.", "sources": [first(asked, "We now expect")]}]
            }
        return refuses()

    model.script(write)
    report = await (await begun(client, queue, request_.model_copy(update={"model": model.model()}))).result()
    found = Summary.model_validate_json(await objects.read(report.data))
    own = summary.summarise(call(), words=110)

    assert [one.text for one in found.parts[0].statements] == ["Revenue increased 12% to $84.2 million."]
    assert [(part.title, part.engine, part.removed) for part in found.parts] == [
        ("Results", "scripted-1", 1),
        ("Outlook", "extractive", 1),
        ("Business", "extractive", 0),
        ("Questions and answers", "extractive", 0),
    ]
    assert [part.statements for part in found.parts[1:]] == [part.statements for part in own.parts[1:]]
    assert (report.engines, report.removed, report.unwritten) == (("scripted-1", "extractive"), 2, 3)
    assert (model.paid, report.usage.calls) == (4, 2)
    assert "2 unsupported sentences were removed." in (await objects.read(report.html)).decode()

    page, notes = (await objects.read(report.html)).decode(), (await objects.read(report.markdown)).decode()
    assert (
        "Written by scripted-1; each sentence cites, and was held by rules against what it cites. 3 of 4 parts" in page
    )
    assert "## Results\n\n*in the words of scripted-1; 1 unsupported sentence removed*\n" in notes
    assert "## Business\n\n*the document's own sentences*\n" in notes


async def test_a_model_that_wrote_nothing_that_is_kept_is_named(
    client: Client, queue: str, request_: Summarise, model: Scripted
) -> None:
    """It was asked, and paid: the reports do not say that no model took part."""
    model.script({"sentences": [{"text": "Revenue will be $400 million at Acme.", "sources": [1]}]})
    report = await (await begun(client, queue, request_.model_copy(update={"model": model.model()}))).result()
    told = f"Sentences of the document, word for word: {model.model().name} was asked, and wrote no part that was kept."

    assert report.engines == ("extractive",)
    for one in (report.html, report.markdown):
        assert told in (await objects.read(one)).decode()


async def test_the_history_holds_no_text(client: Client, queue: str, request_: Summarise, model: Scripted) -> None:
    """Neither the document's words, nor the model's, stand in the history."""
    model.script({"sentences": [{"text": "Revenue increased 12% a year.", "sources": [1, 2, 3]}]})
    handle = await begun(client, queue, request_.model_copy(update={"model": model.model()}))
    await handle.result()
    held = await payloads(handle)

    assert "segue.summary.write_part" in held
    canaries = ("Larkspur", "Revenue", "Rotterdam", "Brandt", "guidance", "12%")
    assert [word for word in canaries if word in held] == []


async def test_a_killed_worker_pays_for_no_part_twice(client: Client, request_: Summarise, model: Scripted) -> None:
    """The next worker goes on where the dead one was: parts that were written are not written again."""
    queue = str(uuid.uuid4())
    answer = {"sentences": [{"text": "Revenue increased.", "sources": [1]}]}
    model.script(answer, answer, answer, stalls(), answer)
    async with process(client, queue) as running:
        handle = await begun(client, queue, request_.model_copy(update={"model": model.model()}))
        await model.received(4)
        while [step.state for step in await steps(handle)].count("completed") < 5:
            await asyncio.sleep(0.05)
        running.kill()
        await running.wait()
    async with process(client, queue):
        report = await handle.result()

    assert report.usage.calls == 4
    assert (model.paid, len(model.asked)) == (4, 5)
    # Which of the four parts asked last, and so waited in vain, is a matter of chance.
    assert sorted((step.name, step.attempts) for step in await steps(handle)) == [
        ("segue.documents.load", 1),
        ("segue.summary.draw", 1),
        ("segue.summary.write", 1),
        *([("segue.summary.write_part", 1)] * 3),
        ("segue.summary.write_part", 2),
    ]


async def test_recorded_summaries_replay() -> None:
    """Histories recorded with the first version replay with this one, whole and cut after each task."""
    whole = recorded("summarise_document")
    cut = beginnings(whole)

    assert [one.workflow_id for one in whole] == ["summarise_document_extractive", "summarise_document_written"]
    assert await replay([*whole, *cut], WORKFLOWS, SeguePlugin(settings=Settings())) == len(whole) + len(cut)


def test_a_request_says_what_is_wrong_with_it() -> None:
    """Bounds are refused before anything starts."""
    with pytest.raises(ValueError, match="words\n  Input should be greater than or equal to 20"):
        Summarise(document="a.txt", store="s", words=5)
    assert json.loads(Summarise(document="a.txt", store="s").model_dump_json())["unsupported"] == "remove"
