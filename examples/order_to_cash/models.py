"""What travels between the steps of an order: plain pydantic models, small, and nothing secret in them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from segue.activities.objects import ObjectRef


class Line(BaseModel):
    sku: str
    quantity: int
    price_cents: int


class Order(BaseModel):
    id: str
    customer: str
    email: str
    card: str  # the payment provider's token for the card, never its number
    lines: list[Line]

    @property
    def total_cents(self) -> int:
        return sum(line.quantity * line.price_cents for line in self.lines)


class Receipt(BaseModel):
    charge_id: str
    amount_cents: int


class Sale(BaseModel):
    order: Order
    receipt: Receipt


class Outcome(BaseModel):
    order: Order
    status: Literal["paid", "declined", "out_of_stock"]
    reason: str | None = None
    receipt: Receipt | None = None
    invoice: ObjectRef | None = None
