"""What tests of models share: a scripted server, and a key that must turn up nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.llm.scripted import Scripted, scripted

from segue.activities import http

KEY = "sk-canary-of-the-key-4711"


@pytest.fixture(autouse=True)
def scripted_key(monkeypatch: pytest.MonkeyPatch) -> str:
    """The key of `Scripted.guarded`, in the worker's environment."""
    monkeypatch.setenv("SCRIPTED_KEY", KEY)
    return KEY


@pytest_asyncio.fixture
async def provider() -> AsyncIterator[Scripted]:
    """A scripted server."""
    async with scripted() as server:
        yield server
    await http.close()
