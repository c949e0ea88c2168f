"""Deployment layer: workers, the development server, replay and the `segue` command."""

from __future__ import annotations

from segue.workers.discover import discover
from segue.workers.replay import ReplayError, ReplayFailure, replay
from segue.workers.run import run
from segue.workers.server import DevServer, DevServerError, dev_server

__all__ = [
    "DevServer",
    "DevServerError",
    "ReplayError",
    "ReplayFailure",
    "dev_server",
    "discover",
    "replay",
    "run",
]
