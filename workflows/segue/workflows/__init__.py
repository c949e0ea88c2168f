"""Deterministic layer: what Segue does inside workflows, and the workflows that it ships."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
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

__all__ = [
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
]

# The sandbox imports this package anew for every run, so it imports nothing until a name is asked for (PEP 562).
_MODULES: Final = {
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
}
_HOMES: Final = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
