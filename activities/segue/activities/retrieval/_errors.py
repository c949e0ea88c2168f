"""What goes wrong with an index."""

from __future__ import annotations

from segue.activities.errors import Terminal

__all__ = ["InvalidIndex", "NoEmbeddings"]


class InvalidIndex(Terminal):
    """A file is no index, or one of another version."""


class NoEmbeddings(Terminal):
    """A search is to compare vectors with an index that has none, or has those of another model."""
