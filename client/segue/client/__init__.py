"""Client layer: connect to Temporal with Segue's plugin, start workflows, and look at their runs."""

from __future__ import annotations

from segue.client.approvals import Pending, approvals_of, decide, pending_approvals
from segue.client.connect import connect
from segue.client.inspect import steps
from segue.client.plugin import SeguePlugin
from segue.client.records import Run, Step

__all__ = [
    "Pending",
    "Run",
    "SeguePlugin",
    "Step",
    "approvals_of",
    "connect",
    "decide",
    "pending_approvals",
    "steps",
]
