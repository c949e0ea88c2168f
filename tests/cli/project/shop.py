"""The project that the tests of the command line serve: one file, as a newcomer writes it."""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel
from temporalio import activity, workflow

from segue.activities import Capacity, Policy, System
from segue.workflows import approval


class Line(BaseModel):
    sku: str
    quantity: int


class Order(BaseModel):
    id: str
    lines: list[Line] = []


class Receipt(BaseModel):
    order_id: str
    cents: int


warehouse = System("warehouse")
payments = System(
    "payments",
    policy=Policy(start_to_close_timeout=timedelta(seconds=10), maximum_attempts=6),
    capacity=Capacity(per_second=50, concurrent=8),
)


@warehouse.activity
async def reserve(order: Order) -> str:
    return f"stock-{order.id}"


@payments.activity
async def charge(order: Order) -> Receipt:
    if order.id.startswith("busy") and activity.info().attempt == 1:
        raise RuntimeError("card terminal busy")
    return Receipt(order_id=order.id, cents=sum(line.quantity for line in order.lines) * 100)


@warehouse.activity
async def hold(path: str) -> str:
    """Say that it has begun, and last until it is told to end, or its worker ends."""
    Path(f"{path}.begun").touch()
    for _ in range(1200):
        if os.path.exists(path):
            break
        await asyncio.sleep(0.05)
    return f"held by {os.getpid()}"


@workflow.defn
class FulfilOrder:
    def __init__(self) -> None:
        self.note = ""

    @workflow.run
    async def run(self, order: Order) -> Receipt:
        await workflow.execute_activity(reserve, order)
        return await workflow.execute_activity(charge, order)

    @workflow.query
    def read(self) -> str:
        return self.note


@workflow.defn
class Add:
    @workflow.run
    async def run(self, left: int, right: int = 1) -> int:
        return left + right


@workflow.defn
class Fail:
    @workflow.run
    async def run(self) -> None:
        raise ValueError("no luck")


@workflow.defn
class Hold:
    @workflow.run
    async def run(self, path: str) -> str:
        return await workflow.execute_activity(hold, path)


@workflow.defn
class Wait:
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.done = False

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self.done)
        return self.notes

    @workflow.signal
    def proceed(self) -> None:
        self.done = True

    @workflow.signal
    def note(self, text: str, times: int = 1) -> None:
        self.notes += [text] * times

    @workflow.query
    def read(self) -> list[str]:
        return self.notes

    @workflow.update
    def rename(self, text: str) -> int:
        if not text:
            raise ValueError("a note has a text")
        self.notes = [text]
        return len(text)


class Correction(BaseModel):
    cents: int


@workflow.defn
class Refund:
    """Ask whether to refund an order, and once more for a large sum."""

    @workflow.run
    async def run(self, large: bool = False) -> list[str]:
        asked = [approval("Refund 120 EUR?", details="Order **17**", form=Correction, by=timedelta(days=2))]
        if large:
            asked.append(approval("Is it the right customer?", id="customer", form=Correction))
        decisions = await asyncio.gather(*asked)
        return [f"{one.approval}: {one.choice} by {one.by}, {one.comment}, {one.form}" for one in decisions]
