"""The operator of a round, who repairs each step that parks, by what the systems' ledgers say of it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections import Counter
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError
from tests.chaos.ledgers import FAXES, unlocked

from segue.client.repairs import Parked, parked, repair
from segue.workflows.repair import RepairRefused

__all__ = ["Operator"]

_LOOK_SECONDS = 0.5


class Operator:
    """Looks for what is parked, and repairs it.

    Attributes:
        parked: How many times each activity was found parked.
        repaired: How often each action was taken.
    """

    def __init__(self, client: Client, folder: Path) -> None:
        self._client = client
        self._folder = folder
        self._seen: set[tuple[str, str, int]] = set()
        self.parked: Counter[str] = Counter()
        self.repaired: Counter[str] = Counter()

    async def keep(self) -> None:
        """Repair until cancelled."""
        while True:
            with contextlib.suppress(RPCError, TimeoutError):
                for one in await parked(self._client):
                    await self._repair(one)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _repair(self, one: Parked) -> None:
        if (seen := (one.run_id, one.step.step, one.step.times)) not in self._seen:
            self._seen.add(seen)
            self.parked[one.step.activity] += 1
        sheet = one.workflow_id.removeprefix("stocktake-")
        handle = self._client.get_workflow_handle(one.workflow_id, run_id=one.run_id)
        try:
            # A repair that was sent while its worker died is taken by the next one: asked again, it is refused.
            async with asyncio.timeout(20):
                if one.step.activity == "fax_head_office" and self._came(sheet):
                    done = await repair(handle, one.step.step, "result", result=f"faxed {sheet}", reason="it came")
                else:
                    if one.step.activity == "close_books":
                        unlocked(self._folder, sheet).parent.mkdir(exist_ok=True)
                        unlocked(self._folder, sheet).touch()
                    done = await repair(handle, one.step.step, "retry", reason="nothing came")
        except RepairRefused:
            return
        self.repaired[done.action] += 1

    def _came(self, sheet: str) -> bool:
        with contextlib.closing(sqlite3.connect(self._folder / FAXES, timeout=10)) as connection:
            [[number]] = connection.execute("SELECT count(*) FROM received WHERE sheet = ?", (sheet,)).fetchall()
        return bool(number)
