"""A paused run whose worker process is killed, and recorded histories of paused runs, replayed whole and half-way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Generator
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer
from tests.pause.shifts import WORKFLOWS, Shift
from tests.pause.test_pause import until_held

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.client.pauses import pause, resume

ROOT = Path(__file__).parents[2]
HISTORIES = sorted((ROOT / "tests" / "histories").glob("pause_*.json"))


@contextlib.contextmanager
def serving(client: Client, queue: str, ledger: Path) -> Generator[subprocess.Popen[bytes]]:
    """A worker in a process of its own, killed in the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.pause.serve", client.service_client.config.target_host, queue],
        cwd=ROOT,
        env={**os.environ, "PAUSE_TEST_LEDGER": str(ledger)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_a_paused_run_outlives_its_worker(client: Client, tmp_path: Path) -> None:
    """Killed while steps wait, and served by another process: they wait there too, and each is done once."""
    queue, ledger = str(uuid.uuid4()), tmp_path / "ledger"
    handle = await client.start_workflow(Shift.run, 2, id=f"shift-{queue}", task_queue=queue)
    with serving(client, queue, ledger):
        while not ledger.exists():
            await asyncio.sleep(0.05)
        await pause(handle, by="ann")
        (tmp_path / "ledger.released").touch()
        await until_held(handle, 6)
    with serving(client, queue, ledger):
        await until_held(handle, 6)
        assert ledger.read_text().splitlines() == ["begun first", "first"]
        await resume(handle)
        result = await handle.result()
    assert result == ["first", *(f"{what} {n}" for what in ("weave", "local", "forge") for n in range(2))]
    assert sorted(ledger.read_text().splitlines()) == sorted(["begun first", *result])


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_recorded_histories_replay(path: Path) -> None:
    """A finished history replays, and so does each of its beginnings: every workflow task of a run may be its last."""
    whole = json.loads(path.read_text())
    events = whole["events"]
    ends = [
        number + 1 for number, event in enumerate(events) if event["eventType"] == "EVENT_TYPE_WORKFLOW_TASK_COMPLETED"
    ]
    replayer = Replayer(workflows=WORKFLOWS, plugins=[SeguePlugin(settings=Settings())])
    for end in (*ends[1::3], len(events)):
        history = WorkflowHistory.from_json(path.stem, json.dumps({**whole, "events": events[:end]}))
        await replayer.replay_workflow(history)


def test_there_are_histories() -> None:
    """The recorded histories are found."""
    assert [path.stem for path in HISTORIES] == ["pause_cancelled", "pause_continued", "pause_parent", "pause_shift"]
