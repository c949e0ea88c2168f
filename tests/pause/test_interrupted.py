"""A paused run whose worker process is killed, and recorded histories of paused runs, replayed whole and half-way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import uuid
from collections.abc import Generator
from pathlib import Path

from temporalio.client import Client
from tests.pause.shifts import WORKFLOWS, Shift
from tests.pause.test_pause import until_held
from tests.recorded import beginnings, recorded

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.client.pauses import pause, resume
from segue.workers.replay import replay

ROOT = Path(__file__).parents[2]


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


async def test_recorded_pauses_replay() -> None:
    """Histories recorded with the first version replay with this one, whole and cut after each task."""
    whole = recorded("pause")
    cut = beginnings(whole)

    assert [one.workflow_id for one in whole] == ["pause_cancelled", "pause_continued", "pause_parent", "pause_shift"]
    assert await replay([*whole, *cut], WORKFLOWS, SeguePlugin(settings=Settings())) == len(whole) + len(cut)
