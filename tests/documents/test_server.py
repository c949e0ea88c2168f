"""Documents on a real Temporal server: loaded, found again, refused, listed; by reference, and replayed."""

from __future__ import annotations

import contextlib
import uuid
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker
from tests.documents.files import pdf
from tests.documents.library import ACTIVITIES, WORKFLOWS, Folder, LoadAll, Loaded, LoadOne
from tests.documents.texts import CONTRACT
from tests.recorded import beginnings, recorded

from segue.activities import objects
from segue.activities.documents import (
    Document,
    Limits,
    ListSources,
    LoadDocument,
    ParsedDocument,
    forget_opened,
    list_sources,
    load_document,
    opened,
    parse,
    system,
)
from segue.activities.errors import Terminal
from segue.activities.objects import ObjectChanged
from segue.workers.replay import replay

CANARY = "The albatross is the secret of this deed"


async def run(client: Client, method: Any, argument: Any) -> WorkflowHandle[Any, Any]:
    """Run a workflow to its end on a worker of its own."""
    name = str(uuid.uuid4())
    async with Worker(client, task_queue=name, workflows=WORKFLOWS, activities=ACTIVITIES):
        handle = await client.start_workflow(method, argument, id=name, task_queue=name)
        with contextlib.suppress(WorkflowFailureError):
            await handle.result()
    return handle


async def loaded(request: LoadDocument) -> Document:
    """Load a document as the step does, without a server."""
    return await ActivityEnvironment().run(load_document, request)


async def test_a_folder_is_loaded_and_asked(client: Client, tmp_path: Path) -> None:
    """A workflow lists a folder, loads what can be read of it, and its own activity finds quotes in the text."""
    deeds = tmp_path / "deeds"
    (deeds / "old").mkdir(parents=True)
    (deeds / "a.pdf").write_bytes(pdf(("First page.", "", 11), None, (f"{CANARY}: keep the lamp lit.", "", 11)))
    (deeds / "gull.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (deeds / "old" / "B.TXT").write_text("No light here.")
    handle = await run(client, LoadAll.run, Folder(prefix=str(deeds), store=str(tmp_path / "work"), limit=1))
    result: Loaded = await handle.result()
    assert [(found.page, found.span is not None) for found in result.found] == [(2, True), (None, False)]
    assert result.others == 1
    first, second = result.documents
    assert (first.name, first.media_type, first.pages, first.clauses, first.warnings) == (
        "a.pdf",
        "application/pdf",
        2,
        2,
        0,
    )
    assert (second.name, second.media_type, second.pages) == ("B.TXT", "text/plain", 0)
    assert first.labels == {"folder": "deeds"}
    assert first.source.sha256 == first.digest
    assert first.parsed.sha256 is not None
    parsed = await opened(first)
    assert CANARY in parsed.text
    assert (first.characters, first.clauses) == (len(parsed.text), len(parsed.clauses))
    # The text is in the store, and nowhere in the history.
    assert CANARY not in (await handle.fetch_history()).to_json()


async def test_a_refusal_fails_the_step_at_once(client: Client, tmp_path: Path) -> None:
    """A document that cannot be read is tried once, and the workflow gets the kind of error and what to do."""
    source = tmp_path / "gull.png"
    source.write_bytes(b"\x89PNG\r\n\x1a\n")
    handle = await run(client, LoadOne.run, LoadDocument(url=str(source), store=str(tmp_path / "work")))
    with pytest.raises(WorkflowFailureError) as caught:
        await handle.result()
    assert isinstance(caught.value.cause, ActivityError)
    cause = caught.value.cause.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.non_retryable) == ("UnknownKind", True)
    assert cause.message == (
        "Document 'gull.png' is an image: have its text recognised (OCR), and load the PDF or text that comes of it"
    )
    attempts = [
        event.activity_task_started_event_attributes.attempt
        async for event in handle.fetch_history_events()
        if event.HasField("activity_task_started_event_attributes")
    ]
    assert attempts == [1]


async def test_another_attempt_writes_the_same_object(tmp_path: Path) -> None:
    """What was loaded is not parsed again; what is parsed again is the same, down to the object's tag."""
    source = tmp_path / "deed.txt"
    source.write_text(CONTRACT)
    request = LoadDocument(url=str(source), store=str(tmp_path / "work"))
    first = await loaded(request)
    path = Path(first.parsed.url.removeprefix("file://"))
    written = path.read_bytes()
    assert await loaded(request) == first
    assert ParsedDocument.model_validate_json(written) == parse(CONTRACT.encode(), "deed.txt")
    path.unlink()
    again = await loaded(request)
    assert again.model_copy(update={"parsed": first.parsed}) == first
    assert path.read_bytes() == written
    # An object that another program has spoiled is made anew.
    path.write_bytes(written[:-100])
    assert (await loaded(request)).parsed.sha256 == first.parsed.sha256
    assert path.read_bytes() == written
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


async def test_name_and_media_type_decide_what_is_read(tmp_path: Path) -> None:
    """The same bytes under another name, or declared as another kind, are another object."""
    source = tmp_path / "My deed.txt"
    source.write_text("# Duties\n\nKeep the *lamp* lit.\n")
    store = str(tmp_path / "work")
    plain = await loaded(LoadDocument(url=str(source), store=store))
    marked = await loaded(LoadDocument(url=source.as_uri(), store=store, media_type="text/markdown"))
    named = await loaded(LoadDocument(url=str(source), store=store, name="deed.md"))
    assert (plain.name, plain.media_type) == ("My deed.txt", "text/plain")
    assert (marked.name, marked.media_type) == ("My deed.txt", "text/markdown")
    assert (named.name, named.media_type) == ("deed.md", "text/markdown")
    assert len({document.parsed.url for document in (plain, marked, named)}) == 3
    assert {document.digest for document in (plain, marked, named)} == {plain.digest}
    assert "*lamp*" in (await opened(plain)).text
    assert "the lamp lit" in (await opened(marked)).text


async def test_limits_hold_for_what_was_loaded_before(tmp_path: Path) -> None:
    """A request with smaller limits is refused, also where the text is there already."""
    source = tmp_path / "deed.txt"
    source.write_text(CONTRACT)
    request = LoadDocument(url=str(source), store=str(tmp_path / "work"))
    await loaded(request)
    with pytest.raises(Terminal, match=r"has 1,\d+ characters of text, and at most 1,000 are taken"):
        await loaded(request.model_copy(update={"limits": Limits(characters=1000)}))
    with pytest.raises(Terminal, match="more than the 100 that are to be read"):
        await loaded(request.model_copy(update={"limits": Limits(size_bytes=100)}))


async def test_a_source_that_has_changed_is_noticed(tmp_path: Path) -> None:
    """A reference with a digest is held to it, and so is the parsed object."""
    source = tmp_path / "deed.txt"
    source.write_text("Keep the lamp lit.")
    reference = await objects.checksum(str(source))
    source.write_text("Keep the lamp out.")
    with pytest.raises(ObjectChanged):
        await loaded(LoadDocument(url=reference, store=str(tmp_path / "work")))
    document = await loaded(LoadDocument(url=str(source), store=str(tmp_path / "work")))
    other = await loaded(LoadDocument(url=str(source), store=str(tmp_path / "work"), name="other.txt"))
    forget_opened()
    with pytest.raises(ObjectChanged, match=r"is not the text of 'deed\.txt'"):
        await opened(document.model_copy(update={"digest": "0" * 64}))
    path = Path(document.parsed.url.removeprefix("file://"))
    path.write_bytes(Path(other.parsed.url.removeprefix("file://")).read_bytes())
    with pytest.raises(ObjectChanged):
        await opened(document)


async def test_what_is_opened_twice_is_read_once(tmp_path: Path) -> None:
    """A worker keeps the documents that it opened last."""
    source = tmp_path / "deed.txt"
    source.write_text(CONTRACT)
    document = await loaded(LoadDocument(url=str(source), store=str(tmp_path / "work")))
    first = await opened(document)
    Path(document.parsed.url.removeprefix("file://")).unlink()
    assert await opened(document) is first
    forget_opened()
    with pytest.raises(objects.ObjectNotFound):
        await opened(document)


async def test_sources_are_listed_by_their_names(tmp_path: Path) -> None:
    """Patterns match names in any case, or keys if they have a slash; pages go on where the last one ended."""
    for name in ("a.pdf", "b.TXT", "c.png", "old/d.txt", "old/deep/e.docx", "f"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")

    async def names(**options: Any) -> list[str]:
        found: list[str] = []
        start_after = None
        while True:
            page = await ActivityEnvironment().run(
                list_sources, ListSources(prefix=str(tmp_path), start_after=start_after, **options)
            )
            found.extend(ref.url.rpartition(f"{tmp_path.name}/")[2] for ref in page.sources)
            start_after = page.next_start_after
            if start_after is None:
                return found

    assert await names() == ["a.pdf", "b.TXT", "old/d.txt", "old/deep/e.docx"]
    assert await names(limit=1) == ["a.pdf", "b.TXT", "old/d.txt", "old/deep/e.docx"]
    assert await names(patterns=("*.txt", "f")) == ["b.TXT", "f", "old/d.txt"]
    assert await names(patterns=("old/*.docx",)) == ["old/deep/e.docx"]
    assert await names(patterns=("nothing",)) == []


def test_the_system_is_known_by_its_name() -> None:
    """Operators find the steps under the system that their settings name."""
    assert system.name == "documents"
    assert system.activities[:2] == ["segue.documents.load", "segue.documents.list"]


async def test_recorded_histories_replay() -> None:
    """Runs of the version that made each recorded history go on under this one, from wherever they were."""
    whole = recorded("documents")
    cut = beginnings(whole)
    assert len(whole) == 2
    assert await replay([*whole, *cut], WORKFLOWS) == len(whole) + len(cut)
