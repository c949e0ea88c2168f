"""Research by the local model: it is too weak to answer, and no sentence of its own invention reaches the report.

Slow, and left out where the model is not installed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client
from tests.research.conftest import answered, report_of
from tests.research.leases import HARBOUR, MILL, ORCHARD, QUESTION, write_leases

from segue.activities import documents, http, llm, objects
from segue.activities.llm import Model
from segue.workflows.generation import Budget, Models
from segue.workflows.research import ResearchRequest

PROBLEM = llm.local_model_problem()

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.skipif(PROBLEM is not None, reason=PROBLEM or "")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def local() -> AsyncIterator[Model]:
    """The model, its server running."""
    async with llm.local_model() as model:
        yield model


async def test_a_weak_model_invents_nothing_that_is_kept(
    client: Client, queue: str, local: Model, tmp_path: Path
) -> None:
    """Every quote stands in its document, and the report names the engines that it is made by."""
    request = ResearchRequest(
        question=QUESTION,
        corpus=write_leases(tmp_path / "leases"),
        store=str(tmp_path / "store"),
        models=Models(writer=local),
        parts=1,
        budget=Budget(attempts=1, wall_time=timedelta(minutes=5)),
    )
    answer = await answered(client, queue, request)
    report = await report_of(answer)
    await http.close()

    named = (("harbour.md", HARBOUR), ("mill.md", MILL), ("orchard.md", ORCHARD))
    texts = {name: documents.parse(text.encode(), name) for name, text in named}
    assert all(texts[quote.name].quote(quote.citation) == quote.text for quote in report.quotes)
    assert all(one.quotes for section in report.sections for one in section.sentences)
    markdown = (await objects.read(answer.markdown)).decode()
    assert all(engine in markdown for engine in answer.engines)
