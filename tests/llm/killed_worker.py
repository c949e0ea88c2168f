"""A worker in a process of its own, to be killed: `python -m tests.llm.killed_worker TARGET QUEUE`.

Its second activity asks a model twice, and waits for leave after the first answer.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from temporalio import workflow
from temporalio.client import Client
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel

    from segue.activities import Policy, System, llm
    from segue.activities.llm import Chat, Completion, Message, Model
    from segue.activities.settings import Settings
    from segue.client import SeguePlugin

scribes = System(
    "llm-test-scribes",
    policy=Policy(
        start_to_close_timeout=timedelta(seconds=60),
        heartbeat_timeout=timedelta(seconds=1.5),
        initial_interval=timedelta(milliseconds=50),
    ),
)
connector = llm.ModelConnector(scribes)


class Drafting(BaseModel):
    model: Model
    store: str
    leave: str


@scribes.activity
async def draft_twice(drafting: Drafting) -> list[Completion]:
    """Ask for two drafts, and wait for leave in between."""
    made: list[Completion] = []
    for sample in range(2):
        chat = Chat(model=drafting.model, messages=(Message.user("Draft it."),), store=drafting.store, sample=sample)
        made.append((await llm.chat(chat)).completion)
        while not Path(drafting.leave).exists():
            await asyncio.sleep(0.05)
    return made


@workflow.defn
class Draft:
    @workflow.run
    async def run(self, drafting: Drafting) -> list[Completion]:
        return await workflow.execute_activity(draft_twice, drafting)


@workflow.defn
class AskOnce:
    @workflow.run
    async def run(self, chat: Chat) -> Completion:
        return await workflow.execute_activity(connector.complete, chat)


async def _main(target: str, queue: str) -> None:
    client = await Client.connect(target, plugins=[SeguePlugin(settings=Settings())])
    worker = Worker(
        client,
        task_queue=queue,
        workflows=[Draft, AskOnce],
        activities=[draft_twice, *connector.activities],
        max_heartbeat_throttle_interval=timedelta(milliseconds=300),
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
    )
    await worker.run()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:3]))
