"""Folders extracted into databases: with documents that fail, workers that die, and people that answer."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.worker import Replayer, Worker
from tests.analysis.service import payloads
from tests.extraction.leases import Lease, lease, written
from tests.extraction.orders import ACTIVITIES, GOODS, Order, ordered
from tests.llm.scripted import Asked, scripted
from tests.processes import worker_process
from tests.recorded import beginnings, recorded

from segue.activities import http, objects, sql
from segue.activities.extraction import Extraction, ExtractionReport, FieldCount, Form, OpenQuestion
from segue.activities.settings import Settings
from segue.client import SeguePlugin, decide, pending_approvals
from segue.workflows.approvals import Approval
from segue.workflows.extraction import ExtractData, ExtractDocuments, People

pytest.importorskip("obstore")
pytest.importorskip("aiosqlite")


@asynccontextmanager
async def working(client: Client) -> AsyncGenerator[str]:
    """A worker; its task queue."""
    queue = str(uuid.uuid4())
    async with Worker(client, task_queue=queue, workflows=[ExtractData], activities=ACTIVITIES):
        yield queue
    await sql.close()
    await http.close()


async def start(client: Client, queue: str, request: ExtractDocuments) -> WorkflowHandle[Any, ExtractionReport]:
    return await client.start_workflow(ExtractData.run, request, id=str(uuid.uuid4()), task_queue=queue)


def rows(database: Path, query: str = "SELECT * FROM extracted_values ORDER BY name, field, position") -> list[Any]:
    connection = sqlite3.connect(database)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def folder(tmp_path: Path) -> Path:
    """Forty leases, of which one lacks its date and one is too dear; a file that is no PDF, and one without text."""
    sources = tmp_path / "leases"
    written(sources, 40)
    (sources / "lease-0011.txt").write_text(lease(11, signed="the day on which it is signed"))
    (sources / "lease-0022.txt").write_text(lease(22, rent="$12,500.00"))
    (sources / "scan.pdf").write_bytes(b"%PDF-1.7 and then nothing that a reader knows")
    (sources / "empty.txt").touch()
    return sources


async def test_a_folder_goes_into_a_database(client: Client, tmp_path: Path) -> None:
    """Values with their evidence are rows, what fails is reported, and the history holds nothing of any document."""
    sources, database = folder(tmp_path), tmp_path / "leases.db"
    request = ExtractDocuments(
        form=Form.of(Lease), prefix=str(sources), store=str(tmp_path / "store"), database=f"sqlite:///{database}"
    )
    async with working(client) as queue:
        handle = await start(client, queue, request)
        report = await handle.result()

    assert (report.documents, report.done, report.failed) == (42, 40, 2)
    assert (report.form, report.unsettled, report.settled) == ("Lease", 2, 0)
    assert report.engines == {"rules": report.values}
    assert report.values == 40 * 11 - 2
    assert report.fields["parties"] == FieldCount(found=40, values=80, questions=0)
    assert report.fields["signed"] == FieldCount(found=39, values=39, questions=1)
    assert report.fields["rent"] == FieldCount(found=39, values=39, questions=1)
    stored = rows(database)
    assert len(stored) == report.values
    for name, raw, start_, end in rows(database, "SELECT name, raw, span_start, span_end FROM extracted_values"):
        assert (sources / name).read_text()[start_:end] == raw
    [rent] = rows(
        database,
        "SELECT value, unit, raw, source, engine, status, workflow FROM extracted_values "
        "WHERE name = 'lease-0007.txt' AND field = 'rent'",
    )
    assert rent == (
        "1250.00",
        "USD",
        "$1,250.00",
        (sources / "lease-0007.txt").as_uri(),
        "rules",
        "accepted",
        handle.id,
    )

    told = json.loads(await objects.read(report.report))
    assert [(kind["type"], [one["document"] for one in kind["documents"]]) for kind in told["errors"]] == [
        ("EmptyDocument", [(sources / "empty.txt").as_uri()]),
        ("CorruptDocument", [(sources / "scan.pdf").as_uri()]),
    ]
    assert told["throughput"]["documents_a_minute"] > 0
    markdown = (await objects.read(report.markdown)).decode()
    assert markdown.startswith("# Extraction: Lease\n\n40 of 42 documents read in ")
    assert "| signed | 39 | 39 | 1 |" in markdown
    assert report.questions is not None
    asked = [OpenQuestion.model_validate_json(line) for line in (await objects.read(report.questions)).splitlines()]
    assert {(one.document.name, one.question.field, one.question.reason) for one in asked} == {
        ("lease-0011.txt", "signed", "missing"),
        ("lease-0022.txt", "rent", "invalid"),
    }
    held = await payloads(handle)
    assert "segue.extraction.report" in held
    texts = ("Quay Street", "Willow Court", "1,250.00", "1250.00", "Tenant Number", "March 3", "2021-03-03")
    assert [text for text in texts if text in held] == []


async def test_once_more_changes_nothing(client: Client, tmp_path: Path) -> None:
    """Another run over the same folder reads nothing that the first wrote below it, and leaves the same rows."""
    sources, database = folder(tmp_path), tmp_path / "leases.db"
    request = ExtractDocuments(
        form=Form.of(Lease), prefix=str(sources), store=str(sources / "store"), database=f"sqlite:///{database}"
    )
    query = "SELECT form, source, field, position, value, raw FROM extracted_values ORDER BY 1, 2, 3, 4"
    async with working(client) as queue:
        first = await (await start(client, queue, request)).result()
        before = rows(database, query)
        again = await (await start(client, queue, request)).result()

    assert (again.documents, again.values) == (first.documents, first.values) == (42, 40 * 11 - 2)
    assert rows(database, query) == before


async def test_the_same_text_in_two_files(client: Client, tmp_path: Path) -> None:
    """Each file has its rows and its questions; one that changes leaves nothing of what it said before."""
    sources, database = tmp_path / "leases", tmp_path / "leases.db"
    sources.mkdir()
    for name in ("a.txt", "copy/a.txt", "b.txt"):
        (sources / name).parent.mkdir(exist_ok=True)
        (sources / name).write_text(lease(1, signed="the day of Saint Martin"))
    told = {
        "form": "tests.extraction.leases:Lease",
        "prefix": str(sources),
        "store": str(tmp_path / "store"),
        "database": f"sqlite:///{database}",
    }
    request = ExtractDocuments.model_validate(told)
    query = "SELECT source, count(*) FROM extracted_values GROUP BY source ORDER BY source"
    async with working(client) as queue:
        first = await (await start(client, queue, request)).result()
        counted = rows(database, query)
        (sources / "b.txt").write_text("Nothing is said here.\n")
        await (await start(client, queue, request)).result()

    assert (first.done, first.values, first.unsettled) == (3, 30, 3)
    a, b, copy = ((sources / name).as_uri() for name in ("a.txt", "b.txt", "copy/a.txt"))
    assert counted == [(a, 10), (b, 10), (copy, 10)]
    assert rows(database, query) == [(a, 10), (copy, 10)]


async def test_a_killed_worker_costs_no_answer_and_no_row(client: Client, tmp_path: Path) -> None:
    """Each document's model is paid once, and its values are written once, though the worker dies half-way."""
    sources, database, queue = tmp_path / "orders", tmp_path / "orders.db", str(uuid.uuid4())
    ordered(sources, 24)
    release = asyncio.Event()

    async with scripted() as provider:

        async def answer(asked: Asked) -> dict[str, Any]:
            # The first eight are answered; what is asked then waits until the worker is dead.
            if asked.number > 8:
                await release.wait()
            good = next(good for good in GOODS if good in asked.user)
            return {"goods": {"quote": good, "value": good}}

        provider.script(answer)
        request = ExtractDocuments(
            form=Form.of(Order),
            prefix=str(sources),
            store=str(tmp_path / "store"),
            database=f"sqlite:///{database}",
            model=provider.model(),
            concurrency=4,
        )
        handle = await start(client, queue, request)
        async with worker_process(client, "tests.extraction.killed_worker", queue) as worker:
            while _count(database) < 8 or len(provider.asked) < 12:
                await asyncio.sleep(0.05)
            worker.kill()
            await worker.wait()
        release.set()
        under_way = len(provider.asked) - 8
        async with worker_process(client, "tests.extraction.killed_worker", queue):
            report = await handle.result()
        # What was answered is not asked again; of what was under way when the worker died nobody heard the answer.
        times = Counter(asked.user for asked in provider.asked)
        assert (len(times), under_way) == (24, 4)
        assert [times[asked.user] for asked in provider.asked[:8]] == [1] * 8
        assert all(times[asked.user] >= 2 for asked in provider.asked[8:12])

    assert (report.done, report.failed, report.values) == (24, 0, 48)
    assert report.engines == {"rules": 24, "scripted-1": 24}
    assert rows(database, "SELECT count(*), count(DISTINCT document) FROM extracted_values") == [(48, 24)]
    assert rows(database, "SELECT count(*) FROM segue_effects") == [(24,)]


def _count(database: Path) -> int:
    if not database.exists():
        return 0
    try:
        return int(rows(database, "SELECT count(DISTINCT document) FROM extracted_values")[0][0])
    except sqlite3.OperationalError:  # the table is not there yet
        return 0


async def test_people_answer_what_is_left(client: Client, tmp_path: Path) -> None:
    """An answer whose words do not stand in the document is asked again; one that holds is a row by a person."""
    sources, database = tmp_path / "leases", tmp_path / "leases.db"
    sources.mkdir()
    (sources / "one.txt").write_text(
        lease(1, signed="the day of Saint Martin", extra="\nThe keys were handed over after 11 November 2021.\n")
    )
    (sources / "two.txt").write_text(lease(2, rent="$12,500.00"))
    request = ExtractDocuments(
        form=Form.of(Lease),
        prefix=str(sources),
        store=str(tmp_path / "store"),
        database=f"sqlite:///{database}",
        people=People(allowed=("ann",)),
    )
    async with working(client) as queue:
        handle = await start(client, queue, request)
        first, second = await _pending(client, handle.id, 2)
        assert [first.question, second.question] == ["one.txt: signed?", "two.txt: rent?"]
        await decide(handle, first.id, choice="answer", by="ann", input={"quote": "handed over after 12 November 2021"})
        await decide(handle, second.id, choice="skip", by="ann")
        [again] = await _pending(client, handle.id, 1, decided=(first.id, second.id))
        assert again.question == "one.txt: signed?"
        await decide(handle, again.id, choice="answer", by="ann", input={"quote": "handed over after 11 November 2021"})
        report = await handle.result()

    assert (report.unsettled, report.settled) == (2, 1)
    query = (
        "SELECT value, raw, engine, confidence, status FROM extracted_values WHERE name = 'one.txt' AND "
        "field = 'signed'"
    )
    assert rows(database, query) == [("2021-11-11", "11 November 2021", "person", 1.0, "accepted")]
    assert rows(database, "SELECT count(*) FROM extracted_values WHERE name = 'one.txt'") == [(11,)]
    kept = [
        Extraction.model_validate_json(one.read_text()) for one in (tmp_path / "store").rglob("extractions/*/*.json")
    ]
    assert sorted(len(one.questions) for one in kept) == [0, 1]


async def _pending(client: Client, workflow_id: str, count: int, *, decided: Collection[str] = ()) -> list[Approval]:
    """So many questions that wait; what was decided just now is shown for a moment yet."""
    while True:
        waiting = [one.approval for one in await pending_approvals(client) if one.workflow_id == workflow_id]
        found = [one for one in waiting if one.id not in decided]
        if len(found) == count:
            return sorted(found, key=lambda one: one.question)
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"prefix": "{folder}/nothing"}, "NoDocuments: There are no documents to read below '{folder}/nothing'"),
        (
            {"prefix": "{folder}", "form": {"model": "tests.extraction.leases:Lease", "digest": "0" * 32}},
            "InvalidForm: The form 'tests.extraction.leases:Lease' of this worker is another version than the "
            "caller's: "
            "deploy both alike",
        ),
    ],
)
async def test_what_cannot_begin(client: Client, tmp_path: Path, given: dict[str, Any], message: str) -> None:
    """An empty folder, and a form that the workers have otherwise, fail the run before a document is read."""
    written(tmp_path / "folder", 1)
    told: dict[str, Any] = {"form": Form.of(Lease), "store": str(tmp_path / "store"), **given}
    told["prefix"] = str(told["prefix"]).format(folder=tmp_path / "folder")
    async with working(client) as queue:
        handle = await start(client, queue, ExtractDocuments.model_validate(told))
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    cause = failed.value.cause.__cause__
    assert str(cause) == message.format(folder=tmp_path / "folder")


def test_a_request_names_documents() -> None:
    """A request for nothing, and one with a table that is none, are refused before they are sent."""
    with pytest.raises(ValueError, match="give prefix, urls, documents or lists"):
        ExtractDocuments(form=Form.of(Lease), store="store")
    with pytest.raises(ValueError, match="String should match pattern"):
        ExtractDocuments(form=Form.of(Lease), store="store", prefix="a", table="values; DROP TABLE values")


async def test_recorded_histories_replay() -> None:
    """Runs of earlier versions go on with this one."""
    histories = beginnings(recorded("extraction"))
    assert histories
    replayer = Replayer(workflows=[ExtractData], plugins=[SeguePlugin(settings=Settings())])
    for history in histories:
        await replayer.replay_workflow(history)
