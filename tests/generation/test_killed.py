"""A worker is killed in the middle of a generation: no round that was paid for is paid for again."""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from tests.generation.letters import Asked, WriteLetter
from tests.generation.test_generate import GOOD, LATE
from tests.llm.scripted import scripted, stalls

from segue.workflows.generation import Models

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def process(
    server: WorkflowEnvironment, queue: str, settings: Path
) -> AsyncGenerator[asyncio.subprocess.Process]:
    settings.write_text('[systems.llm]\nheartbeat_timeout = "2s"\n')
    target = server.client.service_client.config.target_host
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.generation.killed_worker", target, queue, str(settings), cwd=ROOT
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def test_a_killed_worker_repeats_no_round(server: WorkflowEnvironment, client: Client, tmp_path: Path) -> None:
    """Killed in its second round, within an answer: the first is not asked for again, the second once more."""
    queue, settings = str(uuid.uuid4()), tmp_path / "segue.toml"
    async with scripted() as model:
        model.script(LATE, stalls("Dear cust"), GOOD)
        asked = Asked(store=str(tmp_path / "store"), models=Models(writer=model.model()), requirements=["dated"])
        handle = await client.start_workflow(WriteLetter.run, asked, id=queue, task_queue=queue)
        async with process(server, queue, settings) as worker:
            await model.received(2)
            worker.kill()
            await worker.wait()
        async with process(server, queue, settings):
            letter = await handle.result()

        assert (letter.finish_reason, letter.value) == ("met", GOOD)
        assert [str(one) for one in letter.candidates] == [
            "scripted-1: 0.00, short: dated 0.00",
            "scripted-1: 1.00",
        ]
        # The answer that broke off was charged for, as any provider would.
        assert (len(model.asked), model.paid) == (3, 3)
        assert LATE not in model.asked[0].text
        assert all(LATE in one.text for one in model.asked[1:])
