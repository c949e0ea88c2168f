"""An agent: a model that calls tools until it has an answer. Deterministic workflow code.

    answer = await agent(
        "Find out why order 17 is late, and tell the customer.",
        model=model,
        tools=[find_order, tool(write_to_customer, approve=True)],
        budget=Budget(attempts=12, cost_usd=0.50),
        store="s3://bucket/agents",
    )
    answer.output, answer.finish_reason, answer.transcript

As a workflow of its own, `Agent`, it can be started, watched, stopped and gone on with by itself, and continues as new
when its history grows long. Offered to another agent as a tool, it is that one's child.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, overload

import pydantic
from temporalio import workflow

from segue.activities.agents import steps
from segue.activities.agents.steps import Begin
from segue.activities.errors import describe
from segue.activities.generation.functions import NotFound, function
from segue.activities.llm import Model
from segue.activities.objects import ObjectRef
from segue.workflows.agents.conversation import ANSWER, Conversation
from segue.workflows.agents.errors import InvalidAgent
from segue.workflows.agents.task import AgentResult, AgentTask, Progress
from segue.workflows.agents.tools import AgentTool, tool
from segue.workflows.generation.budget import Budget
from segue.workflows.generation.review import Review

__all__ = ["Agent", "agent"]

T = TypeVar("T")


@overload
async def agent(
    task: str | ObjectRef,
    *,
    store: str,
    model: Model,
    output: type[T],
    tools: Sequence[Callable[..., Any] | AgentTool] = (),
    instructions: str = "",
    budget: Budget = ...,
    transcript: ObjectRef | None = None,
    review: Review | None = None,
    maximum_tokens: int | None = None,
    temperature: float | None = None,
    name: str = "agent",
) -> AgentResult[T]: ...


@overload
async def agent(
    task: str | ObjectRef,
    *,
    store: str,
    model: Model,
    output: None = None,
    tools: Sequence[Callable[..., Any] | AgentTool] = (),
    instructions: str = "",
    budget: Budget = ...,
    transcript: ObjectRef | None = None,
    review: Review | None = None,
    maximum_tokens: int | None = None,
    temperature: float | None = None,
    name: str = "agent",
) -> AgentResult[None]: ...


async def agent(
    task: str | ObjectRef,
    *,
    store: str,
    model: Model,
    output: Any = None,
    tools: Sequence[Callable[..., Any] | AgentTool] = (),
    instructions: str = "",
    budget: Budget = Budget(attempts=20),  # noqa: B008 - immutable
    transcript: ObjectRef | None = None,
    review: Review | None = None,
    maximum_tokens: int | None = None,
    temperature: float | None = None,
    name: str = "agent",
) -> AgentResult[Any]:
    """Return what came of an agent.

    Args:
        task: What it is to do. Text is in the history, as the first step's input; an object's is not.
        store: Object URL prefix under which the transcript is kept.
        model: Who it is.
        output: The type of its answer, which is then in the history as `AgentResult.value`; None for text, which stays
            in its object.
        tools: What it may call: activities, child workflows by their run methods, or tools as `tool` makes them.
        instructions: How it is to go about it.
        budget: What may be spent; `attempts` are its turns.
        transcript: What was said before, to go on from.
        review: How a person is asked, where a tool waits for approval.
        maximum_tokens: Bound on each turn.
        temperature: How far it may stray.
        name: What it is called on the operator's screens.

    Raises:
        InvalidAgent: It, or one of its tools, cannot do what it is declared to. Nothing was started.
        ActivityError: A step failed for what is no fault of a model, such as an object that is gone.
    """
    offered = [tool(one) for one in tools]
    try:
        asked = AgentTask(
            task=task,
            store=store,
            model=model,
            tools=tuple(offered),
            instructions=instructions,
            budget=budget,
            transcript=transcript,
            name=name,
            maximum_tokens=maximum_tokens,
            temperature=temperature,
        )
    except pydantic.ValidationError as error:
        raise InvalidAgent(f"Agent {name!r} cannot be: {describe(error)}") from None
    _check(asked, offered, output)
    result = await Conversation(asked, offered, output, await _begun(asked), review).run()
    assert result is not None  # it has no bound on its turns but the budget's
    return result


@workflow.defn(name="segue.Agent")
class Agent:
    """An agent as a workflow of its own."""

    @workflow.run
    async def run(self, task: AgentTask) -> AgentResult[Any]:
        """Return what came of an agent.

        Raises:
            InvalidAgent: It, or one of its tools, cannot do what it is declared to. Nothing was started.
        """
        output = _output(task)
        _check(task, task.tools, output)
        progress = task.progress or await _begun(task)
        conversation = Conversation(task, task.tools, output, progress)
        result = await conversation.run(
            lambda turns: turns >= task.turns_a_run or (turns > 0 and workflow.info().is_continue_as_new_suggested())
        )
        if result is None:
            # What is signalled meanwhile is the next run's; what was signalled before holds.
            workflow.continue_as_new(task.model_copy(update={"progress": conversation.progress}))
        return result


async def _begun(task: AgentTask) -> Progress:
    """Return where an agent begins: with its task, or with what is to be gone on from."""
    began = workflow.now()
    if task.transcript is not None:
        text = task.task if isinstance(task.task, str) else ""
        return Progress(transcript=task.transcript, prompt=text, began=began)
    transcript = await workflow.execute_activity(
        steps.begin,
        Begin(task=task.task, instructions=task.instructions, store=task.store),
        summary=f"{task.name}: begin",
    )
    return Progress(transcript=transcript, began=began)


def _check(task: AgentTask, tools: Sequence[AgentTool], output: Any) -> None:
    problems: list[str] = []
    if isinstance(task.task, str) and not task.task.strip() and task.transcript is None:
        problems.append("the task is empty")
    names = [one.name for one in tools] + ([ANSWER] if output is not None else [])
    if twice := sorted({one for one in names if names.count(one) > 1}):
        problems.append(f"several tools are called {', '.join(map(repr, twice))}")
    if task.budget.cost_usd is not None and task.model.price is None:
        problems.append(f"budget.cost_usd needs the price of {task.model.engine!r}: give Model(price=...)")
    if problems:
        raise InvalidAgent(f"Agent {task.name!r} cannot be: {'; '.join(problems)}")


def _output(task: AgentTask) -> Any:
    if not task.output:
        return None
    try:
        with workflow.unsafe.imports_passed_through():
            return function(task.output)
    except NotFound as error:
        raise InvalidAgent(f"Agent {task.name!r}: output {error}") from error
