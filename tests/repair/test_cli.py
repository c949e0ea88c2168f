"""`segue parked` and `segue repair`: what is parked, the repair of one step and of many, and how they say no."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from temporalio.client import Client
from tests.cli.conftest import SEGUE, Ended, environment
from tests.repair.bank import Pay, PayMany, closed, ledger
from tests.repair.test_repair import payment, start, until_parked, worker

Segue = Callable[..., Coroutine[Any, Any, Ended]]


@pytest.fixture
def segue(client: Client) -> Segue:
    """Runs one command in a process of its own, beside the worker of this one."""
    return segue_on(client)


def segue_on(client: Client) -> Segue:
    """Return what runs one command against the server of a client."""

    async def run(*arguments: str) -> Ended:
        process = await asyncio.create_subprocess_exec(
            *SEGUE,
            *arguments,
            env=environment(client.service_client.config.target_host),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return Ended(process.returncode or 0, out.decode(), err.decode())

    assert SEGUE[0] == sys.executable
    return run


async def listed(segue: Segue, workflow_id: str, count: int) -> list[dict[str, Any]]:
    """What is listed of a workflow among all that is parked, once the server lists so many."""
    async with asyncio.timeout(60):
        while True:
            found = json.loads((await segue("parked", "--query", f"WorkflowId = '{workflow_id}'", "--json")).out)
            if len(found) == count:
                return list(found)
            await asyncio.sleep(0.1)


async def test_one_step(client: Client, segue: Segue) -> None:
    """It is listed, shown whole, checked by a dry run, refused what does not fit, and repaired once."""
    paying = payment()
    handle, queue = await start(client, Pay.run, paying)
    async with worker(client, queue):
        await until_parked(handle)
        await listed(segue, handle.id, 1)
        lines = (await segue("parked")).out.splitlines()
        [line] = [line for line in lines if line.startswith(handle.id)]
        assert re.fullmatch(
            rf"{handle.id} +transfer_money-1 +repair-test-bank +[\d.]+ m?s +terminal +Closed: account "
            rf"{paying.account} is closed",
            line,
        ), line
        shown = await segue("parked", "--workflow", handle.id)
        assert re.sub(r"\d{4}-.* ago", "TIME", shown.out) == (
            "transfer_money-1  transfer_money\n"
            f"  error    terminal: Closed: account {paying.account} is closed\n"
            "  parked   TIME\n"
            "  system   repair-test-bank\n"
            "  takes    payment: Payment\n"
            f'  input    {{"order": "{paying.order}", "account": "{paying.account}", "cents": 5}}\n'
            "  returns  Paid\n"
            f"  repair   segue repair {handle.id} transfer_money-1 --retry\n"
        )
        assert (await segue("parked", "--workflow", handle.id, "--system", "other")).err == (
            f"Nothing is parked in {handle.id}\n"
        )
        step = (handle.id, "transfer_money-1")
        assert await segue("repair", *step, "--retry", "--dry-run") == Ended(
            0, f"transfer_money-1 of {handle.id} would be repaired: it is tried again\n", ""
        )
        assert await segue("repair", *step, "--result", '{"order": "x"}') == Ended(
            2,
            "",
            f"Error: {handle.id}: 'transfer_money-1': the result: Paid is not valid: cents: Field required\n",
        )
        assert await segue("repair", handle.id, "pay-1", "--skip") == Ended(
            5, "", f"Error: {handle.id}: There is no step 'pay-1': 'transfer_money-1' is parked\n"
        )
        assert await segue("repair", *step, "--result", '{"order": "x", "cents": 1}', "--reason", "paid by hand") == (
            Ended(0, f"transfer_money-1 of {handle.id} has the given result\n", "")
        )
        assert (await handle.result()).order == "x"
        assert await segue("repair", *step, "--retry") == Ended(
            5, "", f"Error: {handle.id}: 'transfer_money-1' is not parked: its run has ended\n"
        )


async def test_many_steps(client: Client, segue: Segue) -> None:
    """All that match a query are checked, repaired and counted; who repairs none is told so."""
    paying = payment()
    handle, queue = await start(client, PayMany.run, paying, 3)
    query = ("--query", f"WorkflowId = '{handle.id}'")
    async with worker(client, queue):
        await until_parked(handle, 3)
        await listed(segue, handle.id, 3)
        tried = await segue("repair", *query, "--retry", "--dry-run", "--step", "transfer_money")
        assert sorted(tried.out.splitlines()) == [
            "3 would be repaired, 0 refused",
            *(f"transfer_money-{n} of {handle.id} would be repaired: it is tried again" for n in (1, 2, 3)),
        ]
        closed.discard(paying.account)
        done = await segue("repair", *query, "--retry", "--reason", "reopened", "--by", "ann", "--json")
        told = json.loads(done.out)
        assert (done.code, told["done"], told["refused"], told["dry_run"]) == (0, 3, 0, False)
        assert {(one["step"], one["repaired"]["by"], one["repaired"]["reason"]) for one in told["steps"]} == {
            (f"transfer_money-{n}", "ann", "reopened") for n in (1, 2, 3)
        }
        assert await handle.result() == 15
    assert len(ledger[paying.order]) == 3
    await listed(segue, handle.id, 0)
    assert await segue("repair", *query, "--skip") == Ended(0, "", "Nothing that is parked matches\n")


async def test_without_a_worker(client: Client, segue: Segue) -> None:
    """One repair that nobody takes says so, and of many those that somebody takes are done and counted."""
    paying, other = payment(), payment()
    handle, queue = await start(client, Pay.run, paying)
    deserted, deserted_queue = await start(client, Pay.run, other)
    async with worker(client, queue):
        async with worker(client, deserted_queue):
            await until_parked(handle)
            await until_parked(deserted)
        await listed(segue, handle.id, 1)
        await listed(segue, deserted.id, 1)
        one = await segue("repair", deserted.id, "transfer_money-1", "--retry", "--timeout", "500ms")
        assert one == Ended(
            1,
            "",
            f"Error: No answer from {deserted.id} in 500ms: does a worker serve it? The repair was sent, and may still "
            "be taken\n",
        )
        query = f"WorkflowId IN ('{handle.id}', '{deserted.id}')"
        closed.discard(paying.account)
        many = await segue("repair", "--query", query, "--retry", "--timeout", "3s")
        assert many == Ended(
            1,
            f"transfer_money-1 of {handle.id} is tried again\n1 repaired, 1 refused\n",
            f"transfer_money-1 of {deserted.id} is not repaired: no worker answers; the repair was sent, and may still "
            "be taken\n",
        )
        assert (await handle.result()).order == paying.order
    await deserted.terminate()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a", "b"), "Give one of --retry, --retry-with, --result, --skip and --fail"),
        (("a", "b", "--retry", "--skip"), "Give one of --retry, --retry-with, --result, --skip and --fail"),
        (("a", "--retry"), "Give ID and STEP, or --query"),
        (("a", "b", "--retry", "--query", "x"), "Give ID and STEP, or --query, not both"),
        (("a", "b", "--retry", "--system", "x"), "--system, --step and --scan are for the steps of --query"),
        (("a", "b", "--retry", "--scan"), "--system, --step and --scan are for the steps of --query"),
        (("a", "b", "--result", "{no"), "Error: --result is not JSON: key must be a string at line 1 column 2\n"),
        (("a", "b", "--retry-with", "[1,"), "Error: --retry-with is not JSON: EOF while parsing a value at line 1 "),
        (
            ("a", "b", "--result", "done"),
            "Error: --result 'done' is neither a file nor JSON; a text is quoted twice: --result '\"done\"'\n",
        ),
    ],
)
async def test_wrong_usage(segue: Segue, arguments: tuple[str, ...], message: str) -> None:
    """It is refused with exit code 2, and nothing is sent."""
    ended = await segue("repair", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
