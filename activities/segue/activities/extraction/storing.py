"""Values in a database: a row each, with where it stands, written once.

    form, source, field, position       what the row is of: the primary key; `source` is where the file is
    value, unit                         the value, normalised
    raw, span_start, span_end           the text that says so, and where it stands in the document
    name, document                      the document's name, and the digest of what it held
    engine, confidence, status          what found it, how sure it is; "accepted", or "review" where a person is to look
    workflow                            the run that wrote it

The rows of a file are replaced together, in one transaction with the step's idempotency key: a file that has changed
leaves no row of what it said before, and the same text in two files is two documents.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from temporalio import activity

from segue.activities import sql
from segue.activities.documents import Document
from segue.activities.extraction.records import Extraction
from segue.activities.idempotency import idempotency_key

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["TABLE", "write_values"]

TABLE: Final = """\
CREATE TABLE IF NOT EXISTS {table} (
    form TEXT NOT NULL,
    source TEXT NOT NULL,
    field TEXT NOT NULL,
    position INTEGER NOT NULL,
    value TEXT NOT NULL,
    unit TEXT NOT NULL,
    raw TEXT NOT NULL,
    span_start INTEGER NOT NULL,
    span_end INTEGER NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    engine TEXT NOT NULL,
    confidence DOUBLE PRECISION NOT NULL,
    status TEXT NOT NULL,
    workflow TEXT NOT NULL,
    PRIMARY KEY (form, source, field, position)
)"""
"""The table of values, in the SQL of SQLite and PostgreSQL both."""

_COLUMNS: Final = (
    "form", "source", "field", "position", "value", "unit", "raw", "span_start", "span_end", "name", "document",
    "engine", "confidence", "status", "workflow",
)  # fmt: skip


async def write_values(database: str, table: str, document: Document, extraction: Extraction, *, part: str = "") -> int:
    """Write a document's values in place of those that are there, and return how many. Within a step, once.

    Raises:
        EffectConflict: The step has written other values before.
        DatabaseRefused, DatabaseUnavailable and others: As their docstrings say.
    """
    key = idempotency_key(part) if activity.in_activity() else f"{table}/{extraction.form}/{document.source.url}"
    # How long reading took is no part of what is written: the next attempt takes another time.
    request = (table, document.source.url, document.digest, extraction.form, extraction.values, extraction.questions)
    workflow = (activity.info().workflow_id or "") if activity.in_activity() else ""
    with contextlib.suppress(sql.IntegrityError, sql.StatementError):
        return await _written(database, key, request, table, document, extraction, workflow)
    # PostgreSQL's IF NOT EXISTS does not wait for another session that makes the table just now.
    return await _written(database, key, request, table, document, extraction, workflow)


async def _written(
    database: str,
    key: str,
    request: object,
    table: str,
    document: Document,
    extraction: Extraction,
    workflow: str,
) -> int:
    async with sql.once(database, int, key=key, request=request) as effect:
        if not effect.done:
            await _ensure(effect.connection, table)
            effect.result = await _replaced(effect.connection, table, document, extraction, workflow)
    return effect.result


async def _ensure(connection: AsyncConnection, table: str) -> None:
    """Make the table unless it is there: a role that may make none is fine if somebody else has."""
    from sqlalchemy import inspect, text

    schema, _, name = table.rpartition(".")
    if not await connection.run_sync(lambda sync: inspect(sync).has_table(name, schema=schema or None)):
        await connection.execute(text(TABLE.format(table=table)))


async def _replaced(
    connection: AsyncConnection, table: str, document: Document, extraction: Extraction, workflow: str
) -> int:
    from sqlalchemy import text

    unsettled = {question.field for question in extraction.questions}
    rows: list[dict[str, Any]] = [
        {
            "form": extraction.form,
            "source": document.source.url,
            "field": value.field,
            "position": value.position,
            "value": value.value,
            "unit": value.unit,
            # A file may hold what a database does not take.
            "raw": value.raw.replace("\0", "\ufffd"),
            "span_start": value.start,
            "span_end": value.end,
            "name": document.name,
            "document": document.digest,
            "engine": value.engine,
            "confidence": value.confidence,
            "status": "review" if value.field in unsettled else "accepted",
            "workflow": workflow,
        }
        for value in extraction.values
    ]
    await connection.execute(
        text(f"DELETE FROM {table} WHERE form = :form AND source = :source"),
        {"form": extraction.form, "source": document.source.url},
    )
    if rows:
        marks = ", ".join(f":{column}" for column in _COLUMNS)
        await connection.execute(text(f"INSERT INTO {table} ({', '.join(_COLUMNS)}) VALUES ({marks})"), rows)
    return len(rows)
