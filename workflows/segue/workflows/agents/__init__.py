"""Agents: a model and its tools, turn by turn, each a durable step.

Workflows share these modules with the process (`segue.client.sandbox`): they hold no state that a run could change.
The package is not named after its function: importing it would put the module in the function's place.
"""

from __future__ import annotations

from segue.workflows.agents.agent import Agent, agent
from segue.workflows.agents.errors import InvalidAgent
from segue.workflows.agents.shown import ShownAgent
from segue.workflows.agents.task import AgentResult, AgentTask
from segue.workflows.agents.tools import AgentTool, agent_tool, tool

__all__ = [
    "Agent",
    "AgentResult",
    "AgentTask",
    "AgentTool",
    "InvalidAgent",
    "ShownAgent",
    "agent",
    "agent_tool",
    "tool",
]
