"""SQLite as a database of record: real transactions, one writer at a time, and statements that can be ended.

Python's sqlite3 begins transactions late and only before some statements. Here it begins none: a write begins with
BEGIN IMMEDIATE, so that it holds the database's one write lock from the start and never fails half-way for want of it.
The writers of a process queue for one connection, in order; those of other processes wait by SQLite's busy timeout.

SQLite has five types. `stored` says as what the others are kept, and `Rows.into` brings them back.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import sqlite3
import threading
import urllib.parse
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeAlias
from uuid import UUID

import aiosqlite
from pydantic import TypeAdapter
from sqlalchemy import URL, Connection, Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from segue.activities.sql._errors import is_busy

__all__ = ["begin", "engines", "pause", "stored"]

READERS: Final = 8
"""Connections that read at once, in each worker process."""

# How long SQLite itself waits for a lock; a thread that waits cannot be cancelled, so the waits are short and repeated.
_BUSY_MS: Final = 250
# What bounds the wait in an activity is the time of the attempt.
_PATIENCE_SECONDS: Final = 60
# Steps of SQLite's virtual machine, some milliseconds, between two looks at whether the statement is still wanted.
_STEPS: Final = 100_000

_STOP = "segue.stop"
_ISO_DURATION: Final = TypeAdapter(datetime.timedelta)
_Record: TypeAlias = Any  # SQLAlchemy's ConnectionPoolEntry and adapted connection, which its hooks leave untyped


def engines(path: str, prepare: Callable[[Engine], None]) -> tuple[AsyncEngine, AsyncEngine]:
    """Return the engine for writes and the one for queries. Only a write creates the file."""
    return _engine(path, prepare, writes=True), _engine(path, prepare, writes=False)


async def begin(connection: AsyncConnection, left: float | None) -> None:
    """Nothing more: the lock is held, and time is kept by cancellation."""


def pause(error: BaseException, attempt: int, waited: float) -> float | None:
    """Return the seconds after which to begin once more: while another process holds the lock, for a minute at most.

    SQLite has mostly waited by itself, but not for the change to WAL mode, which fails at once.
    """
    return 0.02 if is_busy(error) and waited < _PATIENCE_SECONDS else None


def stored(value: Any) -> Any:
    """Return a parameter as one of SQLite's types.

    A Decimal and a UUID become text, as do dates and times in ISO 8601: an aware datetime in UTC, so that text order is
    time order. A list or object becomes JSON, a bool 0 or 1.

    Raises:
        ValueError: There is no such type. The message is a phrase without the value.
    """
    match value:
        case None | bool() | float() | bytes():
            return value
        case int():
            if not -(2**63) <= value < 2**63:
                raise ValueError("is a whole number of more than 64 bits, which SQLite has no type for")
            return value
        case str():
            if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
                raise ValueError("is text with half a surrogate pair, which is not Unicode")
            return value
        case Decimal() | UUID():
            return str(value)
        case datetime.datetime():
            utc = value.astimezone(datetime.UTC) if value.tzinfo is not None else value
            return utc.isoformat(sep=" ")
        case datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            return _ISO_DURATION.dump_python(value, mode="json")
        case list() | dict():
            return json.dumps(value)
        case _:
            return value


class _Connection(sqlite3.Connection):
    """A connection that lets go of the database when it is closed.

    SQLite closes a connection, and ends its transaction, when the last of its statements is gone. A cancelled task's
    traceback holds its cursor, which may hold a statement: the lock would stay until Python's garbage collector comes.
    """

    def close(self) -> None:
        # Closed already, or the disk is at fault: the journal is rolled back by whoever opens the database next.
        with contextlib.suppress(sqlite3.Error):
            self.rollback()
        super().close()


def _engine(path: str, prepare: Callable[[Engine], None], *, writes: bool) -> AsyncEngine:
    # The URI form carries the mode: without it a query would create the file whose name was mistyped.
    url = URL.create(
        "sqlite+aiosqlite",
        database=f"file:{urllib.parse.quote(path)}",
        query={"mode": "rwc" if writes else "rw", "uri": "true"},
    )
    engine = create_async_engine(
        url,
        connect_args={"factory": _Connection},
        hide_parameters=True,
        pool_size=1 if writes else READERS,
        max_overflow=0,
        pool_timeout=_PATIENCE_SECONDS,  # writers wait here for their turn
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: _Record, record: _Record) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        cursor.execute("PRAGMA foreign_keys=ON")
        if writes:
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
        else:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()
        stop = record.info[_STOP] = threading.Event()

        async def watch(driver: aiosqlite.Connection) -> None:
            await driver.set_progress_handler(stop.is_set, _STEPS)

        connection.run_async(watch)

    if writes:

        @event.listens_for(engine.sync_engine, "begin")
        def _begun(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    @event.listens_for(engine.sync_engine, "handle_error")
    def _failed(context: ExceptionContext) -> None:
        # A cancelled task leaves its statement running in the connection's thread, and SQLAlchemy closes the connection
        # behind it. This ends the statement; SQLite's own interrupt would miss one that has not quite begun.
        if not isinstance(context.original_exception, Exception) and context.connection is not None:
            context.connection.info[_STOP].set()

    prepare(engine.sync_engine)
    return engine
