"""The steps of workflows that ask a model."""

from __future__ import annotations

from datetime import timedelta

from segue.activities.llm._chatting import chat
from segue.activities.llm._requests import Chat, Completion
from segue.activities.policy import Policy
from segue.activities.system import System

__all__ = ["complete", "system"]

system = System(
    "llm",
    # Long answers take minutes. A dead worker is noticed by the heartbeat, a silent server by Model.idle_timeout.
    policy=Policy(start_to_close_timeout=timedelta(minutes=10), heartbeat_timeout=timedelta(seconds=30)),
)
"""Models that have no `System` of their own."""


@system.activity(name="segue.llm.complete")
async def complete(request: Chat) -> Completion:
    """Ask a model."""
    return (await chat(request)).completion
