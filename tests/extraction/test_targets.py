"""The list of what is to be read: of a folder, of files, of documents that are parsed, and of lists of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.extraction.leases import Lease, lease

from segue.activities import objects
from segue.activities.documents import LoadDocument, load_document
from segue.activities.errors import Terminal
from segue.activities.extraction import Form, ListTargets, Target, Targets, list_targets

pytest.importorskip("obstore")


async def listed(tmp_path: Path, **given: Any) -> Targets:
    return await list_targets(
        ListTargets.model_validate({"form": Form.of(Lease), "store": str(tmp_path / "store"), **given})
    )


async def targets(found: Targets) -> list[Target]:
    return [Target.model_validate_json(line) for line in (await objects.read(found.ref)).splitlines()]


async def test_each_document_is_listed_once(tmp_path: Path) -> None:
    """Files of a folder and its subfolders, those named besides, and documents, each once; never the store's own."""
    for name in ("in/a.txt", "in/deep/b.txt", "in/empty.txt", "in/store/old.txt", "out.txt", "parsed.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("" if name == "in/empty.txt" else lease(1))
    store = str(tmp_path / "in/store")
    document = await load_document(LoadDocument(url=str(tmp_path / "parsed.txt"), store=store))
    lines = [document.model_dump_json(), json.dumps({"index": 4, "result": document.model_dump(mode="json")})]
    ref = await objects.write(str(tmp_path / "list.jsonl"), "\n".join([*lines, '{"url": "more.txt"}', ""]))
    found = await listed(
        tmp_path,
        store=store,
        prefix=str(tmp_path / "in"),
        urls=[str(tmp_path / "out.txt"), (tmp_path / "out.txt").as_uri(), str(tmp_path / "in/a.txt")],
        documents=[document],
        lists=[ref],
    )

    files = [(tmp_path / name).as_uri() for name in ("in/a.txt", "in/deep/b.txt", "in/empty.txt")]
    assert found.count == 6
    assert await targets(found) == [
        *(Target(url=file) for file in files),
        Target(url=str(tmp_path / "out.txt")),
        Target(document=document),
        Target(url="more.txt"),
    ]


async def test_the_same_documents_are_the_same_list(tmp_path: Path) -> None:
    """An attempt that is repeated writes the object that is there."""
    assert (await listed(tmp_path, urls=["a.txt"])).ref.url == (await listed(tmp_path, urls=["a.txt"])).ref.url


@pytest.mark.parametrize("line", ["no JSON", '{"name": "neither"}', "[]"])
async def test_a_list_with_a_line_that_is_no_document(tmp_path: Path, line: str) -> None:
    """The message says which line of which object."""
    ref = await objects.write(str(tmp_path / "list.jsonl"), f'{{"url": "a.txt"}}\n\n{line}\n')
    with pytest.raises(Terminal) as refused:
        await listed(tmp_path, lists=[ref])
    assert refused.value.message.startswith(f"Object {ref.url!r}: line 3 is no document: ")
