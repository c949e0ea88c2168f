"""The processes of the demo: started, found by what they say, and always ended, each by its own process id."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from examples.order_to_cash.services.ledger import INVENTORY
from examples.worker import ProcessEnded, end

from segue.activities.objects import ROOT_VARIABLE

__all__ = ["addresses", "service"]

_ROOT: Final = Path(__file__).parents[2]


def addresses(folder: Path, payments: str, mail: str) -> dict[str, str]:
    """Return the environment that tells a worker where the systems are."""
    return {
        "INVENTORY_URL": f"sqlite:///{folder / INVENTORY}",
        "PAYMENTS_URL": f"http://{payments}",
        "SMTP_URL": f"smtp://{mail}",
        ROOT_VARIABLE: str(folder),
    }


@contextlib.asynccontextmanager
async def service(system: str, folder: Path, seed: int) -> AsyncGenerator[str]:
    """Run one of the `services`, and give the address it listens on."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.order_to_cash.services", system, str(folder), "--seed", str(seed)),
        cwd=_ROOT,
        # It ends when this pipe does, so it never outlives this process, however that ends.
        stdin=PIPE,
        stdout=PIPE,
        # Ctrl-C goes to the whole group of the terminal, and each of these is to be ended in its turn.
        process_group=0,
    )
    try:
        assert process.stdout is not None
        address = (await process.stdout.readline()).decode().strip()
        if not address:
            raise ProcessEnded(f"The {system} service ended before it listened")
        yield address
    finally:
        await asyncio.shield(end(process))
