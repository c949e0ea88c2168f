"""Validators that come with Segue: length, format, schema, arithmetic, figures, quotes and citations.

    from segue.activities.generation import Requirement, validators

    Requirement(name="short", description="50 to 120 words", validator=validators.length(words=(50, 120)))
    Requirement(name="sums", description="The sums are right", validator=validators.arithmetic())
    Requirement(name="quotes", description="Quotes are verbatim", validator=validators.quotes_in_sources())

Each makes a `Validator`, which travels by name; the functions behind them are plain, pure and synchronous.
"""

from __future__ import annotations

from segue.activities.generation.validators.calculation import arithmetic, sums_to
from segue.activities.generation.validators.evidence import figures_in_sources, quotes_in_sources, quotes_of
from segue.activities.generation.validators.form import conforms, contains, ends_with, excludes, is_json, matches
from segue.activities.generation.validators.size import length

__all__ = [
    "arithmetic",
    "conforms",
    "contains",
    "ends_with",
    "excludes",
    "figures_in_sources",
    "is_json",
    "length",
    "matches",
    "quotes_in_sources",
    "quotes_of",
    "sums_to",
]
