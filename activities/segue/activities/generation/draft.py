"""What a validator is given: a draft, what it was asked for, and what it was made from.

def names_a_date(draft: Draft) -> Verdict:
    found = re.search(r"\\d{4}-\\d{2}-\\d{2}", draft.text)
    return Verdict(1, f"names {found.group()}") if found else Verdict(0, "names no date of the form 2026-01-31")
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segue.activities.documents import ParsedDocument

__all__ = ["Draft", "Verdict"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Draft:
    """One candidate, with its task.

    Attributes:
        text: What the model wrote.
        value: The same read as JSON, where the output has a schema; None if it is none.
        task: What was asked for.
        sources: The documents that it was made from.
    """

    text: str
    value: Any = None
    task: str = ""
    sources: tuple[ParsedDocument, ...] = ()


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a validator finds.

    Attributes:
        score: From 0 to 1; True and False stand for them.
        reason: Why, so that whoever has to mend the draft knows what to do.
    """

    score: float
    reason: str = ""
