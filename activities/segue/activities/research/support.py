"""How much of a sentence its quotes must have, where a judge looks at it too, and where none does."""

from __future__ import annotations

from typing import Final

__all__ = ["JUDGED", "UNJUDGED"]

JUDGED: Final = 0.65
"""The share of a sentence's words that its quotes must have, where a judge looks at it too."""

UNJUDGED: Final = 0.8
"""At or above this share nobody else looks: then the sentence has to be nearly its quote."""
