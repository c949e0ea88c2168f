"""A worker for the workflows of analysis; in a process of its own: `python -m tests.analysis.service TARGET QUEUE`."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from segue.activities import comparison, documents, summary
from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workflows.analysis import CompareDocuments, SummariseDocument

WORKFLOWS = [CompareDocuments, SummariseDocument]
ACTIVITIES: list[Callable[..., Any]] = [
    documents.load_document,
    comparison.compare_versions,
    comparison.explain_finding,
    comparison.write_report,
    summary.draw_summary,
    summary.write_part,
    summary.write_summary,
]


def worker(client: Client, queue: str) -> Worker:
    return Worker(
        client,
        task_queue=queue,
        workflows=WORKFLOWS,
        activities=ACTIVITIES,
        max_heartbeat_throttle_interval=timedelta(milliseconds=300),
        # How long the server waits for a dead worker to take its run's next task.
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
    )


@contextlib.asynccontextmanager
async def process(client: Client, queue: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """The same in a process of its own, to be killed."""
    target = client.service_client.config.target_host
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.analysis.service", target, queue, cwd=Path(__file__).parents[2]
    )
    try:
        yield started
    finally:
        with contextlib.suppress(ProcessLookupError):
            started.kill()
        await started.wait()


async def payloads(handle: WorkflowHandle[Any, Any]) -> str:
    """All that a run's history holds, decoded."""

    def decoded(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for name, held in value.items():  # pyright: ignore[reportUnknownVariableType]
                if name == "data" and isinstance(held, str):
                    yield base64.b64decode(held).decode(errors="replace")
                yield from decoded(held)
        elif isinstance(value, list):
            for held in value:  # pyright: ignore[reportUnknownVariableType]
                yield from decoded(held)
        elif isinstance(value, str):
            yield value

    return "\n".join(decoded(json.loads((await handle.fetch_history()).to_json())))


def hasty(folder: Path) -> Settings:
    """Settings by which a dead worker is noticed at once."""
    file = folder / "segue.toml"
    systems = ("documents", "comparison", "comparison-explanations", "summary", "summary-writing")
    file.write_text("".join(f'[systems.{name}]\nheartbeat_timeout = "2s"\n' for name in systems))
    return Settings.load(file)


async def _main(target: str, queue: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        client = await Client.connect(target, plugins=[SeguePlugin(settings=hasty(Path(folder)))])
        await worker(client, queue).run()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:3]))
