"""The tools and workflows of the agent tests: a service desk that looks orders up, refunds them, and sends parcels."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, Field
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from segue.activities import ObjectRef, Policy, System, Terminal, agents, idempotency_key, objects
    from segue.activities.llm import Model
    from segue.workflows.agents import Agent, AgentResult, AgentTool, agent, tool
    from segue.workflows.generation import Budget, Review

desk = System("agents-test-desk", policy=Policy(maximum_attempts=2))

# What tools did, by idempotency key.
refunded: dict[str, float] = {}
looked_up: Counter[int] = Counter()
released: set[str] = set()


class Order(BaseModel):
    number: int = Field(gt=0)
    late_days: int = 0


class Verdict(BaseModel):
    late: bool
    days: int = Field(ge=0)


@desk.activity
async def find_order(number: int, verbose: bool = False) -> Order:
    """Find an order by its number.

    This is not for the model.
    """
    looked_up[number] += 1
    if number == 404:
        raise Terminal("there is no such order", type="NoSuchOrder")
    return Order(number=number, late_days=3)


@desk.activity(effect="at_most_once")
async def refund(order: Order, amount: float) -> str:
    """Refund a part of an order's price."""
    refunded[idempotency_key()] = amount
    return f"refunded {amount:.2f} for order {order.number}"


@desk.activity
async def read_terms() -> ObjectRef:
    """Read the terms of delivery."""
    return await objects.write("terms.txt", "canary-terms: parcels arrive within ten days.")


@desk.activity
async def wait_for(what: str) -> str:
    """Wait until something is released."""
    while what not in released:
        await asyncio.sleep(0.02)
    return f"{what} is there"


@desk.activity
async def book(order: Order) -> str:
    """Book an order."""
    return f"booked {order.number}"


@desk.activity
async def long_terms(characters: int) -> str:
    """Read the terms of delivery, which are long."""
    return ("canary" * (characters // 6 + 1))[:characters]


async def undeclared(number: int) -> str:
    return str(number)


@desk.activity
async def untyped(number: Any) -> str:
    """Take anything."""
    return str(number)


@workflow.defn
class Deliver:
    """Deliver a parcel."""

    @workflow.run
    async def run(self, parcel: str, days: int = 2) -> str:
        """Deliver a parcel within so many days."""
        return f"{parcel} arrives in {days} days"


@workflow.defn
class AwaitParcel:
    """Wait until a parcel is there."""

    @workflow.run
    async def run(self, what: str) -> str:
        """Wait until a parcel is there."""
        await workflow.wait_condition(lambda: False)
        return what


TOOLS: dict[str, Any] = {
    "find_order": find_order,
    "refund": refund,
    "read_terms": read_terms,
    "wait_for": wait_for,
    "book": book,
    "long_terms": long_terms,
    "await_parcel": tool(AwaitParcel.run, name="await_parcel"),
    "deliver": tool(Deliver.run, name="deliver"),
    "approved": tool(find_order, name="approved", approve=True),
    "unguarded": tool(refund, name="unguarded", approve=False),
}


class Asked(BaseModel):
    """How to ask an agent."""

    model: Model
    store: str
    tools: list[str] = []
    task: str | ObjectRef = "Why is order 17 late?"
    budget: Budget = Budget(attempts=10)
    output: bool = False
    transcript: ObjectRef | None = None
    instructions: str = ""


@workflow.defn
class Desk:
    """Ask an agent within a workflow of one's own."""

    @workflow.run
    async def run(self, asked: Asked) -> AgentResult[Any]:
        options: dict[str, Any] = {
            "store": asked.store,
            "model": asked.model,
            "tools": [TOOLS[name] for name in asked.tools],
            "instructions": asked.instructions,
            "budget": asked.budget,
            "transcript": asked.transcript,
            "review": Review(),
            "name": "clerk",
        }
        if asked.output:
            options["output"] = Verdict
        ask: Callable[..., Any] = agent
        result: AgentResult[Any] = await ask(asked.task, **options)
        return result


@workflow.defn
class Invalid:
    """Declare what cannot be, and return what is said of it."""

    @workflow.run
    async def run(self, model: Model) -> list[str]:
        def inner(number: int) -> None: ...

        cases: list[dict[str, Any]] = [
            {"tools": [undeclared]},
            {"tools": [inner]},
            {"tools": [Deliver]},
            {"tools": [untyped]},
            {"tools": [find_order, find_order]},
            {"task": " "},
            {"budget": Budget(cost_usd=1)},
            {"store": "s3://user:secret@bucket/x"},
        ]
        said: list[str] = []
        ask: Callable[..., Any] = agent
        for case in cases:
            try:
                options = {"task": "x", "model": model, "store": "agents", "name": "clerk"} | case
                await ask(options.pop("task"), **options)
            except Exception as error:
                said.append(f"{type(error).__name__}: {getattr(error, 'message', error)}")
        return said


def made(name: str) -> AgentTool:
    """A tool by its name, as a value."""
    found: AgentTool = tool(TOOLS[name])
    return found


WORKFLOWS: list[type] = [Desk, Deliver, AwaitParcel, Invalid, Agent]
ACTIVITIES: list[Callable[..., Any]] = [*agents.ACTIVITIES, find_order, refund, read_terms, long_terms, wait_for, book]
