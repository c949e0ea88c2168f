"""SQL: queries and changes in SQLite and PostgreSQL, through the same code; a change takes effect once.

    from segue.activities import sql

    stock = await workflow.execute_activity(
        sql.query,
        sql.Query(
            database="env:INVENTORY_DATABASE_URL",
            statement="SELECT sku, quantity FROM stock WHERE sku IN :skus",
            parameters={"skus": order.skus},
        ),
    )
    for item in stock.into(StockItem): ...

    @inventory.activity
    @sql.transaction("env:INVENTORY_DATABASE_URL")
    async def reserve(connection: sql.Connection, order: Order) -> Reservation: ...

A request names its database by reference, so that no password enters a history. Needs `pip install "segue[sql]"` for
SQLite, `segue[postgres]` for PostgreSQL; `docs/connectors-sql.md` says what each promises.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from segue.activities.sql._databases import register
from segue.activities.sql._effects import TABLE, Effect, once, transaction
from segue.activities.sql._errors import (
    DatabaseRefused,
    DatabaseUnavailable,
    EffectConflict,
    IntegrityError,
    StatementError,
    StatementTimeout,
    TransactionConflict,
)
from segue.activities.sql._pools import close
from segue.activities.sql._requests import MAXIMUM_BYTES, MAXIMUM_ROWS, Query, Rows, Statement, Write, Written
from segue.activities.sql._steps import query, system, write
from segue.activities.sql._values import Cell

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection as Connection

__all__ = [
    # requests and results
    "Query",
    "Rows",
    "Statement",
    "Write",
    "Written",
    "Cell",
    "MAXIMUM_BYTES",
    "MAXIMUM_ROWS",
    # steps of workflows
    "system",
    "query",
    "write",
    # for the code of activities
    "transaction",
    "once",
    "Connection",
    "Effect",
    "TABLE",
    # for the code of workers
    "register",
    "close",
    # errors
    "DatabaseRefused",
    "DatabaseUnavailable",
    "EffectConflict",
    "IntegrityError",
    "StatementError",
    "StatementTimeout",
    "TransactionConflict",
]


def __getattr__(name: str) -> Any:
    # SQLAlchemy is imported when it is needed, and not where workflows only import requests from here.
    if name == "Connection":
        from sqlalchemy.ext.asyncio import AsyncConnection

        return AsyncConnection
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
