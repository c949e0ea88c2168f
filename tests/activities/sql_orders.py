"""A workflow that takes from stock, and its worker, which dies once between the commit and the report.

Run as `python -m tests.activities.sql_orders ADDRESS MARKER` it serves the workflow; MARKER is the file by which a
second worker knows that the first one has died.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

from pydantic import BaseModel
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

from segue.activities import Policy, System, sql

with workflow.unsafe.imports_passed_through():
    from sqlalchemy import text

DATABASE: Final = "env:STOCK_DATABASE_URL"
TASK_QUEUE: Final = "sql-orders"
MARKER: Final = "SEGUE_TEST_MARKER"

inventory = System(
    "sql-orders-inventory",
    policy=Policy(start_to_close_timeout=timedelta(seconds=3), initial_interval=timedelta(milliseconds=100)),
)


class Order(BaseModel):
    """What is ordered."""

    id: str
    sku: str
    quantity: int


class Reservation(BaseModel):
    """What was taken."""

    order_id: str
    attempt: int


class Report(BaseModel):
    """What the workflow saw."""

    reservation: Reservation
    noted: sql.Written
    stock: sql.Rows


@sql.transaction(DATABASE)
async def take(connection: sql.Connection, order: Order) -> Reservation:
    """Take an order's quantity from stock."""
    values = {"sku": order.sku, "taken": order.quantity}
    await connection.execute(text("UPDATE stock SET quantity = quantity - :taken WHERE sku = :sku"), values)
    await connection.execute(text("INSERT INTO movements (sku, taken) VALUES (:sku, :taken)"), values)
    return Reservation(order_id=order.id, attempt=activity.info().attempt)


@inventory.activity(name="sql_orders.reserve")
async def reserve(order: Order) -> Reservation:
    """Take from stock, and the first time die before anybody hears of it."""
    reservation = await take(order)
    marker = Path(os.environ[MARKER])
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return reservation


@workflow.defn
class TakeOrder:
    """Reserves, notes it, and looks."""

    @workflow.run
    async def run(self, order: Order) -> Report:
        """Return what each step returned."""
        reservation = await workflow.execute_activity(reserve, order)
        noted = await workflow.execute_activity(
            sql.write,
            sql.Write(
                database=DATABASE,
                statements=[
                    sql.Statement(
                        statement="INSERT INTO movements (sku, taken) VALUES (:sku, 0) RETURNING sku, taken",
                        parameters={"sku": order.sku},
                    )
                ],
            ),
        )
        stock = await workflow.execute_activity(
            sql.query,
            sql.Query(
                database=DATABASE,
                statement="SELECT sku, quantity FROM stock WHERE sku IN :skus",
                parameters={"skus": [order.sku]},
            ),
        )
        return Report(reservation=reservation, noted=noted, stock=stock)


async def serve(address: str) -> None:
    """Serve the workflow until killed."""
    from segue.activities.settings import Settings
    from segue.client import SeguePlugin

    client = await Client.connect(address, plugins=[SeguePlugin(settings=Settings())])
    async with Worker(client, task_queue=TASK_QUEUE, workflows=[TakeOrder], activities=[reserve, sql.query, sql.write]):
        await asyncio.Event().wait()


if __name__ == "__main__":
    # The workflow is found by its module's name, which is not that of a script.
    from tests.activities import sql_orders

    asyncio.run(sql_orders.serve(sys.argv[1]))
