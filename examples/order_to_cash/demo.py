"""Forty orders through four systems that misbehave, with a worker that is killed on the way.

    make demo
    make demo ARGS=--keep        # leaves the server up at the end, to look at the runs in the Web UI

All of it is real and on this machine: a Temporal server, a payment provider over HTTP, a mail server, a database, a
folder of invoices, and a worker, each in a process of its own. What the demo says at the end it reads from the systems'
own ledgers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pydantic
from examples.order_to_cash import ledgers
from examples.order_to_cash.models import Order, Outcome
from examples.order_to_cash.processes import addresses, service
from examples.order_to_cash.services.ledger import INVENTORY
from examples.order_to_cash.services.warehouse import stock_up
from examples.order_to_cash.workflows import FulfilOrder
from examples.screen import Screen
from examples.worker import ProcessEnded, Worker
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle

import segue.client
from segue.client.inspect import run
from segue.client.table import render
from segue.workers import ports
from segue.workers.server import UI_PORT, DevServer, DevServerError, dev_server

ORDERS: Final = Path(__file__).with_name("orders.json")
FOLDER: Final = Path(".segue/demo")

# The worker is killed when this many orders are done and the payment provider has others in hand; if it is too quick to
# be caught with one, whatever the worker has in hand will do once half of the orders are done.
_KILL_AFTER: Final = 5
# All of it takes less than a minute. What takes this long hangs.
_PATIENCE_SECONDS: Final = 180


class DemoError(RuntimeError):
    """The demo cannot come to its end; the message says why."""


def read_orders(path: Path = ORDERS) -> list[Order]:
    """Return the orders of a file."""
    return pydantic.TypeAdapter(list[Order]).validate_json(path.read_bytes())


async def demo(folder: Path, seed: int, keep: bool, screen: Screen) -> bool:
    """Run the orders, and return whether the ledgers say that all is well."""
    orders = read_orders()
    _prepare(folder)
    screen.heading("Order to cash", f"  {len(orders)} orders, four systems that misbehave, a worker that is killed")
    async with (
        dev_server(folder / "temporal.db", port=0, ui_port=UI_PORT if ports.is_free(UI_PORT) else 0) as server,
        service("payments", folder, seed) as payments,
        service("mail", folder, seed) as mail,
    ):
        _introduce(screen, server, payments, mail)
        client = await segue.client.connect(target_host=server.address)
        environment = {"TEMPORAL_ADDRESS": server.address, **addresses(folder, payments, mail)}
        worker = Worker(["examples.order_to_cash.workflows"], "orders", folder / "worker.log", environment)
        try:
            lost = await fulfil(client, orders, worker, folder, screen)
            audit = ledgers.audit(folder, orders)
            _report(screen, audit, lost)
            await _show_steps(screen, client, audit.busiest)
            _point_to_ui(screen, server, audit.busiest, keep)
            if keep:
                with contextlib.suppress(asyncio.CancelledError):
                    await server.process.wait()
            await worker.stop()
        finally:
            # After an error or Ctrl-C there is nothing to wait for: it loses no order, as is shown here.
            await asyncio.shield(worker.kill())
    return audit.passed and lost > 0


async def fulfil(client: Client, orders: Sequence[Order], worker: Worker, folder: Path, screen: Screen) -> int:
    """Carry out the orders, killing the worker on the way; return how many steps it had in hand then."""
    await worker.start()
    runs = await asyncio.gather(
        *(
            client.start_workflow(FulfilOrder.run, order, id=f"order-{order.id}", task_queue="orders")
            for order in orders
        )
    )
    screen.event(f"{len(orders)} orders under way, carried by worker {worker.pid}")
    outcomes = [asyncio.ensure_future(one.result()) for one in runs]
    lost = 0
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (done := sum(outcome.done() for outcome in outcomes)) < len(orders):
        screen.bar(done, len(orders), ", ".join(f"{count} {what}" for what, count in ledgers.progress(folder).items()))
        if not lost and done >= _KILL_AFTER and (ledgers.in_flight(folder) or done >= len(orders) // 2):
            killed = worker.pid
            await worker.kill()
            lost = await _in_flight(runs)
            screen.event(f"worker {killed} killed (SIGKILL): {done} orders done, {lost} steps cut short", "yellow")
            await worker.start()
            screen.event(f"worker {worker.pid} takes over: what was cut short is tried again")
        worker.check()
        if time.monotonic() > deadline:
            raise DemoError(f"{len(orders) - done} orders are not done after {_PATIENCE_SECONDS} s: see {worker.log}")
        await asyncio.wait(outcomes, timeout=0.1)
    screen.clear()
    screen.event(f"all {len(orders)} orders done")
    for order, outcome in zip(orders, outcomes, strict=True):
        if isinstance(error := outcome.exception(), WorkflowFailureError):
            screen.event(f"order {order.id} failed: {error.cause}", "red")
    return lost


async def _in_flight(runs: Sequence[WorkflowHandle[FulfilOrder, Outcome]]) -> int:
    """Return how many steps the server believes to be in a worker's hands."""
    started = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
    described = await asyncio.gather(*(one.describe() for one in runs))
    return sum(step.state == started for one in described for step in one.raw_description.pending_activities)


def _prepare(folder: Path) -> None:
    """Make the folder anew, unless it holds something else."""
    if folder.exists() and any(folder.iterdir()) and not (folder / INVENTORY).exists():
        raise DemoError(f"{folder} holds something else than an earlier demo: name another folder with --folder")
    shutil.rmtree(folder, ignore_errors=True)
    stock_up(folder)


def _introduce(screen: Screen, server: DevServer, payments: str, mail: str) -> None:
    for name, place, manner in (
        ("inventory", "SQLite database", ""),
        ("payments", f"HTTP {payments}", "busy, slow, or cut off once it has charged"),
        ("invoices", "folder of objects", ""),
        ("notices", f"SMTP {mail}", "busy, or cut off once it has delivered"),
        ("Temporal", f"gRPC {server.address}", f"Web UI {server.ui}"),
    ):
        screen.line(f"  {name:9}  {place:20}  {screen.paint(manner, 'dim')}".rstrip())
    screen.line()


def _report(screen: Screen, audit: ledgers.Audit, lost: int) -> None:
    screen.heading("What the systems' own ledgers say")
    if not lost:
        screen.line(f"  {screen.paint('✗', 'red')} nothing of a killed worker: it never had a step in hand")
    for finding in audit.findings:
        mark = screen.paint("✗", "red") if finding.problems else screen.paint("✓", "green")
        screen.line(f"  {mark} {finding.text}")
        for problem in finding.problems:
            screen.line(f"      {screen.paint(problem, 'red')}")
    screen.line()
    for effort in audit.efforts:
        screen.line(f"  {effort.system:9} {effort.asked:>12}   {effort.did}")
        screen.line(f"{'':27}{screen.paint(effort.unheard, 'dim')}")


async def _show_steps(screen: Screen, client: Client, order_id: str) -> None:
    screen.heading(f"The steps of order {order_id}", ", which took the payment provider the most requests")
    found = await run(client.get_workflow_handle(f"order-{order_id}"))
    # The outcome stands above, from better witnesses.
    shown = dataclasses.replace(found, result=None)
    for line in render(shown, width=78, colour=screen.coloured).splitlines():
        screen.line(f"  {line}".rstrip())


def _point_to_ui(screen: Screen, server: DevServer, order_id: str, keep: bool) -> None:
    screen.heading("In the Web UI", f"  {server.ui}/namespaces/{server.namespace}/workflows/order-{order_id}")
    if keep:
        screen.line("  Ctrl-C ends it.")
    else:
        screen.line("  The server ends now: `make demo ARGS=--keep` leaves it up.")


async def _main(arguments: argparse.Namespace, screen: Screen) -> bool:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        # As Ctrl-C does: every process is ended.
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await demo(arguments.folder.absolute(), arguments.seed, arguments.keep, screen)


def main() -> None:
    """Run the demo; the exit code is 0 if the ledgers say that all is well."""
    parser = argparse.ArgumentParser(
        prog="make demo", description="Forty orders, four systems that misbehave, a worker that is killed."
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="made anew; holds every ledger (%(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="decides which requests go wrong (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave the server up at the end, for the Web UI")
    arguments = parser.parse_args()
    screen = Screen()
    try:
        code = 0 if asyncio.run(_main(arguments, screen)) else 1
    except (DemoError, ProcessEnded, DevServerError) as error:
        screen.clear()
        print(f"\n{error}", file=sys.stderr)
        code = 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        screen.clear()
        print("\nStopped. Every process of the demo has ended.", file=sys.stderr)
        code = 130
    sys.stdout.flush()
    sys.stderr.flush()
    # Temporal's native runtime may abort while the interpreter is taken down (temporalio/sdk-python#300).
    os._exit(code)


if __name__ == "__main__":
    main()
