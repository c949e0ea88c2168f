"""The stocktake's database: a PostgreSQL server, reached through a proxy, so that a COMMIT's answer may be lost.

    async with postgres() as server:
        async with Database.of(server) as database:
            url = database.url(await proxy.listen("worker 0"))

The short form does without: there it is a file of SQLite, as the warehouse's is.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from examples.order_to_cash.services.ledger import open_ledger
from tests.activities.sql_postgres import PostgresServer
from tests.chaos.ledgers import STOCKTAKE

__all__ = ["Database", "postgres"]


@contextlib.asynccontextmanager
async def postgres() -> AsyncGenerator[PostgresServer]:
    """Run a server for the length of the block."""
    starting = asyncio.ensure_future(asyncio.to_thread(PostgresServer))
    try:
        server = await asyncio.shield(starting)
    except asyncio.CancelledError:
        # The thread cannot be stopped, and its server must not stay behind.
        (await starting).close()
        raise
    try:
        yield server
    finally:
        server.close()


class Database:
    """A database of one round, with the tables of the stocktake.

    Args:
        url: Its URL, with the password, as the server itself is reached.
        connection: Looks into it.
    """

    def __init__(self, url: str, connection: Any) -> None:
        self._url = url
        self._connection = connection

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, server: PostgresServer) -> AsyncGenerator[Database]:
        """Give a new one for the length of the block."""
        url = await asyncio.to_thread(server.new_database)
        connection = await _connected(url)
        try:
            await connection.execute("CREATE TABLE counts (sheet TEXT, shelf INTEGER)")
            await connection.execute("CREATE TABLE closings (sheet TEXT)")
            yield cls(url, connection)
        finally:
            await connection.close()

    @property
    def address(self) -> str:
        """Where the server is, as host:port."""
        return self._url.rpartition("@")[2].partition("/")[0]

    def url(self, address: str) -> str:
        """Return its URL by way of another address."""
        return self._url.replace(f"@{self.address}/", f"@{address}/")

    async def effects(self) -> int:
        """Return how many shelves are counted."""
        return int(await self._connection.fetchval("SELECT count(*) FROM counts"))

    async def export(self, folder: Path) -> None:
        """Copy its rows to the ledger in a round's folder, where the audit reads them."""
        counts: Any = await self._connection.fetch("SELECT sheet, shelf FROM counts")
        closings: Any = await self._connection.fetch("SELECT sheet FROM closings")
        with contextlib.closing(open_ledger(folder / STOCKTAKE)) as ledger:
            ledger.executemany("INSERT INTO counts VALUES (?, ?)", [tuple(row) for row in counts])
            ledger.executemany("INSERT INTO closings VALUES (?)", [tuple(row) for row in closings])


async def _connected(url: str) -> Any:
    # The driver has no types.
    asyncpg: Any = importlib.import_module("asyncpg")
    return await asyncpg.connect(url)
