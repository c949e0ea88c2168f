"""Raw temporalio and Segue, alternating in one run on the same machine; prints ratios.

    python -m benchmarks.run [--rounds N] [--width N] [--runs N] [--json FILE]

Two comparisons. *Overhead*: the same server and the same worker settings, with and without Segue. *Defaults*: Temporal
as it comes (`temporal server start-dev --db-filename`, a plain `Worker`) and Segue as it comes (the server of
`segue dev`, the settings of `segue worker`). Both sides carry the same pydantic model with a pydantic converter. Sides
alternate within each round, their order flips from round to round, and a ratio is the median over the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from segue.activities.settings import Settings
from segue.client import SeguePlugin
from segue.workers import dev_server, ports

_ROOT = Path(__file__).resolve().parents[1]


class Side:
    """One side of a comparison: a server, a worker process on it, and a client."""

    def __init__(
        self, name: str, prefix: str, client: Client, queue: str, process: asyncio.subprocess.Process, server: int
    ):
        self.name = name
        self._prefix = prefix
        self._client = client
        self._queue = queue
        self._process = process
        self._server = server

    async def worker_cpu(self) -> float:
        """CPU seconds that the worker process has used so far."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        await self._process.stdin.drain()
        while not (line := await self._process.stdout.readline()).startswith(b"cpu "):
            if not line:
                raise RuntimeError(f"the {self.name} worker ended")
        return float(line.split()[1])

    def server_cpu(self) -> float:
        """CPU seconds that the server process has used so far; Linux only."""
        fields = Path(f"/proc/{self._server}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def worker_peak_bytes(self) -> int:
        """Most memory that the worker process has had so far; Linux only."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    async def run(self, workflow: str, argument: Any) -> None:
        await self._client.execute_workflow(
            f"{self._prefix}{workflow}", argument, id=str(uuid.uuid4()), task_queue=self._queue, result_type=int
        )

    async def measure(self, workflow: str, argument: Any, count: int, at_once: int) -> dict[str, float]:
        """Run a workflow `count` times, `at_once` at a time; seconds, and CPU seconds of worker and server."""
        worker, server = await self.worker_cpu(), self.server_cpu()
        started = time.perf_counter()
        slots = asyncio.Semaphore(at_once)

        async def one() -> None:
            async with slots:
                await self.run(workflow, argument)

        await asyncio.gather(*(one() for _ in range(count)))
        return {
            "seconds": time.perf_counter() - started,
            "worker": await self.worker_cpu() - worker,
            "server": self.server_cpu() - server,
        }


@contextlib.asynccontextmanager
async def stock_server(directory: Path) -> AsyncGenerator[tuple[str, int]]:
    """Temporal's development server as it comes, on a database file; its address and process id."""
    port = ports.free_port()
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("temporal")),
        *("server", "start-dev", "--headless", "--port", str(port)),
        *("--db-filename", str(directory / "stock.db"), "--log-level", "never"),
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        address = f"localhost:{port}"
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(RuntimeError):
                    await Client.connect(address)
                    break
                await asyncio.sleep(0.1)
        yield address, process.pid
    finally:
        process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def side(kind: str, address: str, server_pid: int) -> AsyncGenerator[Side]:
    """A worker process of one kind on a server, ready to work."""
    queue = f"bench-{kind}"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.worker", kind, address, queue,
        cwd=_ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        if kind == "segue":
            client = await Client.connect(address, plugins=[SeguePlugin(settings=Settings())])
        else:
            client = await Client.connect(address, data_converter=pydantic_data_converter)
        yield Side(kind, "Segue" if kind == "segue" else "Raw", client, queue, process, server_pid)
    finally:
        process.kill()
        await process.wait()


async def compare(title: str, one: Side, other: Side, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Alternate the two sides over the jobs, and return a row a figure."""
    jobs = {
        f"fan-out of {options.width}": ("FanOut", options.width, 1, 1),
        "chain of 10": ("Chain", 10, options.chains, 1),
        "local chain of 100": ("LocalChain", 100, options.chains, 1),
        "short workflows": ("Chain", 1, options.runs, 50),
    }
    figures: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for warm in (one, other):
        await warm.measure("FanOut", 100, 1, 1)
        await warm.measure("Chain", 1, 20, 10)
    for number in range(options.rounds):
        for job, (workflow, argument, count, at_once) in jobs.items():
            for current in (one, other) if number % 2 == 0 else (other, one):
                for figure, value in (await current.measure(workflow, argument, count, at_once)).items():
                    figures[job, figure, current.name].append(value / count)
    rows: list[dict[str, Any]] = []
    for job, (_, argument, _, _) in jobs.items():
        for figure in ("seconds", "worker", "server"):
            left, right = figures[job, figure, one.name], figures[job, figure, other.name]
            ratio = statistics.median(b / a if a else 1.0 for a, b in zip(left, right, strict=True))
            per = argument if job.startswith("fan-out") and figure != "seconds" else 1
            rows.append(
                {
                    "comparison": title,
                    "job": job,
                    "figure": {"seconds": "elapsed", "worker": "worker CPU", "server": "server CPU"}[figure]
                    + (" an activity" if per > 1 else ""),
                    f"{one.name}_ms": round(statistics.median(left) * 1000 / per, 2),
                    f"{other.name}_ms": round(statistics.median(right) * 1000 / per, 2),
                    "ratio": round(ratio, 3),
                    "rounds": [round(b / a if a else 1.0, 2) for a, b in zip(left, right, strict=True)],
                }
            )
    return rows


def show(rows: list[dict[str, Any]], one: str) -> None:
    """Print one comparison as a table."""
    print(f"\n{rows[0]['comparison']}\n{'':44}{one + ' ms':>12}{'segue ms':>12}{'ratio':>9}")
    for row in rows:
        print(
            f"{row['job'] + ', ' + row['figure']:44}{row[f'{one}_ms']:>12}{row['segue_ms']:>12}{row['ratio']:>9}",
            flush=True,
        )


async def main(options: argparse.Namespace) -> None:
    """Run both comparisons and print them."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        results: list[dict[str, Any]] = []
        async with dev_server(directory / "segue.db", port=0, ui_port=None) as fast:
            if options.only in (None, "overhead"):
                async with side("raw", fast.address, fast.pid) as raw, side("segue", fast.address, fast.pid) as segue:
                    rows = await compare("Overhead: one server, equal worker settings", raw, segue, options)
                show(rows, "raw")
                results += rows
            if options.only in (None, "defaults"):
                async with (
                    stock_server(directory) as (slow, slow_pid),
                    side("stock", slow, slow_pid) as stock,
                    side("segue", fast.address, fast.pid) as segue,
                ):
                    rows = await compare("Defaults: Temporal as it comes, Segue as it comes", stock, segue, options)
                show(rows, "stock")
                results += rows
    if options.json:
        Path(options.json).write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="alternations of the two sides")
    parser.add_argument("--width", type=int, default=1000, help="activities of a fan-out")
    parser.add_argument("--chains", type=int, default=10, help="chains a round, one after another")
    parser.add_argument("--runs", type=int, default=200, help="short workflows a round, 50 at once")
    parser.add_argument("--only", choices=("overhead", "defaults"))
    parser.add_argument("--json", metavar="FILE", help="write the figures to a file too")
    asyncio.run(main(parser.parse_args()))
