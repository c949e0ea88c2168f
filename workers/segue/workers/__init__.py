"""Deployment layer: workers, the development server, replay and the `segue` command."""

from __future__ import annotations

from segue.workers.run import run

__all__ = ["run"]
