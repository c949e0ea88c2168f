"""Queries and writes on SQLite and a real PostgreSQL server, by the same code: rows, values, and what errors mean."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from temporalio.exceptions import ApplicationError
from tests.activities.sql_databases import (
    Database,
    ask,
    attempt,
    change,
    until,
)
from tests.activities.sql_processes import DATABASE

from segue.activities import PayloadError, System, sql
from segue.activities.errors import classify

pytest_plugins = ["tests.activities.sql_fixtures"]


# Queries


async def test_a_query_returns_columns_and_rows(database: Database) -> None:
    """A query answers with its columns and rows, its parameters beside the text, a list for several values."""
    rows = await ask(
        "SELECT sku, quantity FROM stock WHERE sku IN :skus AND quantity > :more ORDER BY sku",
        skus=["apple", "pear", "'; DROP TABLE stock; --"],
        more=5,
    )

    assert rows == sql.Rows(columns=["sku", "quantity"], rows=[("apple", 10)])
    assert (await ask("SELECT 1 AS a, 2 AS a")).columns == ["a", "a"]
    assert await ask("SELECT sku FROM stock WHERE sku = 'plum'") == sql.Rows(columns=["sku"], rows=[])


@pytest.mark.parametrize(
    ("rows", "size", "expected"),
    [
        (2, 1000, "more than 2 rows, the request's maximum_rows"),
        (1000, 100, "more than 100 bytes of rows, the request's maximum_bytes"),
    ],
)
async def test_a_result_that_is_too_large_is_refused(database: Database, rows: int, size: int, expected: str) -> None:
    """A result over a limit is refused, not cut short, with what to do about it."""
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT i FROM n"

    with pytest.raises(PayloadError) as raised:
        await sql.query(sql.Query(database=DATABASE, statement=numbers, maximum_rows=rows, maximum_bytes=size))

    assert raised.value.message == (
        f"Database {DATABASE!r} returned {expected}: read page by page (ORDER BY a unique column, WHERE it is greater "
        "than the last one read, LIMIT), or let an activity write the rows to an object and return a reference to it"
    )
    assert (await ask("SELECT count(*) FROM stock")).scalar() == 2


async def test_a_result_at_the_limit_is_returned(database: Database) -> None:
    """As many rows as are allowed are no error."""
    rows = await sql.query(sql.Query(database=DATABASE, statement="SELECT sku FROM stock ORDER BY 1", maximum_rows=2))

    assert rows.rows == [("apple",), ("pear",)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE stock SET quantity = 0",
        "UPDATE stock SET quantity = 0 RETURNING sku",
        "CREATE TABLE other (id INTEGER)",
        "DELETE FROM movements",
    ],
)
async def test_a_query_cannot_write(database: Database, statement: str) -> None:
    """A statement that would change something fails as a query, and changes nothing."""
    with pytest.raises(sql.StatementError, match=r"use Write") as raised:
        await ask(statement)

    assert raised.value.non_retryable
    assert database.read("SELECT quantity FROM stock ORDER BY sku") == ["10", "5"]


async def test_a_query_does_not_create_a_database(tmp_path: Path) -> None:
    """A SQLite file that is not there stays away, and the query may succeed once it is."""
    with pytest.raises(sql.DatabaseUnavailable) as raised:
        await sql.query(sql.Query(database=f"sqlite:///{tmp_path}/mistyped.db", statement="SELECT 1"))

    assert raised.value.message == f"Database 'sqlite:///{tmp_path}/mistyped.db': unable to open database file"
    assert list(tmp_path.iterdir()) == []
    await sql.close()
    # The connection's thread answers to this test's event loop.
    await until(lambda: not any("_connection_worker_thread" in thread.name for thread in threading.enumerate()))


# Values


class Everything(BaseModel):
    """A value of each type that rows carry."""

    id: UUID
    absent: str | None
    flag: bool
    whole: int
    real: float
    exact: Decimal
    name: str
    raw: bytes
    naive: datetime
    aware: datetime
    day: date
    hour: time
    span: timedelta


EVERYTHING = Everything(
    id=UUID(int=7),
    absent=None,
    flag=True,
    whole=2**40,
    real=0.1,
    exact=Decimal("12345678901234567890.10"),
    name="Ünï \N{PILE OF POO}",
    raw=bytes(range(256)),
    naive=datetime(2025, 11, 23, 17, 0, 0, 123456),
    aware=datetime(2025, 11, 23, 17, 0, tzinfo=UTC),
    day=date(2025, 2, 28),
    hour=time(23, 59, 59, 5),
    span=timedelta(days=-1, seconds=5, microseconds=7),
)


async def test_values_of_every_type_come_back(database: Database) -> None:
    """What a write stores, a query returns: as the same model, and on PostgreSQL as the same types."""
    types = {
        "id": "UUID",
        "absent": "TEXT",
        "flag": "BOOLEAN",
        "whole": "BIGINT",
        "real": "DOUBLE PRECISION",
        "exact": database.rename(sqlite="TEXT", postgresql="NUMERIC"),
        "name": "TEXT",
        "raw": database.rename(sqlite="BLOB", postgresql="BYTEA"),
        "naive": "TIMESTAMP",
        "aware": "TIMESTAMP WITH TIME ZONE",
        "day": "DATE",
        "hour": "TIME",
        "span": "INTERVAL",
    }
    database.read(f"CREATE TABLE everything ({', '.join(f'{name} {kind}' for name, kind in types.items())})")
    values = EVERYTHING.model_dump()

    await change(f"INSERT INTO everything VALUES ({', '.join(f':{name}' for name in types)})", **values)
    rows = await ask("SELECT * FROM everything")
    over_the_wire = sql.Rows.model_validate_json(rows.model_dump_json())

    assert over_the_wire.into(Everything) == [EVERYTHING]
    assert over_the_wire == rows
    if database.kind == "postgresql":
        assert rows.dicts() == [values]
    else:
        assert rows.rows == [
            (
                "00000000-0000-0000-0000-000000000007",
                None,
                1,
                2**40,
                0.1,
                "12345678901234567890.10",
                EVERYTHING.name,
                EVERYTHING.raw,
                "2025-11-23 17:00:00.123456",
                "2025-11-23 17:00:00+00:00",
                "2025-02-28",
                "23:59:59.000005",
                "-PT23H59M54.999993S",
            )
        ]


async def test_json_is_stored_as_json(database: Database) -> None:
    """An object is stored as JSON: PostgreSQL returns the object, SQLite its text."""
    database.read(f"CREATE TABLE notes (note {database.rename(sqlite='TEXT', postgresql='JSONB')})")

    await change("INSERT INTO notes VALUES (:note)", note={"a": [1, None, "ü"], "$date": "x"})

    assert (await ask("SELECT note FROM notes")).scalar() == database.rename(
        sqlite='{"a": [1, null, "\\u00fc"], "$date": "x"}', postgresql={"a": [1, None, "ü"], "$date": "x"}
    )


async def test_arrays_are_lists(on_postgres: Database) -> None:
    """PostgreSQL's arrays and JSON numbers come as lists, with the types of their items."""
    rows = await ask("SELECT ARRAY[1.10, NULL]::numeric[] AS a, ARRAY['x'] AS b, '[1, 2.5]'::json AS c")

    assert rows.rows == [([Decimal("1.10"), None], ["x"], [1, 2.5])]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("int4range(1, 5)", "is a Range, which is not carried: convert it in the statement, as in CAST(… AS text)"),
        ("'NaN'::float8", "is nan, which JSON cannot carry: use NULL or text for it"),
        (
            "'10.0.0.1'::inet",
            "is a IPv4Address, which is not carried: convert it in the statement, as in CAST(… AS text)",
        ),
    ],
)
async def test_a_value_that_is_not_carried_names_its_column(
    on_postgres: Database, expression: str, expected: str
) -> None:
    """A cell of a type that rows do not carry is refused with its column, its row and what to do."""
    with pytest.raises(PayloadError) as raised:
        await ask(f"SELECT sku, {expression} AS odd FROM stock WHERE sku = 'pear'")

    assert raised.value.message == f"Database {DATABASE!r}: column 'odd' of row 1 {expected}"
    assert raised.value.path == "odd"


async def test_a_number_that_sqlite_cannot_hold_is_refused(on_sqlite: Database) -> None:
    """A whole number over 64 bits is an error of the request, named by its place and not shown."""
    with pytest.raises(sql.StatementError) as raised:
        await ask("SELECT :small, :large", small=1, large=2**63)

    assert raised.value.message == (
        f"Database {DATABASE!r}: parameter 2 is a whole number of more than 64 bits, which SQLite has no type for"
    )


# Writes


async def test_a_write_says_what_each_statement_did(database: Database) -> None:
    """A write answers with the rows that each statement changed and returned, in one transaction."""
    written = await sql.write(
        sql.Write(
            database=DATABASE,
            key="restock",
            statements=[
                sql.Statement(statement="UPDATE stock SET quantity = quantity + 1"),
                sql.Statement(statement="DELETE FROM stock WHERE sku = 'plum'"),
                sql.Statement(
                    statement="INSERT INTO stock VALUES (:sku, 3) RETURNING sku, quantity", parameters={"sku": "plum"}
                ),
                sql.Statement(statement="CREATE TABLE later (id INTEGER)"),
            ],
        )
    )

    assert written == sql.Written(
        rowcounts=[2, 0, 1, 0],
        returned=[None, None, sql.Rows(columns=["sku", "quantity"], rows=[("plum", 3)]), None],
    )
    assert database.read("SELECT sku, quantity FROM stock ORDER BY sku") == ["apple|11", "pear|6", "plum|3"]


async def test_a_write_is_made_whole_or_not_at_all(database: Database) -> None:
    """When a later statement fails, the earlier ones have no effect, tables included, and the key stays free."""
    statements = [
        sql.Statement(statement="CREATE TABLE later (id INTEGER)"),
        sql.Statement(statement="UPDATE stock SET quantity = 0"),
        sql.Statement(statement="INSERT INTO movements VALUES ('plum', 1)"),
    ]
    with pytest.raises(sql.IntegrityError, match=r"statement 3 of 3: "):
        await sql.write(sql.Write(database=DATABASE, key="k", statements=statements))

    assert database.read("SELECT quantity FROM stock ORDER BY sku") == ["10", "5"]
    assert await sql.write(sql.Write(database=DATABASE, key="k", statements=statements[:1])) == sql.Written(
        rowcounts=[0], returned=[None]
    )


async def test_a_write_that_returns_too_much_changes_nothing(database: Database) -> None:
    """The limit on what a write returns is checked before it is committed."""
    with pytest.raises(PayloadError, match=r"^PayloadError: Database .* returned more than 1 rows"):
        await sql.write(
            sql.Write(
                database=DATABASE,
                key="k",
                maximum_rows=1,
                statements=[sql.Statement(statement="UPDATE stock SET quantity = 0 RETURNING sku")],
            )
        )

    assert database.read("SELECT quantity FROM stock ORDER BY sku") == ["10", "5"]


@pytest.mark.parametrize(
    "statement",
    ["COMMIT", "  end", "ROLLBACK;", "/* a */ -- b\n;Commit", "rollback and chain", "PREPARE TRANSACTION 'x'", "ABORT"],
)
async def test_a_statement_cannot_end_the_transaction(database: Database, statement: str) -> None:
    """A statement that would commit or roll back on its own is refused: the key would be torn from its effect."""
    with pytest.raises(sql.StatementError) as raised:
        await sql.write(
            sql.Write(
                database=DATABASE,
                key="k",
                statements=[
                    sql.Statement(statement="UPDATE stock SET quantity = 0"),
                    sql.Statement(statement=statement),
                ],
            )
        )

    assert raised.value.message == (
        f"Database {DATABASE!r}: a statement must not end the transaction: it is committed at the end of the block, "
        "with its idempotency key"
    )
    assert database.read("SELECT quantity FROM stock ORDER BY sku") == ["10", "5"]


# Errors


@pytest.mark.parametrize(
    ("statement", "parameters", "kind", "sqlite_says", "postgres_says"),
    [
        (
            "SELEC 1",
            {},
            sql.StatementError,
            ('near "SELEC": syntax error', "SQLITE_ERROR"),
            ('syntax error at or near "SELEC"', "42601"),
        ),
        (
            "UPDATE nowhere SET a = 1",
            {},
            sql.StatementError,
            ("no such table: nowhere", "SQLITE_ERROR"),
            ('relation "nowhere" does not exist', "42P01"),
        ),
        (
            "INSERT INTO stock VALUES (:sku, 1)",
            {"sku": "apple"},
            sql.IntegrityError,
            ("UNIQUE constraint failed: stock.sku", "SQLITE_CONSTRAINT"),
            ('duplicate key value violates unique constraint "stock_pkey"', "23505"),
        ),
        (
            "INSERT INTO movements VALUES (:sku, 1)",
            {"sku": "hunter2"},
            sql.IntegrityError,
            ("FOREIGN KEY constraint failed", "SQLITE_CONSTRAINT"),
            (
                'insert or update on table "movements" violates foreign key constraint "movements_sku_fkey"',
                "23503",
            ),
        ),
        (
            "UPDATE stock SET quantity = :quantity",
            {"quantity": None},
            sql.IntegrityError,
            ("NOT NULL constraint failed: stock.quantity", "SQLITE_CONSTRAINT"),
            ('null value in column "quantity" of relation "stock" violates not-null constraint', "23502"),
        ),
        (
            "UPDATE stock SET quantity = -1",
            {},
            sql.IntegrityError,
            ("CHECK constraint failed: quantity >= 0", "SQLITE_CONSTRAINT"),
            ('new row for relation "stock" violates check constraint "stock_quantity_check"', "23514"),
        ),
    ],
)
async def test_what_is_wrong_with_a_statement_is_terminal(
    database: Database,
    statement: str,
    parameters: dict[str, Any],
    kind: type[ApplicationError],
    sqlite_says: tuple[str, str],
    postgres_says: tuple[str, str],
) -> None:
    """Syntax errors, missing tables and constraints end the step, with the database's words and without values."""
    problem, code = sqlite_says if database.kind == "sqlite" else postgres_says

    with pytest.raises(ApplicationError) as raised:
        await change(statement, **parameters)

    error = raised.value
    assert type(error) is kind
    shown = statement if database.kind == "sqlite" else statement.replace(":sku", "$1").replace(":quantity", "$1")
    shown = shown.replace(":sku", "?").replace(":quantity", "?")
    assert error.message == f"Database {DATABASE!r}: {problem} [in: {shown}]"
    assert error.details == ({"database": DATABASE, "code": code},)
    assert error.non_retryable
    assert error.__cause__ is None
    assert classify(error) is error
    assert "hunter2" not in error.message


@pytest.mark.parametrize(
    ("statement", "value", "expected"),
    [
        (
            "SELECT CAST(CAST(:value AS text) AS integer)",
            'hun"ter2',
            'invalid input syntax for type integer: "…" [in: SELECT CAST(CAST($1 AS text) AS integer)]',
        ),
        (
            "SELECT CAST(:value AS integer)",
            "hunter2",
            "parameter 1 has a type that does not fit its place: send another or CAST it "
            "[in: SELECT CAST($1 AS integer)]",
        ),
        (
            "SELECT CAST(:value AS uuid)",
            "hunter2",
            "parameter 1 has a type that does not fit its place: send another or CAST it [in: SELECT CAST($1 AS uuid)]",
        ),
        ("SELECT 1 / CAST(:value AS integer)", 0, "division by zero [in: SELECT 1 / CAST($1 AS integer)]"),
        (
            "SELECT 1; SELECT CAST(:value AS text)",
            "hunter2",
            "cannot insert multiple commands into a prepared statement [in: SELECT 1; SELECT CAST($1 AS text)]",
        ),
    ],
)
async def test_a_value_of_the_wrong_type_is_terminal_and_not_shown(
    on_postgres: Database, statement: str, value: object, expected: str
) -> None:
    """PostgreSQL and its driver repeat values in their messages; the step's error does not."""
    with pytest.raises(sql.StatementError) as raised:
        await ask(statement, value=value)

    assert raised.value.message == f"Database {DATABASE!r}: {expected}"
    assert raised.value.non_retryable


async def test_a_wrong_password_is_terminal_and_not_shown(
    on_postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A login that is refused ends the step, and no message holds the password."""
    assert on_postgres.server is not None
    monkeypatch.setenv("STOCK_DATABASE_URL", on_postgres.server.url(password="hunter2"))

    with pytest.raises(sql.DatabaseRefused) as raised:
        await ask("SELECT 1")

    assert raised.value.message == f'Database {DATABASE!r}: password authentication failed for user "segue"'
    assert raised.value.code == "28P01"


async def test_a_rotated_password_is_taken_up(on_postgres: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that finds another URL under the same reference uses it from then on."""
    assert on_postgres.server is not None
    monkeypatch.setenv("STOCK_DATABASE_URL", on_postgres.server.url(password="hunter2"))
    with pytest.raises(sql.DatabaseRefused):
        await ask("SELECT 1")

    monkeypatch.setenv("STOCK_DATABASE_URL", on_postgres.url)

    assert (await ask("SELECT count(*) FROM stock")).scalar() == 2


async def test_a_system_decides_what_its_errors_mean(on_sqlite: Database) -> None:
    """An error class that the activity's system declares keeps its meaning there, and loses its cause."""
    upstream = System("test-sql-upstream", retryable=(IntegrityError,))

    @upstream.activity(name="insert_of_test_sql")
    async def insert() -> None:
        async with sql.once(DATABASE) as effect:
            await effect.connection.execute(text("INSERT INTO stock VALUES ('apple', 1)"))

    with pytest.raises(IntegrityError) as raised:
        await attempt(activity_type="insert_of_test_sql").run(insert)

    assert raised.value.__cause__ is None
    seen = classify(raised.value, upstream)
    assert isinstance(seen, ApplicationError)
    assert not seen.non_retryable
