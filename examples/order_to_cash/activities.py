"""The four systems of an order, each with its policy, and what is asked of them.

Where the systems are, the worker's environment says: `INVENTORY_URL`, `PAYMENTS_URL`, `SMTP_URL` and the folder of the
objects. A step whose answer is lost is tried again, so each of these may run twice; its effect happens once.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Final

import httpx
from examples.order_to_cash import letters
from examples.order_to_cash.models import Order, Outcome, Receipt, Sale
from sqlalchemy import text

from segue.activities import Capacity, Policy, System, Terminal, http, mail, objects, sql

# Attempts without bound: an order waits out an outage, and whether its card was charged never stays open.
_patient = Policy(start_to_close_timeout=timedelta(seconds=5), maximum_attempts=0)

inventory = System("inventory", policy=_patient)
payments = System(
    "payments",
    policy=Policy(start_to_close_timeout=timedelta(seconds=3), maximum_attempts=0),
    capacity=Capacity(per_second=20, concurrent=8),
)
invoices = System("invoices", policy=_patient)
notices = System("notices", policy=_patient, capacity=Capacity(concurrent=4))

INVENTORY: Final = "env:INVENTORY_URL"
TAKE: Final = text("UPDATE stock SET on_hand = on_hand - :quantity WHERE sku = :sku AND on_hand >= :quantity")
RESERVE: Final = text("INSERT INTO reservations VALUES (:order_id, :sku, :quantity, 'reserved')")
PUT_BACK: Final = text("UPDATE stock SET on_hand = on_hand + :quantity WHERE sku = :sku")
MARK: Final = text("UPDATE reservations SET state = :state WHERE order_id = :order_id")
SENDER: Final = "Fermata Music <orders@example.com>"


class OutOfStock(Terminal):
    """The warehouse does not have all that was ordered."""


class CardDeclined(Terminal):
    """The customer's bank said no."""


@inventory.activity
@sql.transaction(INVENTORY)
async def reserve(connection: sql.Connection, order: Order) -> None:
    """Take the goods of an order off the shelf, all of them or none."""
    for line in order.lines:
        goods = {"sku": line.sku, "quantity": line.quantity}
        taken = await connection.execute(TAKE, goods)
        if not taken.rowcount:
            raise OutOfStock(f"fewer than {line.quantity} of {line.sku}")
        await connection.execute(RESERVE, {"order_id": order.id, **goods})


@inventory.activity
@sql.transaction(INVENTORY)
async def release(connection: sql.Connection, order: Order) -> None:
    """Put the goods of an order back: undoes `reserve`."""
    for line in order.lines:
        await connection.execute(PUT_BACK, {"sku": line.sku, "quantity": line.quantity})
    await connection.execute(MARK, {"order_id": order.id, "state": "released"})


@inventory.activity
@sql.transaction(INVENTORY)
async def pick(connection: sql.Connection, order: Order) -> None:
    """Hand the goods of an order to the packers."""
    await connection.execute(MARK, {"order_id": order.id, "state": "picked"})


@payments.activity
async def charge(order: Order) -> Receipt:
    """Charge the card. The request carries the step's idempotency key, so no attempt charges it again."""
    asked = {"order": order.id, "card": order.card, "amount_cents": order.total_cents}
    try:
        return await http.post_json(f"{os.environ['PAYMENTS_URL']}/charges", asked, response=Receipt)
    except httpx.HTTPStatusError as error:
        if error.response.status_code == 402:
            raise CardDeclined(error.response.json()["error"]) from None
        raise


@invoices.activity
async def file_invoice(sale: Sale) -> objects.ObjectRef:
    """Write the invoice, as an object: the history keeps a reference to it."""
    return await objects.write(f"invoices/{sale.order.id}.txt", letters.invoice(sale))


@notices.activity
async def notify(outcome: Outcome) -> None:
    """Tell the customer how the order ended, with the invoice if there is one."""
    subject, body = letters.notice(outcome)
    invoice = [] if outcome.invoice is None else [mail.Attachment(source=outcome.invoice)]
    await mail.send(mail.Mail(sender=SENDER, to=[outcome.order.email], subject=subject, text=body, attachments=invoice))
