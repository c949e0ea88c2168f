"""Databases for the tests of the SQL connector, seen from outside; attempts of a step; other worker processes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import sqlite3
import subprocess
import sys
import time as clock
from collections.abc import Callable, Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment
from tests.activities.sql_postgres import PostgresServer
from tests.activities.sql_processes import DATABASE

from segue.activities import sql

ROOT = Path(__file__).parents[2]
FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


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
        return self.read("SELECT quantity FROM stock WHERE sku = 'apple'")[0], self.read(
            "SELECT count(*) FROM movements"
        )[0]

    def rename(self, **texts: Any) -> Any:
        """What stands for this kind of database."""
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
        sql.Write(database=DATABASE, key=key, statements=[sql.Statement(statement=statement, parameters=parameters)])
    )


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for a condition, looking often."""
    give_up = clock.monotonic() + seconds
    while not condition():
        assert clock.monotonic() < give_up, "the condition did not come true"
        await asyncio.sleep(0.02)


@contextlib.contextmanager
def another(role: str, *arguments: str) -> Generator[subprocess.Popen[str]]:
    """Another worker process, in a role of `sql_processes`."""
    command = [sys.executable, "-m", "tests.activities.sql_processes", role, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def contenders(processes: int, writes: int) -> Generator[list[subprocess.Popen[str]]]:
    """Other processes that are ready to write the same effect, each several times at once."""
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(another("contend", str(writes))) for _ in range(processes)]
        for other in others:
            assert line_of(other) == "ready\n"
        yield others


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()
