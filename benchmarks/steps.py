"""The steps of both sides, and what they take: the same functions, with and without a system."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel
from temporalio import activity

from segue.activities import Policy, System

bench = System("bench", policy=Policy(start_to_close_timeout=timedelta(seconds=30)))


class Item(BaseModel):
    """A small argument, as real steps have."""

    id: str
    number: int
    note: str = "a short text, as a step may carry"


@activity.defn
async def raw_step(item: Item) -> int:
    return item.number


@bench.activity
async def segue_step(item: Item) -> int:
    return item.number


@bench.activity
async def small_step(number: int) -> int:
    return number
