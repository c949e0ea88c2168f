"""A worker is killed in the middle of a generation: no round that was paid for is paid for again."""

from __future__ import annotations

import uuid
from pathlib import Path

from temporalio.client import Client
from tests.generation.letters import Asked, WriteLetter
from tests.generation.test_generate import GOOD, LATE
from tests.llm.scripted import scripted, stalls
from tests.processes import worker_process

from segue.workflows.generation import Models


async def test_a_killed_worker_repeats_no_round(client: Client, tmp_path: Path) -> None:
    """Killed in its second round, within an answer: the first is not asked for again, the second once more."""
    queue, settings = str(uuid.uuid4()), tmp_path / "segue.toml"
    settings.write_text('[systems.llm]\nheartbeat_timeout = "2s"\n')
    async with scripted() as model:
        model.script(LATE, stalls("Dear cust"), GOOD)
        asked = Asked(store=str(tmp_path / "store"), models=Models(writer=model.model()), requirements=["dated"])
        handle = await client.start_workflow(WriteLetter.run, asked, id=queue, task_queue=queue)
        async with worker_process(client, "tests.generation.killed_worker", queue, str(settings)) as worker:
            await model.received(2)
            worker.kill()
            await worker.wait()
        async with worker_process(client, "tests.generation.killed_worker", queue, str(settings)):
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
