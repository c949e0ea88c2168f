"""Agents: the steps of a model that calls tools. Its transcript lies in an object, which every turn continues.

    Worker(client, task_queue="agents", workflows=[Agent, ...], activities=[*agents.ACTIVITIES, search, book])

`segue.workflows.agent` is what takes them.
"""

from __future__ import annotations

from segue.activities.agents.steps import ACTIVITIES, Begin, ToolAnswer, Turn, Turned, begin, system, turn
from segue.activities.agents.transcript import Transcript

__all__ = ["ACTIVITIES", "Begin", "ToolAnswer", "Transcript", "Turn", "Turned", "begin", "system", "turn"]
