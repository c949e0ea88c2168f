"""What can be wrong with a generation.

Terminal                  (segue.activities)
└── InvalidGeneration     it cannot be done as it is asked for; nothing was paid for
"""

from __future__ import annotations

from segue.activities.errors import Terminal

__all__ = ["InvalidGeneration"]


class InvalidGeneration(Terminal):
    """A generation, or an agent, that cannot do what it is asked for. Nothing was started."""
