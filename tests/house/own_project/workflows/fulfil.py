"""Ordinary Temporal code: no timeout at the call, which the system's policy fills in."""

from __future__ import annotations

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities import Order, Receipt, charge


@workflow.defn
class FulfilOrder:
    """Charge one order."""

    @workflow.run
    async def run(self, order: Order) -> Receipt:
        """Return the receipt."""
        return await workflow.execute_activity(charge, order)
