"""Values in a database, SQLite and PostgreSQL alike: a table that steps make at once, a step that is repeated."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.activities.sql_databases import Database, attempt
from tests.extraction.leases import Lease, lease

from segue.activities.extraction import Extracted, Form, How, Target, extract_document

pytest.importorskip("obstore")
pytest.importorskip("aiosqlite")
pytest_plugins = ["tests.activities.sql_fixtures"]

TABLE = "SELECT name, count(*) FROM lease_values GROUP BY name ORDER BY name"


async def extract(tmp_path: Path, number: int) -> Extracted:
    """One attempt of the step that reads one lease."""
    how = How(
        form=Form.of(Lease), store=str(tmp_path / "store"), database="env:STOCK_DATABASE_URL", table="lease_values"
    )
    step = attempt(activity_id=f"extract-{number}")
    extracted: Extracted = await step.run(extract_document, Target(url=str(tmp_path / f"{number}.txt")), how)
    return extracted


async def test_steps_that_make_the_table_at_once(database: Database, tmp_path: Path) -> None:
    """The first steps find no table, and none fails of another's having made it; a repeated step writes no row more."""
    for number in range(6):
        (tmp_path / f"{number}.txt").write_text(lease(number))
    read = await asyncio.gather(*(extract(tmp_path, number) for number in range(6)))
    again = await extract(tmp_path, 3)

    assert [sum(one.values.values()) for one in read] == [11] * 6
    assert again.extraction == read[3].extraction
    assert database.read(TABLE) == [f"{number}.txt|11" for number in range(6)]
    assert database.read("SELECT count(*) FROM segue_effects") == ["6"]
    assert database.read(
        "SELECT value, unit, raw, engine, confidence > 0.6, status FROM lease_values "
        "WHERE name = '3.txt' AND field = 'rent'"
    ) == [f"1250.00|USD|$1,250.00|rules|{database.rename(sqlite='1', postgresql='t')}|accepted"]
