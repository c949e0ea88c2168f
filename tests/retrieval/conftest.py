"""What the tests of retrieval share: a cache of their own, and a model that makes vectors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.llm.scripted import Scripted, scripted

from segue.activities import http
from segue.activities.documents import opening


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which this worker keeps its indexes."""
    opening.forget_opened()
    return another_machine(tmp_path / "machine", monkeypatch)


def another_machine(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Go on as a worker that has none of the files of the one before."""
    monkeypatch.setenv("SEGUE_RETRIEVAL_CACHE", str(cache))
    return cache


@pytest_asyncio.fixture
async def provider() -> AsyncIterator[Scripted]:
    """A server that makes vectors."""
    async with scripted() as server:
        yield server
    await http.close()
