"""Another way to the same result: one after another, side by side, or the second when the first is slow.

Workflows share these modules with the process (`segue.client.sandbox`): they hold no state that a run could change.
"""

from __future__ import annotations

from segue.workflows.reroute.errors import AllFailed, Reason
from segue.workflows.reroute.fallback import fallback
from segue.workflows.reroute.race import first_success, hedge

__all__ = ["AllFailed", "Reason", "fallback", "first_success", "hedge"]
