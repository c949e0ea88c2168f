"""Deep research with a scripted model that plans, notes, writes and judges well, badly, and not at all.

What a report holds is held against the documents here once more, by other means than the workflow's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from tests.llm.scripted import Asked, Scripted, dies, refuses, stalls, status, truncated
from tests.research.conftest import answered, history_of, report_of, spent_of, steps_of
from tests.research.leases import HARBOUR, MILL, ORCHARD, QUESTION, write_leases

from segue.activities import documents, objects
from segue.activities.generation import Requirement
from segue.activities.llm import Usage
from segue.activities.research import Report
from segue.workflows.generation import Budget, Models
from segue.workflows.research import Research, ResearchRequest

SOURCES = {
    name: documents.parse(text.encode(), name)
    for name, text in (("harbour.md", HARBOUR), ("mill.md", MILL), ("orchard.md", ORCHARD))
}
NOTICE = "Either party may terminate the lease upon ninety days' written notice."
TENANT = "The Tenant may terminate the lease upon thirty days' written notice."


def role(asked: Asked) -> str:
    """Which of its tasks a model is asked for."""
    for word, name in (("plan research", "plan"), ("take notes", "notes"), ("found too little", "words")):
        if word in asked.system:
            return name
    if "check citations" in asked.system:
        return "support"
    return "judge" if "You judge" in asked.system else "write"


def notes_of(asked: Asked) -> list[dict[str, Any]]:
    """The notes that a writer is given."""
    lines = re.findall(r'^\{"note".*\}$', asked.messages[1]["content"], re.MULTILINE)
    return [json.loads(line) for line in lines]


def sentence(text: str, *cited: tuple[int, str]) -> dict[str, Any]:
    return {"text": text, "citations": [{"note": note, "quote": quote} for note, quote in cited]}


def plays(**turns: Any) -> Callable[[Asked], Any]:
    """A model that does each of its tasks as told; what is not told it does well enough."""

    def passages(asked: Asked) -> Any:
        parts = re.findall(r"<passage (\d+) \w+ [^>]*>\n(.*?)\n</passage", asked.user, re.DOTALL)
        found = [
            {"passage": int(number), "quote": quote, "claim": "It says so."}
            for number, text in parts
            for quote in (NOTICE, TENANT)
            if quote in text
        ]
        return {"notes": found}

    def writing(asked: Asked) -> Any:
        return {"sentences": [sentence(note["quote"], (note["note"], note["quote"])) for note in notes_of(asked)]}

    def supporting(asked: Asked) -> Any:
        lines = re.findall(r'^\{"sentence": (\d+)', asked.user, re.MULTILINE)
        return {"sentences": [{"sentence": int(number), "score": 1.0, "reason": "ok"} for number in lines]}

    good = {
        "plan": {"questions": [QUESTION]},
        "notes": passages,
        "words": {"questions": ["notice period"]},
        "write": writing,
        "support": supporting,
        "judge": {"scores": [{"requirement": "clear", "score": 0.9, "reason": "It is."}]},
    }
    return lambda asked: (good | turns)[role(asked)]


def asks(model: Scripted, tmp_path: Path, **fields: Any) -> ResearchRequest:
    request = ResearchRequest(
        question=QUESTION,
        corpus=write_leases(tmp_path / "leases"),
        store=str(tmp_path / "store"),
        models=Models(writer=model.model("writer"), stronger=(model.model("judge"),)),
    )
    return request.model_copy(update=fields)


def told(report: Report) -> list[str]:
    return [one.text for section in report.sections for one in section.sentences]


def assert_supported(report: Report) -> None:
    """Every sentence that is not marked cites, and each of its quotes stands in its document, letter for letter."""
    for section in report.sections:
        for one in section.sentences:
            if not one.supported:
                continue
            assert one.quotes, one.text
            for quote in one.quotes:
                source = SOURCES[quote.name]
                assert source.digest == quote.citation.document
                assert source.text[quote.citation.start : quote.citation.end] == quote.text


async def test_a_model_plans_notes_writes_and_judges(
    client: Client, queue: str, model: Scripted, tmp_path: Path
) -> None:
    """Each of its tasks is a step of its own, what it says is checked, and the report says what made it."""
    model.script(plays())
    clear = Requirement(name="clear", description="Is clear")
    answer = await answered(client, queue, asks(model, tmp_path, requirements=(clear,)))
    report = await report_of(answer)

    assert told(report) == [NOTICE, TENANT] or told(report) == [TENANT, NOTICE]
    assert_supported(report)
    assert report.sections[0].judged
    assert [role(one) for one in model.asked] == ["plan", "notes", "write", "support", "judge"]
    assert (answer.engines, answer.total, answer.failures) == (("bm25", "writer"), 0.9, ())
    assert (answer.usage.calls, model.paid, report.tokens) == (5, 5, answer.usage.tokens)
    spent = await spent_of(client, answer)
    assert {engine: usage.calls for engine, usage in spent.items()} == {"writer": 3, "judge": 2}
    assert spent["writer"] + spent["judge"] == answer.usage
    assert "Made by bm25, writer;" in (await objects.read(answer.markdown)).decode()
    assert await steps_of(client, answer) == [
        f"sources in {tmp_path / 'leases'}",
        "segue.research.load: items 0 to 2",
        "index 3 documents",
        "plan, by writer",
        "the question: search",
        "the question: notes, by writer",
        "the answer: task",
        "the answer: what is asked for",
        "the answer round 1: write, by writer",
        "the answer round 1: check",
        "the answer: citations",
        "the answer: support, by judge",
        "put the answer together",
        "requirements",
        "the answer round 1: judge, by judge",
        "report",
    ]


INVENTIONS: dict[str, Any] = {
    "a quote that stands nowhere": sentence("The lease ends in 2030.", (1, "The lease ends in 2030.")),
    "a quote of no note": sentence("The lease ends at once.", (99, NOTICE)),
    "no quote": sentence("The lease ends at once."),
    "a figure that no quote has": sentence("Either party may terminate upon 10 days' notice.", (1, NOTICE)),
    "a name that no quote has": sentence("Either party of Acme Corp may terminate the lease.", (1, NOTICE)),
    "a denial that no quote has": sentence("Either party may not terminate the lease upon notice.", (1, NOTICE)),
    "a quote that is beside the point": sentence("The rent doubles whenever the landlord wishes.", (1, NOTICE)),
    "a sentence behind another": sentence(f"{NOTICE} The moon is made of cheese.", (1, NOTICE)),
    "a quote cut before its denial": sentence(
        "Pets are allowed without the written consent of the Landlord.",
        (2, "pets are allowed without the written consent of the Landlord"),
    ),
}


@pytest.mark.parametrize(
    ("invention", "unsupported"), [*((name, "remove") for name in INVENTIONS), (next(iter(INVENTIONS)), "mark")]
)
async def test_a_claim_without_support_cannot_reach_a_report(
    client: Client, queue: str, model: Scripted, tmp_path: Path, invention: str, unsupported: str
) -> None:
    """Whatever a writer invents, again and again, before a judge that lets all pass: it is removed, or marked."""

    pets = "No pets are allowed without the written consent of the Landlord."

    def notes(asked: Asked) -> Any:
        parts = re.findall(r"<passage (\d+) \w+ [^>]*>\n(.*?)\n</passage", asked.user, re.DOTALL)
        found = [(int(number), quote) for quote in (NOTICE, pets) for number, text in parts if quote in text]
        return {"notes": [{"passage": number, "quote": quote, "claim": "x"} for number, quote in found]}

    invented = INVENTIONS[invention]
    model.script(plays(notes=notes, write={"sentences": [sentence(NOTICE, (1, NOTICE)), invented]}))
    request = asks(model, tmp_path, unsupported=unsupported, budget=Budget(attempts=2))
    answer = await answered(client, queue, request)
    report = await report_of(answer)

    assert_supported(report)
    supported = [one.text for section in report.sections for one in section.sentences if one.supported]
    assert set(supported) == {NOTICE}
    claimed = invented["text"].removeprefix(f"{NOTICE} ")
    markdown = (await objects.read(answer.markdown)).decode()
    page = (await objects.read(answer.html)).decode()
    if unsupported == "remove":
        assert claimed not in markdown
        assert (answer.removed, answer.marked) == (1, 0)
    else:
        assert f"- ⚠ **unsupported:** ~~{claimed}~~" in markdown
        assert (answer.removed, answer.marked) == (0, 1)
        assert " (unsupported)</mark>" in page


async def test_a_writer_is_told_what_falls_short(client: Client, queue: str, model: Scripted, tmp_path: Path) -> None:
    """An invented quote is mended when the writer is told of it, before it is lost."""
    drafts = iter([{"sentences": [sentence("Wrong.", (1, "Wrong."))]}, None])

    def writing(asked: Asked) -> Any:
        return next(drafts) or {"sentences": [sentence(NOTICE, (1, NOTICE))]}

    def notes(asked: Asked) -> Any:
        parts = re.findall(r"<passage (\d+) \w+ [^>]*>\n(.*?)\n</passage", asked.user, re.DOTALL)
        [number] = [number for number, text in parts if NOTICE in text]
        return {"notes": [{"passage": int(number), "quote": NOTICE, "claim": "x"}]}

    model.script(plays(notes=notes, write=writing))
    answer = await answered(client, queue, asks(model, tmp_path))
    assert told(await report_of(answer)) == [NOTICE]
    mended = [one for one in model.asked if role(one) == "write"][1]
    assert "1 of 1 quotes are not in their notes: sentence 1." in mended.user
    assert (answer.removed, answer.failures) == (0, ())


async def test_a_judge_can_only_refuse(client: Client, queue: str, model: Scripted, tmp_path: Path) -> None:
    """What the judge refuses, and what it says nothing of, is removed; where nothing is left, notes stand in."""
    model.script(plays(support={"sentences": [{"sentence": 1, "score": 0.1, "reason": "no"}]}))
    answer = await answered(client, queue, asks(model, tmp_path))
    report = await report_of(answer)
    assert (answer.removed, answer.engines) == (2, ("bm25", "writer", "rules"))
    assert set(told(report)) == {NOTICE, TENANT}
    assert {one.engine for one in report.sections[0].sentences} == {"rules"}


PARAPHRASE = "Either party may end the lease by giving notice of ninety days."


@pytest.mark.parametrize("support", ["refuses", "truncates", "nonsense", "breaks off"])
async def test_where_no_judge_looks_rules_are_stricter(
    client: Client, queue: str, model: Scripted, tmp_path: Path, support: str
) -> None:
    """A paraphrase that a judge would have to look at is removed if the judge fails; what is nearly its quote stays."""
    turns = {
        "refuses": refuses(),
        "truncates": truncated('{"sentences": ['),
        "nonsense": "certainly!",
        "breaks off": status(400, error="bad"),
    }

    def writing(asked: Asked) -> Any:
        [number] = [note["note"] for note in notes_of(asked) if note["quote"] == NOTICE]
        return {"sentences": [sentence(PARAPHRASE, (number, NOTICE)), sentence(NOTICE, (number, NOTICE))]}

    model.script(plays(write=writing, support=turns[support]))
    answer = await answered(client, queue, asks(model, tmp_path))
    report = await report_of(answer)
    assert told(report) == [NOTICE]
    assert (answer.removed, len(answer.failures), report.sections[0].judged) == (1, 1, False)

    model.script(plays(write=writing))
    answer = await answered(client, queue, asks(model, tmp_path, store=str(tmp_path / "again")))
    assert told(await report_of(answer)) == [PARAPHRASE, NOTICE]


@pytest.mark.parametrize(
    ("how", "failure"),
    [("refuses", "Refused"), ("truncates", "Truncated"), ("nonsense", "InvalidOutput"), ("400", "RequestRejected")],
)
async def test_rules_stand_in_for_a_model_that_fails(
    client: Client, queue: str, model: Scripted, tmp_path: Path, how: str, failure: str
) -> None:
    """A model that refuses, is cut, talks nonsense or rejects everything costs no more than its answers."""
    turns: dict[str, Any] = {
        "refuses": refuses(),
        "truncates": truncated("{"),
        "nonsense": "certainly!",
        "400": status(400, error="x"),
    }
    model.script(turns[how])
    answer = await answered(client, queue, asks(model, tmp_path))
    report = await report_of(answer)
    assert_supported(report)
    assert {NOTICE, TENANT} <= set(told(report))
    assert (answer.engines, failure in answer.failures) == (("bm25", "rules"), True)
    assert "no model wrote this" in (await objects.read(answer.markdown)).decode()
    # What was paid for in vain is on the account of a model, not on that of the rules which stand in for it.
    spent = await spent_of(client, answer)
    assert set(spent) <= {"writer", "judge"}
    assert sum(spent.values(), Usage()) == answer.usage
    assert answer.usage.calls == model.paid


async def test_hiccups_are_the_steps_own(client: Client, queue: str, model: Scripted, tmp_path: Path) -> None:
    """A 429, a 500 and a broken connection in the middle of a task are tried again within its step."""
    troubles = [status(429, retry_after="0"), status(500), dies("{")]

    def notes(asked: Asked) -> Any:
        return troubles.pop(0) if troubles else plays()(asked)

    model.script(plays(notes=notes))
    answer = await answered(client, queue, asks(model, tmp_path))
    assert (answer.failures, answer.engines) == ((), ("bm25", "writer"))
    assert [role(one) for one in model.asked].count("notes") == 4


async def test_a_model_that_stalls_costs_no_more_than_the_time(
    client: Client, queue: str, model: Scripted, tmp_path: Path
) -> None:
    """When the time is used up rules go on, and nobody asks a model any more."""
    model.script(plays(write=stalls('{"sentences": [')))
    answer = await answered(client, queue, asks(model, tmp_path, budget=Budget(wall_time=timedelta(seconds=4))))
    assert {NOTICE, TENANT} <= set(told(await report_of(answer)))
    assert ("OutOfTime" in answer.failures, [role(one) for one in model.asked]) == (True, ["plan", "notes", "write"])


async def test_quotes_that_a_note_taker_invents_are_dropped(
    client: Client, queue: str, model: Scripted, tmp_path: Path
) -> None:
    """Notes that stand in no passage are none; where none is left, rules take them."""
    made_up = {
        "notes": [
            {"passage": 1, "quote": "The lease is free.", "claim": "x"},
            {"passage": 77, "quote": "x", "claim": ""},
        ]
    }
    model.script(plays(notes=made_up))
    answer = await answered(client, queue, asks(model, tmp_path))
    assert_supported(await report_of(answer))
    assert all("free" not in one.text for one in model.asked if role(one) == "write")


async def test_histories_hold_no_bodies_and_no_keys(
    client: Client, queue: str, model: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Documents, plans, notes, sections, judgements and the key are in objects, and in no history."""
    monkeypatch.setenv("SCRIPTED_KEY", "sk-canary-key")
    clear = Requirement(name="clear", description="Is clear")
    judged = {"scores": [{"requirement": "clear", "score": 0.5, "reason": f"You wrote: {NOTICE} canary-reason"}]}
    model.script(plays(plan={"questions": ["canary-part one?", "canary-part two?"]}, judge=judged))
    question = await objects.write(str(tmp_path / "question.txt"), f"canary-question: {QUESTION}")
    request = asks(
        model,
        tmp_path,
        question=question,
        models=Models(writer=model.guarded()),
        requirements=(clear,),
        enough=1.0,
    )
    (tmp_path / "leases" / "canary.md").write_text(f"# Canary\n\ncanary-body: {NOTICE}\n")
    answer: Research = await answered(client, queue, request)
    assert answer.sections == 3
    assert answer.scores[0].reason == "You wrote: […]-reason"

    history = await history_of(client, answer)
    words = [
        b"canary-question",
        b"canary-part",
        b"canary-body",
        b"sk-canary",
        b"ninety days",
        b"thirty days",
        b"EUR 4,200",
    ]
    assert [word for word in words if word in history] == []


@pytest.mark.parametrize(
    ("budget", "stopped"),
    [
        (Budget(tokens=1), "tokens"),
        (Budget(cost_usd=1e-9), "cost"),
        (Budget(wall_time=timedelta(milliseconds=1)), "wall_time"),
    ],
    ids=["tokens", "cost", "wall_time"],
)
async def test_a_report_says_that_the_budget_was_used_up(
    client: Client, queue: str, model: Scripted, tmp_path: Path, budget: Budget, stopped: str
) -> None:
    """Which bound it was, that no model wrote anything, and what models took all the same."""
    model.script(plays())
    answer = await answered(client, queue, asks(model, tmp_path, budget=budget))
    report = await report_of(answer)
    assert (answer.stopped, report.stopped, report.writers) == (stopped, stopped, ())
    markdown = (await objects.read(answer.markdown)).decode()
    page = (await objects.read(answer.html)).decode()
    said = "3 documents searched. Extractive: sentences of the documents, found by bm25; no model wrote this."
    took = "" if stopped == "wall_time" else f" Models were asked: {answer.usage.tokens:,} tokens, $"
    bound = stopped.replace("_", "\\_")
    for text, name in ((markdown, bound), (page, stopped)):
        assert said + took in text
        assert f"The budget was used up ({name}): no model was asked from then on." in text
        assert "Extracted by rules, word for word: a model wrote nothing here that its quotes support." in text


async def test_a_report_says_what_made_each_section(
    client: Client, queue: str, model: Scripted, tmp_path: Path
) -> None:
    """Who wrote it, who judged it or that nobody did, what is extracted in its place, and what failed."""
    parts = [QUESTION, "What is the rent of Harbour House?"]

    def writing(asked: Asked) -> Any:
        if "# Question\nWhat is the rent" in asked.user:
            return {"sentences": [sentence("The rent is EUR 9.", (1, "The rent is EUR 9."))]}
        return plays()(asked)

    def notes(asked: Asked) -> Any:
        return plays()(asked)

    model.script(plays(plan={"questions": parts}, write=writing, notes=notes, support=refuses()))
    answer = await answered(client, queue, asks(model, tmp_path, budget=Budget(attempts=1)))
    for text in ((await objects.read(answer.markdown)).decode(), (await objects.read(answer.html)).decode()):
        assert "Written by writer; no model judged it, only rules, which are stricter then." in text
        assert "Extracted by rules, word for word: a model wrote nothing here that its quotes support." in text
        assert "What failed, and rules stood in for: Refused" in text

    model.script(plays(plan={"questions": parts}))
    answer = await answered(client, queue, asks(model, tmp_path, store=str(tmp_path / "again")))
    assert (
        "*Written by writer; judge looked whether the quotes support it.*"
        in (await objects.read(answer.markdown)).decode()
    )
    assert {one.judge for one in (await report_of(answer)).sections} == {"judge"}
