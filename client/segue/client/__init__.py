"""Client layer: connect to Temporal with Segue's plugin, start workflows, and look at their runs."""

from __future__ import annotations

from segue.client.approvals import Pending, approvals_of, decide, pending_approvals
from segue.client.connect import connect
from segue.client.inspect import steps
from segue.client.pauses import Change, PauseUnsupported, UnknownSystem, pause, paused, pauses_of, resume
from segue.client.plugin import SeguePlugin
from segue.client.records import Run, Step
from segue.client.repairs import Parked, parked, parked_of, repair, repair_all
from segue.client.sweeps import Swept, pause_all, resume_all

__all__ = [
    "Change",
    "Parked",
    "PauseUnsupported",
    "Pending",
    "Run",
    "SeguePlugin",
    "Step",
    "Swept",
    "UnknownSystem",
    "approvals_of",
    "connect",
    "decide",
    "parked",
    "parked_of",
    "pause",
    "pause_all",
    "paused",
    "pauses_of",
    "pending_approvals",
    "repair",
    "repair_all",
    "resume",
    "resume_all",
    "steps",
]
