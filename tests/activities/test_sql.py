"""The SQL connector against SQLite and a real PostgreSQL server, with the same code. Effects are counted by others."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time as clock
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar, assert_type
from uuid import UUID

import pytest
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from segue.activities import PayloadError, System, Terminal, idempotency_key, sql
from segue.activities.errors import classify
from segue.activities.sql import sqlite
from tests.activities.sql_orders import MARKER, TASK_QUEUE, Order, Report, Reservation, TakeOrder
from tests.activities.sql_postgres import PASSWORD, PostgresServer
from tests.activities.sql_processes import DATABASE, TAKE_ONE

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL server for the session; each test has a database of its own on it."""
    server = PostgresServer()
    yield server
    server.close()


@dataclasses.dataclass
class Database:
    """A database with ten apples in stock, seen from outside, not through the code under test."""

    kind: str
    url: str
    server: PostgresServer | None = None

    def read(self, statement: str) -> list[str]:
        """What a statement answers, each row as text with `|` between its columns."""
        if self.server is not None:
            return self.server.psql(statement, self.url.rpartition("/")[2]).splitlines()
        with contextlib.closing(sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=60)) as connection:
            rows = connection.execute(statement).fetchall()
            connection.commit()
        return ["|".join("" if cell is None else str(cell) for cell in row) for row in rows]

    @property
    def effects(self) -> tuple[str, str]:
        """How many apples are left, and how often some were taken."""
        return self.read("SELECT quantity FROM stock WHERE sku = 'apple'")[0], self.read("SELECT count(*) FROM movements")[0]

    def rename(self, **texts: str) -> str:
        """The text for this kind of database."""
        return texts[self.kind]


def set_up(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Database:
    if kind == "sqlite":
        database = Database(kind, f"sqlite:///{tmp_path / 'stock.db'}")
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        database = Database(kind, server.new_database(), server)
    database.read("CREATE TABLE stock (sku VARCHAR(20) PRIMARY KEY, quantity INTEGER NOT NULL CHECK (quantity >= 0))")
    database.read("CREATE TABLE movements (sku VARCHAR(20) NOT NULL REFERENCES stock (sku), taken INTEGER NOT NULL)")
    database.read("INSERT INTO stock VALUES ('apple', 10), ('pear', 5)")
    monkeypatch.setenv("STOCK_DATABASE_URL", database.url)
    return database


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    """Each kind of database in turn."""
    yield set_up(request.param, tmp_path, monkeypatch, request)
    await sql.close()


@pytest.fixture
async def on_sqlite(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    """SQLite, for what only SQLite does."""
    yield set_up("sqlite", tmp_path, monkeypatch, request)
    await sql.close()


@pytest.fixture
async def on_postgres(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    """PostgreSQL, for what only PostgreSQL does."""
    yield set_up("postgresql", tmp_path, monkeypatch, request)
    await sql.close()


def attempt(start_to_close: float = 30, **info: Any) -> ActivityEnvironment:
    """One attempt of a step that has so many seconds."""
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(
        environment.info,
        started_time=datetime.now(UTC),
        scheduled_time=datetime.now(UTC),
        start_to_close_timeout=timedelta(seconds=start_to_close),
        schedule_to_close_timeout=None,
        **info,
    )
    return environment


async def ask(statement: str, **parameters: Any) -> sql.Rows:
    return await sql.query(sql.Query(database=DATABASE, statement=statement, parameters=parameters))


async def change(statement: str, key: str = "change", **parameters: Any) -> sql.Written:
    return await sql.write(
        sql.Write(
            database=DATABASE, key=key, statements=[sql.Statement(statement=statement, parameters=parameters)]
        )
    )


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for a condition, looking often."""
    give_up = clock.monotonic() + seconds
    while not condition():
        assert clock.monotonic() < give_up, "the condition did not come true"
        await asyncio.sleep(0.02)


@contextlib.contextmanager
def another(role: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Another worker process, in a role of `sql_processes`."""
    command = [sys.executable, "-m", "tests.activities.sql_processes", role, *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def contenders(processes: int, writes: int) -> Iterator[list[subprocess.Popen[str]]]:
    """Other processes that are ready to write the same effect, each several times at once."""
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(another("contend", str(writes))) for _ in range(processes)]
        for other in others:
            assert line_of(other) == "ready\n"
        yield others


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


# Queries


async def test_a_query_returns_columns_and_rows(database: Database) -> None:
    """A query answers with its columns and rows, its parameters beside the text, a list for several values."""
    rows = await ask(
        "SELECT sku, quantity FROM stock WHERE sku IN :skus AND quantity > :more ORDER BY sku",
        skus=["apple", "pear", "'; DROP TABLE stock; --"],
        more=5,
    )

    assert rows == sql.Rows(columns=["sku", "quantity"], rows=[("apple", 10)])
    assert await ask("SELECT sku FROM stock WHERE sku = 'plum'") == sql.Rows(columns=["sku"], rows=[])


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ({"maximum_rows": 2}, "more than 2 rows, the request's maximum_rows"),
        ({"maximum_bytes": 100}, "more than 100 bytes of rows, the request's maximum_bytes"),
    ],
)
async def test_a_result_that_is_too_large_is_refused(
    database: Database, limit: dict[str, int], expected: str
) -> None:
    """A result over a limit is refused, not cut short, with what to do about it."""
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT i FROM n"

    with pytest.raises(PayloadError) as raised:
        await sql.query(sql.Query(database=DATABASE, statement=numbers, **limit))

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
    nothing: str | None
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
    nothing=None,
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
    """What a write stores, a query returns: as the same model from both databases, and on PostgreSQL as the same types."""
    types = {
        "id": "UUID",
        "nothing": "TEXT",
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


# Effects that happen once


async def test_a_second_write_with_the_same_key_is_replayed(database: Database) -> None:
    """The same write again changes nothing and answers what the first one answered."""
    first = await sql.write(TAKE_ONE)
    second = await sql.write(TAKE_ONE)

    assert first == sql.Written(
        rowcounts=[1, 1], returned=[None, sql.Rows(columns=["sku", "taken"], rows=[("apple", 1)])], replayed=False
    )
    assert second == first.model_copy(update={"replayed": True})
    assert database.effects == ("9", "1")


async def test_a_step_has_a_key_of_its_own(database: Database) -> None:
    """Without a key a write takes its step's: the same for each attempt, another for another step."""
    request = TAKE_ONE.model_copy(update={"key": None})
    results = [
        await attempt(activity_id=step, attempt=number).run(sql.write, request)
        for step, number in (("take-1", 1), ("take-1", 2), ("take-2", 1))
    ]

    assert [result.replayed for result in results] == [False, True, False]
    assert database.effects == ("8", "2")


async def test_a_key_used_for_another_request_is_an_error(database: Database) -> None:
    """The same key with other statements fails, changes nothing, and is not tried again."""
    await sql.write(TAKE_ONE)

    with pytest.raises(sql.EffectConflict) as raised:
        await change("UPDATE stock SET quantity = 0", key="order-17")

    assert raised.value.message == (
        f"Database {DATABASE!r}: the effect 'order-17' was made for another request: give each effect of a step a key "
        "of its own, with idempotency_key(part), and a changed request a new key"
    )
    assert raised.value.non_retryable
    assert database.effects == ("9", "1")


async def test_many_processes_with_one_key_make_one_effect(database: Database) -> None:
    """Of 24 writes at once from four processes one takes effect, and the others wait for it and answer the same."""
    with contenders(3, 6) as others:
        for other in others:
            assert other.stdin is not None
            other.stdin.write("\n")
            other.stdin.flush()
        results = await asyncio.gather(*(sql.write(TAKE_ONE) for _ in range(6)))
        counts = [int(await asyncio.to_thread(line_of, other)) for other in others]

    assert sum(counts) + sum(result.replayed for result in results) == 23
    assert database.effects == ("9", "1")


async def test_many_keys_at_once_make_an_effect_each(database: Database) -> None:
    """Writers at once, more than there are connections, lose no update."""
    await asyncio.gather(
        *(
            change(
                "INSERT INTO movements SELECT sku, quantity FROM stock WHERE sku = :sku", key=f"order-{n}", sku="pear"
            )
            for n in range(40)
        )
    )

    assert database.read("SELECT count(*), sum(taken) FROM movements") == ["40|200"]
    assert database.read("SELECT count(*) FROM segue_effects") == ["40"]


async def test_a_worker_killed_after_the_commit_leaves_one_effect(database: Database) -> None:
    """A worker that dies between commit and report has made the effect; the next attempt returns its result."""
    with another("die_after_commit") as other:
        assert other.wait(60) == -signal.SIGKILL
    assert database.effects == ("9", "1")

    result = await sql.write(TAKE_ONE)

    assert result == sql.Written(
        rowcounts=[1, 1], returned=[None, sql.Rows(columns=["sku", "taken"], rows=[("apple", 1)])], replayed=True
    )
    assert database.effects == ("9", "1")


async def test_a_worker_killed_before_the_commit_leaves_no_effect(database: Database) -> None:
    """A worker that dies in its transaction has changed nothing, and the next attempt makes the effect."""
    with another("die_before_commit") as other:
        assert other.wait(60) == -signal.SIGKILL

    result = await sql.write(TAKE_ONE)

    assert not result.replayed
    assert database.effects == ("9", "1")


async def test_the_server_frees_what_a_dead_worker_held(on_postgres: Database) -> None:
    """The statement of a killed worker ends at its attempt's time, at the server, and the next attempt goes on."""
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'"
    with another("sleep_in_statement", "3") as other:
        assert line_of(other) == "ready\n"
        await until(lambda: on_postgres.read(sleeping) == ["1"])
        other.kill()
    assert on_postgres.read(sleeping) == ["1"]

    result = await attempt(20).run(sql.write, TAKE_ONE)

    assert not result.replayed
    assert on_postgres.effects == ("9", "1")


async def test_the_table_of_effects_is_made_by_many_at_once(on_postgres: Database) -> None:
    """Processes that all find the table missing do not fail for making it at the same time."""
    with contenders(4, 1) as others:
        printed = await asyncio.gather(*(asyncio.to_thread(other.communicate, "\n") for other in others))

    assert sorted(out for out, _ in printed) == ["0\n", "1\n", "1\n", "1\n"]


async def test_a_role_that_may_not_create_tables_is_told_what_to_do(
    on_postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A role without the right to create tables gets the table's SQL, and works once somebody has run it."""
    assert on_postgres.server is not None
    on_postgres.read("CREATE ROLE clerk LOGIN PASSWORD 'secret'")
    on_postgres.read("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO clerk")
    name = on_postgres.url.rpartition("/")[2]
    monkeypatch.setenv("STOCK_DATABASE_URL", f"postgresql://clerk:secret@127.0.0.1:{on_postgres.server.port}/{name}")

    with pytest.raises(sql.DatabaseRefused) as raised:
        await sql.write(TAKE_ONE)
    assert raised.value.message == (
        f"Database {DATABASE!r}: its role cannot make the table of effects: make it once with\n{sql.TABLE}"
    )

    on_postgres.read(sql.TABLE)
    on_postgres.read("GRANT SELECT, INSERT, UPDATE ON segue_effects TO clerk")
    assert not (await sql.write(TAKE_ONE)).replayed


# A user's own activities


class OutOfStock(Terminal):
    pass


inventory = System("test-sql-inventory", terminal=(OutOfStock,))


@inventory.activity
@sql.transaction(DATABASE)
async def reserve(connection: sql.Connection, order: Order) -> Reservation:
    """Take from stock what is ordered, if it is there."""
    values = {"sku": order.sku, "taken": order.quantity}
    taken = await connection.execute(
        text("UPDATE stock SET quantity = quantity - :taken WHERE sku = :sku AND quantity >= :taken"), values
    )
    await connection.execute(text("INSERT INTO movements VALUES (:sku, :taken)"), values)
    if taken.rowcount == 0:
        raise OutOfStock(f"No {order.quantity} of {order.sku!r}")
    return Reservation(order_id=order.id, attempt=len(order.id))


APPLES = Order(id="order-1", sku="apple", quantity=4)


async def test_a_function_is_one_transaction_once(database: Database) -> None:
    """A function made a transaction takes effect once a step, and each attempt gets the typed result."""
    first = await attempt().run(reserve, APPLES)
    second = await attempt(attempt=2).run(reserve, APPLES)

    assert_type(first, Reservation)
    assert first == second == Reservation(order_id="order-1", attempt=7)
    assert database.effects == ("6", "1")
    assert database.read("SELECT result FROM segue_effects") == ['{"order_id":"order-1","attempt":7}']


async def test_a_function_that_raises_changes_nothing(database: Database) -> None:
    """An exception of the function's own passes as it is, with all rolled back and the key free."""
    too_many = APPLES.model_copy(update={"quantity": 11})
    with pytest.raises(OutOfStock, match=r"No 11 of 'apple'"):
        await attempt().run(reserve, too_many)
    assert database.effects == ("10", "0")

    assert await attempt(attempt=2).run(reserve, APPLES) == Reservation(order_id="order-1", attempt=7)
    assert database.effects == ("6", "1")


async def test_another_argument_under_the_same_key_is_an_error(database: Database) -> None:
    """A step that asks for something else than its first attempt did is refused."""
    await attempt().run(reserve, APPLES)

    with pytest.raises(sql.EffectConflict, match=r"was made for another request"):
        await attempt().run(reserve, APPLES.model_copy(update={"quantity": 1}))

    assert database.effects == ("6", "1")


async def test_temporal_sees_the_function_without_its_connection() -> None:
    """Temporal reads the callers' parameters and types; the connection is not among them."""
    from temporalio.activity import _Definition

    definition = _Definition.must_from_callable(reserve)

    assert definition.name == "reserve"
    assert definition.arg_types == [Order]
    assert definition.ret_type is Reservation


def test_a_function_that_cannot_be_a_transaction_is_refused() -> None:
    """A function without a connection, a method, and one that does not say what it returns are refused at once."""

    async def no_connection() -> None: ...

    async def method(self: object, connection: sql.Connection) -> None: ...

    async def untyped(connection: sql.Connection):  # type: ignore[no-untyped-def] # noqa: ANN202
        ...

    expected = {
        no_connection: "needs a function whose first parameter is the connection",
        method: "needs a function whose first parameter is the connection",
        untyped: "does not say what it returns, which the next attempt must know",
    }
    for function, problem in expected.items():
        with pytest.raises(TypeError) as raised:
            sql.transaction(DATABASE)(function)  # type: ignore[arg-type] # pyright: ignore
        assert str(raised.value) == f"Transaction {function.__qualname__!r} {problem}"


async def test_a_block_takes_effect_once(database: Database) -> None:
    """A block in an activity with other work around it takes effect once; a second block needs a part of its own."""

    async def fulfil(order: Order) -> tuple[Reservation, bool, bool]:
        async with sql.once(DATABASE, Reservation, request=order) as effect:
            if not effect.done:
                await effect.connection.execute(text("UPDATE stock SET quantity = quantity - 1 WHERE sku = 'apple'"))
                effect.result = Reservation(order_id=order.id, attempt=1)
        assert_type(effect.result, Reservation)
        async with sql.once(DATABASE, key=idempotency_key("note"), request=order) as note:
            if not note.done:
                await note.connection.execute(text("INSERT INTO movements VALUES ('apple', 1)"))
        return effect.result, effect.done, note.done

    reservation = Reservation(order_id="order-1", attempt=1)
    assert await attempt().run(fulfil, APPLES) == (reservation, False, False)
    assert await attempt(attempt=2).run(fulfil, APPLES) == (reservation, True, True)
    assert database.effects == ("9", "1")


async def test_a_block_that_sets_no_result_is_an_error(database: Database) -> None:
    """A block that promised a result and gave none is rolled back; a stored result is not overwritten."""
    with pytest.raises(LookupError, match=r"^The effect has no result yet: set effect.result in the block"):
        async with sql.once(DATABASE, Reservation, key="k") as effect:
            await effect.connection.execute(text("UPDATE stock SET quantity = 0"))
    assert database.effects == ("10", "0")

    async with sql.once(DATABASE, int, key="k") as number:
        number.result = 1
    with pytest.raises(LookupError, match=r"^The effect was made before, and its result is stored"):
        async with sql.once(DATABASE, int, key="k") as number:
            number.result = 2


async def test_a_result_that_cannot_be_stored_faithfully_is_refused(database: Database) -> None:
    """A result that the next attempt would get altered is an error now, and nothing is written."""
    with pytest.raises(PayloadError, match=r"nan, which JSON cannot carry"):
        async with sql.once(DATABASE, float, key="k") as effect:
            await effect.connection.execute(text("UPDATE stock SET quantity = 0"))
            effect.result = float("nan")

    assert database.effects == ("10", "0")


async def test_a_block_cannot_commit_by_itself(database: Database) -> None:
    """Neither commit() nor rollback() of the block tears the effect from its key; a savepoint is the block's own."""

    async def use(how: Callable[[sql.Connection], Any]) -> None:
        async with sql.once(DATABASE, key="k") as effect:
            await effect.connection.execute(text("UPDATE stock SET quantity = quantity - 1 WHERE sku = 'apple'"))
            await how(effect.connection)
            await effect.connection.execute(text("INSERT INTO movements VALUES ('apple', 1)"))

    for how in (lambda connection: connection.commit(), lambda connection: connection.rollback()):
        with pytest.raises(sql.StatementError):
            await use(how)
        assert database.effects == ("10", "0")

    async def savepoint(connection: sql.Connection) -> None:
        with contextlib.suppress(IntegrityError):
            async with connection.begin_nested():
                await connection.execute(text("UPDATE stock SET quantity = 0 WHERE sku = 'apple'"))
                await connection.execute(text("INSERT INTO stock VALUES ('apple', 1)"))

    await use(savepoint)
    assert database.effects == ("9", "1")


async def test_a_swallowed_error_does_not_commit_half(on_postgres: Database) -> None:
    """After an error that the block swallows PostgreSQL takes no more statements, and the key is not stored."""
    with pytest.raises(sql.StatementError, match=r"current transaction is aborted"):
        async with sql.once(DATABASE, key="k") as effect:
            await effect.connection.execute(text("UPDATE stock SET quantity = 0"))
            with contextlib.suppress(IntegrityError):
                await effect.connection.execute(text("INSERT INTO stock VALUES ('apple', 1)"))

    assert on_postgres.effects == ("10", "0")


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
            "parameter 1 has a type that does not fit its place: send another or CAST it "
            "[in: SELECT CAST($1 AS uuid)]",
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

    assert raised.value.message == f"Database {DATABASE!r}: password authentication failed for user \"segue\""
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


# Servers that go away, transactions in each other's way, and time


@contextlib.contextmanager
def server_of(database: Database) -> Iterator[PostgresServer]:
    """The database's server, running again afterwards."""
    assert database.server is not None
    try:
        yield database.server
    finally:
        database.server.stop()
        database.server.start()


async def test_a_restart_between_two_steps_is_not_noticed(on_postgres: Database) -> None:
    """Connections that died in the pool are replaced before anything is asked over them."""
    await asyncio.gather(*(ask("SELECT pg_sleep(0.1)") for _ in range(4)))

    with server_of(on_postgres) as server:
        server.stop()
        server.start()
        assert (await ask("SELECT count(*) FROM stock")).scalar() == 2
        server.stop(signal.SIGQUIT)
        server.start()
        assert not (await sql.write(TAKE_ONE)).replayed

    assert on_postgres.effects == ("9", "1")


async def test_a_server_that_is_down_is_tried_again(on_postgres: Database) -> None:
    """A refused connection is no fault of the request; once the server is back, the same request succeeds."""
    assert (await ask("SELECT 1")).scalar() == 1
    with server_of(on_postgres) as server:
        server.stop()
        with pytest.raises(sql.DatabaseUnavailable) as raised:
            await ask("SELECT 1")
        server.start()

        assert raised.value.message.startswith(f"Database {DATABASE!r}: cannot be reached: ")
        assert not raised.value.non_retryable
        assert (await ask("SELECT 1")).scalar() == 1


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_a_server_that_stops_in_a_transaction_is_tried_again(
    on_postgres: Database, how: signal.Signals
) -> None:
    """A shutdown or a crash in mid-transaction leaves no effect, and the next attempt makes it."""

    async def take(stop: Callable[[], None]) -> None:
        async with sql.once(DATABASE, key="k") as effect:
            await effect.connection.execute(text("UPDATE stock SET quantity = quantity - 1 WHERE sku = 'apple'"))
            await asyncio.to_thread(stop)
            await effect.connection.execute(text("INSERT INTO movements VALUES ('apple', 1)"))

    with server_of(on_postgres) as server:
        with pytest.raises(sql.DatabaseUnavailable) as raised:
            await take(lambda: server.stop(how))
        server.start()
        await take(lambda: None)

    assert not raised.value.non_retryable
    assert on_postgres.effects == ("9", "1")


async def test_a_deadlock_is_tried_again(on_postgres: Database) -> None:
    """Of two transactions that wait for each other one is given up, and may be tried again."""
    both = asyncio.Barrier(2)

    async def lock(first: str, second: str) -> None:
        async with sql.once(DATABASE, key=first) as effect:
            update = text("UPDATE stock SET quantity = 1 WHERE sku = :sku")
            await effect.connection.execute(update, {"sku": first})
            await both.wait()
            await effect.connection.execute(update, {"sku": second})

    results = await asyncio.gather(lock("apple", "pear"), lock("pear", "apple"), return_exceptions=True)

    (error,) = [result for result in results if result is not None]
    assert isinstance(error, sql.TransactionConflict)
    assert error.message == f"Database {DATABASE!r}: deadlock detected [in: UPDATE stock SET quantity = 1 WHERE sku = $1]"
    assert (error.code, error.non_retryable) == ("40P01", False)


async def test_a_serialization_failure_is_tried_again(on_postgres: Database) -> None:
    """Where the database is set to stricter isolation, a conflict is retryable and the effect still happens once."""
    name = on_postgres.url.rpartition("/")[2]
    on_postgres.read(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")

    async def retried() -> tuple[bool, int]:
        for number in range(50):
            with contextlib.suppress(sql.TransactionConflict):
                return (await sql.write(TAKE_ONE)).replayed, number
        raise AssertionError("still in conflict after 50 attempts")

    results = await asyncio.gather(*(retried() for _ in range(8)))

    assert sorted(replayed for replayed, _ in results) == [False] + [True] * 7
    assert sum(conflicts for _, conflicts in results) > 0
    assert on_postgres.effects == ("9", "1")


async def test_a_lock_that_another_process_holds_is_waited_for(on_sqlite: Database) -> None:
    """A write waits for another process to release SQLite's lock, for as long as its attempt lasts."""
    path = on_sqlite.url.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sql.TransactionConflict) as raised:
            await attempt(1).run(sql.write, TAKE_ONE)
        waiting = asyncio.create_task(attempt(30).run(sql.write, TAKE_ONE))
        done, _ = await asyncio.wait({waiting}, timeout=2 * sqlite._BUSY_MS / 1000)
        other.execute("ROLLBACK")

    assert raised.value.message.startswith(f"Database {DATABASE!r}: is locked: other transactions held it for the ")
    assert not raised.value.non_retryable
    assert done == set()
    assert not (await waiting).replayed
    assert on_sqlite.effects == ("9", "1")


async def test_readers_do_not_wait_for_a_writer(on_sqlite: Database) -> None:
    """While one transaction writes, queries see the state before it."""
    async with sql.once(DATABASE, key="k") as effect:
        await effect.connection.execute(text("UPDATE stock SET quantity = 0"))
        assert (await ask("SELECT sum(quantity) FROM stock")).scalar() == 15

    assert (await ask("SELECT sum(quantity) FROM stock")).scalar() == 0


async def test_sqlite_is_set_to_be_durable(on_sqlite: Database) -> None:
    """A write goes to a database in WAL mode, waits for the disk, and checks references."""
    async with sql.once(DATABASE, key="k") as effect:
        settings = [
            (await effect.connection.execute(text(f"PRAGMA {name}"))).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]

    assert settings == ["wal", 2, 1]


def running(database: Database) -> list[str]:
    """What the server is doing for this test: statements that run, transactions that are open."""
    if database.server is None:
        return []
    return database.read(
        "SELECT state, query FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
    )


async def test_a_query_ends_with_its_attempt(database: Database) -> None:
    """A query that takes longer than its attempt is ended at the database, may be tried again, and leaves a clean pool."""
    started = clock.monotonic()

    with pytest.raises(sql.StatementTimeout) as raised:
        await attempt(1).run(sql.query, sql.Query(database=DATABASE, statement=FOREVER))

    assert clock.monotonic() - started < 5
    assert not raised.value.non_retryable
    await until(lambda: running(database) == [])
    assert (await attempt().run(sql.write, TAKE_ONE)).replayed is False


async def test_a_cancelled_step_ends_its_statement(database: Database) -> None:
    """Cancellation ends a write's statement at the database and rolls it back; the next one finds no lock."""
    step = attempt()
    request = sql.Write(
        database=DATABASE,
        key="k",
        statements=[
            sql.Statement(statement="UPDATE stock SET quantity = 0"),
            sql.Statement(statement=FOREVER),
        ],
    )
    write = asyncio.create_task(step.run(sql.write, request))
    if database.kind == "postgresql":
        await until(lambda: any(FOREVER in line for line in running(database)))
    else:
        # The lock is taken in the transaction's first step, and FOREVER is its last.
        await until(lambda: locked(database))
    step.cancel()
    started = clock.monotonic()
    with pytest.raises(asyncio.CancelledError):
        await write

    await until(lambda: running(database) == [])
    assert (await attempt(5).run(sql.write, TAKE_ONE)).replayed is False
    assert clock.monotonic() - started < 5
    assert database.effects == ("9", "1")


def locked(database: Database) -> bool:
    """Whether somebody holds SQLite's write lock."""
    path = database.url.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        other.execute("ROLLBACK")
        return False


async def test_a_stricter_limit_of_the_server_stays(on_postgres: Database) -> None:
    """Where the database ends statements earlier than the attempt would, it still does."""
    name = on_postgres.url.rpartition("/")[2]
    on_postgres.read(f"ALTER DATABASE {name} SET statement_timeout = '200ms'")

    with pytest.raises(sql.StatementTimeout) as raised:
        await attempt(30).run(sql.query, sql.Query(database=DATABASE, statement="SELECT pg_sleep(20)"))

    assert raised.value.message == f"Database {DATABASE!r}: canceling statement due to statement timeout"
    assert raised.value.code == "57014"


async def test_many_transactions_leave_no_connection_behind(on_postgres: Database) -> None:
    """More queries at once than there are connections all succeed, and closing leaves none open."""
    answers = await asyncio.gather(*(ask("SELECT CAST(:n AS integer)", n=n) for n in range(60)))
    assert [answer.scalar() for answer in answers] == list(range(60))

    await sql.close()

    await until(
        lambda: on_postgres.read(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'segue' AND datname = current_database()"
        )
        == ["0"]
    )


def test_each_event_loop_has_its_own_connections(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two event loops of one process use the same database, one after the other."""
    database = set_up("postgresql", tmp_path, monkeypatch, request)

    async def use(key: str) -> None:
        await change("UPDATE stock SET quantity = quantity - 1 WHERE sku = 'apple'", key=key)
        await sql.close()

    asyncio.run(use("a"))
    asyncio.run(use("b"))

    assert database.effects == ("8", "0")


# From end to end


async def test_a_workflow_takes_effect_once_though_its_worker_is_killed(
    database: Database, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker is killed between commit and completion; the ledger shows one effect, the run the first one's result."""
    marker = tmp_path / "died"
    monkeypatch.setenv(MARKER, str(marker))

    def worker() -> subprocess.Popen[bytes]:
        address = client.service_client.config.target_host
        return subprocess.Popen([sys.executable, "-m", "tests.activities.sql_orders", address], cwd=ROOT)

    order = Order(id="order-17", sku="apple", quantity=4)
    handle = await client.start_workflow(
        TakeOrder.run, order, id=f"sql-{database.kind}", task_queue=TASK_QUEUE, execution_timeout=timedelta(seconds=60)
    )
    first = worker()
    assert await asyncio.to_thread(first.wait, 60) == -signal.SIGKILL
    assert database.effects == ("6", "1")
    second = worker()
    try:
        report = await handle.result()
    finally:
        second.kill()
        second.wait(30)

    assert report == Report(
        reservation=Reservation(order_id="order-17", attempt=1),
        noted=sql.Written(rowcounts=[1], returned=[sql.Rows(columns=["sku", "taken"], rows=[("apple", 0)])]),
        stock=sql.Rows(columns=["sku", "quantity"], rows=[("apple", 6)]),
    )
    assert database.effects == ("6", "2")
    history = (await handle.fetch_history()).to_json()
    assert PASSWORD not in history
    assert "127.0.0.1" not in history


def test_the_servers_binaries_may_be_unreadable_to_its_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test server also runs where its account may not read the environment, as in a home of root's."""
    monkeypatch.setattr(PostgresServer, "_readable", lambda self, path: False)
    server = PostgresServer()
    try:
        assert server.psql("SELECT 1") == "1"
    finally:
        server.close()
