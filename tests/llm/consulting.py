"""Workflows that ask models, whose histories are kept in `tests/histories`, to be replayed by every later version.

Change one of these and its histories no longer replay: add a new one instead, and record it with
`python -m tests.llm.record`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

    from segue.activities import Policy, System, llm
    from segue.activities.llm import Chat, Embed, Message, Model, Tool, Usage
    from segue.workflows import call, fallback

quick = Policy(start_to_close_timeout=timedelta(seconds=20), initial_interval=timedelta(milliseconds=20))
first = llm.ModelConnector(System("llm-test-first", policy=quick))
second = llm.ModelConnector(System("llm-test-second", policy=quick))

WEATHER = Tool(name="weather", description="The weather of a town.", parameters=llm.schema_of(dict[str, str]))


class Consultation(BaseModel):
    """Whom to ask, and where texts are kept."""

    small: Model
    large: Model
    store: str


@workflow.defn
class Consult:
    """Asks a model that calls a tool, goes on with what that answered, and has the answer made a vector of."""

    @workflow.run
    async def run(self, asked: Consultation) -> Usage:
        messages = (Message.user("What is the weather in Oslo?"),)
        chat = Chat(model=asked.small, messages=messages, tools=(WEATHER,), store=asked.store)
        wish = await workflow.execute_activity(llm.complete, chat)
        answered = [Message.tool(one, f"{one.parsed['town']}: rain") for one in wish.tool_calls]
        going_on = (*messages, Message.assistant(tool_calls=wish.tool_calls), *answered)
        said = await workflow.execute_activity(llm.complete, chat.model_copy(update={"messages": going_on}))
        assert said.text_ref is not None
        made = await workflow.execute_activity(
            llm.embed, Embed(model=asked.small, texts=(said.text_ref,), store=asked.store)
        )
        return wish.usage + said.usage + made.usage


@workflow.defn
class GoElsewhere:
    """Asks one provider, and another where the answer of the first is cut off."""

    @workflow.run
    async def run(self, asked: Consultation) -> str:
        question = Chat(model=asked.small, messages=(Message.user("Tell me all."),), store=asked.store)
        elsewhere = question.model_copy(update={"model": asked.large})
        made = await fallback(call(first.complete, question), call(second.complete, elsewhere), on=llm.Truncated)
        return made.engine


WORKFLOWS: list[type] = [Consult, GoElsewhere]
ACTIVITIES: list[Callable[..., Any]] = [llm.complete, llm.embed, *first.activities, *second.activities]
