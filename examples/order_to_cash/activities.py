"""The four systems of an order, each with its policy, and what is asked of them.

Where the systems are, the worker's environment says: `INVENTORY_URL`, `PAYMENTS_URL`, `SMTP_URL` and the folder of the
objects. A step whose answer is lost is tried again, so each of these may run twice; its effect happens once.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Final

import httpx
from examples.order_to_cash.models import Order, Outcome, Receipt, Sale
from sqlalchemy import text

from segue.activities import Capacity, Policy, System, Terminal, http, objects, sql

# Attempts without bound: an order waits out an outage, and whether its card was charged never stays open.
_patient = Policy(start_to_close_timeout=timedelta(seconds=3), maximum_attempts=0)

inventory = System("inventory", policy=_patient)
payments = System("payments", policy=_patient, capacity=Capacity(per_second=20, concurrent=8))
invoices = System("invoices", policy=_patient)
notices = System("notices", policy=_patient, capacity=Capacity(concurrent=4))


INVENTORY: Final = "env:INVENTORY_URL"

_SUBJECTS: Final = {
    "paid": "Order {} is on its way",
    "declined": "Order {}: your card was declined",
    "out_of_stock": "Order {} is out of stock",
}
_MARK: Final = text("UPDATE reservations SET state = :state WHERE order_id = :order_id")


class OutOfStock(Terminal):
    """The warehouse does not have all that was ordered."""


class CardDeclined(Terminal):
    """The customer's bank said no."""


@inventory.activity
@sql.transaction(INVENTORY)
async def reserve(connection: sql.Connection, order: Order) -> None:
    """Take the goods of an order off the shelf, all of them or none."""
    for line in order.lines:
        took = await connection.execute(
            text("UPDATE stock SET on_hand = on_hand - :quantity WHERE sku = :sku AND on_hand >= :quantity"),
            {"sku": line.sku, "quantity": line.quantity},
        )
        if not took.rowcount:
            raise OutOfStock(f"fewer than {line.quantity} of {line.sku}")
        await connection.execute(
            text("INSERT INTO reservations VALUES (:order_id, :sku, :quantity, 'reserved')"),
            {"order_id": order.id, "sku": line.sku, "quantity": line.quantity},
        )


@inventory.activity
@sql.transaction(INVENTORY)
async def release(connection: sql.Connection, order: Order) -> None:
    """Put the goods of an order back: undoes `reserve`."""
    for line in order.lines:
        await connection.execute(
            text("UPDATE stock SET on_hand = on_hand + :quantity WHERE sku = :sku"),
            {"sku": line.sku, "quantity": line.quantity},
        )
    await connection.execute(_MARK, {"state": "released", "order_id": order.id})


@inventory.activity
@sql.transaction(INVENTORY)
async def pick(connection: sql.Connection, order: Order) -> None:
    """Hand the goods of an order to the packers."""
    await connection.execute(_MARK, {"state": "picked", "order_id": order.id})


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
    return await objects.write(f"invoices/{sale.order.id}.txt", _invoice(sale))


@notices.activity
async def notify(outcome: Outcome) -> None:
    """Tell the customer how it ended."""
    import smtplib
    from email.message import EmailMessage

    from segue.activities import idempotency_key

    host, _, port = os.environ["SMTP_URL"].removeprefix("smtp://").partition(":")
    m = EmailMessage()
    m["Subject"] = _SUBJECTS[outcome.status].format(outcome.order.id)
    m["To"] = outcome.order.email
    m["From"] = "orders@example.com"
    m["Message-ID"] = f"<{idempotency_key()}@example.com>"
    m.set_content("hello")
    with smtplib.SMTP(host, int(port)) as s:
        s.send_message(m)


def _invoice(sale: Sale) -> str:
    order, receipt = sale.order, sale.receipt
    return "\n".join(
        [
            f"Invoice {order.id}",
            order.customer,
            "",
            *(
                f"{line.quantity:3} {line.sku:22} {_euros(line.quantity * line.price_cents):>12}"
                for line in order.lines
            ),
            f"{'paid':26} {_euros(receipt.amount_cents):>12}",
            f"{receipt.charge_id:>39}",
            "",
        ]
    )


def _euros(cents: int) -> str:
    return f"{cents // 100},{cents % 100:02} EUR"
