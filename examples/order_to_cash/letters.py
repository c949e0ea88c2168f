"""What customers read: invoices and notices. The same order gives the same text, however often it is written."""

from __future__ import annotations

from typing import Final

from examples.order_to_cash.models import Outcome, Sale

__all__ = ["invoice", "notice"]

_NOTICES: Final = {
    "paid": ("Order {id} is on its way", "Thank you. Your invoice over {total} is attached."),
    "declined": ("Order {id}: your card was declined", "The bank said: {reason}. Nothing was charged."),
    "out_of_stock": ("Order {id} is out of stock", "We have {reason}. Nothing was charged."),
}


def invoice(sale: Sale) -> str:
    """Return the invoice of an order that is paid."""
    order, receipt = sale.order, sale.receipt
    lines = [f"{line.quantity:3} {line.sku:22}{_euros(line.quantity * line.price_cents):>14}" for line in order.lines]
    total = f"{'paid, ' + receipt.charge_id:26}{_euros(receipt.amount_cents):>14}"
    return "\n".join([f"Invoice {order.id}", order.customer, "", *lines, total, ""])


def notice(outcome: Outcome) -> tuple[str, str]:
    """Return the subject and the text of the mail that says how an order ended."""
    order = outcome.order
    subject, text = _NOTICES[outcome.status]
    values = {"id": order.id, "total": _euros(order.total_cents), "reason": outcome.reason}
    return subject.format(**values), f"Dear {order.customer},\n\n{text.format(**values)}\n"


def _euros(cents: int) -> str:
    return f"{cents / 100:,.2f} EUR"
