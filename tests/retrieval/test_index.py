"""Indexes: built by what changed, resumed where they stopped, published whole, found again by every worker."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import sys
from pathlib import Path

import pytest
from tests.llm.scripted import Scripted
from tests.retrieval.conftest import another_machine
from tests.retrieval.library import loaded

from segue.activities import objects
from segue.activities.documents import Document, opened, opening
from segue.activities.errors import Terminal
from segue.activities.objects import ObjectNotFound, ObjectRef
from segue.activities.retrieval import BuildIndex, Hits, Index, InvalidIndex, NoEmbeddings, Search, build_index, search

pytest.importorskip("obstore")
pytest.importorskip("numpy")

ROOT = Path(__file__).parents[2]


async def build(folder: Path, documents: list[Document], **fields: object) -> Index:
    request = {"index": str(folder / "index"), "documents": documents} | fields
    return await build_index(BuildIndex.model_validate(request))


async def ask(index: Index, query: str, **fields: object) -> Hits:
    return await search(Search.model_validate({"index": index, "query": query} | fields))


async def quoted(hits: Hits, documents: list[Document], *, context: bool = False) -> list[str]:
    """What the hits point at."""
    parsed = {document.digest: await opened(document) for document in documents}
    return [parsed[hit.citation.document].quote(hit.context if context else hit.citation) for hit in hits.hits]


async def test_passages_are_found_and_can_be_quoted(tmp_path: Path) -> None:
    """A hit is a span of its document, with the document's name and labels; the best comes first."""
    documents = await loaded(tmp_path, 5)
    index = await build(tmp_path, documents)
    hits = await ask(index, "Who may transfer or assign rights to others?", limit=2)

    assert (index.documents, index.added, index.removed, index.unchanged) == (5, 5, 0, 0)
    assert index.passages == 5 * 4
    assert (hits.engine, hits.embeddings, len(hits)) == ("bm25", "", 2)
    best = hits.hits[0]
    assert (best.document, best.labels) == ("contract-2.txt", {"kind": "even", "year": "2020"})
    assert best.score > hits.hits[1].score > 0
    [quote, _] = await quoted(hits, documents)
    assert quote.startswith("3. Succession\n\n3.1 Neither party may transfer or assign its rights")
    assert best.context == best.citation


async def test_neighbours_are_the_context_of_a_hit(tmp_path: Path) -> None:
    """The context reaches over as many passages before and after, as far as the document goes."""
    documents = await loaded(tmp_path, 1)
    index = await build(tmp_path, documents)
    text = (await opened(documents[0])).text.strip()
    [hit] = (await ask(index, "price in dollars", limit=1, neighbours=1)).hits
    [wide] = (await ask(index, "price in dollars", limit=1, neighbours=9)).hits

    assert hit.context.start == text.index("CONTRACT")
    assert text[: hit.context.end].endswith(text[text.index("3. Succ") : text.index("4. Notices")].strip())
    assert (wide.context.start, wide.context.end) == (0, len(text))


async def test_filters(tmp_path: Path) -> None:
    """Labels hold all together; digests hold one of them; what neither admits is not found, however well it fits."""
    documents = await loaded(tmp_path, 6)
    index = await build(tmp_path, documents)

    async def names(**fields: object) -> set[str]:
        return {hit.document for hit in (await ask(index, "transfer or assign", limit=100, **fields)).hits}

    everything = {document.name for document in documents}
    assert await names() == everything
    assert await names(labels={"kind": "odd"}) == {document.name for document in documents[1::2]}
    assert await names(labels={"kind": "odd", "year": "2021"}) == set()
    assert await names(documents=[documents[1].digest, documents[2].digest]) == {"contract-1.txt", "contract-2.txt"}
    assert await names(documents=[documents[2].digest], labels={"kind": "odd"}) == set()


async def test_the_index_learns_how_its_documents_put_it(tmp_path: Path) -> None:
    """A passage that has none of the question's words is found by those that other documents use beside them."""
    documents = await loaded(tmp_path, 5)
    index = await build(tmp_path, documents)

    async def places(learn: bool) -> list[str]:
        hits = await ask(index, "Is an assignment possible?", documents=[documents[4].digest], learn=learn)
        return await quoted(hits, documents)

    assert await places(learn=False) == []
    assert (await places(learn=True))[0].startswith("3. Succession\n\n3.1 A transfer of the contract")


async def test_only_what_changed_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents that are there are not even read again, on any machine; what is no longer wanted is gone."""
    documents = await loaded(tmp_path, 5)
    first = await build(tmp_path, documents[:3])
    for document in documents[:3]:
        await objects.delete(document.parsed.url)
    opening.forget_opened()
    another_machine(tmp_path / "other", monkeypatch)
    second = await build(tmp_path, documents[1:])
    again = await build(tmp_path, documents[1:])

    assert (second.documents, second.added, second.removed, second.unchanged) == (4, 2, 1, 2)
    assert (again.ref, again.added, again.removed, again.unchanged) == (second.ref, 0, 0, 4)
    assert {hit.document for hit in (await ask(second, "consent", limit=100)).hits} == {
        document.name for document in documents[1:]
    }
    # Whoever began with the first state goes on with it.
    assert "contract-0.txt" in {hit.document for hit in (await ask(first, "consent", limit=100)).hits}


async def test_other_labels_or_sizes_are_another_state(tmp_path: Path) -> None:
    """A document that is filed anew is indexed anew; passages of another size share nothing with those before."""
    documents = await loaded(tmp_path, 2)
    await build(tmp_path, documents)
    filed = [documents[0], documents[1].model_copy(update={"labels": {"kind": "new"}})]
    relabelled = await build(tmp_path, filed)
    resized = await build(tmp_path, filed, characters=200)

    assert (relabelled.added, relabelled.removed, relabelled.unchanged) == (1, 1, 1)
    assert (resized.added, resized.removed, resized.unchanged) == (2, 0, 0)
    assert resized.passages > relabelled.passages
    hits = await ask(resized, "consent", labels={"kind": "new"})
    assert {hit.document for hit in hits.hits} == {"contract-1.txt"}


async def test_a_build_that_failed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Each document is done once: what was there when an attempt failed is not read by the next."""
    documents = await loaded(tmp_path, 4)
    kept = await objects.read(documents[2].parsed)
    await objects.delete(documents[2].parsed.url)
    opening.forget_opened()
    with pytest.raises(ObjectNotFound):
        await build(tmp_path, documents)
    await objects.write(documents[2].parsed.url, kept)
    for document in documents[:2]:
        await objects.delete(document.parsed.url)
    opening.forget_opened()
    index = await build(tmp_path, documents)

    assert (index.documents, index.added, index.unchanged, index.passages) == (4, 4, 0, 16)
    assert len((await ask(index, "consent", limit=100)).hits) >= 4


async def test_a_killed_process_loses_no_document(tmp_path: Path, machine: Path) -> None:
    """A worker that is killed while it builds leaves what it had finished, whole, to the one that follows."""
    documents = await loaded(tmp_path, 40)
    request = BuildIndex(index=str(tmp_path / "index"), documents=tuple(documents))
    program = "import sys; from tests.retrieval.killed_build import main; main(sys.argv[1])"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, request.model_dump_json(), cwd=ROOT)
    assert await process.wait() == -signal.SIGKILL
    [path] = (machine / "building").glob("*.sqlite")
    with sqlite3.connect(path) as connection:
        (done,) = connection.execute("SELECT count(*) FROM documents").fetchone()
    connection.close()
    assert 3 <= done < 40
    for document in documents[:3]:
        await objects.delete(document.parsed.url)
    index = await build_index(request)

    assert (index.documents, index.added, index.passages) == (40, 40, 160)
    assert list((machine / "building").iterdir()) == []


async def test_workers_that_build_the_same_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several attempts at once, on one machine and on another, all answer with one published state."""
    documents = await loaded(tmp_path, 8)
    here = [build(tmp_path, documents) for _ in range(2)]
    tasks = [asyncio.create_task(one) for one in here]
    await asyncio.sleep(0)
    states = await asyncio.gather(*tasks)
    another_machine(tmp_path / "other", monkeypatch)
    states.append(await build(tmp_path, documents))

    assert len({state.ref.sha256 for state in states}) == 1
    assert {(state.documents, state.passages) for state in states} == {(8, 32)}
    assert len((await ask(states[0], "consent", limit=100)).hits) >= 8


async def test_an_index_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many searches at once on a worker that has nothing fetch the index once; later ones need no store."""
    documents = await loaded(tmp_path, 5)
    index = await build(tmp_path, documents)
    cache = another_machine(tmp_path / "other", monkeypatch)
    answers = await asyncio.gather(*(ask(index, "consent") for _ in range(20)))
    await objects.delete(index.ref.url)
    answers.append(await ask(index, "consent"))

    assert len({answer.model_dump_json() for answer in answers}) == 1
    assert [path.name for path in cache.iterdir()] == [f"{index.ref.sha256}.sqlite"]


async def test_a_state_that_somebody_deleted_is_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index whose file is gone is not taken for published."""
    documents = await loaded(tmp_path, 2)
    index = await build(tmp_path, documents)
    await objects.delete(index.ref.url)
    another_machine(tmp_path / "other", monkeypatch)
    again = await build(tmp_path, documents)

    assert (again.added, again.unchanged) == (2, 0)
    assert len((await ask(again, "consent", limit=2)).hits) == 2


async def test_copies_are_shown_once(tmp_path: Path) -> None:
    """The same content under two names is one hit, and is found by the labels of either."""
    documents = await loaded(tmp_path, 2)
    copy = documents[0].model_copy(update={"name": "copy.txt", "labels": {"kind": "copy"}})
    index = await build(tmp_path, [*documents, copy])
    hits = await ask(index, "price in dollars", limit=100)
    [of_copy] = (await ask(index, "price in dollars", labels={"kind": "copy"}, limit=1)).hits

    assert index.documents == 3
    citations = [hit.citation for hit in hits.hits]
    assert len(set(map(repr, citations))) == len(citations)
    assert of_copy.document == "copy.txt"


async def test_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: Scripted) -> None:
    """With a model, words and vectors rank together and the answer says so; each vector is paid for once by anybody."""
    documents = await loaded(tmp_path, 3)
    model = provider.model("vectors-1")
    index = await build(tmp_path, documents, embeddings=model)
    paid = provider.embedded
    hits = await ask(index, "transfer or assign", embeddings=model, limit=4)
    words = await ask(index, "transfer or assign", limit=4)
    await objects.delete(index.ref.url)
    await objects.delete(str(tmp_path / "index" / "latest.json"))
    another_machine(tmp_path / "other", monkeypatch)
    again = await build(tmp_path, documents, embeddings=model)

    assert (index.embeddings, index.passages, paid) == ("vectors-1", 12, 12)
    assert (hits.engine, hits.embeddings, hits.usage.calls) == ("hybrid", "vectors-1", 1)
    assert (words.engine, words.embeddings, words.usage.calls) == ("bm25", "", 0)
    assert len(hits) == 4
    assert (again.added, provider.embedded) == (3, paid + 1)


async def test_vectors_that_an_index_has_not(tmp_path: Path, provider: Scripted) -> None:
    """Vectors of another model would compare nothing with nothing."""
    index = await build(tmp_path, await loaded(tmp_path, 1))
    with pytest.raises(NoEmbeddings) as refused:
        await ask(index, "consent", embeddings=provider.model("vectors-1"))
    assert refused.value.message == (
        f"The search is to compare vectors of 'vectors-1', and the index {index.ref.url!r} has none: build it with "
        "embeddings= of the same model"
    )


@pytest.mark.parametrize("query", ["", "   ", "?!", "____"])
def test_a_query_needs_a_word(query: str) -> None:
    """What asks for nothing is refused before it is sent."""
    index = Index(ref=ObjectRef(url="a", size_bytes=0), documents=0, passages=0)
    with pytest.raises(ValueError, match="a query needs at least one word"):
        Search(index=index, query=query)


async def test_what_is_no_index_is_refused(tmp_path: Path) -> None:
    """Something else under the reference is an error that names it, and not an empty answer."""
    ref = await objects.write(str(tmp_path / "other.sqlite"), b"not a database, but long enough to be read as one" * 99)
    with pytest.raises(InvalidIndex) as refused:
        await ask(Index(ref=ref, documents=1, passages=1), "consent")
    assert refused.value.message == f"The file {ref.url!r} is no index: file is not a database"

    path = tmp_path / "empty.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE about (name, value)")
    connection.commit()
    connection.close()
    ref = await objects.checksum(str(path))
    with pytest.raises(InvalidIndex) as refused:
        await ask(Index(ref=ref, documents=1, passages=1), "consent")
    assert refused.value.message == (
        f"The index {ref.url!r} is of format None, and this version reads 1: build it anew"
    )


async def test_what_tells_of_no_index_is_refused(tmp_path: Path) -> None:
    """A folder in which something else lies under an index's name is not built over."""
    await objects.write(str(tmp_path / "index" / "latest.json"), "{}")
    with pytest.raises(InvalidIndex) as refused:
        await build(tmp_path, await loaded(tmp_path, 1))
    assert refused.value.message == (
        f"The object {str(tmp_path / 'index' / 'latest.json')!r} does not tell of an index: delete it, or name another "
        "index"
    )


async def test_documents_from_lists(tmp_path: Path) -> None:
    """Lists hold documents, or what a fan-out wrote; a line of another kind is named."""
    documents = await loaded(tmp_path, 3)
    plain = await objects.write(str(tmp_path / "plain.jsonl"), documents[0].model_dump_json() + "\n\n")
    lines = [json.dumps({"index": 0, "result": one.model_dump(mode="json")}) for one in documents[1:]]
    results = await objects.write(str(tmp_path / "results.jsonl"), "\n".join(lines))
    index = await build(tmp_path, [], lists=[plain, results])
    assert (index.documents, index.added) == (3, 3)

    broken = await objects.write(str(tmp_path / "broken.jsonl"), documents[0].model_dump_json() + "\n17\n")
    with pytest.raises(Terminal) as refused:
        await build(tmp_path, [], lists=[broken])
    assert refused.value.message.startswith(f"Object {broken.url!r}: line 2 is no document: ")
