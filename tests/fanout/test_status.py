"""What a run shows of its fan-outs: one row for each, with its items, however they travel, and when it has ended."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator

import pytest
from temporalio.client import Client
from tests.fanout.pages import Edition, seen
from tests.fanout.test_server import run, short, start, worker

from segue.client import inspect
from segue.client.draw import mermaid
from segue.client.records import Error, FanOut
from segue.client.table import render

__all__ = ["short"]

BLANK = tuple(f"item {number}: Terminal: page {number} is blank" for number in (7, 17, 27, 37, 47))


@pytest.fixture
def test() -> Iterator[str]:
    name = str(uuid.uuid4())
    yield name
    seen.pop(name, None)


@pytest.mark.parametrize(("batch", "pages"), [(None, 60), (10, 60), (None, 240), (10, 2400)])
async def test_an_ended_fan_out_is_shown(client: Client, test: str, short: None, batch: int | None, pages: int) -> None:
    """As activities, in batches and in child workflows: how many items, how many failed, and which first and why."""
    await run(client, Edition(test, pages, batch=batch, tolerate=pages, concurrency=20))
    found = await inspect.run(client.get_workflow_handle(test))
    failed = pages // 10
    assert found.fan_outs == (
        FanOut(name="print_page", total=pages, done=pages - failed, failed=failed, failures=BLANK),
    )
    counts = f"{pages:,} items, {pages - failed:,} done, {failed:,} failed"
    rows = render(found, 100, encoding="utf-8").split("\n\n")[1].split("\n")[1:]
    [place] = [number for number, row in enumerate(rows) if "· fan-out" in row]
    assert re.match(rf"✗ failed +print_page × {pages} · fan-out +(\+\d+ +)?[\d.]+ m?s$", rows[place])
    assert [row.strip() for row in rows[place + 1 : place + 6]] == [
        counts,
        *(f"✗ {failure}" for failure in BLANK[:3]),
        f"and {failed - 3} more",
    ]
    [box] = [line for line in mermaid(found).split("\n") if "fan-out" in line]
    assert (
        re.sub(r"( · ↻ \d+)? · [\d.]+ m?s<", "<", box)
        .strip()
        .replace("[[", "[")
        .startswith(f's0["✗ print_page × {pages}<br/>fan-out · {counts}<br/>{BLANK[0]}#59; ')
    )


async def test_a_fan_out_that_runs_is_shown(client: Client, test: str) -> None:
    """While its worker lives it tells how many items there are, where no event tells of most of them yet."""
    async with worker(client, test):
        handle = await start(client, Edition(test, 40, "hold", concurrency=5))
        while not (found := await inspect.run(handle)).fan_outs:
            pass
        [shown] = found.fan_outs
        assert (shown.name, shown.total, shown.failed) == ("fanout_hold", 40, 0)
        assert " fanout_hold × 40 · fan-out" in render(found, 100, encoding="utf-8")
        await handle.terminate()
    [ended] = (await inspect.run(handle)).fan_outs
    assert 5 <= ended.total <= 40


def test_an_error_under_another_type_is_said_once() -> None:
    """What is passed on with its message is not said to be caused by the same."""
    assert str(Error(type="InvalidFanOut", message="no", cause="BatchRefused: no")) == "InvalidFanOut: no"
    assert (
        str(Error(type="InvalidFanOut", message="no", cause="Other: yes")) == "InvalidFanOut: no (caused by Other: yes)"
    )
