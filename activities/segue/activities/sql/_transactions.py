"""Transactions that end: committed or rolled back, in the time the attempt has, over pooled connections.

    async with pool.transaction(write=True) as connection:
        await connection.execute(text("UPDATE stock SET quantity = quantity - 1 WHERE sku = :sku"), {"sku": sku})

`connection` is SQLAlchemy's AsyncConnection.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import time
from collections.abc import AsyncGenerator
from types import ModuleType
from typing import Any, Final

from sqlalchemy import Connection, Engine, event
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncTransaction

from segue.activities.deadline import time_left
from segue.activities.sql._databases import Address
from segue.activities.sql._errors import (
    DatabaseUnavailable,
    StatementError,
    StatementTimeout,
    TransactionConflict,
    translated,
    unreachable,
)

__all__ = ["Pool"]

_COMMITTING = "segue.committing"
_NOT_YOURS: Final = "must not end the transaction: it is committed at the end of the block, with its idempotency key"

# Ends a transaction, or leaves it to be ended by another session; ROLLBACK TO a savepoint does neither.
_ENDS_TRANSACTION: Final = re.compile(
    r"(?:[\s;]|--[^\n]*+\n?|(?>/\*.*?\*/))*+"
    r"(?:COMMIT|END|ABORT|PREPARE\s+TRANSACTION|ROLLBACK(?!\s+(?:(?:WORK|TRANSACTION)\s+)?TO\b))\b",
    re.IGNORECASE | re.DOTALL,
)


class Pool:
    """The connections of one event loop to one database.

    Attributes:
        reference: What the database is called in requests and errors.
        address: Where it is.
        has_effects: Whether the table of effects is known to exist.
    """

    def __init__(self, reference: str, address: Address) -> None:
        self.reference = reference
        self.address = address
        self.has_effects = False
        self._system = _system(address)
        self._writer: AsyncEngine
        self._reader: AsyncEngine
        self._writer, self._reader = self._system.engines(address.target, self._guard)

    @contextlib.asynccontextmanager
    async def transaction(self, *, write: bool) -> AsyncGenerator[AsyncConnection]:
        """A transaction for the length of the block: committed at its end, rolled back if it raises.

        Args:
            write: Whether it may change anything. On SQLite it then holds the database's one write lock.

        Raises:
            IntegrityError, StatementError, DatabaseUnavailable and others: As their docstrings say.
        """
        bound = time_left()
        left = bound.total_seconds() if bound is not None else None
        scope = asyncio.timeout(left)
        begun = False
        try:
            async with scope:
                with translated(self.reference, reading=not write):
                    connection, transaction = await self._begun(write, left)
                    begun = True
                    try:
                        yield connection
                        (await connection.get_raw_connection()).info[_COMMITTING] = True
                        await transaction.commit()
                    finally:
                        # Rolls back what was not committed, and must not be abandoned half-way.
                        await asyncio.shield(connection.close())
        except TimeoutError:
            if not scope.expired():
                raise
            raise self._late(begun, left or 0) from None

    async def close(self) -> None:
        """Close every connection that is not in use."""
        await self._writer.dispose()
        await self._reader.dispose()

    async def _begun(self, write: bool, left: float | None) -> tuple[AsyncConnection, AsyncTransaction]:
        engine = self._writer if write else self._reader
        began = time.monotonic()
        for attempt in itertools.count(1):
            connection = None
            try:
                connection = await engine.connect()
                transaction = await connection.begin()
                await self._system.begin(connection, left)
            except BaseException as error:
                if connection is not None:
                    await asyncio.shield(connection.close())
                pause = self._system.pause(error, attempt, time.monotonic() - began)
                if pause is not None:
                    await asyncio.sleep(pause)
                    continue
                if isinstance(error, OSError):
                    raise unreachable(error, self.reference) from None
                raise
            return connection, transaction
        raise AssertionError("attempts do not run out")

    def _late(self, begun: bool, left: float) -> Exception:
        if begun:
            return StatementTimeout(
                self.reference, f"the transaction was not done in the {left:.1f} s that the attempt had left"
            )
        if self.address.kind == "sqlite":
            return TransactionConflict(
                self.reference, f"is locked: other transactions held it for the {left:.1f} s that the attempt had left"
            )
        return DatabaseUnavailable(self.reference, f"gave no connection in the {left:.1f} s that the attempt had left")

    def _guard(self, engine: Engine) -> None:
        """Let no block end its transaction, and send parameters as the database stores them."""

        @event.listens_for(engine, "before_cursor_execute", retval=True)
        def _before(
            connection: Connection, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
        ) -> tuple[str, Any]:
            if _ENDS_TRANSACTION.match(statement):
                raise StatementError(self.reference, f"a statement {_NOT_YOURS}")
            return statement, list(map(self._stored, parameters)) if executemany else self._stored(parameters)

        @event.listens_for(engine, "commit")
        def _commit(connection: Connection) -> None:
            if not connection.info.pop(_COMMITTING, False):
                # SQLAlchemy takes a commit that raises for one that the database refused, and rolls nothing back.
                connection.invalidate()
                raise StatementError(self.reference, f"the block {_NOT_YOURS}")

    def _stored(self, parameters: tuple[Any, ...]) -> tuple[Any, ...]:
        values: list[Any] = []
        for number, value in enumerate(parameters, 1):
            try:
                values.append(self._system.stored(value))
            except ValueError as error:
                raise StatementError(self.reference, f"parameter {number} {error}") from None
        return tuple(values)


def _system(address: Address) -> ModuleType:
    """Return the module that knows a kind of database. Each imports its driver."""
    if address.kind == "sqlite":
        from segue.activities.sql import _sqlite

        return _sqlite
    from segue.activities.sql import _postgresql

    return _postgresql
