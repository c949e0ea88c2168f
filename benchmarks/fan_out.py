"""`fan_out` against a naive gather, and against itself at growing widths; prints ratios, costs an item, and memory.

    python -m benchmarks.fan_out [--rounds N] [--only raw|stock|width|single] [--json FILE]

Sides alternate within each round, as in `benchmarks.run`. *raw* and *stock* compare a fan-out of 1,000 with
`asyncio.gather` over `execute_activity` in plain temporalio: on the same server with the same worker settings, and with
Temporal as it comes. *width* runs 1,000, 10,000 and 100,000 items in batches, *single* the same with an activity for
each item, and says how much memory the worker has had at most; each width alternates with the others.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from benchmarks.jobs import Wide
from benchmarks.run import Side, side, stock_server

from segue.workers import dev_server

_WIDTH = 1000
_WIDTHS = (1_000, 10_000, 100_000)


async def against(title: str, raw: Side, segue: Side, rounds: int) -> list[dict[str, Any]]:
    """Alternate a naive gather with fan_out, one activity an item and in batches, and return a row for each."""
    jobs: dict[str, tuple[Side, str, Any]] = {
        "naive gather": (raw, "FanOut", _WIDTH),
        "fan_out": (segue, "Wide", Wide(_WIDTH)),
        "fan_out, batch=100": (segue, "Wide", Wide(_WIDTH, 100)),
    }
    return await _alternated(title, jobs, dict.fromkeys(jobs, _WIDTH), "naive gather", rounds)


async def widths(title: str, segue: Side, rounds: int, batch: int | None, small: bool) -> list[dict[str, Any]]:
    """Alternate the widths, and return a row for each, with the ratio to the narrowest."""
    jobs: dict[str, tuple[Side, str, Any]] = {
        f"{width:,} items": (segue, "Wide", Wide(width, batch, small=small)) for width in _WIDTHS
    }
    rows = await _alternated(title, jobs, dict(zip(jobs, _WIDTHS, strict=True)), next(iter(jobs)), rounds)
    rows[-1]["worker_peak_mb"] = segue.worker_peak_bytes() // 2**20
    return rows


async def _alternated(
    title: str, jobs: dict[str, tuple[Side, str, Any]], items: dict[str, int], base: str, rounds: int
) -> list[dict[str, Any]]:
    figures: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one, workflow, argument in jobs.values():
        if items[base] == _WIDTH and (not isinstance(argument, Wide) or argument.width == _WIDTH):
            await one.measure(workflow, argument, 1, 1)  # warm
    for number in range(rounds):
        for name in list(jobs) if number % 2 == 0 else list(reversed(jobs)):
            one, workflow, argument = jobs[name]
            for figure, value in (await one.measure(workflow, argument, 1, 1)).items():
                figures[name, figure].append(value / items[name])
    rows: list[dict[str, Any]] = []
    for name in jobs:
        row: dict[str, Any] = {"comparison": title, "job": name}
        for figure in ("seconds", "worker", "server"):
            mine, based = figures[name, figure], figures[base, figure]
            row[f"{figure}_us"] = round(statistics.median(mine) * 1e6, 1)
            row[f"{figure}_ratio"] = round(statistics.median(a / b for a, b in zip(mine, based, strict=True) if b), 3)
        row["items_a_second"] = round(1 / statistics.median(figures[name, "seconds"]))
        rows.append(row)
    return rows


def show(rows: list[dict[str, Any]]) -> None:
    """Print one comparison as a table."""
    print(f"\n{rows[0]['comparison']}")
    print(f"{'':22}{'items/s':>10}{'us an item':>12}{'worker us':>11}{'server us':>11}{'ratio':>8}")
    for row in rows:
        print(
            f"{row['job']:22}{row['items_a_second']:>10,}{row['seconds_us']:>12}{row['worker_us']:>11}"
            f"{row['server_us']:>11}{row['seconds_ratio']:>8}",
            flush=True,
        )
    if "worker_peak_mb" in rows[-1]:
        print(f"worker memory at most {rows[-1]['worker_peak_mb']} MB", flush=True)


async def main(options: argparse.Namespace) -> None:
    """Run the comparisons and print them."""
    results: list[dict[str, Any]] = []

    def keep(rows: list[dict[str, Any]]) -> None:
        show(rows)
        results.extend(rows)

    def wanted(name: str) -> bool:
        return options.only in (None, name)

    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        async with dev_server(directory / "segue.db", port=0, ui_port=None) as fast:
            async with side("segue", fast.address, fast.pid) as segue:
                if wanted("raw"):
                    async with side("raw", fast.address, fast.pid) as raw:
                        keep(await against("1,000 items: one server, equal settings", raw, segue, options.rounds))
                if wanted("stock"):
                    async with stock_server(directory) as (slow, pid), side("stock", slow, pid) as stock:
                        keep(await against("1,000 items: Temporal as it comes", stock, segue, options.rounds))
            if wanted("width"):
                async with side("segue", fast.address, fast.pid) as segue:
                    keep(await widths("Small items, batch=1000", segue, options.rounds, 1000, True))
                async with side("segue", fast.address, fast.pid) as segue:
                    keep(await widths("Models, batch=100", segue, options.rounds, 100, False))
            if options.only == "single":
                async with side("segue", fast.address, fast.pid) as segue:
                    keep(await widths("An activity for each item", segue, 1, None, False))
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="alternations")
    parser.add_argument("--only", choices=("raw", "stock", "width", "single"), help="single takes about ten minutes")
    parser.add_argument("--json", metavar="FILE", help="write the figures to a file too")
    asyncio.run(main(parser.parse_args()))
