"""Order to cash: the demo as a whole, each thing that goes wrong in it, and the replay of its recorded histories."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from examples.order_to_cash import ledgers
from examples.order_to_cash.demo import read_orders
from examples.order_to_cash.models import Order, Outcome
from examples.order_to_cash.services.warehouse import STOCK
from examples.order_to_cash.workflows import FulfilOrder
from examples.screen import Screen
from temporalio.client import Client, WorkflowHandle, WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker
from tests.examples.fulfilment import ACTIVITIES, order, systems, with_timeouts
from tests.recorded import HISTORIES

from segue import workers
from segue.activities.settings import Settings
from segue.client import SeguePlugin

ROOT = Path(__file__).parents[2]


# The demo as a whole


@dataclasses.dataclass(frozen=True)
class Finished:
    """A demo that has run."""

    folder: Path
    code: int
    out: str
    err: str
    seconds: float


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The demo, run once for this module."""
    folder = tmp_path_factory.mktemp("demo") / "ledgers"
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "examples.order_to_cash.demo", "--folder", str(folder)],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("TEMPORAL_")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    return Finished(folder, done.returncode, done.stdout, done.stderr, time.monotonic() - began)


def rows(ledger: Path, query: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(ledger)) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_demo_says_from_the_ledgers_that_all_is_well(finished: Finished) -> None:
    """The demo ends with 0, having killed its worker in the middle, and its ledgers agree on every order."""
    assert (finished.code, finished.err) == (0, "")
    for line in (
        "✓ 40 orders accounted for: 36 paid and picked, 3 declined, 1 out of stock",
        "✓ 36 cards charged exactly once, for the amount of the order",
        "✓ 3 declined orders compensated: nothing charged, stock back on the shelf",
        "✓ 36 invoices, one for each paid order",
        "✓ 40 mails, one for each order",
    ):
        assert f"\n  {line}\n" in finished.out
    assert " killed (SIGKILL): " in finished.out
    assert "\x1b" not in finished.out
    assert max(map(len, finished.out.splitlines())) <= 80


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_ledgers_of_the_demo_agree_with_the_orders(finished: Finished) -> None:
    """Read without the demo's own code: one charge, one invoice and one mail for each order that is due one."""
    orders = read_orders()
    refused = {o.id for o in orders if not o.card.startswith("tok_visa")}
    unserved = {o.id for o in orders if any(line.sku == "theremin" and line.quantity > 2 for line in o.lines)}
    paid = {o.id: o for o in orders if o.id not in refused | unserved}

    assert len(orders) == 40
    assert (len(refused), len(unserved)) == (3, 1)
    charges = rows(finished.folder / "payments.sqlite", "SELECT order_id, card, amount_cents FROM charges")
    assert sorted(charges) == sorted((o.id, o.card, o.total_cents) for o in paid.values())
    # What the worker was writing when it was killed is there too, under a name that is no object's.
    assert {path.stem for path in (finished.folder / "invoices").glob("*.txt")} == set(paid)
    assert sorted(rows(finished.folder / "mail.sqlite", "SELECT recipient FROM mailbox")) == sorted(
        (o.email,) for o in orders
    )
    sold = Counter[str]()
    for o in paid.values():
        sold.update({line.sku: line.quantity for line in o.lines})
    left = dict(rows(finished.folder / "inventory.sqlite", "SELECT sku, on_hand FROM stock"))
    assert left == {sku: start - sold[sku] for sku, start in STOCK.items()}


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_systems_of_the_demo_do_misbehave(finished: Finished) -> None:
    """Requests fail in every way there is: without idempotency keys and retries the ledgers could not agree."""
    requests = Counter(rows(finished.folder / "payments.sqlite", "SELECT mishap FROM requests"))
    deliveries = Counter(rows(finished.folder / "mail.sqlite", "SELECT answer FROM deliveries"))

    assert all(requests[(mishap,)] >= 3 for mishap in ("busy", "slow", "cut"))
    assert all(deliveries[(answer,)] >= 3 for answer in ("busy", "duplicate"))


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("ledger", "harm", "problems"),
    [
        (
            "payments.sqlite",
            "INSERT INTO charges SELECT 'ch_again', 'another key', order_id, card, amount_cents FROM charges "
            "WHERE order_id = '1001'",
            ["order 1001: charged 2 times"],
        ),
        (
            "payments.sqlite",
            "UPDATE charges SET amount_cents = 1 WHERE order_id = '1001'",
            ["order 1001: card tok_visa_9cd5 charged 1 cents, not tok_visa_9cd5 6560 cents"],
        ),
        (
            "payments.sqlite",
            "DELETE FROM charges WHERE order_id = '1001'",
            [
                "order 1001: an invoice, but not paid",
                "order 1001: no end to be seen",
            ],
        ),
        (
            "inventory.sqlite",
            "UPDATE stock SET on_hand = on_hand - 1 WHERE sku = 'rosin'",
            ["rosin: 47 on the shelf, not 60 less the 12 picked"],
        ),
        (
            "inventory.sqlite",
            "UPDATE reservations SET state = 'reserved' WHERE order_id = '1007'",
            ["order 1007: declined, but its stock is not back", "order 1007: no end to be seen"],
        ),
        (
            "mail.sqlite",
            "INSERT INTO mailbox SELECT 'another id', recipient, subject, attachment FROM mailbox "
            "WHERE recipient = 'ada.lindqvist@example.com'",
            ["order 1001: 2 mails"],
        ),
    ],
)
def test_the_audit_finds_what_is_wrong(
    finished: Finished, tmp_path: Path, ledger: str, harm: str, problems: list[str]
) -> None:
    """Whatever a ledger shows that must not be, the audit names the order and what is wrong with it."""
    folder = shutil.copytree(finished.folder, tmp_path / "ledgers")
    with contextlib.closing(sqlite3.connect(folder / ledger, isolation_level=None)) as connection:
        connection.execute(harm)

    audit = ledgers.audit(folder, read_orders())

    assert not audit.passed
    assert sorted(problem for finding in audit.findings for problem in finding.problems) == problems


def children(pid: int) -> set[int]:
    """The processes that a process started and that are there still."""
    found = set[int]()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # After the name, which may hold anything but ends with the last parenthesis: state, then the parent.
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.add(int(stat.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_stopped_leaves_no_process(tmp_path: Path, told: signal.Signals) -> None:
    """Ctrl-C or SIGTERM in the middle ends the demo with 130, and the server, the services and the worker with it."""
    with subprocess.Popen(
        [sys.executable, "-m", "examples.order_to_cash.demo", "--folder", str(tmp_path / "ledgers")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as demo:
        assert demo.stdout is not None
        while "orders under way" not in (line := demo.stdout.readline()):
            assert line, "the demo ended early"
        started = children(demo.pid)
        demo.send_signal(told)
        _, err = demo.communicate(timeout=60)

    assert len(started) == 4
    assert (demo.returncode, err) == (130, "\nStopped. Every process of the demo has ended.\n")
    assert not any(Path(f"/proc/{pid}").exists() for pid in started)


def test_the_demo_deletes_no_folder_but_its_own(tmp_path: Path) -> None:
    """A folder that holds something else is left as it is, with an error that says what to do."""
    (tmp_path / "thesis.txt").write_text("ten years of work")

    done = subprocess.run(
        [sys.executable, "-m", "examples.order_to_cash.demo", "--folder", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"\n{tmp_path} holds something else than an earlier demo: name another folder with --folder\n"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


class Terminal(io.StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def test_on_a_terminal_one_line_is_redrawn_below_those_that_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar is erased before a line is printed, and drawn again below it; nothing of it is left at the end."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    terminal = Terminal()
    screen = Screen(terminal)

    screen.bar(10, 40, "9 charged")
    screen.bar(10, 40, "9 charged")
    screen.event("worker 1 killed", "yellow")
    screen.clear()

    bar = "   0.0 s  ━━━━━━━━━━━━━━━━  10 of 40  9 charged"
    assert terminal.getvalue() == f"{bar}\r\x1b[2K   0.0 s  worker 1 killed\n{bar}\r\x1b[2K"


def test_a_pipe_gets_no_bar_and_no_colour() -> None:
    """What is not a terminal gets plain lines only."""
    out = io.StringIO()
    screen = Screen(out)

    screen.bar(10, 40, "9 charged")
    screen.heading("What the ledgers say")
    screen.clear()

    assert out.getvalue() == "\nWhat the ledgers say\n\n"


# One order at a time


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncGenerator[Path]:
    """The systems' ledgers, with the systems running."""
    async with systems(tmp_path / "ledgers") as folder:
        yield folder


async def fulfil(client: Client, asked: Order, workflow: type[Any] = FulfilOrder) -> tuple[Outcome, list[str]]:
    """Run one order; return its outcome and the activities that were scheduled, in their order."""
    queue = f"orders-{asked.id}"
    async with Worker(client, task_queue=queue, workflows=[workflow], activities=ACTIVITIES):
        handle: WorkflowHandle[Any, Outcome] = await client.start_workflow(
            workflow.run, asked, id=f"order-{asked.id}-{time.time_ns()}", task_queue=queue
        )
        outcome = await handle.result()
    return outcome, [name for name, _ in await scheduled(handle)]


async def scheduled(handle: WorkflowHandle[Any, Any]) -> list[tuple[str, str]]:
    """The type and id of each activity of a run, in the order in which they were scheduled."""
    return [
        (
            event.activity_task_scheduled_event_attributes.activity_type.name,
            event.activity_task_scheduled_event_attributes.activity_id,
        )
        for event in (await handle.fetch_history()).events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]


PAID = ["reserve", "charge", "file_invoice", "pick", "notify"]
CASES = {
    "nothing": order(pay=[]),
    "busy": order(pay=["busy"]),
    "slow": order(pay=["slow"]),
    "cut": order(pay=["cut"]),
    "all at once": order(pay=["cut", "busy"], mail=["busy", "cut"]),
    "mail cut": order(pay=[], mail=["cut"]),
}


@pytest.mark.parametrize("case", CASES)
async def test_an_order_is_paid_once_whatever_goes_wrong(client: Client, folder: Path, case: str) -> None:
    """A refused, late or lost answer of a system costs further requests, and no second effect."""
    asked = CASES[case]

    outcome, steps = await fulfil(client, asked)

    assert outcome.status == "paid"
    assert outcome.receipt is not None
    assert (outcome.receipt.charge_id, outcome.receipt.amount_cents) == ("ch_0001", asked.total_cents)
    assert outcome.invoice is not None
    assert outcome.invoice.url == (folder / "invoices" / f"{asked.id}.txt").as_uri()
    assert steps == PAID
    assert rows(folder / "payments.sqlite", "SELECT order_id, card, amount_cents FROM charges") == [
        (asked.id, asked.card, asked.total_cents)
    ]
    assert rows(folder / "mail.sqlite", "SELECT recipient, subject, attachment FROM mailbox") == [
        (asked.email, f"Order {asked.id} is on its way", f"{asked.id}.txt")
    ]
    assert rows(folder / "inventory.sqlite", "SELECT sku, quantity, state FROM reservations") == [
        ("rosin", 2, "picked"),
        ("metronome", 1, "picked"),
    ]


async def test_a_declined_card_puts_the_stock_back(client: Client, folder: Path) -> None:
    """A card that is declined is charged nothing; the stock goes back and the customer is told, as the outcome says."""
    asked = order(pay=["busy", "cut"], card="tok_expired_1f7a")

    outcome, steps = await fulfil(client, asked)

    assert outcome == Outcome(order=asked, status="declined", reason="expired card")
    assert steps == ["reserve", "charge", "release", "notify"]
    assert rows(folder / "payments.sqlite", "SELECT * FROM charges") == []
    assert rows(folder / "payments.sqlite", "SELECT order_id, card, reason FROM refusals") == [
        (asked.id, asked.card, "expired card")
    ]
    assert dict(rows(folder / "inventory.sqlite", "SELECT sku, on_hand FROM stock")) == STOCK
    assert rows(folder / "inventory.sqlite", "SELECT DISTINCT state FROM reservations") == [("released",)]
    assert not (folder / "invoices").exists()
    assert rows(folder / "mail.sqlite", "SELECT recipient, subject FROM mailbox") == [
        (asked.email, f"Order {asked.id}: your card was declined")
    ]


async def test_an_order_without_stock_touches_nothing(client: Client, folder: Path) -> None:
    """An order of which one line is out of stock takes nothing of the others and asks for no money."""
    asked = order(pay=[], theremins=3)

    outcome, steps = await fulfil(client, asked)

    assert outcome == Outcome(order=asked, status="out_of_stock", reason="fewer than 3 of theremin")
    assert steps == ["reserve", "notify"]
    assert dict(rows(folder / "inventory.sqlite", "SELECT sku, on_hand FROM stock")) == STOCK
    assert rows(folder / "inventory.sqlite", "SELECT * FROM reservations") == []
    assert rows(folder / "payments.sqlite", "SELECT * FROM requests") == []
    assert rows(folder / "mail.sqlite", "SELECT recipient, subject FROM mailbox") == [
        (asked.email, f"Order {asked.id} is out of stock")
    ]


@pytest.mark.slow
async def test_the_workflow_runs_without_segue_once_timeouts_are_written(
    client: Client, server: WorkflowEnvironment, tmp_path: Path
) -> None:
    """The same file, a timeout put into each call, gives under plain temporalio what it gives under Segue."""
    asked = [
        order(pay=[]),
        order(pay=["busy"]),
        order(pay=["cut"], mail=["cut"]),
        order(pay=[], card="tok_stolen_d24e", mail=["busy"]),
        order(pay=[], theremins=3),
    ]
    plain = await Client.connect(
        server.client.service_client.config.target_host, data_converter=pydantic_data_converter
    )
    folder = tmp_path / "ledgers"

    async with systems(folder):
        with_segue = [await fulfil(client, one) for one in asked]
    shutil.rmtree(folder)
    with with_timeouts(tmp_path) as workflow:
        async with systems(folder):
            without = [await fulfil(plain, one, workflow) for one in asked]

    assert [outcome.status for outcome, _ in with_segue] == ["paid", "paid", "paid", "declined", "out_of_stock"]
    assert [(_comparable(outcome), steps) for outcome, steps in without] == [
        (_comparable(outcome), steps) for outcome, steps in with_segue
    ]


async def test_a_run_that_began_without_segue_ends_with_it(
    client: Client, server: WorkflowEnvironment, folder: Path, tmp_path: Path
) -> None:
    """The plugin may be added while orders are under way: they go on from where they are, and charge nobody twice."""
    asked = order(pay=["cut", "busy"])
    plain = await Client.connect(
        server.client.service_client.config.target_host, data_converter=pydantic_data_converter
    )

    async def completed(handle: WorkflowHandle[Any, Any]) -> int:
        events = (await handle.fetch_history()).events
        return sum(event.HasField("activity_task_completed_event_attributes") for event in events)

    with with_timeouts(tmp_path) as workflow:
        async with Worker(plain, task_queue="orders-begun", workflows=[workflow], activities=ACTIVITIES):
            begun = await plain.start_workflow("FulfilOrder", asked, id="order-begun", task_queue="orders-begun")
            while not await completed(begun):
                await asyncio.sleep(0.02)
    assert await completed(begun) == 1

    async with Worker(client, task_queue="orders-begun", workflows=[FulfilOrder], activities=ACTIVITIES):
        outcome = Outcome.model_validate(await client.get_workflow_handle(begun.id, result_type=Outcome).result())

    assert outcome.status == "paid"
    assert await scheduled(begun) == [
        ("reserve", "1"),
        ("charge", "2"),
        ("file_invoice", "3"),
        ("pick", "4"),
        ("notify", "5"),
    ]
    assert rows(folder / "payments.sqlite", "SELECT order_id FROM charges") == [(asked.id,)]


def _comparable(outcome: Outcome) -> Outcome:
    """An outcome without what tells one writing of the invoice from another of the same content: its entity tag."""
    invoice = outcome.invoice and outcome.invoice.model_copy(update={"etag": None})
    return outcome.model_copy(update={"invoice": invoice})


# Replay


def history(name: str) -> dict[str, Any]:
    """A recorded history, as JSON."""
    recorded: dict[str, Any] = json.loads((HISTORIES / f"order_to_cash_{name}.json").read_text())
    return recorded


RECORDED = sorted(path.stem.removeprefix("order_to_cash_") for path in HISTORIES.glob("order_to_cash_*.json"))


def test_histories_are_recorded() -> None:
    """Each way through the workflow is recorded, with the plugin and without."""
    ways = ["declined", "happy", "out_of_stock", "retried"]
    assert [f"{kind}_{way}" for kind in ("plain", "segue") for way in ways] == RECORDED


async def replay(recorded: dict[str, Any], settings: Settings) -> None:
    """Replay a history with the plugin; raises if the workflow does not fit it."""
    history = WorkflowHistory.from_json("order", recorded)
    assert await workers.replay([history], [FulfilOrder], SeguePlugin(settings=settings)) == 1


@pytest.mark.parametrize("name", RECORDED)
async def test_a_finished_run_replays(name: str) -> None:
    """A run recorded with the plugin or without replays with it."""
    await replay(history(name), Settings())


@pytest.mark.parametrize("name", RECORDED)
async def test_a_half_finished_run_replays(name: str) -> None:
    """So does a run that is under way, wherever it is: a plugin that is added finds runs at every point."""
    events = history(name)["events"]
    cuts = [number for number, event in enumerate(events) if event["eventType"] == "EVENT_TYPE_WORKFLOW_TASK_STARTED"]
    assert len(cuts) >= 3
    for cut in cuts:
        await replay({"events": events[: cut + 1]}, Settings())


async def test_a_changed_policy_breaks_no_replay(tmp_path: Path) -> None:
    """Operations may change every field of every system's policy while orders are under way."""
    file = tmp_path / "segue.toml"
    file.write_text(
        "".join(
            f"""
            [systems.{name}]
            start_to_close_timeout = "7m"
            schedule_to_close_timeout = "2h"
            schedule_to_start_timeout = "1h"
            heartbeat_timeout = "11s"
            initial_interval = "3s"
            backoff_coefficient = 1.5
            maximum_interval = "4m"
            maximum_attempts = 17
            task_queue = "{name}-elsewhere"
            capacity = {{ per_second = 3, concurrent = 2 }}
            """
            for name in ("inventory", "payments", "invoices", "notices")
        )
    )
    settings = Settings.load(file)
    for name in RECORDED:
        await replay(history(name), settings)


async def test_replay_notices_a_changed_workflow() -> None:
    """What the replays above show is worth something: a history that lacks a step does not fit."""
    recorded = history("segue_happy")
    for event in recorded["events"]:
        scheduled = event.get("activityTaskScheduledEventAttributes", {})
        if scheduled.get("activityType") == {"name": "charge"}:
            scheduled["activityType"]["name"] = "charge_twice"
            scheduled["activityId"] = "charge_twice-1"
    with pytest.raises(Exception, match="charge_twice"):
        await replay(recorded, Settings())
