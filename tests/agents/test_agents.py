"""Agents on a real Temporal server, by a scripted model: tools called, refused, approved, failed; budgets; children."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker
from tests.agents.desk import (
    ACTIVITIES,
    WORKFLOWS,
    Asked,
    Desk,
    Invalid,
    Verdict,
    looked_up,
    made,
    refunded,
    released,
)
from tests.generation.test_generate import shown
from tests.llm.scripted import Asked as Question
from tests.llm.scripted import Scripted, calls, refuses, scripted, stalls, truncated
from tests.recorded import beginnings, recorded

from segue.activities import objects
from segue.activities.agents import Transcript, steps
from segue.activities.llm import Model, ToolCall
from segue.activities.settings import Settings
from segue.client import SeguePlugin, decide
from segue.workers.replay import replay
from segue.workflows.agents import Agent, AgentResult, AgentTask, agent_tool
from segue.workflows.generation import Budget


@pytest.fixture
async def model() -> AsyncIterator[Scripted]:
    async with scripted() as server:
        yield server


@pytest.fixture
async def queue(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    monkeypatch.setenv("SEGUE_OBJECTS_ROOT", str(tmp_path / "root"))
    looked_up.clear()
    refunded.clear()
    released.clear()
    name = str(uuid.uuid4())
    async with Worker(client, task_queue=name, workflows=WORKFLOWS, activities=ACTIVITIES):
        yield name


@pytest.fixture
def asked(model: Scripted, tmp_path: Path) -> Asked:
    return Asked(model=model.model(), store=str(tmp_path / "store"))


async def begun(client: Client, queue: str, asked: Asked) -> WorkflowHandle[Any, AgentResult[Any]]:
    return await client.start_workflow(Desk.run, asked, id=str(uuid.uuid4()), task_queue=queue)


async def ended(client: Client, queue: str, asked: Asked, **changes: Any) -> AgentResult[Any]:
    return await (await begun(client, queue, asked.model_copy(update=changes))).result()


async def said(result: AgentResult[Any]) -> str:
    assert result.output is not None
    return (await objects.read(result.output)).decode()


async def conversation(result: AgentResult[Any]) -> list[tuple[str, str]]:
    """Who said what."""
    transcript = Transcript.model_validate_json(await objects.read(result.transcript))
    return [
        (one.role, ", ".join(f"{call.name}({call.arguments})" for call in one.tool_calls) or str(one.content))
        for one in transcript.messages
    ]


async def test_a_tool_is_called_with_what_the_model_sends(
    client: Client, queue: str, model: Scripted, asked: Asked
) -> None:
    """Arguments are validated, defaults filled in, results go back to the model, and its answer is in an object."""
    model.script(calls(("find_order", {"number": 17})), "It is 3 days late.")
    result = await ended(client, queue, asked, tools=["find_order"], instructions="Be brief.")

    assert await said(result) == "It is 3 days late."
    assert (result.finish_reason, result.turns, result.calls, result.usage.calls, model.paid) == (
        "answered",
        2,
        1,
        2,
        2,
    )
    assert await conversation(result) == [
        ("system", "Be brief."),
        ("user", "Why is order 17 late?"),
        ("assistant", 'find_order({"number": 17})'),
        ("tool", '{"number":17,"late_days":3}'),
        ("assistant", "It is 3 days late."),
    ]
    [offered] = model.asked[0].body["tools"]
    assert offered["function"]["description"] == "Find an order by its number."
    assert offered["function"]["parameters"]["properties"] == {
        "number": {"title": "Number", "type": "integer"},
        "verbose": {"default": False, "title": "Verbose", "type": "boolean"},
    }
    assert offered["function"]["parameters"]["required"] == ["number"]


async def test_what_does_not_fit_goes_back_to_the_model(
    client: Client, queue: str, model: Scripted, asked: Asked
) -> None:
    """Nothing is scheduled for wrong arguments, broken JSON or an unknown tool; the model is told, and mends it."""
    model.script(
        calls(
            ("find_order", {"number": "many"}), ("find_order", '{"number": 1'), ("find", {}), ("book", {"number": -1})
        ),
        calls(("find_order", {"number": 17, "colour": "red"})),
        "I give up.",
    )
    result = await ended(client, queue, asked, tools=["find_order", "book"])

    answers = [content for role, content in await conversation(result) if role == "tool"]
    assert [one.split(":")[0] for one in answers] == [
        "Not called, because the arguments do not fit",
        "Not called, because the arguments do not fit",
        "There is no tool 'find'",
        "Not called, because the arguments do not fit",
        "Not called, because the arguments do not fit",
    ]
    assert "number: Input should be a valid integer" in answers[0]
    assert answers[2] == "There is no tool 'find': 'find_order', 'book'."
    assert "number: Input should be greater than 0" in answers[3]
    assert "colour: Extra inputs are not permitted" in answers[4]
    assert looked_up.total() == 0


async def test_a_tool_that_fails_is_told(client: Client, queue: str, model: Scripted, asked: Asked) -> None:
    """An activity's error, after its own retries, is what the model gets."""
    model.script(calls(("find_order", {"number": 404})), "There is none.")
    result = await ended(client, queue, asked, tools=["find_order"])
    assert ("tool", "The call failed. NoSuchOrder: there is no such order") in await conversation(result)


async def test_children_objects_and_several_calls_at_once(
    client: Client, queue: str, model: Scripted, asked: Asked
) -> None:
    """A child workflow is a tool as an activity is; of an object the model is shown the text."""
    model.script(calls(("deliver", {"parcel": "a vase"}), ("read_terms", {}), ("book", {"number": 5})), "Done.")
    handle = await begun(client, queue, asked.model_copy(update={"tools": ["deliver", "read_terms", "book"]}))
    result = await handle.result()
    assert [content for role, content in await conversation(result) if role == "tool"] == [
        "a vase arrives in 2 days",
        "canary-terms: parcels arrive within ten days.",
        "booked 5",
    ]
    # The text of the object went by reference.
    history = b"".join([event.SerializeToString() async for event in handle.fetch_history_events()])
    assert b"canary" not in history


async def test_an_effect_waits_for_approval(client: Client, queue: str, model: Scripted, asked: Asked) -> None:
    """What is declared to happen at most once is called when a person approves it, once and with a key; else not."""
    sent = {"order": {"number": 17}, "amount": 9.5}
    model.script(calls(("refund", sent)), calls(("refund", sent)), calls(("unguarded", sent)), "Refunded.")
    handle = await begun(client, queue, asked.model_copy(update={"tools": ["refund", "unguarded"]}))
    [approval] = await shown(handle, 1)
    assert (approval.question, "amount" in (approval.details or "")) == ("clerk: call refund?", True)
    assert refunded == {}
    await decide(handle, approve=False, by="ann", comment="too much")
    await shown(handle, 2)
    await decide(handle, approve=True, by="ann")
    result = await handle.result()

    assert [content for role, content in await conversation(result) if role == "tool"] == [
        "Not called: a person refused it and said: too much",
        "refunded 9.50 for order 17",
        "refunded 9.50 for order 17",
    ]
    assert list(refunded.values()) == [9.5, 9.5]


async def test_a_read_can_wait_for_approval_too(client: Client, queue: str, model: Scripted, asked: Asked) -> None:
    """`approve=True` makes any tool wait."""
    model.script(calls(("approved", {"number": 17})), "Found.")
    handle = await begun(client, queue, asked.model_copy(update={"tools": ["approved"]}))
    await shown(handle, 1)
    assert looked_up.total() == 0
    await decide(handle, approve=True, by="ann")
    await handle.result()
    assert looked_up == {17: 1}


async def test_an_answer_of_a_type(client: Client, queue: str, model: Scripted, asked: Asked) -> None:
    """The answer is given by a tool, is validated, and comes back typed; a text in its place is asked for again."""
    model.script(
        "It is late.", calls(("answer", {"late": True, "days": -1})), calls(("answer", {"late": True, "days": 3}))
    )
    result = await ended(client, queue, asked, output=True)
    assert (Verdict.model_validate(result.value), result.finish_reason) == (Verdict(late=True, days=3), "answered")
    assert [one for role, one in await conversation(result) if role in ("tool", "user")][1:] == [
        "Give your answer by calling the tool 'answer'.",
        "Your answer is not of the form asked for: Verdict is not valid: days: Input should be greater than or equal "
        "to 0",
        "Received.",
    ]


@pytest.mark.parametrize(
    ("budget", "reason", "turns"),
    [(Budget(attempts=3), "attempts", 3), (Budget(tokens=10), "tokens", 2), (Budget(cost_usd=0.00001), "cost", 2)],
)
async def test_it_stops_at_its_budget(
    client: Client, queue: str, model: Scripted, asked: Asked, budget: Budget, reason: str, turns: int
) -> None:
    """A model that never ends has no turn beyond the budget; what tools have answered is in the transcript."""
    model.script(calls(("find_order", {"number": 17})))
    result = await ended(client, queue, asked, tools=["find_order"], budget=budget)
    assert (result.finish_reason, result.turns, model.paid, looked_up[17]) == (reason, turns, turns, turns)
    assert (await conversation(result))[-1] == ("tool", '{"number":17,"late_days":3}')


@pytest.mark.parametrize(
    ("turn", "reason", "problem"),
    [
        (refuses(), "model_failed", "Refused: "),
        (truncated("It is"), "model_failed", "Truncated: "),
        (stalls("It"), "wall_time", "the time of the budget is used up"),
    ],
)
async def test_a_model_that_fails_ends_it(
    client: Client, queue: str, model: Scripted, asked: Asked, turn: Any, reason: str, problem: str
) -> None:
    """A refusal, a second cut answer and silence end the agent; what was said before can be gone on from."""
    model.script(calls(("find_order", {"number": 17})), turn)
    budget = Budget(attempts=5, wall_time=timedelta(seconds=5 if reason == "wall_time" else 60))
    result = await ended(client, queue, asked, tools=["find_order"], budget=budget)
    assert (result.finish_reason, result.problem[: len(problem)]) == (reason, problem)
    before = await conversation(result)
    assert before[2] == ("tool", '{"number":17,"late_days":3}')
    assert [role for role, _ in before[3:]] == (["user"] if problem == "Truncated: " else [])

    model.script("It is 3 days late.")
    again = await ended(client, queue, asked, transcript=result.transcript, task="Go on.")
    assert await said(again) == "It is 3 days late."
    assert (await conversation(again))[len(before) :] == [("user", "Go on."), ("assistant", "It is 3 days late.")]


async def test_an_answer_that_is_cut_is_asked_for_again(
    client: Client, queue: str, model: Scripted, asked: Asked
) -> None:
    """One cut answer ends nothing: it is paid for, and the model is told to be shorter."""
    model.script(truncated("It is, all thing"), "It is late.")
    result = await ended(client, queue, asked)
    assert (await said(result), result.turns, result.usage.calls) == ("It is late.", 2, 2)
    assert model.asked[1].user == (
        "Your answer was cut off at its greatest length, and nothing of it was kept. Give it again, shorter."
    )


LARGE = "x" * 3_000_000


TOO_LARGE: dict[str, tuple[list[tuple[str, Any]], list[str]]] = {
    "arguments": (
        [("find_order", {"note": LARGE})],
        ["Not called: what you sent is too large, 3,000,066 bytes of 500,000 that this turn has left."],
    ),
    "a name": (
        [("find_order", {"number": 17}), (LARGE, {})],
        [
            '{"number":17,"late_days":3}',
            "Not called: what you sent is too large, 3,000,042 bytes of 499,934 that this turn has left.",
        ],
    ),
    "an answer": (
        [("answer", {"days": LARGE})],
        ["Not called: what you sent is too large, 3,000,062 bytes of 500,000 that this turn has left."],
    ),
    "what tools return": (
        [("long_terms", {"characters": 1_500_000})] * 20,
        ["canary" * 5316 + "cana\n[cut: 1,468,100 more characters]"] * 20,
    ),
    "calls": (
        [("find_order", {"number": 17})] * 5_000,
        ['{"number":17,"late_days":3}'] * 20 + ["Not called: at most 20 calls a turn."] * 80,
    ),
}


@pytest.mark.parametrize("what", TOO_LARGE)
async def test_what_is_too_large_is_told(client: Client, queue: str, model: Scripted, asked: Asked, what: str) -> None:
    """What a history would not hold is not called, or cut, and fails nothing: the model is told, and goes on."""
    sent, told = TOO_LARGE[what]
    model.script(calls(*sent), calls(("answer", {"late": True, "days": 3})))
    result = await ended(client, queue, asked, tools=["find_order", "long_terms"], output=True)
    assert (result.finish_reason, result.turns, result.usage.calls) == ("answered", 2, 2)
    answers = [content for role, content in await conversation(result) if role == "tool"][:-1]
    assert answers == told


def test_each_call_has_an_id_of_its_own() -> None:
    """An answer refers to one call: what a model calls alike, or not at all, is told apart."""
    given = [ToolCall(id=id, name="t") for id in ("a", "a", "", "call-2", "z" * 100)]
    taken, unfit = steps.taken(given)
    assert ([call.id for call in taken], unfit) == (["a", "call-2-again", "call-3", "call-2", "call-5"], {})


@pytest.mark.parametrize("tool", ["wait_for", "await_parcel", "approved"])
async def test_tools_end_with_the_time_of_the_budget(
    client: Client, queue: str, model: Scripted, asked: Asked, tool: str
) -> None:
    """An activity, a child workflow and an approval that nobody gives are given up when the time is used up."""
    sent = {"number": 17} if tool == "approved" else {"what": "nothing"}
    model.script(calls((tool, sent), ("find_order", {"number": 17})))
    handle = await begun(
        client,
        queue,
        asked.model_copy(update={"tools": [tool, "find_order"], "budget": Budget(wall_time=timedelta(seconds=2))}),
    )
    result = await handle.result()
    assert (result.finish_reason, result.turns, model.paid) == ("wall_time", 1, 1)
    assert [content for role, content in await conversation(result) if role == "tool"] == [
        "Given up: the time of the budget is used up. Whether it took effect, if it was called, is not known.",
        '{"number":17,"late_days":3}',
    ]
    histories = [await handle.fetch_history()]
    assert await replay(histories, WORKFLOWS, SeguePlugin(settings=Settings())) == 1


async def test_children_spend_of_their_supervisors_budget(
    client: Client, queue: str, model: Scripted, tmp_path: Path
) -> None:
    """What children take counts, each gets what is left at most, and several at once share it."""
    part = AgentTask(
        task="",
        store=str(tmp_path / "store"),
        model=model.model("worker"),
        tools=(made("find_order"),),
        name="worker",
        budget=Budget(attempts=50, cost_usd=10),
    )
    boss = AgentTask(
        task="Ask.",
        store=str(tmp_path / "store"),
        model=model.model("boss"),
        tools=(agent_tool("clerk", "Looks orders up.", part), agent_tool("lawyer", "Knows the law.", part)),
        name="boss",
        budget=Budget(attempts=9, cost_usd=0.01, tokens=9_000),
    )

    def turn(asked: Question) -> Any:
        if asked.model == "boss":
            both = [("clerk", {"task": "Order 17?"}), ("lawyer", {"task": "Law?"})]
            return calls(*both[: 2 if asked.number == 1 else 1])
        return dataclasses.replace(calls(("find_order", {"number": 17})), usage=(2_000, 10))

    model.script(turn)
    id = str(uuid.uuid4())
    handle = await client.start_workflow(Agent.run, boss, id=id, task_queue=queue)
    result = await handle.result()
    # 2,010 tokens a turn: at half of 9,000 each child has three turns.
    assert [content for role, content in await conversation(result) if role == "tool"] == [
        "It ended without an answer (tokens).",
        "It ended without an answer (tokens).",
    ]
    assert (result.finish_reason, result.turns, result.usage.calls) == ("tokens", 1, 7)
    given = [
        AgentTask.model_validate((await client.data_converter.decode(started.input.payloads))[0]).budget
        async for event in handle.fetch_history_events()
        if event.HasField("start_child_workflow_execution_initiated_event_attributes")
        for started in [event.start_child_workflow_execution_initiated_event_attributes]
    ]
    own = result.usage.tokens - 6 * 2_010
    assert [(one.attempts, one.tokens) for one in given] == [(50, (9_000 - own) // 2)] * 2
    assert all(one.cost_usd is not None and 0.0049 < one.cost_usd < 0.005 for one in given)
    assert await replay([await handle.fetch_history()], WORKFLOWS, SeguePlugin(settings=Settings())) == 1


async def test_it_is_stopped_and_gone_on_with(client: Client, queue: str, model: Scripted, asked: Asked) -> None:
    """Stopped while a tool runs, it ends after that tool, whose answer is kept; the next agent goes on from there."""
    model.script(calls(("wait_for", {"what": "parcel"})), "Never asked.")
    handle = await begun(client, queue, asked.model_copy(update={"tools": ["wait_for"]}))
    while True:
        if model.asked and (told := await agents_of(handle)) and told[0]["state"] == "calling":
            break
        await asyncio.sleep(0.05)
    assert (told[0]["name"], told[0]["turns"], told[0]["calling"]) == ("clerk", 1, ["wait_for"])
    await handle.signal("segue_stop_agent", "clerk")
    released.add("parcel")
    result = await handle.result()
    assert (result.finish_reason, result.output, model.paid) == ("stopped", None, 1)
    assert (await conversation(result))[-1] == ("tool", "parcel is there")


async def agents_of(handle: WorkflowHandle[Any, Any]) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = await handle.query("segue_agents")  # pyright: ignore[reportUnknownMemberType]
    except Exception:  # it has not begun
        return []
    return found


async def test_agents_of_a_supervisor_are_its_children(
    client: Client, queue: str, model: Scripted, tmp_path: Path
) -> None:
    """Two agents work at once, each a workflow of its own with its own budget; the supervisor gets their answers."""
    part = AgentTask(task="", store=str(tmp_path / "store"), model=model.model("worker"), tools=(made("find_order"),))
    boss = AgentTask(
        task="Ask both.",
        store=str(tmp_path / "store"),
        model=model.model("boss"),
        tools=(
            agent_tool("clerk", "Looks orders up.", part),
            agent_tool("lawyer", "Knows the law.", part.model_copy(update={"budget": Budget(attempts=1)})),
        ),
        name="boss",
    )

    def turn(asked: Question) -> Any:
        if asked.model == "boss":
            done = asked.last["role"] == "tool"
            return "Both said so." if done else calls(("clerk", {"task": "Order 17?"}), ("lawyer", {"task": "Law?"}))
        return "Late by 3." if asked.last["role"] == "tool" else calls(("find_order", {"number": 17}))

    model.script(turn)
    id = str(uuid.uuid4())
    handle = await client.start_workflow(Agent.run, boss, id=id, task_queue=queue)
    result = await handle.result()
    assert await said(result) == "Both said so."
    assert [content for role, content in await conversation(result) if role == "tool"] == [
        "Late by 3.",
        "It ended without an answer (attempts).",
    ]
    children = [
        event.start_child_workflow_execution_initiated_event_attributes.workflow_id
        async for event in handle.fetch_history_events()
        if event.HasField("start_child_workflow_execution_initiated_event_attributes")
    ]
    assert [one.rsplit("-", 1)[0] for one in children] == [f"{id}/boss/clerk-1", f"{id}/boss/lawyer-2"]


async def test_a_long_agent_continues_as_new(client: Client, queue: str, model: Scripted, tmp_path: Path) -> None:
    """Turns, spending and what tools have answered go along from run to run; nothing is said or called twice."""
    numbers = iter(range(1, 8))

    def turn(_: Question) -> Any:
        number = next(numbers, None)
        return "All found." if number is None else calls(("find_order", {"number": number}))

    model.script(turn)
    task = AgentTask(
        task="Find seven.",
        store=str(tmp_path / "store"),
        model=model.model(),
        tools=(made("find_order"),),
        turns_a_run=3,
    )
    handle = await client.start_workflow(Agent.run, task, id=str(uuid.uuid4()), task_queue=queue)
    result = await handle.result()
    assert (result.turns, result.calls, result.usage.calls, model.paid) == (8, 7, 8, 8)
    assert looked_up == dict.fromkeys(range(1, 8), 1)
    assert len(await conversation(result)) == 1 + 2 * 7 + 1
    described = await client.get_workflow_handle(handle.id).describe()
    assert described.run_id != handle.first_execution_run_id


async def test_what_cannot_be_an_agent_is_refused(client: Client, queue: str, model: Scripted) -> None:
    """Nothing is started; each message says what is wrong, and what to do."""
    free = Model(name="free", base_url=model.url)
    told: list[str] = await client.execute_workflow(Invalid.run, free, id=str(uuid.uuid4()), task_queue=queue)
    assert told[:7] == [
        "InvalidAgent: Tool 'undeclared' is neither an activity nor a workflow's run method: declare it with "
        "@system.activity",
        "InvalidAgent: Tool 'Invalid.run.<locals>.inner' is neither an activity nor a workflow's run method: declare "
        "it with @system.activity",
        "InvalidAgent: Tool 'Deliver' is carried by its name, and cannot be: <class 'tests.agents.desk.Deliver'> is "
        "not a function: give a function at the top of a module",
        "InvalidAgent: Tool 'untyped': parameter 'number' has no type, so that a model cannot know it",
        "InvalidAgent: Agent 'clerk' cannot be: several tools are called 'find_order'",
        "InvalidAgent: Agent 'clerk' cannot be: the task is empty",
        "InvalidAgent: Agent 'clerk' cannot be: budget.cost_usd needs the price of 'free': give Model(price=...)",
    ]
    assert told[7].startswith("InvalidAgent: Agent 'clerk' cannot be: AgentTask is not valid: store: ")
    assert "secret" not in told[7]
    assert model.asked == []


async def test_histories_hold_no_conversation_and_no_key(
    client: Client, queue: str, model: Scripted, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Task, instructions given as an object, what the model says, and the key are in objects alone."""
    monkeypatch.setenv("SCRIPTED_KEY", "sk-canary-key")
    task = await objects.write(str(tmp_path / "task.txt"), "canary-task")
    model.script(calls(("find_order", {"number": 17}), text="canary-thought"), "canary-answer")
    changed = {"task": task, "model": model.guarded(), "tools": ["find_order"]}
    handle = await begun(client, queue, asked.model_copy(update=changed))
    assert await said(await handle.result()) == "canary-answer"
    history = b"".join([event.SerializeToString() async for event in handle.fetch_history_events()])
    assert b"canary" not in history


async def test_recorded_agents_replay() -> None:
    """Recorded histories replay with this version, whole and cut after each task."""
    whole = recorded("agent")
    assert len(whole) == 3
    histories = [*whole, *beginnings(whole)]
    assert await replay(histories, WORKFLOWS, SeguePlugin(settings=Settings())) == len(histories)


def test_arguments_are_json() -> None:
    """A tool as a value travels as JSON, and is the same tool there."""
    one = made("deliver")
    other = type(one).model_validate_json(one.model_dump_json())
    assert other.arguments(json.dumps({"parcel": "x"})) == ("x", 2)
    assert (other.kind, other.waits_for_approval) == ("child_workflow", False)
