"""Deterministic layer: what Segue does inside workflows, and the workflows that it ships."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from segue.workflows.agents import Agent, AgentResult, AgentTask, InvalidAgent, agent, agent_tool, tool
    from segue.workflows.approvals import ApprovalExpired, Decision, Escalation, InvalidApproval, Notice, approval
    from segue.workflows.calls import Call, InvalidCall, call
    from segue.workflows.fanout import Batch, Failure, FanOut, FanOutFailed, InvalidFanOut, fan_out
    from segue.workflows.fanout.stored_results import StoredResults
    from segue.workflows.generation import Budget, Generated, InvalidGeneration, Models, Requirement, Review, generate
    from segue.workflows.graph import Graph, GraphFailed, InvalidGraph, Outcome, Rule, Step
    from segue.workflows.graph.rules import (
        ALL_DONE,
        ALL_FAILED,
        ALL_SUCCEEDED,
        ALWAYS,
        NONE_FAILED,
        NONE_FAILED_MIN_ONE_SUCCEEDED,
        ONE_FAILED,
        ONE_SUCCEEDED,
    )
    from segue.workflows.repair import on_exhausted
    from segue.workflows.reroute import AllFailed, fallback, first_success, hedge
    from segue.workflows.saga import Compensation, CompensationFailed, DeadlineExceeded, InvalidSaga, Saga

__all__ = [
    # Agents
    "agent",
    "Agent",
    "AgentResult",
    "AgentTask",
    "InvalidAgent",
    "agent_tool",
    "tool",
    # Approval
    "ApprovalExpired",
    "Decision",
    "Escalation",
    "InvalidApproval",
    "Notice",
    "approval",
    # Fan-out
    "fan_out",
    "Batch",
    "Failure",
    "FanOut",
    "FanOutFailed",
    "InvalidFanOut",
    "StoredResults",
    # Generation
    "generate",
    "Budget",
    "Generated",
    "InvalidGeneration",
    "Models",
    "Requirement",
    "Review",
    # Graph
    "Graph",
    "GraphFailed",
    "InvalidGraph",
    "Outcome",
    "Rule",
    "Step",
    "ALL_SUCCEEDED",
    "ALL_DONE",
    "ALL_FAILED",
    "ONE_SUCCEEDED",
    "ONE_FAILED",
    "NONE_FAILED",
    "NONE_FAILED_MIN_ONE_SUCCEEDED",
    "ALWAYS",
    # Saga
    "Saga",
    "Compensation",
    "CompensationFailed",
    "DeadlineExceeded",
    "InvalidSaga",
    # Repair
    "on_exhausted",
    # Reroute
    "fallback",
    "first_success",
    "hedge",
    "call",
    "AllFailed",
    "Call",
    "InvalidCall",
]

# The sandbox imports this package anew for every run, so it imports nothing until a name is asked for (PEP 562).
_MODULES: Final = {
    "segue.workflows.agents": (
        "agent",
        "Agent",
        "AgentResult",
        "AgentTask",
        "InvalidAgent",
        "agent_tool",
        "tool",
    ),
    "segue.workflows.approvals": (
        "ApprovalExpired",
        "Decision",
        "Escalation",
        "InvalidApproval",
        "Notice",
        "approval",
    ),
    "segue.workflows.fanout": ("fan_out", "Batch", "Failure", "FanOut", "FanOutFailed", "InvalidFanOut"),
    "segue.workflows.fanout.stored_results": ("StoredResults",),
    "segue.workflows.generation": (
        "generate",
        "Budget",
        "Generated",
        "InvalidGeneration",
        "Models",
        "Requirement",
        "Review",
    ),
    "segue.workflows.graph": ("Graph", "GraphFailed", "InvalidGraph", "Outcome", "Rule", "Step"),
    "segue.workflows.graph.rules": (
        "ALL_SUCCEEDED",
        "ALL_DONE",
        "ALL_FAILED",
        "ONE_SUCCEEDED",
        "ONE_FAILED",
        "NONE_FAILED",
        "NONE_FAILED_MIN_ONE_SUCCEEDED",
        "ALWAYS",
    ),
    "segue.workflows.saga": ("Saga", "Compensation", "CompensationFailed", "DeadlineExceeded", "InvalidSaga"),
    "segue.workflows.repair": ("on_exhausted",),
    "segue.workflows.reroute": ("fallback", "first_success", "hedge", "AllFailed"),
    "segue.workflows.calls": ("call", "Call", "InvalidCall"),
}
_HOMES: Final = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
