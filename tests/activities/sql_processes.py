"""What other worker processes do to a database while a test looks on: contend for a key, die, hold on to it.

Run as `python -m tests.activities.sql_processes ROLE`; the database is `env:STOCK_DATABASE_URL`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from segue.activities import sql

DATABASE: Final = "env:STOCK_DATABASE_URL"
TAKE_ONE: Final = sql.Write(
    database=DATABASE,
    key="order-17",
    statements=[
        sql.Statement(
            statement="UPDATE stock SET quantity = quantity - :taken WHERE sku = :sku",
            parameters={"sku": "apple", "taken": 1},
        ),
        sql.Statement(
            statement="INSERT INTO movements (sku, taken) VALUES (:sku, :taken) RETURNING sku, taken",
            parameters={"sku": "apple", "taken": 1},
        ),
    ],
)


async def contend(attempts: str) -> None:
    """Write the same effect several times at once, as soon as told to; print how often it was replayed."""
    print("ready", flush=True)
    sys.stdin.readline()
    written = await asyncio.gather(*(sql.write(TAKE_ONE) for _ in range(int(attempts))))
    print(sum(result.replayed for result in written), flush=True)


async def die_after_commit() -> None:
    """Write the effect, and die before anybody hears of it."""
    await sql.write(TAKE_ONE)
    os.kill(os.getpid(), signal.SIGKILL)


async def die_before_commit() -> None:
    """Change the database in an effect's transaction, and die before it is committed."""
    async with sql.once(DATABASE, key="order-17", request=TAKE_ONE.statements) as effect:
        await effect.connection.execute(text("UPDATE stock SET quantity = 0"))
        os.kill(os.getpid(), signal.SIGKILL)


async def sleep_in_statement(seconds: str) -> None:
    """Hold the effect's key in a statement that lasts a minute, as an attempt that has so many seconds."""

    async def hold() -> None:
        async with sql.once(DATABASE, key="order-17", request=TAKE_ONE.statements) as effect:
            print("ready", flush=True)
            await effect.connection.execute(text("SELECT pg_sleep(60)"))

    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(
        environment.info, started_time=datetime.now(UTC), start_to_close_timeout=timedelta(seconds=float(seconds))
    )
    await environment.run(hold)


ROLES: Final = {role.__name__: role for role in (contend, die_after_commit, die_before_commit, sleep_in_statement)}

if __name__ == "__main__":
    asyncio.run(ROLES[sys.argv[1]](*sys.argv[2:]))
