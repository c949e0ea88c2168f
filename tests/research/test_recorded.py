"""Recorded research replays with this version."""

from __future__ import annotations

from tests.recorded import beginnings, recorded
from tests.research.leases import WORKFLOWS

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers.replay import replay


async def test_recorded_research_replays() -> None:
    """Recorded histories replay with this version, whole and cut after each task."""
    whole = recorded("research")
    assert len(whole) == 3
    histories = [*whole, *beginnings(whole)]
    assert await replay(histories, WORKFLOWS, SeguePlugin(settings=Settings())) == len(histories)
