"""Deep research without a model, on a real Temporal server: every sentence is a document's own, and it says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError
from tests.research.conftest import answered, report_of, steps_of
from tests.research.leases import HARBOUR, MILL, QUESTION, write_leases

from segue.activities import documents, objects
from segue.activities.generation import Requirement, validators
from segue.activities.research import Report
from segue.workflows.research import ResearchRequest, reading


async def test_an_extractive_answer(client: Client, queue: str, tmp_path: Path) -> None:
    """The sentences that fit, word for word, each with its span; and the report says that no model wrote it."""
    request = ResearchRequest(
        question=QUESTION, corpus=write_leases(tmp_path / "leases"), store=str(tmp_path / "store")
    )
    answer = await answered(client, queue, request)
    report = await report_of(answer)

    assert [one.text for one in report.sections[0].sentences] == [
        "The Tenant may terminate the lease upon thirty days' written notice.",
        "Either party may terminate the lease upon ninety days' written notice.",
        "The Landlord may not terminate the lease before its first anniversary.",
    ]
    texts = {name: documents.parse(text.encode(), name) for name, text in (("harbour.md", HARBOUR), ("mill.md", MILL))}
    assert all(texts[quote.name].quote(quote.citation) == quote.text for quote in report.quotes)
    assert answer.model_dump(
        include={"sections", "sentences", "quotes", "removed", "total", "engines", "documents"}
    ) == {
        "sections": 1,
        "sentences": 3,
        "quotes": 3,
        "removed": 0,
        "total": 1.0,
        "engines": ("bm25", "rules"),
        "documents": 3,
    }
    markdown = (await objects.read(answer.markdown)).decode()
    assert (
        "*3 documents searched. Extractive: sentences of the documents, found by bm25; no model wrote this.*"
        in markdown
    )
    page = (await objects.read(answer.html)).decode()
    assert page.count('<li id="quote-') == 3


async def test_a_question_of_parts(client: Client, queue: str, tmp_path: Path) -> None:
    """Each part is searched and noted by itself, at once; the answer to the whole is the best of them."""
    question = "What is the deposit of Orchard Cottage? When does the lease of Harbour House begin?"
    request = ResearchRequest(
        question=question, corpus=write_leases(tmp_path / "leases"), store=str(tmp_path / "store")
    )
    answer = await answered(client, queue, request.model_copy(update={"sentences": 1}))
    report = await report_of(answer)

    assert [(one.question.number, one.sentences[0].text[:20]) for one in report.sections][1:] == [
        (1, "A deposit of EUR 900"),
        (2, "The lease begins on "),
    ]
    assert report.sections[0].sentences[0].text in {one.sentences[0].text for one in report.sections[1:]}


async def test_too_little_is_searched_again(client: Client, queue: str, tmp_path: Path) -> None:
    """Where notes lack words of the question, those are searched by themselves, as often as is allowed."""
    question = "Which pets, towels and cheese are allowed?"
    request = ResearchRequest(
        question=question,
        corpus=write_leases(tmp_path / "leases"),
        store=str(tmp_path / "store"),
        enough=1.0,
        requeries=2,
    )
    answer = await answered(client, queue, request)

    summaries = await steps_of(client, answer)
    assert [one for one in summaries if one.startswith("the question")] == [
        "the question: search",
        "the question: notes",
        "the question: other words",
        "the question, again: search",
        "the question, again: notes",
        "the question: other words",
        "the question, again: search",
        "the question, again: notes",
    ]
    assert "Guests bring their own towels." in (await objects.read(answer.markdown)).decode()


async def test_a_search_of_ones_own(client: Client, queue: str, tmp_path: Path) -> None:
    """Another search enters as one more activity: what it finds is cited as everything else is."""
    request = ResearchRequest(
        question="What is the rent of Harbour House?",
        corpus=write_leases(tmp_path / "leases"),
        store=str(tmp_path / "store"),
        searches=("research_test_search",),
    )
    answer = await answered(client, queue, request)
    report = await report_of(answer)

    assert answer.engines == ("bm25", "letters", "rules")
    assert ("letter.md", "The rent of Harbour House was raised to EUR 4,400 with effect from 1 January 2027.") in [
        (quote.name, quote.text) for quote in report.quotes
    ]


async def test_a_corpus_is_asked_again(client: Client, queue: str, tmp_path: Path) -> None:
    """What one research has loaded and indexed another uses as it is."""
    folder = write_leases(tmp_path / "leases")
    first = await answered(
        client, queue, ResearchRequest(question=QUESTION, corpus=folder, store=str(tmp_path / "store"))
    )
    request = ResearchRequest(question="Are pets allowed?", corpus=first.corpus, store=str(tmp_path / "other"))
    second = await answered(client, queue, request)
    assert "No pets are allowed without the written consent" in (await objects.read(second.markdown)).decode()
    assert not any("index" in one for one in await steps_of(client, second))


async def test_what_cannot_be_read_is_named(client: Client, queue: str, tmp_path: Path) -> None:
    """A broken source stops nothing: the report names it, and why."""
    folder = write_leases(tmp_path / "leases")
    (tmp_path / "leases" / "broken.pdf").write_bytes(b"%PDF-1.7 nothing of the kind")
    answer = await answered(
        client, queue, ResearchRequest(question=QUESTION, corpus=folder, store=str(tmp_path / "store"))
    )
    assert [(one.name, one.problem.split(":")[0]) for one in answer.unread] == [("broken.pdf", "CorruptDocument")]
    assert "*Could not be read: broken.pdf (CorruptDocument" in (await objects.read(answer.markdown)).decode()
    assert answer.documents == 3


async def test_requirements_are_scored(client: Client, queue: str, tmp_path: Path) -> None:
    """Code scores the answer; what only a judge could say is not met, and says why; both stand in the report."""
    request = ResearchRequest(
        question=QUESTION,
        corpus=write_leases(tmp_path / "leases"),
        store=str(tmp_path / "store"),
        requirements=(
            Requirement(name="notice", description="Names the notice", validator=validators.contains("ninety days")),
            Requirement(name="clear", description="Is clear"),
        ),
    )
    answer = await answered(client, queue, request)
    assert [(one.requirement, one.score, one.reason) for one in answer.scores] == [
        ("notice", 1.0, "holds all of 'ninety days'"),
        ("clear", 0.0, "was not looked at, because no model is configured to judge"),
    ]
    report: Report = await report_of(answer)
    assert (report.total, report.scores) == (0.5, answer.scores)


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, "Nothing can be researched: 'FOLDER' holds no document of a kind that can be read"),
        (
            {"broken.pdf": b"%PDF-1.7 no"},
            "Nothing can be researched: none of the 1 sources in 'FOLDER' can be read, 'broken.pdf' because Corrupt",
        ),
    ],
)
async def test_there_is_nothing_to_search(
    client: Client, queue: str, tmp_path: Path, files: dict[str, bytes], problem: str
) -> None:
    """A folder without anything that can be read is an error that says so."""
    folder = tmp_path / "empty"
    folder.mkdir()
    for name, data in files.items():
        (folder / name).write_bytes(data)
    request = ResearchRequest(question=QUESTION, corpus=str(folder), store=str(tmp_path / "store"))
    with pytest.raises(WorkflowFailureError) as failed:
        await answered(client, queue, request)
    cause: Any = failed.value.cause
    assert cause.type == "InvalidResearch"
    assert cause.message.replace(str(folder), "FOLDER").startswith(problem)


async def test_a_folder_of_too_many(
    client: Client, queue: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder whose references one history would not hold is refused before anything is loaded."""
    monkeypatch.setattr(reading, "MOST_SOURCES", 2)
    folder = write_leases(tmp_path / "leases")
    request = ResearchRequest(question=QUESTION, corpus=folder, store=str(tmp_path / "store"))
    with pytest.raises(WorkflowFailureError) as failed:
        await answered(client, queue, request)
    cause: Any = failed.value.cause
    assert (cause.type, cause.message) == (
        "InvalidResearch",
        f"Nothing was researched: {folder!r} holds more than 2 documents, whose references one history does not hold; "
        "load and index them in a workflow of your own, and give the Corpus",
    )
    assert not (tmp_path / "store").exists()


def test_a_requirement_on_the_sources() -> None:
    """What would look into sources is refused: each sentence is held against them in any case."""
    quotes = Requirement(name="quoted", description="Quotes", validator=validators.quotes_in_sources())
    with pytest.raises(ValueError, match="requirement 'quoted' looks into the sources, as every sentence of a report"):
        ResearchRequest(question=QUESTION, corpus="leases", store="store", requirements=(quotes,))


async def test_nothing_is_found(client: Client, queue: str, tmp_path: Path) -> None:
    """A question that the documents do not answer gets no sentence, and is named; a search that fails stops nothing."""
    request = ResearchRequest(
        question="Zebra xylophone?",
        corpus=write_leases(tmp_path / "leases"),
        store=str(tmp_path / "store"),
        searches=("research_test_search",),
    )
    answer = await answered(client, queue, request)
    assert (answer.sentences, answer.unanswered, answer.failures) == (0, 1, ("research_test_search: NoZebras",))
    markdown = (await objects.read(answer.markdown)).decode()
    assert "The documents do not answer this." in markdown
    assert "*Nothing was found on: Zebra xylophone?*" in markdown


async def test_what_the_documents_hardly_answer_is_doubted(client: Client, queue: str, tmp_path: Path) -> None:
    """Extracts that lack most of the question's words are said to be perhaps no answer, and which words they lack."""
    request = ResearchRequest(
        question="Who is the insurer of the lease, and what premium does it charge?",
        corpus=write_leases(tmp_path / "leases"),
        store=str(tmp_path / "store"),
    )
    answer = await answered(client, queue, request)
    assert (answer.unanswered, answer.doubtful) == (0, 1)
    doubt = "This may be no answer: none of its quotes has the words insurer, premium, charge."
    assert f"*{doubt}*" in (await objects.read(answer.markdown)).decode()
    assert f'<p class="note">{doubt}</p>' in (await objects.read(answer.html)).decode()
    assert (await report_of(answer)).sections[0].lacking == ("insurer", "premium", "charge")


async def test_documents_of_one_name_are_told_apart(client: Client, queue: str, tmp_path: Path) -> None:
    """Two documents of a name are cited by their paths, from where these differ; so is what cannot be read."""
    for folder, rent in (("north", 100), ("south", 200)):
        (tmp_path / "leases" / folder).mkdir(parents=True)
        (tmp_path / "leases" / folder / "lease.md").write_text(f"The rent of the house is EUR {rent} a month.\n")
    (tmp_path / "leases" / "south" / "broken.pdf").write_bytes(b"%PDF-1.7 nothing of the kind")
    request = ResearchRequest(
        question="What is the rent of the house?", corpus=str(tmp_path / "leases"), store=str(tmp_path / "store")
    )
    answer = await answered(client, queue, request)
    markdown = (await objects.read(answer.markdown)).decode()
    page = (await objects.read(answer.html)).decode()
    for folder in ("north", "south"):
        assert f"” {folder}/lease.md, characters 0 to 41" in markdown
        assert f"<cite>{folder}/lease.md, characters 0 to 41</cite>" in page
    assert [one.name for one in answer.unread] == ["south/broken.pdf"]


@pytest.mark.parametrize("form", ["{corpus}/work", "file://{corpus}/work/", "{corpus}"])
async def test_research_does_not_cite_itself(client: Client, queue: str, tmp_path: Path, form: str) -> None:
    """A store within the folder is refused, before anything is read: its reports would be documents of the next run."""
    folder = write_leases(tmp_path / "leases")
    store = form.format(corpus=folder)
    with pytest.raises(WorkflowFailureError) as failed:
        await answered(client, queue, ResearchRequest(question=QUESTION, corpus=folder, store=store))
    cause: Any = failed.value.cause
    assert (cause.type, cause.message) == (
        "InvalidResearch",
        f"Nothing was researched: store={store!r} lies in corpus={folder!r}, so that later research would cite this "
        "report as a document; give a store beside the folder",
    )
    assert sorted(one.name for one in (tmp_path / "leases").iterdir()) == ["harbour.md", "mill.md", "orchard.md"]
