"""Results of a fan-out that were written to objects, where a history has no room for them.

A module of its own, for it needs the connector of objects, which other fan-outs need not pay for.
"""

from __future__ import annotations

import dataclasses

from segue.activities.batch import Failure
from segue.activities.objects import ObjectRef

__all__ = ["StoredResults"]


@dataclasses.dataclass(frozen=True)
class StoredResults:
    """The results of a fan-out that were written to objects.

    Attributes:
        parts: The objects, in the order of their first items: JSON lines of the form {"index": 17, "result": ...}.
        total: How many items there were.
        done: How many completed.
        failures: The items that failed.
    """

    parts: list[ObjectRef]
    total: int
    done: int
    failures: list[Failure]
