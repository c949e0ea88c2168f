"""What runs asked, asked again of another model; and what runs spent."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from temporalio import workflow
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    import pytest
    from click.testing import CliRunner, Result
    from pydantic import BaseModel
    from tests.llm.scripted import Asked, Scripted, refuses, truncated

    from segue.activities import Policy, System, llm
    from segue.activities.llm import Chat, Message, Model, Past, Price, Usage
    from segue.workers.cli.exits import Failure
    from segue.workers.cli.root import segue

pytest.importorskip("obstore")

QUEUE = "llm-evals"
panel = System("llm-test-panel", policy=Policy(maximum_attempts=1))


class Sides(BaseModel):
    tenant: str


class Asking(BaseModel):
    model: Model
    store: str


@panel.activity
async def ask_all(asking: Asking) -> list[llm.Completion]:
    """Ask three questions, of which one is refused."""
    made: list[llm.Completion] = []
    for name in ("Ada", "Grace", "Mallory"):
        chat = Chat(
            model=asking.model,
            messages=(Message.system("Answer in JSON."), Message.user(f"Who is the tenant? {name} is.")),
            output_schema=llm.schema_of(Sides),
            store=asking.store,
        )
        try:
            made.append((await llm.chat(chat)).completion)
        except llm.Refused:
            continue
    return made


@workflow.defn
class AskAll:
    @workflow.run
    async def run(self, asking: Asking) -> int:
        made = await workflow.execute_activity(ask_all, asking)
        try:
            chat = Chat(model=asking.model, messages=(Message.user("More?"),), keep="inline")
            await workflow.execute_activity(llm.complete, chat)
        except Exception:
            return len(made)
        return 0


def knows(asked: Asked) -> Any:
    """A model that reads, and refuses to say anything of Mallory; it has nothing more to say than half a sentence."""
    if asked.user == "More?":
        return truncated("There is")
    name = asked.user.split("? ")[1].removesuffix(" is.")
    return refuses() if name == "Mallory" else {"tenant": name}


def has_read(past: Past, text: str) -> float:
    """Whether an answer names who the question says it is."""
    return float(Sides.model_validate_json(text).tenant in str(past.chat.messages[-1].content))


async def run(client: Client, provider: Scripted, store: Path) -> str:
    """A run that asked, and its id."""
    provider.script(knows)
    async with Worker(client, task_queue=QUEUE, workflows=[AskAll], activities=[ask_all, llm.complete]):
        workflow_id = str(uuid.uuid4())
        asking = Asking(model=provider.guarded(), store=str(store))
        assert await client.execute_workflow(AskAll.run, asking, id=workflow_id, task_queue=QUEUE) == 2
    return workflow_id


async def test_a_model_on_what_was_asked_of_another(client: Client, provider: Scripted, tmp_path: Path) -> None:
    """Both are scored on the same questions; a second time costs nothing, and needs no server."""
    workflow_id = await run(client, provider, tmp_path / "kept")
    provider.script(lambda asked: {"tenant": "Grace"})
    cheap = Model(name="cheap-2", base_url=provider.url, price=Price(input=0.5, output=0.5))
    paid = provider.paid
    wanted: dict[str, Callable[[Past, str], float]] = {"read": has_read}

    async def again(model: Model, **options: Any) -> llm.Comparison:
        return await llm.rerun(
            str(tmp_path / "kept"), model, recording=str(tmp_path / "again"), scorers=wanted, **options
        )

    made = await again(cheap, workflow_id=workflow_id)

    before, after = made.summary()
    assert (before.engine, before.calls, before.answered, before.errors) == ("scripted-1", 3, 2, {"Refused": 1})
    assert before.scores == {
        "good": pytest.approx(2 / 3),
        "agreement": pytest.approx(2 / 3),
        "read": pytest.approx(2 / 3),
    }
    assert before.usage == Usage(input_tokens=27, output_tokens=4, cost_usd=3.5e-05, calls=3)
    assert (after.engine, after.calls, after.answered, after.errors) == ("cheap-2", 3, 3, {})
    assert after.scores == {"good": 1.0, "agreement": pytest.approx(0.5), "read": pytest.approx(1 / 3)}
    assert after.usage == Usage(input_tokens=27, output_tokens=6, cost_usd=1.65e-05, calls=3)
    assert provider.paid == paid + 3

    nowhere = cheap.model_copy(update={"base_url": "http://127.0.0.1:9/v1"})
    assert await again(nowhere) == made
    assert await again(nowhere, offline=True) == made
    missed = await again(nowhere, offline=True, instructions="Answer in French.")
    assert missed.summary()[1].errors == {"NotRecorded": 3}
    assert provider.paid == paid + 3
    told = await again(cheap, instructions="Answer in French.")
    assert (told.summary()[1].answered, {one.system for one in provider.asked[-3:]}) == (3, {"Answer in French."})
    # What was recorded of the other model is a recording of its own, and can be compared with in turn.
    assert (await llm.rerun(str(tmp_path / "again"), cheap, recording=str(tmp_path / "again"))).summary()[0].calls == 6


async def test_nothing_to_ask_again(tmp_path: Path) -> None:
    """A store in which nothing was recorded is an error that says so."""
    with pytest.raises(Exception, match=r"Nothing that was asked by workflow 'w' is recorded under ") as failed:
        await llm.rerun(str(tmp_path), Model(name="m", base_url="http://localhost"), workflow_id="w")
    assert "give the store= of the questions, or a recording" in str(failed.value)


async def command(*arguments: str) -> Result:
    """The command, in a thread, for it has a loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, segue, ("evals", *arguments))


async def test_the_commands(
    server: WorkflowEnvironment, client: Client, provider: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`segue evals rerun` prints both sides; `segue evals usage` what each step took, failed ones included."""
    workflow_id = await run(client, provider, tmp_path / "kept")
    provider.script(lambda asked: {"tenant": "Grace"})
    target = server.client.service_client.config.target_host
    model = ("--model", "cheap-2", "--base-url", provider.url, "--key", "env:SCRIPTED_KEY", "--price", "0.5,0.5")

    rerun = await command("rerun", str(tmp_path / "kept"), *model, "--score", "tests.llm.test_evals:has_read")

    assert rerun.exception is None or rerun.return_value == 0, rerun.exception
    assert rerun.stdout == (
        "        ENGINE      ANSWERED  GOOD  AGREEMENT  HAS_READ  READ  WRITTEN  COST\n"
        "before  scripted-1  2/3       0.67  0.67       0.67      27    4        $0.000035\n"
        "after   cheap-2     3/3       1.00  0.50       0.33      27    6        $0.000017\n"
        "before: 1 Refused\n"
    )
    offline = await command("rerun", str(tmp_path / "kept"), *model, "--offline", "--json")
    assert json.loads(offline.stdout)["after"]["answered"] == 3

    usage = await command("usage", workflow_id, "--address", target)
    assert usage.stdout == (
        "STEP                  ENGINE      CALLS  READ  WRITTEN  COST\n"
        "ask_all-1             scripted-1  1      9     2        $0.000013\n"
        "ask_all-1             scripted-1  1      9     2        $0.000013\n"
        "segue.llm.complete-1  scripted-1  1      1     2        $0.000005\n"
        "                      total       3      19    6        $0.000031\n"
    )
    status = await asyncio.to_thread(CliRunner().invoke, segue, ("status", workflow_id, "--address", target))
    assert status.stdout.endswith("\n\nmodels     3 calls · 19 tokens read · 6 written · $0.000031\n")
    wrong = await command("rerun", str(tmp_path), *model[:4], "--price", "cheap")
    assert isinstance(wrong.exception, Failure)
    assert str(wrong.exception) == "--price 'cheap' is not two numbers, such as 0.15,0.6"


def test_an_account_is_of_who_was_asked() -> None:
    """Rules, which ask nobody, have no account; what a judge took has one, at whatever depth it is told."""
    rules = {"engine": "rules", "usage": Usage().model_dump(mode="json")}
    took = Usage(input_tokens=9, output_tokens=2, calls=1)
    verified = {"sentences": {"url": "x"}, "account": {"engine": "judge", "usage": took.model_dump(mode="json")}}
    assert list(llm.accounts([rules, verified])) == [("judge", took)]
