"""Servers that go away, transactions in each other's way, and time that runs out."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sqlite3
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.activities import sql_postgres
from tests.activities.sql_databases import (
    FOREVER,
    Database,
    ask,
    attempt,
    change,
    set_up,
    until,
)
from tests.activities.sql_postgres import PostgresServer
from tests.activities.sql_processes import DATABASE, TAKE_ONE

from segue.activities import sql

pytest_plugins = ["tests.activities.sql_fixtures"]


@contextlib.contextmanager
def server_of(database: Database) -> Generator[PostgresServer]:
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
async def test_a_server_that_stops_in_a_transaction_is_tried_again(on_postgres: Database, how: signal.Signals) -> None:
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
    assert (
        error.message == f"Database {DATABASE!r}: deadlock detected [in: UPDATE stock SET quantity = 1 WHERE sku = $1]"
    )
    assert (error.code, error.non_retryable) == ("40P01", False)


async def test_a_serialization_failure_is_tried_again(on_postgres: Database) -> None:
    """Where the database is set to stricter isolation, one of two transactions that read what the other writes is."""
    name = on_postgres.url.rpartition("/")[2]
    on_postgres.read(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")
    both = asyncio.Barrier(2)

    async def count_and_add(key: str, wait: bool = True) -> None:
        async with sql.once(DATABASE, key=key) as effect:
            await effect.connection.execute(text("SELECT count(*) FROM movements"))
            if wait:
                await both.wait()
            await effect.connection.execute(text("INSERT INTO movements VALUES ('apple', 1)"))

    results = await asyncio.gather(count_and_add("a"), count_and_add("b"), return_exceptions=True)
    (failed,) = [key for key, result in zip("ab", results, strict=True) if result is not None]
    error = results["ab".index(failed)]
    await count_and_add(failed, wait=False)

    assert isinstance(error, sql.TransactionConflict)
    assert (error.code, error.non_retryable) == ("40001", False)
    assert on_postgres.effects == ("10", "2")


async def test_effects_happen_once_under_stricter_isolation(on_postgres: Database) -> None:
    """Attempts at once that are tried again on conflict make one effect, where conflicts come instead of waits."""
    name = on_postgres.url.rpartition("/")[2]
    on_postgres.read(f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'")

    async def tried_again() -> bool:
        for _ in range(50):
            with contextlib.suppress(sql.TransactionConflict):
                return (await sql.write(TAKE_ONE)).replayed
        raise AssertionError("still in conflict after 50 attempts")

    replayed = await asyncio.gather(*(tried_again() for _ in range(8)))

    assert sorted(replayed) == [False] + [True] * 7
    assert on_postgres.effects == ("9", "1")


async def test_a_table_altered_meanwhile_is_tried_again(on_postgres: Database) -> None:
    """A migration makes prepared statements invalid: that is no fault of theirs, and the next attempt prepares anew."""

    async def take(key: str) -> None:
        async with sql.once(DATABASE, key=key) as effect:
            await effect.connection.execute(text("SELECT * FROM stock"))

    await take("a")
    assert len(await ask("SELECT * FROM stock")) == 2
    on_postgres.read("ALTER TABLE stock ADD COLUMN place TEXT")

    with pytest.raises(sql.TransactionConflict) as raised:
        await take("b")
    await take("b")

    assert raised.value.message == (
        f"Database {DATABASE!r}: a table was altered since this worker prepared the statement [in: SELECT * FROM stock]"
    )
    assert (await ask("SELECT * FROM stock")).columns == ["sku", "quantity", "place"]


async def test_a_lock_that_another_process_holds_is_waited_for(on_sqlite: Database) -> None:
    """A write waits for another process to release SQLite's lock, for as long as its attempt lasts."""
    path = on_sqlite.url.removeprefix("sqlite:///")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sql.TransactionConflict) as raised:
            await attempt(1).run(sql.write, TAKE_ONE)
        waiting = asyncio.create_task(attempt(30).run(sql.write, TAKE_ONE))
        done, _ = await asyncio.wait({waiting}, timeout=1)
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
    """A query that takes longer than its attempt is ended at the database, and leaves a clean pool."""
    with pytest.raises(sql.StatementTimeout) as raised:
        await attempt(1).run(sql.query, sql.Query(database=DATABASE, statement=FOREVER))

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
    with pytest.raises(asyncio.CancelledError):
        await write

    await until(lambda: running(database) == [])
    assert (await attempt(5).run(sql.write, TAKE_ONE)).replayed is False
    assert database.effects == ("9", "1")


async def test_a_connection_that_is_given_up_lets_go_of_the_lock(on_sqlite: Database) -> None:
    """A statement that somebody still holds, as a cancelled task's traceback may, does not keep the database locked."""
    held: list[object] = []

    async def give_up() -> None:
        async with sql.once(DATABASE, key="k") as effect:
            await effect.connection.execute(text("UPDATE stock SET quantity = 0"))
            driver = (await effect.connection.get_raw_connection()).driver_connection
            assert driver is not None
            cursor = await driver.execute("SELECT sku FROM stock")
            assert await cursor.fetchone() == ("apple",)
            held.append(cursor)
            await effect.connection.invalidate()

    with pytest.raises(sql.DatabaseUnavailable):
        await give_up()

    assert (await attempt(5).run(sql.write, TAKE_ONE)).replayed is False
    assert on_sqlite.effects == ("9", "1")


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

    ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'segue' AND datname = current_database()"
    await until(lambda: on_postgres.read(ours) == ["0"])


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


def test_the_servers_binaries_may_be_unreadable_to_its_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test server also runs where its account may not read the environment, as in a home of root's."""

    def unreadable(program: Path, account: str) -> bool:
        return False

    monkeypatch.setattr(sql_postgres, "readable", unreadable)
    server = PostgresServer()
    try:
        assert server.psql("SELECT 1") == "1"
    finally:
        server.close()
