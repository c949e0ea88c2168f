"""Comparison of two versions of a document."""

from __future__ import annotations

from segue.activities.comparison._align import Link, align
from segue.activities.comparison._words import Unit, units_of

__all__ = ["Link", "Unit", "align", "units_of"]
