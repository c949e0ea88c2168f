"""Generation on a real Temporal server, by a scripted model: met, mended, escalated, out of budget, and failed."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowQueryFailedError
from temporalio.worker import Worker
from tests.generation import letters
from tests.generation.letters import ACTIVITIES, WORKFLOWS, Asked, Letter, WriteLetter
from tests.llm.scripted import Asked as Question
from tests.llm.scripted import Scripted, dies, refuses, scripted, stalls, status, truncated
from tests.recorded import beginnings, recorded

from segue.activities import objects
from segue.activities.llm import Model
from segue.activities.settings import Settings
from segue.client import SeguePlugin, decide
from segue.client.approvals import approvals_of
from segue.workers.replay import replay
from segue.workflows.approvals import Approval
from segue.workflows.generation import Budget, Generated, Models, running

GOOD = "Dear customer, it comes on 2026-02-01."
LATE = "Dear customer, it comes late."
LONG = "Dear customer, we regret to say that what you ordered comes on 2026-02-01, and not before."


@pytest.fixture
async def model() -> AsyncIterator[Scripted]:
    async with scripted() as server:
        yield server


@pytest.fixture
async def queue(client: Client) -> AsyncIterator[str]:
    name = str(uuid.uuid4())
    async with Worker(client, task_queue=name, workflows=WORKFLOWS, activities=ACTIVITIES):
        yield name


async def begun(client: Client, queue: str, asked: Asked) -> WorkflowHandle[Any, Generated[Any]]:
    return await client.start_workflow(WriteLetter.run, asked, id=str(uuid.uuid4()), task_queue=queue)


async def written(client: Client, queue: str, asked: Asked) -> Generated[Any]:
    return await (await begun(client, queue, asked)).result()


async def failure(client: Client, queue: str, asked: Asked) -> tuple[str | None, str]:
    with pytest.raises(WorkflowFailureError) as failed:
        await written(client, queue, asked)
    cause: Any = failed.value.cause
    cause = cause.cause or cause  # an activity's own error
    return cause.type, cause.message


def course(letter: Generated[Any]) -> list[str]:
    return [f"{one.round}.{one.number} {one}" for one in letter.candidates]


def answers(*, letters: Iterable[Any], judgements: Iterable[Any]) -> Any:
    """A turn that writes the given letters, and judges as told."""
    written, judged = iter(letters), iter(judgements)

    def turn(asked: Question) -> Any:
        return next(judged if "You judge" in asked.system else written)

    return turn


def judgement(score: float, reason: str = "It lacks warmth.") -> dict[str, Any]:
    return {"scores": [{"requirement": "polite", "score": score, "reason": reason}]}


async def test_a_draft_that_meets_everything_ends_it(
    client: Client, queue: str, model: Scripted, tmp_path: Path
) -> None:
    """One answer is asked for and paid; its scores say why, and its text lies in the store."""
    model.script(GOOD)
    asked = Asked(store=str(tmp_path), models=Models(writer=model.model()), requirements=["short", "dated", "greets"])
    letter = await written(client, queue, asked)

    full = {"score": 1.0, "met": True, "stage": "code", "engine": "rules"}
    assert letter.model_dump(exclude={"output", "brief", "candidates", "usage"}) == {
        "value": GOOD,
        "met": True,
        "total": 1.0,
        "scores": (
            {"requirement": "short", "reason": "has 6 words"} | full,
            {"requirement": "dated", "reason": "names 2026-02-01"} | full,
            {"requirement": "greets", "reason": "passes"} | full,
        ),
        "engine": "scripted-1",
        "finish_reason": "met",
        "comment": "",
    }
    assert course(letter) == ["1.1 scripted-1: 1.00"]
    assert letter.output is not None
    assert (await objects.read(letter.output)).decode() == GOOD
    assert (model.paid, letter.usage.calls, letter.usage.cost_usd) == (1, 1, letter.candidates[0].usage.cost_usd)


async def test_what_falls_short_is_mended(client: Client, queue: str, model: Scripted, tmp_path: Path) -> None:
    """The writer is shown its best draft and what fell short of what; the best is kept when a later one is worse."""
    model.script(LATE, "Dear customer, 2026-02-01, but " + "very " * 20, GOOD)
    asked = Asked(store=str(tmp_path), models=Models(writer=model.model()), requirements=["short", "dated"])
    letter = await written(client, queue, asked)

    assert course(letter) == [
        "1.1 scripted-1: 0.00, short: dated 0.00",
        "2.1 scripted-1: 0.75, short: short 0.50",
        "3.1 scripted-1: 1.00",
    ]
    first, second, third = model.asked
    assert [one["role"] for one in first.messages] == ["system", "user"]
    assert first.user == (
        "Write that the delivery is late.\n\n# Requirements\n- short: At most 12 words\n"
        "- dated (mandatory): Names the day of delivery"
    )
    assert [one["role"] for one in second.messages] == ["system", "user", "assistant", "user"]
    assert second.messages[2]["content"] == LATE
    assert second.user == (
        "Your answer falls short of this:\n- dated: Names the day of delivery It scores 0.00 of 1: names no date of "
        "the form 2026-01-31.\n\nMend that and keep what is right. Write the whole answer again, and nothing around it."
    )
    assert "It scores 0.50 of 1: has 24 words, 12 more than the 12 allowed." in third.user


async def test_a_stronger_model_goes_on(client: Client, queue: str, model: Scripted, tmp_path: Path) -> None:
    """A round that brings nothing better, and a model that refuses, are followed by the next stronger one."""
    names: dict[str, list[Any]] = {"small": [LATE, LATE], "middle": [refuses()], "large": [GOOD]}
    model.script(lambda asked: names[asked.model].pop(0))
    models = Models(writer=model.model("small"), stronger=(model.model("middle"), model.model("large")))
    asked = Asked(store=str(tmp_path), models=models, requirements=["dated"], budget=Budget(attempts=8))
    letter = await written(client, queue, asked)

    assert course(letter) == [
        "1.1 small: 0.00, short: dated 0.00",
        "2.1 small: 0.00, short: dated 0.00",
        "3.1 middle: Refused",
        "4.1 large: 1.00",
    ]
    assert (letter.engine, letter.finish_reason, model.paid) == ("large", "met", 4)
    assert letter.usage.calls == 4


async def test_the_judge_comes_last(client: Client, queue: str, model: Scripted, tmp_path: Path) -> None:
    """A draft that misses a mandatory requirement is not judged; the judge's score and reason count as the others."""
    model.script(answers(letters=[LATE, GOOD, GOOD + " Sorry."], judgements=[judgement(0.5), judgement(0.9)]))
    models = Models(writer=model.model("small"), judge=model.model("judge"), ranks={"judge": 5})
    asked = Asked(store=str(tmp_path), models=models, requirements=["polite", "dated"])
    letter = await written(client, queue, asked)

    assert [one.model for one in model.asked] == ["small", "small", "judge", "small", "judge"]
    assert [[(score.score, score.reason, score.engine) for score in one.sheet.scores] for one in letter.candidates] == [
        [
            (0, "was not looked at, because a mandatory requirement is not met", "rules"),
            (0, "names no date of the form 2026-01-31", "rules"),
        ],
        [(0.5, "It lacks warmth.", "judge"), (1, "names 2026-02-01", "rules")],
        [(0.9, "It lacks warmth.", "judge"), (1, "names 2026-02-01", "rules")],
    ]
    assert (letter.finish_reason, round(letter.total, 2)) == ("met", 0.95)


async def test_a_judge_that_fails_gives_no_score(client: Client, queue: str, model: Scripted, tmp_path: Path) -> None:
    """A refusal, a cut answer, another requirement's score and one out of range each count as 0, and say so."""
    judgements = [refuses(), truncated('{"scores'), {"scores": [{"requirement": "x", "score": 1, "reason": ""}]}]
    model.script(answers(letters=["One.", "Two.", "Three."], judgements=judgements))
    asked = Asked(
        store=str(tmp_path),
        models=Models(writer=model.model()),
        requirements=["polite"],
        budget=Budget(attempts=3),
    )
    letter = await written(client, queue, asked)

    assert [one.sheet.scores[0].reason for one in letter.candidates] == [
        "the judge gave no score: Refused",
        "the judge gave no score: Truncated",
        "the judge gave no score",
    ]
    assert (letter.met, letter.finish_reason, letter.usage.calls) == (False, "attempts", 6)


async def test_candidates_are_written_at_once(client: Client, queue: str, model: Scripted, tmp_path: Path) -> None:
    """Of a round's candidates the best is kept, and each has its scores; the same question is asked thrice."""
    letters = iter([LATE, GOOD, LONG])
    model.script(lambda asked: next(letters))
    asked = Asked(
        store=str(tmp_path), models=Models(writer=model.model()), requirements=["short", "dated"], candidates=3
    )
    letter = await written(client, queue, asked)

    assert sorted(str(one) for one in letter.candidates) == [
        "scripted-1: 0.00, short: dated 0.00",
        "scripted-1: 0.88, short: short 0.75",
        "scripted-1: 1.00",
    ]
    assert (letter.value, letter.finish_reason, model.paid) == (GOOD, "met", 3)
    assert len({str(one.messages) for one in model.asked}) == 1


async def test_json_of_a_type(client: Client, queue: str, model: Scripted, tmp_path: Path) -> None:
    """An answer that is no JSON of the type is asked for again, with what was wrong; validators are given the value."""
    model.script("Dear customer", {"greeting": "Dear", "lines": ["One"]}, {"greeting": "Dear", "lines": ["One", "Two"]})
    asked = Asked(store=str(tmp_path), models=Models(writer=model.model()), requirements=["two lines"], structured=True)
    letter = await written(client, queue, asked)

    assert Letter.model_validate(letter.value) == Letter(greeting="Dear", lines=["One", "Two"])
    assert [str(one) for one in letter.candidates] == [
        "scripted-1: InvalidOutput",
        "scripted-1: 0.00, short: two lines 0.50",
        "scripted-1: 1.00",
    ]
    assert "# What was wrong with earlier answers\n- the answer is not of the form asked for" in model.asked[1].user


async def test_evidence_is_looked_for_in_the_sources(
    client: Client, queue: str, model: Scripted, tmp_path: Path
) -> None:
    """A quote that the model invents scores 0; one that stands in a source is evidence."""
    source = await objects.write(str(tmp_path / "order.txt"), "The goods are sent within ten days of the order.")
    model.script('You wrote "sent within two days of it".', 'You wrote "sent within ten days".')
    asked = Asked(store=str(tmp_path), models=Models(writer=model.model()), requirements=["quotes"], source=source)
    letter = await written(client, queue, asked)

    assert [one.sheet.scores[0].reason for one in letter.candidates] == [
        "of 1 quotes, these stand in no source word for word: number 1",
        "the quote is verbatim",
    ]
    assert 'name="order.txt">\nThe goods are sent' in model.asked[0].user


@pytest.mark.parametrize(
    ("budget", "reason", "paid"),
    [
        (Budget(attempts=3), "attempts", 3),
        (Budget(attempts=9, tokens=100), "tokens", 2),
        (Budget(attempts=9, cost_usd=0.0001), "cost", 2),
    ],
)
async def test_it_stops_at_its_budget(
    client: Client, queue: str, model: Scripted, tmp_path: Path, budget: Budget, reason: str, paid: int
) -> None:
    """No call is made once a bound is reached, and the best draft is returned with what it scores."""
    model.script(LATE)
    asked = Asked(store=str(tmp_path), models=Models(writer=model.model()), requirements=["dated"], budget=budget)
    letter = await written(client, queue, asked)

    assert (letter.finish_reason, letter.met, letter.total, letter.value) == (reason, False, 0.0, LATE)
    assert (model.paid, len(letter.candidates)) == (paid, paid)


async def test_a_server_that_stalls_costs_no_more_than_the_time(
    client: Client, queue: str, model: Scripted, tmp_path: Path
) -> None:
    """A call that is under way when the time is up is given up, and the draft from before is returned."""
    model.script(LATE, stalls("Dear"))
    asked = Asked(
        store=str(tmp_path),
        models=Models(writer=model.model()),
        requirements=["dated"],
        budget=Budget(wall_time=timedelta(seconds=3)),
    )
    letter = await written(client, queue, asked)

    assert (letter.finish_reason, letter.value, letter.candidates[1].failure) == ("wall_time", LATE, "OutOfTime")


async def test_code_that_takes_too_long_is_given_up(
    client: Client, queue: str, model: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where looking at a draft takes more than the budget has, the draft is returned unlooked at, and says so."""
    monkeypatch.setattr(running, "CHECK", timedelta(seconds=2))
    model.script(LATE)
    asked = Asked(
        store=str(tmp_path),
        models=Models(writer=model.model()),
        requirements=["thinks"],
        budget=Budget(wall_time=timedelta(seconds=2)),
    )
    try:
        letter = await written(client, queue, asked)
    finally:
        letters.LET_GO.set()

    assert (letter.finish_reason, letter.value, letter.met) == ("wall_time", LATE, False)
    assert letter.scores[0].reason == "was not looked at, because the time of the budget is used up"


async def test_hiccups_are_the_steps_own(client: Client, queue: str, model: Scripted, tmp_path: Path) -> None:
    """A 429, a 500 and a broken connection are tried again within the step; one draft comes of it."""
    model.script(status(429, retry_after="0"), status(500), dies("Dear cust"), GOOD)
    asked = Asked(store=str(tmp_path), models=Models(writer=model.model()), requirements=["dated"])
    letter = await written(client, queue, asked)

    assert (letter.finish_reason, course(letter), len(model.asked)) == ("met", ["1.1 scripted-1: 1.00"], 4)


async def test_no_model_answers(client: Client, queue: str, model: Scripted, tmp_path: Path) -> None:
    """Without any draft the result says that the models failed; with a fallback it is the fallback's."""
    model.script(refuses())
    asked = Asked(store=str(tmp_path), models=Models(writer=model.model()), requirements=["dated", "polite"])
    letter = await written(client, queue, asked)
    assert (letter.finish_reason, letter.output, letter.total, course(letter)) == (
        "models_failed",
        None,
        0.0,
        ["1.1 scripted-1: Refused"],
    )
    model.script(lambda asked: judgement(1.0, "") if "You judge" in asked.system else refuses())
    letter = await written(client, queue, asked.model_copy(update={"fallback": True}))
    assert (letter.finish_reason, letter.engine, letter.met) == ("models_failed", "form_letter", True)


async def test_without_a_model(client: Client, queue: str, tmp_path: Path) -> None:
    """The caller's own activity makes the text, which code scores; what only a judge could say is not met."""
    asked = Asked(store=str(tmp_path), requirements=["dated", "polite"], fallback=True)
    letter = await written(client, queue, asked)

    assert (letter.value, letter.engine, letter.finish_reason, letter.total, letter.met) == (
        "Dear customer, it comes on 2026-01-31.",
        "form_letter",
        "no_model",
        0.5,
        False,
    )
    assert letter.scores[1].reason == "was not looked at, because no model is configured to judge"


async def test_what_is_made_without_a_model_has_the_form_asked_for(client: Client, queue: str, tmp_path: Path) -> None:
    """A text of the caller's own that does not conform to the output's schema is no draft, and the result says why."""
    asked = Asked(store=str(tmp_path), fallback=True, structured=True)
    letter = await written(client, queue, asked)
    assert (letter.output, letter.value, letter.met, letter.candidates[0].failure, letter.candidates[0].problem) == (
        None,
        None,
        False,
        "InvalidOutput",
        "the answer is not of the form asked for: (value): is not JSON",
    )
    letter = await written(client, queue, asked.model_copy(update={"bill": True}))
    assert letter.output is None
    assert letter.candidates[0].problem == "the answer is not of the form asked for: lines: is missing"


async def test_a_person_decides_in_the_end(client: Client, queue: str, model: Scripted, tmp_path: Path) -> None:
    """Out of budget, a person has another round that heeds the comment, and accepts what comes of it."""
    model.script(LATE, "Dear customer, it comes very late.")
    asked = Asked(
        store=str(tmp_path),
        models=Models(writer=model.model()),
        requirements=["dated"],
        budget=Budget(attempts=1),
        review=True,
    )
    handle = await begun(client, queue, asked)
    approvals = await shown(handle, 1)
    assert approvals[0].question == "letter: the best draft scores 0.00"
    assert "| dated | 0.00 | names no date of the form 2026-01-31 |" in (approvals[0].details or "")
    await decide(handle, choice="revise", by="ann", comment="say how late")
    await shown(handle, 2)
    await decide(handle, choice="accept", by="ann", comment="good enough")
    letter = await handle.result()

    assert (letter.finish_reason, letter.comment, letter.met, len(letter.candidates)) == (
        "accepted",
        "good enough",
        False,
        2,
    )
    assert "- say how late" in model.asked[1].user


async def shown(handle: WorkflowHandle[Any, Any], count: int) -> list[Approval]:
    """The approvals of a run, once there are so many of them."""
    while True:
        with contextlib.suppress(WorkflowQueryFailedError):  # it has asked for none yet
            if len(found := await approvals_of(handle)) >= count:
                return found
        await asyncio.sleep(0.05)


async def test_a_plan_comes_first(client: Client, queue: str, model: Scripted, tmp_path: Path) -> None:
    """The plan is asked for once, is paid for, and every draft follows it."""
    model.script("1. Greet. 2. Name the day.", LATE, GOOD)
    asked = Asked(store=str(tmp_path), models=Models(writer=model.model()), requirements=["dated"], plan=True)
    letter = await written(client, queue, asked)

    assert (letter.finish_reason, letter.usage.calls, len(letter.candidates)) == ("met", 3, 2)
    assert all("# Plan\n1. Greet. 2. Name the day." in one.messages[1]["content"] for one in model.asked[1:])


async def test_what_it_is_doing_is_shown(client: Client, queue: str, model: Scripted, tmp_path: Path) -> None:
    """Each step says which round it is and what it mends; a query tells the scores so far."""
    model.script(LATE, GOOD)
    asked = Asked(store=str(tmp_path), models=Models(writer=model.model()), requirements=["dated"], inline=False)
    handle = await begun(client, queue, asked)
    letter = await handle.result()

    summaries = [
        event.user_metadata.summary.data.decode().strip('"')
        async for event in handle.fetch_history_events()
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    assert summaries == [
        "letter: what is asked for",
        "letter round 1: write, by scripted-1",
        "letter round 1: check",
        "letter round 2: mend dated, by scripted-1",
        "letter round 2: check",
    ]
    told: Any = await handle.query("segue_generation")  # pyright: ignore[reportUnknownMemberType]
    assert told == [
        {
            "name": "letter",
            "total": 1.0,
            "rounds": [
                {"round": 1, "candidates": ["scripted-1: 0.00, short: dated 0.00"]},
                {"round": 2, "candidates": ["scripted-1: 1.00"]},
            ],
            "tokens": letter.usage.tokens,
            "cost_usd": letter.usage.cost_usd,
        }
    ]
    assert letter.value is None


async def test_histories_hold_no_texts_and_no_keys(
    client: Client, queue: str, model: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Task, source, plan, drafts, what a judge repeats of them, and the key stay out of the history."""
    monkeypatch.setenv("SCRIPTED_KEY", "sk-canary-key")
    task = await objects.write(str(tmp_path / "task.txt"), "canary-task: say that it is late.")
    body = "The canary-source says that goods are sent within ten days of the order."
    source = await objects.write(str(tmp_path / "order.txt"), body)
    draft = "Dear canary-draft, you wrote that goods are sent within ten days, it comes on 2026-02-01."
    quoting = judgement(0.2, f"It says: {draft} And the source: {body}")
    model.script("canary-plan", answers(letters=[draft, draft], judgements=[quoting, judgement(1.0)]))
    asked = Asked(
        store=str(tmp_path / "store"),
        models=Models(writer=model.guarded()),
        requirements=["dated", "polite"],
        task="",
        source=source,
        plan=True,
        inline=False,
    )
    handle = await begun(client, queue, asked.model_copy(update={"task": task}))
    letter = await handle.result()
    assert (letter.finish_reason, len(letter.candidates)) == ("met", 2)
    assert letter.candidates[0].sheet.scores[1].reason == "It says: […]. And the source: […]."
    assert "canary-source" in model.asked[0].text
    history = await handle.fetch_history()
    raw = b"".join(event.SerializeToString() for event in history.events)
    assert [word for word in (b"canary", b"ten days", b"sk-") if word in raw] == []


def test_a_weak_judge_is_refused(model: None) -> None:
    """A judge is never weaker than a writer, and what ranks nowhere is not guessed."""
    small, large, other = (Model(name=name, base_url="http://127.0.0.1:1") for name in ("small", "large", "other"))
    assert Models(writer=small).judging == small
    assert Models(writer=small, stronger=(large,)).judging == large
    assert Models(writer=small, stronger=(large,), judge=large).rank(large) == 2
    for fields, problem in (
        (
            {"stronger": (large,), "judge": small},
            "the judge 'small' (rank 1) is weaker than the writer 'large' (rank 2)",
        ),
        ({"judge": other}, "nothing says how strong the judge 'other' is beside the writer 'small'"),
        (
            {"judge": other, "ranks": {"other": 0}},
            "the judge 'other' (rank 0) is weaker than the writer 'small' (rank 1)",
        ),
        ({"stronger": (large,), "ranks": {"small": 3}}, "must be given the weakest first, none weaker than the writer"),
    ):
        with pytest.raises(ValidationError) as refused:
            Models(writer=small, **fields)  # pyright: ignore[reportArgumentType]
        assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        (
            {"models": None},
            "no model is configured: give models=, or fallback=, an activity that makes a text without a model",
        ),
        ({"task": " "}, "the task is empty"),
        ({"requirements": ["dated", "short", "dated"]}, "several requirements are called 'dated'"),
        ({"candidates": 0}, "candidates=0 must be 1 to 20"),
        (
            {"budget": Budget(cost_usd=1), "models": Models(writer=Model(name="free", base_url="http://127.0.0.1:1"))},
            "budget.cost_usd needs the price of 'free': give Model(price=...)",
        ),
        ({"store": "s3://user:secret@bucket/x"}, "What is asked for is not valid: store: "),
    ],
)
async def test_what_cannot_be_generated_is_refused(
    client: Client, queue: str, model: Scripted, tmp_path: Path, fields: dict[str, Any], problem: str
) -> None:
    """Nothing is started; the message says what is wrong."""
    asked = Asked(store=str(tmp_path), models=Models(writer=model.model())).model_copy(update=fields)
    kind, message = await failure(client, queue, asked)

    assert kind == "InvalidGeneration"
    assert message.startswith(f"'letter' cannot be generated: {problem}")
    assert "secret" not in message
    assert model.asked == []


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("breaks", "validator 'tests.generation.letters:breaks' raised ZeroDivisionError"),
        (
            "nothing",
            "validator 'tests.generation.letters:says_nothing' returned NoneType: return a bool, a score from 0 to 1, "
            "or a Verdict",
        ),
        (
            "too much",
            "validator 'tests.generation.letters:says_too_much' returned a score of 7.0, which is not 0 to 1",
        ),
    ],
)
async def test_a_validator_that_breaks_ends_it(
    client: Client, queue: str, model: Scripted, tmp_path: Path, name: str, problem: str
) -> None:
    """A validator's own fault is no score: it fails, names the requirement, and costs one draft."""
    asked = Asked(store=str(tmp_path), models=Models(writer=model.model()), requirements=[name])
    assert await failure(client, queue, asked) == ("ValidatorFailed", f"Requirement {name!r}: {problem}")
    assert model.paid == 1


async def test_recorded_generations_replay() -> None:
    """Recorded histories replay with this version, whole and cut after each task."""
    whole = recorded("generation")
    assert len(whole) == 4
    histories = [*whole, *beginnings(whole)]
    assert await replay(histories, WORKFLOWS, SeguePlugin(settings=Settings())) == len(histories)
