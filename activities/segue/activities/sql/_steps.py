"""The steps that a workflow calls: `query` and `write`, activities of the system "sql"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segue.activities.sql._effects import once
from segue.activities.sql._errors import StatementError, translated
from segue.activities.sql._pools import pool_of
from segue.activities.sql._requests import Query, Rows, Write, Written
from segue.activities.sql._values import Cell
from segue.activities.system import System

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["query", "system", "write"]

system = System("sql")

_PAGE = 500


@system.activity(name="segue.sql.query")
async def query(request: Query) -> Rows:
    """Return the rows that a statement gives, whole or not at all.

    Raises:
        PayloadError: There are more rows or bytes than the request allows, or a value that cannot be carried.
        IntegrityError, StatementError, DatabaseUnavailable and others: As their docstrings say.
    """
    pool = await pool_of(request.database)
    from sqlalchemy.exc import ResourceClosedError

    from segue.activities.sql._statements import Allowance, clause

    allowance = Allowance(request)
    rows: list[tuple[Cell, ...]] = []
    async with (
        pool.transaction(write=False) as connection,
        # Streamed, so that a result far too large is refused without being held in memory first.
        connection.stream(clause(request.statement, request.parameters), request.parameters) as result,
    ):
        try:
            columns = list(result.keys())
        except ResourceClosedError:
            raise StatementError(request.database, "the statement returns no rows: use Write for changes") from None
        async for page in result.partitions(_PAGE):
            rows += allowance.take(columns, page)
    return Rows(columns=columns, rows=rows)


@system.activity(name="segue.sql.write")
async def write(request: Write) -> Written:
    """Return what the statements did, now or when the effect was made under the same key before.

    Raises:
        EffectConflict: The key was used for other statements.
        PayloadError: They return more than the request allows, or a value that cannot be carried; nothing is written.
        IntegrityError, StatementError, DatabaseUnavailable and others: As their docstrings say.
    """
    async with once(request.database, Written, key=request.key, request=request.statements) as effect:
        if not effect.done:
            effect.result = await _executed(effect.connection, request)
    return effect.result.model_copy(update={"replayed": effect.done})


async def _executed(connection: AsyncConnection, request: Write) -> Written:
    from segue.activities.sql._statements import Allowance, clause

    allowance = Allowance(request)
    rowcounts: list[int] = []
    returned: list[Rows | None] = []
    count = len(request.statements)
    for number, statement in enumerate(request.statements, 1):
        with translated(request.database, f"statement {number} of {count}: " if count > 1 else ""):
            result = await connection.execute(clause(statement.statement, statement.parameters), statement.parameters)
        if result.returns_rows:
            columns = list(result.keys())
            rows = Rows(columns=columns, rows=allowance.take(columns, result.all()))
            rowcounts.append(len(rows))
            returned.append(rows)
        else:
            # -1 where the database counts nothing, as for CREATE TABLE.
            rowcounts.append(max(result.rowcount, 0))
            returned.append(None)
    return Written(rowcounts=rowcounts, returned=returned)
