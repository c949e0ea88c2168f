"""Dependency graphs: declared, checked and drawn before they run, shown while they do.

Workflows share these modules with the process (`segue.client.sandbox`): they hold no state that a run could change.
"""

from __future__ import annotations

from segue.workflows.graph.errors import GraphFailed, InvalidGraph, ItemsFailed, NoResult
from segue.workflows.graph.graph import Graph, GraphResult
from segue.workflows.graph.rules import Rule
from segue.workflows.graph.shown import DeclaredStep
from segue.workflows.graph.step import Outcome, State, Step

__all__ = [
    "DeclaredStep",
    "Graph",
    "GraphFailed",
    "GraphResult",
    "InvalidGraph",
    "ItemsFailed",
    "NoResult",
    "Outcome",
    "Rule",
    "State",
    "Step",
]
