"""From order to cash: ordinary Temporal code, without one timeout, retry or queue in it.

    reserve ─▶ charge ─┬─▶ file_invoice ─┬─▶ notify
       │         │     └─▶ pick ─────────┘
       │         └ declined ──▶ release ────▶ notify
       └ out of stock ──────────────────────▶ notify

Before the charge an order that is refused goes back; after it an order only goes forward, however long that takes.
"""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from examples.order_to_cash.activities import charge, file_invoice, notify, pick, release, reserve
    from examples.order_to_cash.models import Order, Outcome, Sale


@workflow.defn
class FulfilOrder:
    """Carries one order through inventory, payments, invoices and notices."""

    @workflow.run
    async def run(self, order: Order) -> Outcome:
        try:
            await workflow.execute_activity(reserve, order)
        except ActivityError as error:
            # Stock is reserved for the whole order or not at all, so there is nothing to give back.
            return await self.refuse(order, error)

        try:
            receipt = await workflow.execute_activity(charge, order)
        except ActivityError as error:
            await workflow.execute_activity(release, order)
            return await self.refuse(order, error)

        invoice, _ = await asyncio.gather(
            workflow.execute_activity(file_invoice, Sale(order=order, receipt=receipt)),
            workflow.execute_activity(pick, order),
        )
        paid = Outcome(order=order, status="paid", receipt=receipt, invoice=invoice)
        await workflow.execute_activity(notify, paid)
        return paid

    async def refuse(self, order: Order, error: ActivityError) -> Outcome:
        match error.cause:
            case ApplicationError(type="OutOfStock", message=reason):
                refused = Outcome(order=order, status="out_of_stock", reason=reason)
            case ApplicationError(type="CardDeclined", message=reason):
                refused = Outcome(order=order, status="declined", reason=reason)
            case _:
                raise error
        await workflow.execute_activity(notify, refused)
        return refused
