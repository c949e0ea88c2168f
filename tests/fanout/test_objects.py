"""Fan-outs whose items are the lines of an object, and whose results are written to objects."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pydantic_core
import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.worker import Worker
from tests.fanout.pages import ACTIVITIES, WORKFLOWS, Page, Printed, Printing, PrintObjects, seen

from segue.activities import ObjectRef, objects
from segue.workflows import Failure, StoredResults

pytest.importorskip("obstore")

Told = tuple[StoredResults | None, list[Printed] | None, str | None]


async def stored(folder: Path, pages: int) -> ObjectRef:
    """An object with a page on each line."""
    lines = b"\n".join(pydantic_core.to_json(Page(number)) for number in range(pages))
    return await objects.write(str(folder / "pages.jsonl"), lines)


async def run(client: Client, printing: Printing) -> tuple[WorkflowHandle[Any, Any], Told]:
    queue = printing.test
    async with Worker(
        client,
        task_queue=queue,
        workflows=WORKFLOWS,
        activities=[fn for fn in ACTIVITIES if fn.__name__ == "print_page"],
    ):
        handle = await client.start_workflow(PrintObjects.run, printing, id=queue, task_queue=queue)
        return handle, await handle.result()


def printed(pages: int) -> list[tuple[int, Printed]]:
    return [
        (number, Printed(number, Page(number).printed, 2 if number % 10 == 3 else 1))
        for number in range(pages)
        if number % 10 != 7
    ]


async def test_items_and_results_by_reference(client: Client, tmp_path: Path) -> None:
    """Workers read their lines and write their results; the history holds references and failures only."""
    test = str(uuid.uuid4())
    source = await stored(tmp_path, 25)
    handle, (found, _, error) = await run(client, Printing(test, source, 0, str(tmp_path / "out"), 10, 0.1))

    assert error is None
    assert found is not None
    assert (found.total, found.done) == (25, 23)
    assert found.failures == [
        Failure(7, "Terminal", "page 7 is blank", 1),
        Failure(17, "Terminal", "page 17 is blank", 1),
    ]
    lines = [json.loads(line) for ref in found.parts for line in (await objects.read(ref)).splitlines()]
    results = sorted((line["index"], line["result"]["number"], line["result"]["attempt"]) for line in lines)
    assert results == [(index, one.number, one.attempt) for index, one in printed(25)]
    assert seen[test].runs == {number: 2 if number % 10 == 3 else 1 for number in range(25)}
    history = (await handle.fetch_history()).to_json()
    assert "2026-01-02" not in history


@pytest.mark.parametrize("pages", [0, 1, 30])
async def test_items_by_reference_results_by_value(client: Client, tmp_path: Path, pages: int) -> None:
    """Any number of lines gives as many results, in their order."""
    source = await stored(tmp_path, pages)
    _, (_, results, error) = await run(client, Printing(str(uuid.uuid4()), source, 0, None, 10))

    assert (error, results) == (None, [one for _, one in printed(pages)])


async def test_results_of_items_by_value_are_stored_too(client: Client, tmp_path: Path) -> None:
    """Items may be sent along where only their results are large."""
    _, (found, _, error) = await run(client, Printing(str(uuid.uuid4()), None, 5, str(tmp_path), 2))

    assert error is None
    assert found is not None
    assert (found.total, found.done, found.failures, len(found.parts)) == (5, 5, [], 4)


async def test_an_object_that_was_replaced_is_refused(client: Client, tmp_path: Path) -> None:
    """The reference names one content: another under the same URL is not what was meant."""
    source = await stored(tmp_path, 5)
    await stored(tmp_path, 6)
    test = str(uuid.uuid4())
    with pytest.raises(WorkflowFailureError) as failed:
        await run(client, Printing(test, source, 0, None, 2))

    assert failed.value.cause.__cause__ is not None
    assert str(failed.value.cause.__cause__) == (
        f"ObjectChanged: Object {source.url!r} is not the one referred to: it has 269 bytes, not 224"
    )
    assert not seen[test].runs


async def test_lines_that_are_no_items_are_refused(client: Client, tmp_path: Path) -> None:
    """A line that is not JSON fails the fan-out, and says which; an empty one before anything starts."""
    test = str(uuid.uuid4())
    source = await objects.write(str(tmp_path / "broken.jsonl"), b"1\n2\nthree\n")
    _, (_, _, error) = await run(client, Printing(test, source, 0, None, 5))

    assert error == (f"Object {source.url!r}: line 3 is not JSON: expected ident at line 1 column 2")
