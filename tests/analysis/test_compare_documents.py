"""The workflow that compares two versions of a document, on a real Temporal server."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from tests.analysis.service import WORKFLOWS, payloads, process, worker
from tests.analysis.versions import AFTER, BEFORE, after, before
from tests.llm.scripted import Asked, Scripted, refuses, scripted, stalls, status
from tests.recorded import beginnings, recorded

from segue.activities import comparison, objects
from segue.activities.comparison import Comparison, Explanations
from segue.activities.documents import LoadDocument, load_document
from segue.activities.llm import Usage
from segue.activities.settings import Settings
from segue.client import SeguePlugin, steps
from segue.workers.replay import replay
from segue.workflows.analysis import Compare, CompareDocuments, ComparisonReport


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
def versions(tmp_path: Path) -> Compare:
    """The two versions as files, and a store beside them."""
    (tmp_path / "2024.md").write_text(BEFORE)
    (tmp_path / "2025.md").write_text(AFTER)
    return Compare(before=str(tmp_path / "2024.md"), after=str(tmp_path / "2025.md"), store=str(tmp_path / "store"))


async def begun(client: Client, queue: str, request: Compare) -> WorkflowHandle[Any, ComparisonReport]:
    return await client.start_workflow(CompareDocuments.run, request, id=str(uuid.uuid4()), task_queue=queue)


async def test_two_versions_are_compared_by_rules(client: Client, queue: str, versions: Compare) -> None:
    """The result tells what was found and where the reports lie, and says that rules found it."""
    handle = await begun(client, queue, versions)
    report = await handle.result()
    found = comparison.compare(before(), after())

    assert (report.before.name, report.after.name) == ("2024.md", "2025.md")
    assert (report.engine, report.explained_by, report.explained, report.unexplained) == ("rules", "", 0, 0)
    assert (report.findings, report.matter, report.unchanged) == (13, 11, 5)
    assert report.kinds == found.counts()
    assert [one.id for one in report.material] == [one.id for one in found.material]
    assert report.material[0].rules == ("money",)
    assert report.material[0].after == found.findings[5].after
    assert (await objects.read(report.html)).decode() == comparison.to_html(found, before(), after())
    assert (await objects.read(report.markdown)).decode() == comparison.to_markdown(found, before(), after())
    assert json.loads(await objects.read(report.data)) == {
        "comparison": json.loads(found.model_dump_json()),
        "explanations": None,
    }
    assert [(step.name, step.summary) for step in await steps(handle)] == [
        ("segue.documents.load", "read the earlier version"),
        ("segue.documents.load", "read the later version"),
        ("segue.comparison.compare", "2024.md → 2025.md"),
        ("segue.comparison.report", "11 of 13 findings matter"),
    ]


async def test_versions_of_one_name_are_told_apart(client: Client, queue: str, tmp_path: Path) -> None:
    """Where both files are called the same, reports name them by their paths from where these part."""
    for folder, text in (("signed", BEFORE), ("proposed", AFTER)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "contract.md").write_text(text)
    paths = [str(tmp_path / folder / "contract.md") for folder in ("signed", "proposed")]
    report = await (
        await begun(client, queue, Compare(before=paths[0], after=paths[1], store=str(tmp_path / "store")))
    ).result()

    assert (await objects.read(report.markdown)).decode().startswith("# signed/contract.md → proposed/contract.md\n")
    page = (await objects.read(report.html)).decode()
    assert "<title>signed/contract.md and proposed/contract.md: comparison</title>" in page


async def test_the_history_holds_no_text(client: Client, queue: str, versions: Compare, model: Scripted) -> None:
    """Neither the documents' words, nor what a model said of them, stand in the history."""
    model.script({"explanation": "The mill may now be late.", "importance": 4})
    handle = await begun(client, queue, versions.model_copy(update={"model": model.model(), "explained": 2}))
    await handle.result()
    held = await payloads(handle)

    assert "segue.comparison.compare" in held
    assert [
        word for word in ("Northwind", "flour", "pallets", "permission", "mill may", "thirty") if word in held
    ] == []


async def test_the_same_versions_are_the_same_objects(client: Client, queue: str, versions: Compare) -> None:
    """A comparison that is made again writes what was written before."""
    first, second = [await (await begun(client, queue, versions)).result() for _ in range(2)]

    # A local folder does not keep the media type of Markdown.
    left_out = {"markdown": {"content_type"}}
    assert first.model_dump(exclude=left_out) == second.model_dump(exclude=left_out)


async def test_documents_that_were_loaded_are_not_loaded_again(client: Client, queue: str, versions: Compare) -> None:
    """A version may be given as the document it was loaded as."""
    assert isinstance(versions.before, str)
    loaded = await load_document(LoadDocument(url=versions.before, store=versions.store))
    handle = await begun(client, queue, versions.model_copy(update={"before": loaded}))

    assert (await handle.result()).before == loaded
    assert next(step.summary for step in await steps(handle)) == "read the later version"


async def test_a_model_explains_and_ranks(client: Client, queue: str, versions: Compare, model: Scripted) -> None:
    """Its words stand beside the findings, and put them in order; what the text does not say is taken out of them."""

    def explain(asked: Asked) -> dict[str, Any]:
        if "£480" in asked.user:
            return {"explanation": "The price rises to £520. That is £40,000 a year.", "importance": 3}
        return {"explanation": 'The "liability cap" is gone. The cap grows to £1,000,000.', "importance": 5}

    model.script(explain)
    request = versions.model_copy(update={"model": model.model(), "explained": 2, "listed": 3})
    report = await (await begun(client, queue, request)).result()
    data = json.loads(await objects.read(report.data))
    said = Explanations.model_validate(data["explanations"])

    assert (report.explained_by, report.explained, report.unexplained) == ("scripted-1", 2, 0)
    assert report.usage.calls == model.paid == 2
    assert [one.id for one in report.material] == ["F10", "F6", "F2"]
    assert [(one.finding, one.text, one.importance, one.removed) for one in said.explanations] == [
        ("F6", "The price rises to £520.", 3, 1),
        ("F10", "The cap grows to £1,000,000.", 5, 1),
    ]
    assert Comparison.model_validate(data["comparison"]) == comparison.compare(before(), after())
    assert "explained and put in order by <b>scripted-1</b>" in (await objects.read(report.html)).decode()
    assert any(re.search(r"<before \w{8}>\n2.1 The price is £480 per tonne.", asked.user) for asked in model.asked)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("The price per tonne rises from £480 to £520.", True),
        ("The price is now £520.", True),
        ("Acme Corporation of Panama now owns everything of the Supplier.", False),
        ("Acme raises the price.", False),
        ("The price falls to £520.", False),
        ("The price is not £520.", False),
        ("The Supplier now owns everything that the bakery has.", False),
    ],
)
async def test_a_model_says_what_the_versions_do(
    client: Client, queue: str, versions: Compare, model: Scripted, said: str, kept: bool
) -> None:
    """A sentence with a name, a denial, a direction or a matter that neither version has is removed."""
    model.script({"explanation": said, "importance": 3})
    request = versions.model_copy(update={"model": model.model(), "explained": 1})
    report = await (await begun(client, queue, request)).result()
    data = json.loads(await objects.read(report.data))

    assert [(one["text"], one["removed"]) for one in data["explanations"]["explanations"]] == [
        (said, 0) if kept else ("", 1)
    ]


async def test_a_model_that_does_not_answer_costs_no_report(
    client: Client, queue: str, versions: Compare, model: Scripted
) -> None:
    """What it refuses, or answers with something else, is left unexplained, and is told."""

    def explain(asked: Asked) -> Any:
        if "£480" in asked.user:
            return refuses()
        return "no JSON" if "£100,000" in asked.user else {"explanation": "A duty falls away.", "importance": 4}

    model.script(explain)
    request = versions.model_copy(update={"model": model.model(), "explained": 3})
    report = await (await begun(client, queue, request)).result()

    assert (report.matter, report.explained, report.unexplained) == (11, 1, 2)
    assert report.material[0].id == "F2"


async def test_a_busy_model_is_asked_again(client: Client, queue: str, versions: Compare, model: Scripted) -> None:
    """An answer that says to come back is no answer; the question is put again, and paid for once."""
    model.script(status(429, retry_after="0"), {"explanation": "The price rises.", "importance": 3})
    request = versions.model_copy(update={"model": model.model(), "explained": 1})
    report = await (await begun(client, queue, request)).result()

    assert (report.explained, report.usage) == (1, report.usage.model_copy(update={"calls": 1}))
    assert (model.paid, len(model.asked)) == (1, 2)


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("gone.md", None, "ObjectNotFound"),
        ("empty.md", b"   \n", "EmptyDocument"),
    ],
)
async def test_a_document_that_cannot_be_read_is_told(
    client: Client, queue: str, versions: Compare, tmp_path: Path, name: str, content: bytes | None, expected: str
) -> None:
    """The run fails at once, with what is wrong with which document."""
    if content is not None:
        (tmp_path / name).write_bytes(content)
    handle = await begun(client, queue, versions.model_copy(update={"after": str(tmp_path / name)}))

    with pytest.raises(WorkflowFailureError) as failed:
        await handle.result()
    cause: Any = failed.value.cause
    assert cause.cause.type == expected
    assert name in cause.cause.message


async def test_a_killed_worker_costs_no_answer_twice(client: Client, versions: Compare, model: Scripted) -> None:
    """The next worker goes on where the dead one was: what was read, compared and explained is not done again."""
    queue = str(uuid.uuid4())
    answer = {"explanation": "It changes.", "importance": 3}
    request = versions.model_copy(update={"model": model.model(), "explained": 3})
    model.script(answer, answer, stalls(), answer)
    async with process(client, queue) as running:
        handle = await begun(client, queue, request)
        await model.received(3)
        while [step.state for step in await steps(handle)].count("completed") < 5:
            await asyncio.sleep(0.05)
        running.kill()
        await running.wait()
    async with process(client, queue):
        report = await handle.result()

    assert (report.explained, report.unexplained, report.usage.calls) == (3, 0, 3)
    assert (model.paid, len(model.asked)) == (3, 4)
    # Which of the three questions came last, and so was asked again, is a matter of chance.
    assert sorted((step.name, step.attempts) for step in await steps(handle)) == [
        ("segue.comparison.compare", 1),
        ("segue.comparison.explain", 1),
        ("segue.comparison.explain", 1),
        ("segue.comparison.explain", 2),
        ("segue.comparison.report", 1),
        ("segue.documents.load", 1),
        ("segue.documents.load", 1),
    ]


async def test_recorded_comparisons_replay() -> None:
    """Histories recorded with the first version replay with this one, whole and cut after each task."""
    whole = recorded("compare_documents")
    cut = beginnings(whole)

    assert [history.workflow_id for history in whole] == ["compare_documents_explained", "compare_documents_rules"]
    assert await replay([*whole, *cut], WORKFLOWS, SeguePlugin(settings=Settings())) == len(whole) + len(cut)


def test_a_request_says_what_is_wrong_with_it() -> None:
    """Bounds and unknown fields are refused before anything starts."""
    with pytest.raises(ValueError, match="explained\n  Input should be less than or equal to 200"):
        Compare(before="a.md", after="b.md", store="s", explained=1000)
    assert Compare(before="a.md", after="b.md", store="s").explained == 20
    assert Usage() == Usage(cost_usd=0.0)
