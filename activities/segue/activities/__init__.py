"""Ground layer: connected systems, their policies and errors, and the connectors that Segue ships."""

from __future__ import annotations

from segue.activities.errors import PayloadError, Retryable, Terminal
from segue.activities.heartbeat import last_progress, progress
from segue.activities.idempotency import idempotency_key
from segue.activities.policy import Capacity, Policy, PolicyError
from segue.activities.system import System

__all__ = [
    "Capacity",
    "PayloadError",
    "Policy",
    "PolicyError",
    "Retryable",
    "System",
    "Terminal",
    "idempotency_key",
    "last_progress",
    "progress",
]
