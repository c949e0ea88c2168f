"""What goes wrong, and when: drawn from a seed and what a request is for, so that every run of the demo sees the same.

The first requests about an order meet with mishaps, and those after them do not: whoever keeps asking gets there.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final, Literal

__all__ = ["SLOW_SECONDS", "Mishap", "mishap", "mishaps"]

Mishap = Literal["busy", "slow", "cut"]
"""busy: not done, come back later. slow: done, but the answer takes `SLOW_SECONDS`. cut: done, but the connection
breaks before the answer."""

SLOW_SECONDS: Final = 5.0
"""How long a slow answer takes: longer than the policy of the example waits for it."""


def mishaps(seed: int, about: str, kinds: Sequence[Mishap]) -> list[Mishap]:
    """Return what befalls the first requests about an order or a customer: nothing, one mishap, or two."""
    drawn = random.Random(f"{seed}/{about}")
    [count] = drawn.choices([0, 1, 2], weights=[50, 40, 10])
    return drawn.choices(kinds, k=count)


def mishap(seed: int, about: str, kinds: Sequence[Mishap], earlier: int) -> Mishap | None:
    """Return what befalls a request that comes after so many earlier ones; None if it goes well."""
    planned = mishaps(seed, about, kinds)
    return planned[earlier] if earlier < len(planned) else None
