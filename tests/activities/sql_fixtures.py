"""Fixtures of the tests of the SQL connector: each kind of database, with ten apples in stock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.activities.sql_databases import Database, set_up
from tests.activities.sql_postgres import PostgresServer

from segue.activities import sql


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One PostgreSQL server for the session; each test has a database of its own on it."""
    server = PostgresServer()
    yield server
    server.close()


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
