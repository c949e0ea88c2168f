"""PostgreSQL over asyncpg: queries in read-only transactions, and a server that ends what nobody waits for.

A cancelled task cancels its statement at the server. Should the worker die instead, the server's own timeouts, set to
the time that the attempt has left, end the statement and free its locks for the next attempt.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

__all__ = ["begin", "engines", "pause", "stored"]

CONNECTIONS: Final = 20
"""Most connections to one database, in each worker process. A quarter of them stay open."""

_CONNECT_TIMEOUT: Final = 10
_LIMIT = "segue.statement_timeout"
_Record: TypeAlias = Any  # SQLAlchemy's ConnectionPoolEntry and adapted connection, which its hooks leave untyped


def engines(url: str, prepare: Callable[[Engine], None]) -> tuple[AsyncEngine, AsyncEngine]:
    """Return the engine for writes and the one for queries, which share their connections."""
    settings = {} if "application_name=" in url else {"server_settings": {"application_name": "segue"}}
    engine = create_async_engine(
        "postgresql+asyncpg://",
        # asyncpg reads the URL itself, and so takes whatever libpq does; and no engine shows the password.
        connect_args={"dsn": url, "timeout": _CONNECT_TIMEOUT, **settings},
        hide_parameters=True,
        pool_size=CONNECTIONS // 4,
        max_overflow=CONNECTIONS - CONNECTIONS // 4,
        pool_timeout=60,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: _Record, record: _Record) -> None:
        cursor = connection.cursor()
        cursor.execute("SELECT setting FROM pg_settings WHERE name = 'statement_timeout'")
        record.info[_LIMIT] = int(cursor.fetchone()[0])
        cursor.close()
        connection.rollback()

    prepare(engine.sync_engine)
    return engine, engine.execution_options(postgresql_readonly=True)


async def begin(connection: AsyncConnection, left: float | None) -> None:
    """Hold the transaction to the time left, in seconds. A stricter limit of the server stays.

    This is also the first word to a connection that may have died in the pool.
    """
    if left is None:
        await connection.exec_driver_sql("SELECT 1")
        return
    limit_ms = max(int(left * 1000), 1)
    info = (await connection.get_raw_connection()).info
    statement_ms = min(limit_ms, info[_LIMIT] or limit_ms)
    await connection.exec_driver_sql(
        "SELECT set_config('statement_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $2, true)",
        (str(statement_ms), str(limit_ms)),
    )


def pause(error: BaseException, attempt: int, waited: float) -> float | None:
    """Return the seconds after which to begin once more, None to give up.

    After a restart of the server the connections of the pool are dead, and SQLAlchemy replaces all when it meets one.
    """
    return 0 if attempt == 1 and isinstance(error, DBAPIError) and error.connection_invalidated else None


def stored(value: Any) -> Any:
    """Return a parameter as asyncpg takes it: JSON as text, all else by its type."""
    return json.dumps(value) if isinstance(value, dict) else value
