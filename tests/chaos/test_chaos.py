"""The chaos suite in its short form, one small round; and that it would see what is lost, and has its plan again.

The long form is `make chaos`; docs/chaos.md says what both do.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.message
import os
import re
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from examples.order_to_cash.models import Line, Order
from examples.order_to_cash.services.ledger import INVENTORY, INVOICES, MAIL, PAYMENTS, open_ledger
from examples.order_to_cash.services.mail import MailServer
from examples.order_to_cash.services.payments import Book
from tests.chaos import ledgers
from tests.chaos.plan import Plan, Sheet, Size
from tests.chaos.proxy import Proxy

ROOT = Path(__file__).parents[2]
SEED = 8


@pytest.mark.slow
@pytest.mark.timeout(320)
def test_nothing_is_lost_and_nothing_double_when_everything_dies(tmp_path: Path) -> None:
    """Workers and server are killed, connections cut, answers late, steps completed twice: effects are there once."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.chaos.run", "--short", "--runs", "1", "--seed", str(SEED), "--folder", tmp_path],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"seed {SEED}"
    assert lines[-1] == f"seed {SEED}: nothing lost, nothing double"
    plan = Plan.draw(f"{SEED}/0", Size.short())
    assert f"plan {plan.digest}" in done.stdout
    counts = {what: int(number) for number, what in re.findall(r"^ +([\d,]+)  (\S.*)$", done.stdout, re.MULTILINE)}
    assert counts["Temporal server killed (SIGKILL)"] == 1
    assert counts["workers killed (SIGKILL)"] >= 2
    assert counts["steps: worker killed right after the effect"] == plan.size.deaths
    assert list(tmp_path.iterdir()) == []


def test_a_seed_is_a_plan() -> None:
    """The same seed draws the same plan, on any machine; another seed another."""
    drawn = Plan.draw("7/0", Size.long())

    assert drawn == Plan.draw("7/0", Size.long())
    assert drawn.digest == "2444a2a3"
    assert drawn != Plan.draw("7/1", Size.long())
    assert Plan.model_validate_json(drawn.model_dump_json()) == drawn


def test_the_audit_sees_what_is_lost_and_what_is_double(tmp_path: Path) -> None:
    """Ledgers that hold each effect once are clean; each that is missing or there twice is named."""
    plan = small_plan()
    act(tmp_path, plan)

    assert problems(tmp_path, plan) == []

    with contextlib.closing(open_ledger(tmp_path / ledgers.STOCKTAKE)) as ledger:
        ledger.execute("DELETE FROM counts WHERE shelf = 1")
        ledger.execute("INSERT INTO counts VALUES ('sheet-0', 0)")
    with contextlib.closing(open_ledger(tmp_path / PAYMENTS)) as ledger:
        ledger.execute("INSERT INTO charges VALUES ('ch_2', 'other', '1001', 'tok_visa_1', 500)")
    with contextlib.closing(open_ledger(tmp_path / ledgers.PHONE)) as ledger:
        ledger.execute("INSERT INTO received VALUES ('sheet-0', 2)")
    with contextlib.closing(open_ledger(tmp_path / ledgers.FAXES)) as ledger:
        ledger.execute("DELETE FROM received")
    (tmp_path / INVOICES / "1001.txt").unlink()

    assert problems(tmp_path, plan) == [
        "double: cards charged: 1001: tok_visa_1 500",
        "lost: invoices: 1001",
        "double: shelves counted: sheet-0/0",
        "lost: shelves counted: sheet-0/1",
        "double: calls, at most once, asked after: sheet-0",
        "lost: faxes, at most once, repaired: sheet-0",
        "double: contradictions between the systems: order 1001: charged 2 times",
        "double: contradictions between the systems: order 1001: paid, but no invoice",
    ]


def small_plan() -> Plan:
    lines = [Line(sku="capo", quantity=2, price_cents=250)]
    order = Order(id="1001", customer="One", email="one@example.com", card="tok_visa_1", lines=lines)
    sheet = Sheet(id="sheet-0", shelves=2, batch=1, labels=1, parks=True)
    size = Size(orders=1, sheets=1, shelves=2)
    return Plan(
        seed="0", size=size, orders=[order], sheets=[sheet], steps={}, moments=[], payments={}, mail={}, database={}
    )


def act(folder: Path, plan: Plan) -> None:
    """Make every effect of the small plan once."""
    [order] = plan.orders
    ledgers.prepare(folder)
    book = Book(folder / PAYMENTS, seed=0)
    while book.charge("key", order.id, order.card, order.total_cents).status == 503:
        pass
    message = email.message.EmailMessage()
    message["Message-ID"] = "<1@example.com>"
    message["Subject"] = "paid"
    server = MailServer(folder / MAIL, seed=0)
    while server._take(order.email, message.as_bytes()) == "busy":  # pyright: ignore[reportPrivateUsage]
        pass
    (folder / INVOICES).mkdir()
    (folder / INVOICES / f"{order.id}.txt").write_text("invoice")
    (folder / ledgers.LABELS / "sheet-0").mkdir(parents=True)
    (folder / ledgers.LABELS / "sheet-0" / "0.txt").write_text("sheet-0, shelf 0\n")
    for name, statements in {
        INVENTORY: [
            "UPDATE stock SET on_hand = on_hand - 2 WHERE sku = 'capo'",
            "INSERT INTO reservations VALUES ('1001', 'capo', 2, 'picked')",
        ],
        ledgers.STOCKTAKE: [
            "INSERT INTO counts VALUES ('sheet-0', 0), ('sheet-0', 1)",
            "INSERT INTO closings VALUES ('sheet-0')",
        ],
        ledgers.PHONE: ["INSERT INTO received VALUES ('sheet-0', 1)"],
        ledgers.FAXES: ["INSERT INTO received VALUES ('sheet-0', 1)"],
    }.items():
        with contextlib.closing(open_ledger(folder / name)) as ledger:
            for statement in statements:
                ledger.execute(statement)


def problems(folder: Path, plan: Plan) -> list[str]:
    return [
        f"{kind}: {line.effect}: {name}"
        for line in ledgers.audit(folder, plan)
        for kind, names in (("double", line.double), ("lost", line.lost))
        for name in names
    ]


@contextlib.asynccontextmanager
async def echo() -> AsyncGenerator[tuple[str, list[bytes]]]:
    """A server that answers each line, and what it has received."""
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            received.append(line)
            writer.write(b"heard " + line)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", received
    finally:
        server.close()


async def asked(address: str, line: bytes) -> bytes:
    """What a line is answered with; empty if the connection breaks instead."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
    writer.write(line)
    try:
        return await reader.readline()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_the_proxy_breaks_what_is_planned_after_its_effect() -> None:
    """A cut comes after the request has arrived, a kill names the worker that asked, and the rest passes."""
    killed: list[str] = []
    async with echo() as (upstream, received):
        proxy = Proxy(upstream, faults={2: "cut", 4: "kill"}, kill=killed.append)
        address = await proxy.listen("worker 3")
        answers = [await asked(address, b"%d\n" % number) for number in range(1, 6)]
        await proxy.close()

    assert answers == [b"heard 1\n", b"", b"heard 3\n", b"", b"heard 5\n"]
    assert received == [b"1\n", b"2\n", b"3\n", b"4\n", b"5\n"]
    assert killed == ["worker 3"]
    assert proxy.done == {"cut": 1, "kill": 1}


async def test_a_request_that_is_held_arrives_when_nobody_waits_for_it() -> None:
    """Its caller goes away without an answer; the request reaches the system after that."""
    async with echo() as (upstream, received):
        proxy = Proxy(upstream, faults={1: "held"}, delay=1.5)
        address = await proxy.listen("worker 0")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asked(address, b"late\n"), 0.6)
        before = list(received)
        await proxy.settled()
        await proxy.close()

    assert before == []
    assert received == [b"late\n"]
    assert proxy.done == {"held": 1}
