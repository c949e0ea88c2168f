"""A claim without support cannot reach a report, whatever a model does; and what was paid for is paid for once.

The server on loopback invents quotes, cuts its JSON off, refuses, stalls, says 429 and 500, breaks off in the middle of
an answer and changes its mind. Reports are held against the files themselves, by none of the code that made them.
"""

from __future__ import annotations

import collections
import html
import json
import re
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.worker import Worker
from tests.claims.histories import held, phrases
from tests.llm.scripted import Asked, Scripted, dies, refuses, scripted, stalls, status, truncated
from tests.processes import worker_process
from tests.research.leases import HARBOUR, MILL, ORCHARD, QUESTION, write_leases
from tests.research.test_models import NOTICE, TENANT, notes_of, plays, role, sentence

from segue.activities import objects, research
from segue.workflows.generation import Budget, Models
from segue.workflows.research import DeepResearch, Research, ResearchRequest

ROOT = Path(__file__).parents[2]
KEY = "sk-canary-of-the-key-0815"
FILES = {"harbour.md": HARBOUR, "mill.md": MILL, "orchard.md": ORCHARD}
INVENTED = "The lease ends in 2030 without any notice."


@pytest.fixture
async def model(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scripted]:
    monkeypatch.setenv("SCRIPTED_KEY", KEY)
    async with scripted() as server:
        yield server


def asks(model: Scripted, folder: Path, **fields: Any) -> ResearchRequest:
    """A request to two models, which are known by their keys, and are given up on after a second's silence."""
    patience: dict[str, Any] = {"idle_timeout": timedelta(seconds=1)}
    request = ResearchRequest(
        question=QUESTION,
        corpus=write_leases(folder / "leases"),
        store=str(folder / "store"),
        models=Models(writer=model.guarded("writer", **patience), stronger=(model.guarded("judge", **patience),)),
        budget=Budget(attempts=4),
    )
    return request.model_copy(update=fields)


def words(text: str) -> str:
    """A text's words, without the marks of Markdown and of quoting."""
    return " ".join(re.sub(r"[*_#`“”\\]", "", html.unescape(text)).split())


async def held_against_files(answer: Research) -> list[str]:
    """The sentences of a report, each of which cites, and each of whose quotes stands in the file that it names."""
    report = json.loads(await objects.read(answer.json_report))
    markdown = (await objects.read(answer.markdown)).decode()
    page = (await objects.read(answer.html)).decode()
    said: list[str] = []
    for section in report["sections"]:
        for one in section["sentences"]:
            assert one["quotes"], one["text"]
            for quote in one["quotes"]:
                assert words(quote["text"]) in words(FILES[quote["name"]])
            said.append(one["text"])
    # What a reader sees is the same: each line leads to quotes that are there, and each quote is a file's.
    shown = re.findall(r"^- (.*?)((?: \[\[\d+\]\]\(#quote-\d+\))*)$", markdown, re.MULTILINE)
    assert [words(text) for text, _ in shown] == [words(text) for text in said]
    for _, cites in shown:
        numbers = re.findall(r"#quote-(\d+)", cites)
        assert numbers
        assert all(f'<a id="quote-{number}"></a>' in markdown for number in numbers)
        assert all(f'<li id="quote-{number}"' in page for number in numbers)
    quoted = re.findall(r"<blockquote>(.*?)</blockquote><cite>(\S+?)[, ]", page, re.DOTALL)
    assert quoted
    assert all(words(text) in words(FILES[name]) for text, name in quoted)
    for kept in (json.dumps(report), markdown, page):
        assert "2030" not in kept
    return said


def storm(troubles: dict[str, list[Any]], **turns: Any) -> Callable[[Asked], Any]:
    """A model that has troubles with each of its tasks, before it does it as told."""
    well = plays(**turns)

    def play(asked: Asked) -> Any:
        left = troubles[role(asked)]
        return left.pop(0) if left else well(asked)

    return play


@asynccontextmanager
async def working(client: Client) -> AsyncGenerator[str]:
    queue = str(uuid.uuid4())
    async with Worker(client, task_queue=queue, workflows=[DeepResearch], activities=research.ACTIVITIES):
        yield queue


async def test_a_storm(client: Client, model: Scripted, tmp_path: Path) -> None:
    """Calls meet 429, 500, silence and broken connections; the writer invents, is cut off, refuses, and mends half."""
    drafts: list[Any] = [
        {"sentences": [sentence(INVENTED, (1, INVENTED)), sentence(NOTICE, (1, NOTICE), (2, NOTICE))]},
        truncated('{"sentences": [{"text": "The lease ends in 2030'),
        {"sentences": [sentence(INVENTED, (1, NOTICE)), sentence(NOTICE, (1, NOTICE), (2, NOTICE))]},
        refuses("I will not write about 2030."),
    ]
    troubles: dict[str, list[Any]] = {
        "plan": [status(429, retry_after="1")],
        "notes": [status(500), dies('{"half":')],
        "write": [stalls('{"sentences": [')],
        "support": [dies()],
    }

    def writing(asked: Asked) -> Any:
        return drafts.pop(0)

    model.script(storm(troubles, write=writing))
    async with working(client) as queue:
        handle = await client.start_workflow(DeepResearch.run, asks(model, tmp_path), id=queue, task_queue=queue)
        answer = await handle.result()

    assert await held_against_files(answer) == [NOTICE]
    assert answer.removed == 1
    assert drafts == []
    asked = collections.Counter(role(one) for one in model.asked)
    assert asked == {"plan": 2, "notes": 3, "write": 5, "support": 2}
    # Each answer is charged for once, and so are the two that broke off after the model had begun to write.
    assert (model.paid, answer.usage.calls) == (1 + 1 + 4 + 1 + 2, 1 + 1 + 4 + 1)
    # The question was given as text, which is in the history as every argument is.
    said = held([event async for event in handle.fetch_history_events()]).replace(QUESTION, "")
    bodies = [*FILES.values(), INVENTED, "I will not write about 2030."]
    assert sorted(one for body in bodies for one in phrases(body) if one in said) == []
    assert "canary" not in said
    # Whatever is tried again says so by its key, by which a provider that knows it charges once.
    keys = {one.headers["idempotency-key"] for one in model.asked}
    assert len(keys) == len({json.dumps(one.body, sort_keys=True) for one in model.asked})
    assert {one.headers["authorization"] for one in model.asked} == {f"Bearer {KEY}"}


MINDS: dict[str, Any] = {
    "a judge": {"support": [{"sentences": []}, {"sentences": [{"sentence": 1, "score": 1.0, "reason": "now it is"}]}]},
    "a note-taker": {"notes": [{"notes": [{"passage": 1, "quote": INVENTED, "claim": INVENTED}]}]},
    "a planner": {"plan": [{"questions": [INVENTED, INVENTED]}]},
    "all": {
        "plan": ["nonsense"],
        "notes": [truncated('{"notes": [{"passage": 1')],
        "write": [{"sentences": [sentence(INVENTED)]}] * 4,
        "support": [refuses()],
    },
}


@pytest.mark.parametrize("mind", MINDS)
async def test_whoever_invents(client: Client, model: Scripted, tmp_path: Path, mind: str) -> None:
    """A planner, a note-taker, a writer and a judge that make things up, one by one and together, add no sentence."""
    turns: dict[str, list[Any]] = {name: list(given) for name, given in MINDS[mind].items()}
    well = plays()

    def play(asked: Asked) -> Any:
        left = turns.get(role(asked))
        return well(asked) if left is None else left.pop(0) if len(left) > 1 else left[0]

    model.script(play)
    async with working(client) as queue:
        answer: Research = await client.execute_workflow(
            DeepResearch.run, asks(model, tmp_path), id=queue, task_queue=queue
        )
    report = json.loads(await objects.read(answer.json_report))
    quotes = {
        quote["text"] for section in report["sections"] for one in section["sentences"] for quote in one["quotes"]
    }
    assert all(any(words(quote) in words(text) for text in FILES.values()) for quote in quotes)
    claims = [one["text"] for section in report["sections"] for one in section["sentences"]]
    assert INVENTED not in claims
    assert {NOTICE, TENANT} & set(claims)
    assert answer.usage.calls == model.paid == len(model.asked)


async def test_a_killed_worker_repeats_nothing_that_was_paid_for(
    client: Client, model: Scripted, tmp_path: Path
) -> None:
    """Killed in the middle of a second draft: the plan, the notes and the first draft are not asked for again."""
    drafts: list[Any] = [
        {"sentences": [sentence(INVENTED, (1, INVENTED))]},
        stalls('{"sentences": [{"text": "The lea'),
    ]

    def writing(asked: Asked) -> Any:
        if drafts:
            return drafts.pop(0)
        return {"sentences": [sentence(note["quote"], (note["note"], note["quote"])) for note in notes_of(asked)]}

    model.script(plays(write=writing))
    queue = str(uuid.uuid4())
    models = Models(writer=model.guarded("writer"), stronger=(model.guarded("judge"),))
    request = asks(model, tmp_path, models=models)
    handle = await client.start_workflow(DeepResearch.run, request, id=queue, task_queue=queue)
    async with worker_process(client, "tests.claims.killed_worker", queue) as worker:
        await model.received(4)
        worker.kill()
        await worker.wait()
    before = [role(one) for one in model.asked]
    async with worker_process(client, "tests.claims.killed_worker", queue):
        answer = await handle.result()

    assert before == ["plan", "notes", "write", "write"]
    assert [role(one) for one in model.asked] == [*before, "write", "support"]
    asked = collections.Counter(json.dumps(one.body, sort_keys=True) for one in model.asked)
    assert sorted(asked.values()) == [1, 1, 1, 1, 2]
    # The answer that nobody heard the end of was charged for, as any provider would; nothing else twice.
    assert (model.paid, answer.usage.calls) == (6, 5)
    assert set(await held_against_files(answer)) == {NOTICE, TENANT}
