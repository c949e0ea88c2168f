"""Requests to a database, references to it, and the values that travel: all that is decided without a database."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter
from sqlalchemy import text

from segue.activities import sql
from segue.activities.secrets import SecretError
from segue.activities.sql import _databases
from segue.activities.sql._databases import Address, resolve
from segue.activities.sql._effects import fingerprint
from segue.activities.sql._requests import placeholders
from segue.activities.sql._values import Value

ROOT = Path(__file__).parents[2]
VALUE: TypeAdapter[Any] = TypeAdapter(Value)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.datetimes()
    | st.datetimes(timezones=st.just(UTC) | st.just(timezone(timedelta(hours=-3, minutes=-30))))
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.uuids()
)
TAGS = st.sampled_from(["$decimal", "$bytes", "$object", "$", "a", ""])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TAGS | st.text(), inner))


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An empty registry of databases, for the test."""
    names: dict[str, str] = {}
    monkeypatch.setattr(_databases, "_registered", names)
    return names


def problem(build: Any) -> str:
    """What pydantic says of the one thing that is wrong, without its place."""
    with pytest.raises(pydantic.ValidationError) as raised:
        build()
    (error,) = raised.value.errors()
    return error["msg"].removeprefix("Value error, ")


@given(VALUES)
def test_a_value_comes_back_as_it_was(value: Any) -> None:
    """Any value that is carried comes back from JSON equal and of the same type."""
    returned = VALUE.validate_json(VALUE.dump_json(value))

    assert returned == value
    assert type(returned) is type(value)


@pytest.mark.parametrize(
    ("value", "json"),
    [
        (Decimal("1.20"), b'{"$decimal":"1.20"}'),
        (b"\x00\x01", b'{"$bytes":"AAE="}'),
        (datetime(2025, 11, 23, 17, tzinfo=UTC), b'{"$datetime":"2025-11-23T17:00:00+00:00"}'),
        (date(2025, 11, 23), b'{"$date":"2025-11-23"}'),
        (time(17, 30), b'{"$time":"17:30:00"}'),
        (timedelta(hours=36), b'{"$timedelta":"P1DT12H"}'),
        (UUID(int=1), b'{"$uuid":"00000000-0000-0000-0000-000000000001"}'),
        ({"a": [1, {"$uuid": None}]}, b'{"a":[1,{"$object":{"$uuid":null}}]}'),
        ("plain", b'"plain"'),
    ],
)
def test_the_form_of_a_value_in_a_history(value: object, json: bytes) -> None:
    """The JSON of each type stays what it is: histories hold it for years."""
    assert VALUE.dump_json(value) == json


class Money:
    pass


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), "is nan, which JSON cannot carry: use NULL or text for it"),
        (Decimal("Infinity"), "is Decimal('Infinity'), which JSON cannot carry: use NULL or text for it"),
        ({1: "a"}, "is an object with keys that are not text, which JSON cannot carry"),
        ([Money()], "is a Money, which is not carried: convert it in the statement, as in CAST(… AS text)"),
    ],
)
def test_what_cannot_be_carried_is_refused(value: object, expected: str) -> None:
    """A value that JSON would alter, or that has no form here, is refused with what it is."""
    assert problem(lambda: VALUE.validate_python(value)) == expected


def test_a_tag_that_holds_something_else_is_refused() -> None:
    """A tagged value that is not of its type is refused rather than passed on as an object."""
    assert problem(lambda: VALUE.validate_json('{"$date": "tomorrow"}')) == "$date holds no date"


def test_parameters_are_found_as_sqlalchemy_finds_them() -> None:
    """A parameter is `:name`; a cast, an escaped colon and a time of day are none."""
    statement = r"SELECT :a, d::int, '12:30', '\:b', :c WHERE d = :a"

    assert placeholders(statement) == ["a", "c"] == list(text(statement).compile().params)


@pytest.mark.parametrize(
    ("statement", "parameters", "expected"),
    [
        (
            "SELECT :a, :b",
            {},
            "'a', 'b' are in the statement but not in parameters (a colon that names none is written \\:)",
        ),
        ("SELECT :a::int", {"a": 1}, ":a:: is no parameter with a cast: write CAST(:a AS …)"),
        ("SELECT 1", {"a": 1}, "'a' is in parameters but not in the statement: write it there as :a"),
        (
            "SELECT 1 WHERE 1 IN :a",
            {"a": []},
            "'a' is an empty list, and no SQL stands for that: leave the statement out",
        ),
        (
            "SELECT :a",
            {"a": [[1]]},
            "'a' is a list of lists or objects: a list stands for several values, as in IN :a; "
            "send JSON as text, from json.dumps",
        ),
    ],
)
def test_parameters_that_do_not_fit_are_refused_before_anything_is_sent(
    statement: str, parameters: dict[str, Any], expected: str
) -> None:
    """A missing or unused parameter, and a list that has no SQL form, are errors of the request."""
    assert problem(lambda: sql.Statement(statement=statement, parameters=parameters)) == expected
    assert problem(lambda: sql.Query(database="stock", statement=statement, parameters=parameters)) == expected


def test_a_request_survives_the_way_to_the_worker() -> None:
    """A request with values of every kind is the same after JSON."""
    request = sql.Write(
        database="env:STOCK_DATABASE_URL",
        key="order-17",
        statements=[
            sql.Statement(statement="DELETE FROM stock WHERE price = :p", parameters={"p": Decimal("1.20")}),
            sql.Statement(statement="DELETE FROM stock WHERE sku IN :s", parameters={"s": ["a", UUID(int=1)]}),
        ],
    )

    assert sql.Write.model_validate_json(request.model_dump_json()) == request


def test_rows_become_models() -> None:
    """Rows turn into dicts by column, into models by type, and into one value; a name used twice is refused."""

    class Item(BaseModel):
        sku: str
        price: Decimal

    rows = sql.Rows(columns=["sku", "price"], rows=[("a", "1.20"), ("b", 2)])

    assert rows.dicts() == [{"sku": "a", "price": "1.20"}, {"sku": "b", "price": 2}]
    assert rows.into(Item) == [Item(sku="a", price=Decimal("1.20")), Item(sku="b", price=Decimal(2))]
    assert len(rows) == 2
    assert sql.Rows(columns=["count"], rows=[(3,)]).scalar() == 3
    with pytest.raises(ValueError, match=r"^Expected one row of one column, not 2 of 2$"):
        rows.scalar()
    with pytest.raises(ValueError, match=r"^Two columns are named 'a': rename one with AS$"):
        sql.Rows(columns=["a", "a"], rows=[]).dicts()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://app:hunter2@db.internal/stock",
        "postgresql+asyncpg://app:hunter2@db.internal:5432/stock",
        "postgres://app:hun/ter2?x@db.internal/stock",
        "postgresql://db.internal/stock?user=app&password=hunter2",
        "postgresql://db.internal/stock?sslPassword=hunter2",
    ],
)
def test_a_password_is_refused_and_not_repeated(url: str) -> None:
    """A URL with a password is refused with what to do instead, and neither the error nor its text shows it."""
    with pytest.raises(pydantic.ValidationError) as raised:
        sql.Query(database=url, statement="SELECT 1")

    assert str(raised.value).splitlines()[1:3] == [
        "database",
        "  Value error, a URL with a password would be stored in the history: set the URL as an environment variable "
        "of the worker, such as INVENTORY_DATABASE_URL, and pass 'env:INVENTORY_DATABASE_URL' [type=value_error]",
    ]
    assert "hunter2" not in str(raised.value)
    assert "ter2" not in repr(raised.value)


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        (
            "mysql://db.internal/stock",
            "databases of the kind 'mysql' are not supported: use sqlite:///path or postgresql://host/name",
        ),
        (
            "sqlite://stock.db",
            "a SQLite URL has three slashes before a relative path and four before an absolute one",
        ),
        (
            "sqlite:///:memory:",
            "SQLite in memory would vanish with its worker: name a file, as in sqlite:///inventory.db",
        ),
        ("sqlite:///stock.db?mode=ro", "a SQLite URL takes no options: Segue sets what it needs"),
        ("env:", "a reference is written 'env:NAME' or 'file:/absolute/path'"),
        (
            "my stock",
            "a database is named by 'env:NAME', 'file:/path', a registered name, or a URL without a password "
            "('sqlite:///path', 'postgresql://host/name')",
        ),
    ],
)
def test_a_reference_of_no_known_form_is_refused(reference: str, expected: str) -> None:
    """What names no database is refused when the request is made, with the forms that do."""
    assert problem(lambda: sql.Query(database=reference, statement="SELECT 1")) == expected


def test_references_lead_to_addresses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, registry: dict[str, str]
) -> None:
    """A variable, a file, a name and a URL lead to the database; the address shows no password."""
    url = "postgres://app:hunter2@db.internal/stock?sslmode=require"
    monkeypatch.setenv("STOCK_DATABASE_URL", url)
    (tmp_path / "url").write_text(f"{url}\n")
    sql.register("stock", "env:STOCK_DATABASE_URL")
    sql.register("archive", url)
    expected = Address("postgresql", "postgresql://app:hunter2@db.internal/stock?sslmode=require")

    for reference in ("env:STOCK_DATABASE_URL", f"file:{tmp_path}/url", "stock", "archive"):
        assert resolve(reference) == expected
    assert repr(expected) == "Address(kind='postgresql')"
    assert resolve("postgresql+asyncpg://db/stock") == Address("postgresql", "postgresql://db/stock")
    assert resolve("sqlite:////srv/stock.db") == Address("sqlite", "/srv/stock.db")
    assert resolve("sqlite+aiosqlite:///stock.db") == Address("sqlite", os.path.abspath("stock.db"))


def test_a_name_that_is_not_registered_is_an_error(registry: dict[str, str]) -> None:
    """A worker that does not know a name says which ones it knows."""
    sql.register("archive", "sqlite:///archive.db")

    with pytest.raises(sql.DatabaseRefused) as raised:
        resolve("stock")

    assert raised.value.message == (
        "Database 'stock': is not registered on this worker, which knows 'archive': see sql.register"
    )
    assert raised.value.non_retryable


def test_a_variable_that_is_not_set_or_holds_no_url_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unset variable is named; one that holds something else is not repeated."""
    monkeypatch.delenv("STOCK_DATABASE_URL", raising=False)
    with pytest.raises(SecretError, match=r"STOCK_DATABASE_URL"):
        resolve("env:STOCK_DATABASE_URL")

    monkeypatch.setenv("STOCK_DATABASE_URL", "hunter2")
    with pytest.raises(sql.DatabaseRefused) as raised:
        resolve("env:STOCK_DATABASE_URL")

    assert raised.value.message == (
        "Database 'env:STOCK_DATABASE_URL': does not hold a URL, such as postgresql://user:password@host/name"
    )


@pytest.mark.parametrize(
    ("name", "reference", "expected"),
    [
        (
            "my stock",
            "sqlite:///a.db",
            "A database cannot be named 'my stock': use a letter, then letters, digits, '_', '.', '-'",
        ),
        ("stock", "archive", "Database 'stock' cannot be registered: it stands for another name"),
        ("taken", "sqlite:///b.db", "Database 'taken' is registered already, with another reference"),
    ],
)
def test_a_name_is_registered_for_one_database(
    registry: dict[str, str], name: str, reference: str, expected: str
) -> None:
    """A name stands for one database, and for no other name."""
    registry["taken"] = "sqlite:///a.db"
    with pytest.raises(ValueError, match=r".") as raised:
        sql.register(name, reference)

    assert str(raised.value) == expected


class Order(BaseModel):
    id: str
    tags: set[str] = set()
    note: str | None = None


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    """Equal requests have one digest whatever the order of their sets and dicts, and others another."""
    orders = [Order(id="17", tags={"b", "a", "c"}), Order(id="17", tags={"c", "b", "a"})]
    in_another = subprocess.run(
        [
            sys.executable,
            "-c",
            "from tests.activities.test_sql_requests import Order, fingerprint;"
            "print(fingerprint(Order(id='17', tags={'a', 'b', 'c'})))",
        ],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        cwd=ROOT,
    ).stdout.strip()

    assert {fingerprint(order) for order in orders} == {in_another}
    assert fingerprint({"a": 1, "b": Decimal("1.0")}) == fingerprint({"b": Decimal("1.0"), "a": 1})
    assert fingerprint(Order(id="17")) != fingerprint(Order(id="18"))
    assert fingerprint([1, 2]) != fingerprint([2, 1])


def test_a_field_added_with_a_default_keeps_the_fingerprint() -> None:
    """A deployment between two attempts that adds a field with a default does not turn the request into another."""

    class NewOrder(BaseModel):
        id: str
        tags: set[str] = set()
        gift: bool = False

    stored = '{"id": "17", "tags": ["a"]}'

    assert fingerprint(NewOrder.model_validate_json(stored)) == fingerprint(Order.model_validate_json(stored))


def test_a_request_that_cannot_be_compared_is_refused() -> None:
    """Something that is no data cannot be part of what an effect is made for."""
    with pytest.raises(Exception, match=r".") as raised:
        fingerprint([Money()])

    assert str(raised.value) == (
        "PayloadError: The request of an effect holds a Money, which cannot be compared with the next attempt's: "
        "pass data only"
    )


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def test_requests_need_no_driver() -> None:
    """Importing the connector, as a workflow does, imports neither SQLAlchemy nor a driver."""
    assert (
        python(
            "import sys, segue.activities.sql;"
            "print([name for name in ('sqlalchemy', 'aiosqlite', 'asyncpg') if name in sys.modules])"
        )
        == "[]"
    )


@pytest.mark.parametrize(
    ("module", "database", "expected"),
    [
        (
            "aiosqlite",
            "sqlite:///a.db",
            "Database 'sqlite:///a.db' needs aiosqlite, which is not installed: pip install \"segue[sql]\"",
        ),
        (
            "asyncpg",
            "postgresql://db/a",
            "Database 'postgresql://db/a' needs asyncpg, which is not installed: pip install \"segue[postgres]\"",
        ),
        (
            "sqlalchemy",
            "sqlite:///a.db",
            "Database 'sqlite:///a.db' needs sqlalchemy, which is not installed: pip install \"segue[sql]\"",
        ),
    ],
)
def test_a_missing_driver_names_its_extra(module: str, database: str, expected: str) -> None:
    """Without its driver a database cannot be used, and the error says what to install."""
    code = f"""
import asyncio, sys
sys.modules[{module!r}] = None
from segue.activities import sql
try:
    asyncio.run(sql.query(sql.Query(database={database!r}, statement="SELECT 1")))
except RuntimeError as error:
    print(error)
"""
    assert python(code) == expected


def test_the_documentations_code_runs() -> None:
    """Each Python block of docs/connectors-sql.md runs as it stands."""
    page = (ROOT / "docs" / "connectors-sql.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)

    assert len(blocks) == 3
    assert [python(block) for block in blocks] == ["", "", ""]
