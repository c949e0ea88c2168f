"""Generation by the local model: weak, so it may fail, but within its budget, and the result says what it is worth.

Slow, and left out where the model is not installed.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.worker import Worker
from tests.generation.letters import ACTIVITIES, WORKFLOWS, Asked, Letter, WriteLetter

from segue.activities import http, llm
from segue.activities.llm import Model
from segue.workflows.generation import Budget, Generated, Models

PROBLEM = llm.local_model_problem()

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.skipif(PROBLEM is not None, reason=PROBLEM or "")]

ENGINE = "SmolLM2-135M (local)"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def local() -> AsyncIterator[Model]:
    """The model, its server running."""
    async with llm.local_model() as model:
        yield model


async def written(client: Client, asked: Asked) -> Generated[Any]:
    """What comes of it."""
    queue = str(uuid.uuid4())
    try:
        async with Worker(client, task_queue=queue, workflows=WORKFLOWS, activities=ACTIVITIES):
            return await client.execute_workflow(WriteLetter.run, asked, id=queue, task_queue=queue)
    finally:
        await http.close()


async def test_the_loop_ends_within_its_budget(client: Client, local: Model, tmp_path: Path) -> None:
    """Drafts are asked for until one is good or the budget is used up; scores tell which, and nothing is made up."""
    budget = Budget(attempts=3, tokens=6000, wall_time=timedelta(minutes=3))
    asked = Asked(
        store=str(tmp_path), models=Models(writer=local), requirements=["short", "dated", "greets"], budget=budget
    )
    letter = await written(client, asked)

    assert letter.finish_reason in ("met", "attempts", "tokens", "wall_time")
    assert letter.met == (letter.finish_reason == "met")
    assert 1 <= len(letter.candidates) <= 3
    assert {one.engine for one in letter.candidates} == {ENGINE} == {letter.engine}
    # The last round may go over it, by no more than its own calls.
    assert sum(one.usage.tokens for one in letter.candidates[:-1]) < 6000
    assert letter.usage.cost_usd == 0
    assert letter.total == max(one.sheet.total for one in letter.candidates)
    for score in letter.scores:
        assert score.engine == "rules"
        assert score.met == (score.score == 1)


async def test_output_of_a_schema(client: Client, local: Model, tmp_path: Path) -> None:
    """What is constrained to a schema is of the type that it was made from, or was cut off, and is said to be."""
    asked = Asked(
        store=str(tmp_path),
        models=Models(writer=local),
        requirements=["two lines"],
        structured=True,
        budget=Budget(attempts=3, wall_time=timedelta(minutes=3)),
    )
    letter = await written(client, asked)

    assert {one.failure for one in letter.candidates} <= {None, "Truncated"}
    if letter.output is not None:
        Letter.model_validate(letter.value)
