"""Retrieval as steps of a workflow: on a real server, with nothing of the documents in its history."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.worker import Replayer, Worker
from tests.recorded import beginnings, recorded
from tests.retrieval.library import ACTIVITIES, Asked, AskLibrary, text, written

from segue.activities.settings import Settings
from segue.client import SeguePlugin

pytest.importorskip("obstore")


async def test_documents_are_loaded_indexed_and_asked(client: Client, tmp_path: Path) -> None:
    """From files to cited passages, by references alone: no sentence of a document is in the history."""
    asked = Asked(
        urls=written(tmp_path / "sources", 5),
        store=str(tmp_path / "store"),
        query="Who may transfer or assign rights to others?",
        limit=2,
    )
    queue = str(uuid.uuid4())
    async with Worker(client, task_queue=queue, workflows=[AskLibrary], activities=ACTIVITIES):
        handle = await client.start_workflow(AskLibrary.run, asked, id=queue, task_queue=queue)
        answered = await handle.result()

    assert (answered.index.documents, answered.index.added) == (5, 5)
    assert next(hit.document for hit in answered.hits.hits) == "contract-2.txt"
    assert answered.index.step
    history = (await handle.fetch_history()).to_json()
    for sentence in ("registered mail", "landlord", "base rate", "100 dollars"):
        assert any(sentence in text(number) for number in range(5))
        assert sentence not in history


async def test_recorded_histories_replay() -> None:
    """Runs of earlier versions go on with this one."""
    histories = beginnings(recorded("retrieval"))
    assert histories
    replayer = Replayer(workflows=[AskLibrary], plugins=[SeguePlugin(settings=Settings())])
    for history in histories:
        await replayer.replay_workflow(history)
