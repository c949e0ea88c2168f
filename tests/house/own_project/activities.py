"""A user's own `activities.py`, which must not collide with `segue.activities`."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel

from segue.activities import Policy, System, idempotency_key

payments = System("payments", policy=Policy(start_to_close_timeout=timedelta(seconds=10), maximum_attempts=3))


class Order(BaseModel):
    """What a customer ordered."""

    id: str
    amount_cents: int


class Receipt(BaseModel):
    """What the customer paid."""

    order_id: str
    amount_cents: int
    charged_by: str


@payments.activity
async def charge(order: Order) -> Receipt:
    """Charge the order's amount."""
    return Receipt(order_id=order.id, amount_cents=order.amount_cents, charged_by=idempotency_key())
