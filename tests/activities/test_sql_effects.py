"""Effects happen once: two attempts, many processes, killed workers. They are counted in the database, by others."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, assert_type, get_type_hints

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from temporalio.client import Client
from tests.activities.sql_databases import (
    ROOT,
    Database,
    another,
    attempt,
    change,
    contenders,
    line_of,
    until,
)
from tests.activities.sql_orders import MARKER, TASK_QUEUE, Order, Report, Reservation, TakeOrder
from tests.activities.sql_postgres import PASSWORD
from tests.activities.sql_processes import DATABASE, TAKE_ONE

from segue.activities import PayloadError, System, Terminal, idempotency_key, sql

pytest_plugins = ["tests.activities.sql_fixtures"]


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


@inventory.activity(name="test_sql.reserve")
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
    assert list(inspect.signature(reserve).parameters) == ["order"]
    assert get_type_hints(reserve) == {"order": Order, "return": Reservation}


def test_a_function_that_cannot_be_a_transaction_is_refused() -> None:
    """A function without a connection, a method, and one that does not say what it returns are refused at once."""

    async def no_connection() -> None: ...

    def not_async(connection: sql.Connection) -> None: ...

    async def method(self: object, connection: sql.Connection) -> None: ...

    async def untyped(connection: sql.Connection):  # type: ignore[no-untyped-def]
        ...

    expected = {
        no_connection: "needs a function whose first parameter is the connection",
        method: "needs a function whose first parameter is the connection",
        not_async: "must be an async function",
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

    async def forget() -> None:
        async with sql.once(DATABASE, Reservation, key="k") as effect:
            await effect.connection.execute(text("UPDATE stock SET quantity = 0"))

    with pytest.raises(LookupError, match=r"^The effect has no result yet: set effect.result in the block"):
        await forget()
    assert database.effects == ("10", "0")

    async def decide(value: int) -> None:
        async with sql.once(DATABASE, int, key="k") as effect:
            effect.result = value

    await decide(1)
    with pytest.raises(LookupError, match=r"^The effect was made before, and its result is stored"):
        await decide(2)


async def test_a_result_that_cannot_be_stored_faithfully_is_refused(database: Database) -> None:
    """A result that the next attempt would get altered is an error now, and nothing is written."""

    async def divide() -> None:
        async with sql.once(DATABASE, float, key="k") as effect:
            await effect.connection.execute(text("UPDATE stock SET quantity = 0"))
            effect.result = float("nan")

    with pytest.raises(PayloadError, match=r"nan, which JSON cannot carry"):
        await divide()

    assert database.effects == ("10", "0")


async def test_an_effect_within_an_effect_is_refused(database: Database) -> None:
    """A transaction that would wait for the one around it is an error at once; one after it is none."""

    async def nested() -> None:
        async with sql.once(DATABASE, key="outer") as effect:
            await effect.connection.execute(text("UPDATE stock SET quantity = 0"))
            await sql.write(TAKE_ONE)

    with pytest.raises(sql.StatementError) as raised:
        await nested()

    assert raised.value.message == (
        f"Database {DATABASE!r}: an effect within an effect would wait for the outer one, which waits for it: pass the "
        "outer connection on, or begin when the outer one has ended"
    )
    assert not (await sql.write(TAKE_ONE)).replayed
    assert database.effects == ("9", "1")


async def test_a_result_that_is_too_large_is_refused(database: Database) -> None:
    """A result that no step could return is an error before the effect is committed."""

    async def report() -> None:
        async with sql.once(DATABASE, str, key="k") as effect:
            await effect.connection.execute(text("UPDATE stock SET quantity = 0"))
            effect.result = "x" * 2 * 1024 * 1024

    with pytest.raises(PayloadError) as raised:
        await report()

    assert raised.value.message == (
        "The result of the effect 'k' is 2,097,154 characters as JSON, at most 2,097,152 are stored: "
        "write it to an object and return a reference to it"
    )
    assert database.effects == ("10", "0")


async def test_a_block_cannot_commit_by_itself(database: Database) -> None:
    """Neither commit() nor rollback() of the block tears the effect from its key; a savepoint is the block's own."""

    async def use(how: Callable[[sql.Connection], Any]) -> None:
        async with sql.once(DATABASE, key="k") as effect:
            await effect.connection.execute(text("UPDATE stock SET quantity = quantity - 1 WHERE sku = 'apple'"))
            await how(effect.connection)
            await effect.connection.execute(text("INSERT INTO movements VALUES ('apple', 1)"))

    async def commit(connection: sql.Connection) -> None:
        await connection.commit()

    async def roll_back(connection: sql.Connection) -> None:
        await connection.rollback()

    for how in (commit, roll_back):
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

    async def go_on() -> None:
        async with sql.once(DATABASE, key="k") as effect:
            await effect.connection.execute(text("UPDATE stock SET quantity = 0"))
            with contextlib.suppress(IntegrityError):
                await effect.connection.execute(text("INSERT INTO stock VALUES ('apple', 1)"))

    with pytest.raises(sql.StatementError, match=r"current transaction is aborted"):
        await go_on()

    assert on_postgres.effects == ("10", "0")


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
