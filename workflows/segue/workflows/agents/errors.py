"""What can be wrong with an agent.

Terminal              (segue.activities)
└── InvalidAgent      it, or one of its tools, cannot do what it is declared to; nothing was started
"""

from __future__ import annotations

from segue.activities.errors import Terminal

__all__ = ["InvalidAgent"]


class InvalidAgent(Terminal, ValueError):
    """An agent, or a tool, that cannot do what it is declared to. Nothing was started."""
