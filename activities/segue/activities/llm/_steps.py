"""The steps of workflows that ask a model, and connectors for those who have several providers, each with its capacity.

# the default: the system `llm`, whose capacity segue.toml may set
completion = await workflow.execute_activity(llm.complete, llm.Chat(...))

# a provider with a capacity of its own
acme = llm.ModelConnector(System("acme", capacity=Capacity(per_second=5, concurrent=20)))
completion = await workflow.execute_activity(acme.complete, llm.Chat(...))
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final

from temporalio import activity

from segue.activities.heartbeat import progress
from segue.activities.llm._chatting import chat
from segue.activities.llm._embedding import Embed, Embeddings, stored
from segue.activities.llm._requests import Chat, Completion
from segue.activities.policy import Policy
from segue.activities.system import System

__all__ = ["POLICY", "ModelConnector", "complete", "embed", "system"]

POLICY: Final = Policy(start_to_close_timeout=timedelta(minutes=10), heartbeat_timeout=timedelta(seconds=30))
"""Long answers take minutes. A dead worker is noticed by the heartbeat, a silent server by `Model.idle_timeout`."""

_REPORT_SECONDS: Final = 0.5


class ModelConnector:
    """The steps `complete` and `embed` of one system.

    Args:
        system: The system, whose policy and capacity hold for them: `POLICY`, unless it has a better one.
        name: Start of their registered names, by default the system's name: `acme.complete`.

    Attributes:
        complete: Activity and function, `Chat -> Completion`.
        embed: Activity and function, `Embed -> Embeddings`.
        activities: Both, for a worker.
    """

    def __init__(self, system: System, *, name: str | None = None) -> None:
        self.system = system

        prefix = name or system.name

        async def complete(request: Chat) -> Completion:
            """Ask a model."""
            # A step that does something else beside has a progress of its own, which this must not overwrite.
            its_own = activity.in_activity() and activity.info().activity_type == f"{prefix}.complete"
            return (await chat(request, arrived=_Reports().report if its_own else None)).completion

        async def embed(request: Embed) -> Embeddings:
            """Make vectors of texts."""
            return await stored(request)

        # Of coroutines, mypy would take what execute_activity returns for Any.
        self.complete: Callable[[Chat], Awaitable[Completion]] = system.activity(name=f"{prefix}.complete")(complete)
        self.embed: Callable[[Embed], Awaitable[Embeddings]] = system.activity(name=f"{prefix}.embed")(embed)
        self.activities: list[Callable[..., Any]] = [self.complete, self.embed]

    def __repr__(self) -> str:
        return f"ModelConnector({self.system!r})"


class _Reports:
    """How far an answer has come, in the words that operators see beside the running step; twice a second at most."""

    def __init__(self) -> None:
        self._next = 0.0

    def report(self, engine: str, characters: int) -> None:
        if (now := time.monotonic()) >= self._next:
            self._next = now + _REPORT_SECONDS
            progress(f"{engine}: {characters:,} characters")


system = System("llm", policy=POLICY)
"""Models that have no `System` of their own."""

_connector = ModelConnector(system, name="segue.llm")

complete = _connector.complete
embed = _connector.embed
