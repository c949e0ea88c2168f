"""What a run shows of steps that were repaired: one step for each, what it came to, and who did what about it."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from tests.repair.bank import Pay, PayLocally, PayMany, closed
from tests.repair.test_repair import payment, start, until_parked, worker

from segue.client.draw import mermaid
from segue.client.inspect import run
from segue.client.records import Repair
from segue.client.repairs import repair
from segue.client.table import render


async def rows(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """The rows of a run's table, with the times and what depends on their width taken out."""
    lines = render(await run(handle), 200, encoding="utf-8").split("\n\n")[1].split("\n")[1:]
    timed = (re.sub(r" +([\d.]+ m?s|1 min)$", "", line) for line in lines)
    return [re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME", re.sub(r"(?<=\w) {3,}", " | ", one)) for one in timed]


@pytest.mark.parametrize(
    ("action", "given", "said", "tries"),
    [
        ("retry", {}, "tried again", "2/2"),
        (
            "retry_with",
            {"input": {"order": "o", "account": "open", "cents": 5}},
            "tried again with another input",
            "2/2",
        ),
        ("result", {"result": {"order": "o", "cents": 7}}, "result given", "1/1"),
        ("skip", {}, "skipped", "1/1"),
    ],
)
async def test_a_repaired_step_shows_what_it_came_to(
    client: Client, action: Any, given: dict[str, Any], said: str, tries: str
) -> None:
    """It is one completed step with all its tries, and says who repaired it, how and why, and what had been wrong."""
    paying = payment()
    handle, queue = await start(client, Pay.run, paying)
    async with worker(client, queue):
        await until_parked(handle)
        closed.discard(paying.account)
        done = await repair(handle, "transfer_money-1", action, reason="the bank is back", by="ann", **given)
        await handle.result()
    error = f"Closed: account {paying.account} is closed"
    assert await rows(handle) == [
        f"✓ completed  transfer_money | {tries}",
        f"             repaired by ann: {said}, the bank is back",
        f"             it had failed: {error}",
    ]
    found = await run(handle)
    [step] = found.steps
    assert (step.id, step.state, step.attempts, step.maximum_attempts) == (
        "transfer_money-1", "completed", int(tries[0]), int(tries[-1]),
    )  # fmt: skip
    assert step.closed_time is not None
    assert step.duration == step.closed_time - step.scheduled_time
    assert step.repairs == (
        Repair(action=action, by="ann", at=done.at, reason="the bank is back", identity=client.identity),
    )
    [box] = [line for line in mermaid(found).split("\n") if "transfer_money" in line]
    counted = f"↻ {tries[0]} · " if tries == "2/2" else ""
    told = f"repaired by ann: {said}, the bank is back; it had failed: {error}"
    assert re.sub(r"[\d.]+ m?s<", "TIME<", box).replace("#58;", ":") == (
        f'    s0["✓ transfer_money<br/>{counted}TIME<br/>{told[:71].rstrip()}…"]:::completed'.replace(";", "#59;")
    )


async def test_a_step_that_parks_again(client: Client) -> None:
    """It is one parked step, with what was done about it before and what can be; at last it fails, as it was let."""
    paying = payment()
    handle, queue = await start(client, Pay.run, paying)
    async with worker(client, queue):
        await until_parked(handle)
        for times in (2, 3, 4, 5):
            await repair(handle, "transfer_money-1", "retry", by="ann")
            await until_parked(handle, times=times)
        error = f"Closed: account {paying.account} is closed"
        assert await rows(handle) == [
            "▌ parked  transfer_money | 5/5",
            f"          an operator to repair transfer_money-1, since TIME (terminal: {error})",
            "          repaired 1 time before",
            *["          repaired by ann: tried again"] * 3,
            f"          segue repair {handle.id} transfer_money-1 --retry",
        ]
        await repair(handle, "transfer_money-1", "fail", by="bob", reason="it stays closed")
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert await rows(handle) == [
        "✗ failed  transfer_money | 5/5",
        f"          {error}",
        "          repaired 2 times before",
        *["          repaired by ann: tried again"] * 2,
        "          repaired by bob: let fail, it stays closed",
    ]


async def test_local_steps_and_those_that_follow(client: Client) -> None:
    """A local activity is shown so too, without the timers of its failure, and what follows follows from the repair."""
    paying = payment()
    handle, queue = await start(client, PayLocally.run, paying)
    async with worker(client, queue):
        await until_parked(handle)
        await repair(handle, "note_transfer-1", "result", result="noted by hand", by="ann")
        await until_parked(handle)
        closed.discard(paying.account)
        await repair(handle, "transfer_two-1", "retry", by="ann")
        assert await handle.result() == "noted by hand"
    found = await run(handle)
    assert [(step.kind, step.id, step.state, step.attempts, len(step.repairs)) for step in found.steps] == [
        ("local_activity", "note_transfer-1", "completed", 1, 1),
        ("activity", "transfer_two-1", "completed", 2, 1),
    ]
    assert re.findall(r"\w+ --> \w+", mermaid(found)) == ["start --> s0", "s0 --> s1", "s1 --> stop"]


async def test_many_steps_of_which_some_are_repaired(client: Client) -> None:
    """Folded, they are counted by what they came to; those that wait say so with their ids."""
    paying = payment()
    handle, queue = await start(client, PayMany.run, paying, 5)
    async with worker(client, queue):
        await until_parked(handle, 5)
        for number in (1, 3):
            await repair(handle, f"transfer_money-{number}", "result", result={"order": "o", "cents": 1}, by="ann")
        async with asyncio.timeout(10):
            while (await run(handle)).steps[2].state != "completed":
                await asyncio.sleep(0.05)
        waits = f"an operator to repair transfer_money-{{}}, since TIME (terminal: Closed: account {paying.account} is"
        assert await rows(handle) == [
            "▌ parked  transfer_money × 5",
            "          3 parked, 2 completed",
            *(
                line
                for number in (2, 4, 5)
                for line in (
                    f"          ▌ transfer_money-{number}: {waits.format(number)} closed)",
                    f"          segue repair {handle.id} transfer_money-{number} --retry",
                )
            ),
        ]
        assert (await run(handle)).waiting_for == "an operator to repair 3 steps: transfer_money × 3"
        await handle.terminate()
