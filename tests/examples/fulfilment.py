"""What the tests of order to cash and the recording of its histories share: systems to run against, and the workflow as
its author would write it without Segue."""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path
from typing import Any

from examples.order_to_cash import activities, workflows
from examples.order_to_cash.models import Line, Order
from examples.order_to_cash.processes import addresses, service
from examples.order_to_cash.services import mail as mail_service
from examples.order_to_cash.services import payments as payments_service
from examples.order_to_cash.services.mishaps import Mishap, mishaps
from examples.order_to_cash.services.warehouse import stock_up

from segue.activities import sql

SEED = 7
ACTIVITIES: list[Callable[..., Any]] = [
    activities.reserve,
    activities.release,
    activities.pick,
    activities.charge,
    activities.file_invoice,
    activities.notify,
]
TIMEOUT = "start_to_close_timeout=timedelta(seconds=3)"


def order(
    *, pay: list[Mishap], mail: list[Mishap] | None = None, card: str = "tok_visa_00ff", theremins: int = 0
) -> Order:
    """An order to which exactly these mishaps happen, first at the payment provider and then at the mail server."""
    ids = map(str, range(2000, 9000))
    addresses = (f"customer-{n}@example.com" for n in range(9000))
    return Order(
        id=next(one for one in ids if mishaps(SEED, one, payments_service.MISHAPS) == pay),
        customer="Clara Zöllner",
        email=next(one for one in addresses if mishaps(SEED, one, mail_service.MISHAPS) == (mail or [])),
        card=card,
        lines=[
            Line(sku="rosin", quantity=2, price_cents=990),
            # There are two theremins.
            Line(sku="theremin", quantity=theremins, price_cents=41900)
            if theremins
            else Line(sku="metronome", quantity=1, price_cents=3450),
        ],
    )


@contextlib.asynccontextmanager
async def systems(folder: Path) -> AsyncGenerator[Path]:
    """The four systems, their ledgers in a folder, and this process's environment saying where they are."""
    stock_up(folder)
    async with service("payments", folder, SEED) as payments, service("mail", folder, SEED) as mail:
        before = dict(os.environ)
        os.environ.update(addresses(folder, payments, mail))
        try:
            yield folder
        finally:
            os.environ.clear()
            os.environ.update(before)
            # A pool outlives the file it is connected to, and the next one has the same name.
            await sql.close()


@contextlib.contextmanager
def with_timeouts(folder: Path) -> Generator[type[Any]]:
    """`FulfilOrder` as plain Temporal has it: the same file, with a timeout written into each call of an activity."""
    tree = ast.parse(Path(workflows.__file__).read_text())
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "execute_activity"
    ]
    assert len(calls) == 7
    assert not any(call.keywords for call in calls)
    timeout = ast.parse(f"call({TIMEOUT})", mode="eval").body
    assert isinstance(timeout, ast.Call)
    for call in calls:
        call.keywords.extend(timeout.keywords)
    after_future = 2  # a docstring and `from __future__` come first
    tree.body[after_future:after_future] = ast.parse("from datetime import timedelta").body
    name = "fulfil_order_with_timeouts"
    (folder / f"{name}.py").write_text(ast.unparse(tree))
    # The workflow sandbox imports the module by its name, for each run.
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module(name).FulfilOrder
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop(name, None)
