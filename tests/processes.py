"""Workers as processes of their own, so that a test can kill them.

async with worker_process(client, "tests.fanout.killed_worker", queue) as worker:
    worker.kill()
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from temporalio.client import Client

__all__ = ["worker_process"]

ROOT = Path(__file__).parents[1]


@asynccontextmanager
async def worker_process(client: Client, module: str, *arguments: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A worker that a module runs, given its server's address and what else it takes; it ends with the block."""
    address = client.service_client.config.target_host
    started = await asyncio.create_subprocess_exec(sys.executable, "-m", module, address, *arguments, cwd=ROOT)
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()
