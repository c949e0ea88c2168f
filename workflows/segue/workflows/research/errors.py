"""What can be wrong with research.

Terminal                (segue.activities)
└── InvalidResearch     it cannot be done as it is asked for, or there is nothing to search
"""

from __future__ import annotations

from segue.activities.errors import Terminal

__all__ = ["InvalidResearch"]


class InvalidResearch(Terminal):
    """Research that cannot answer anything."""
