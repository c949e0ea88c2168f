"""One pool of connections for each database, in each event loop of a worker process."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING

from segue.activities.sql._databases import resolve

if TYPE_CHECKING:
    from segue.activities.sql._transactions import Pool

__all__ = ["close", "pool_of"]

# A connection belongs to the loop that opened it. The pools of a loop that is gone go with it.
_pools: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Pool]] = weakref.WeakKeyDictionary()


async def pool_of(reference: str) -> Pool:
    """Return this event loop's pool for a database. A reference that has come to mean another one gets a new pool.

    Raises:
        DatabaseRefused, SecretError: The worker does not know where the database is.
        RuntimeError: What it takes to use it is not installed.
    """
    address = resolve(reference)
    pools = _pools.setdefault(asyncio.get_running_loop(), {})
    pool = pools.get(reference)
    if pool is None or pool.address != address:
        extra, driver = ("sql", "aiosqlite") if address.kind == "sqlite" else ("postgres", "asyncpg")
        try:
            __import__(driver)
            from segue.activities.sql._transactions import Pool
        except ModuleNotFoundError as error:
            raise RuntimeError(
                f'Database {reference!r} needs {error.name}, which is not installed: pip install "segue[{extra}]"'
            ) from None
        previous, pool = pool, Pool(reference, address)
        pools[reference] = pool
        if previous is not None:
            await previous.close()
    return pool


async def close() -> None:
    """Close this event loop's connections to all databases. A worker does so when it has drained."""
    for pool in _pools.pop(asyncio.get_running_loop(), {}).values():
        await pool.close()
