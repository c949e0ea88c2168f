"""A form that needs a model: what is ordered is told in no way that a rule knows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from segue.activities import extraction

GOODS = ("a barrel of cider", "two dozen lanterns", "a ladder of ash wood", "six bolts of linen")


class Order(BaseModel):
    """What is to be known of each order."""

    ordered: date = Field(description="The date of the order")
    goods: str = Field(description="What is ordered")


def ordered(folder: Path, count: int) -> None:
    """Write so many orders into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        good = GOODS[number % len(GOODS)]
        (folder / f"order-{number:03}.txt").write_text(
            f"ORDER {number}\n\nOrder dated May {number % 28 + 1}, 2021.\n\nPlease send us {good} by the next ship.\n"
        )


ACTIVITIES: list[Callable[..., Any]] = [
    extraction.list_targets,
    extraction.extract_document,
    extraction.report_extraction,
    extraction.take_questions,
    extraction.answer_question,
]
