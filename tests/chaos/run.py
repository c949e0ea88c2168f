"""Rounds of work in which everything dies, and then a look at the ledgers.

    make chaos                                         # hundreds of runs
    make chaos ARGS="--seed 7 --runs 60"               # the same plan of faults, as far as so many runs
    python -m tests.chaos.run --minutes 30             # as many rounds as begin within the time

Each round is a Temporal server, two workers, the systems of order-to-cash and those of a stocktake, all in processes of
their own. It exits with 1 if an effect is lost or double, a run does not complete, or a history does not replay; then
the round's folder is kept, and its place is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from tests.chaos import round
from tests.chaos.database import postgres
from tests.chaos.ledgers import Line
from tests.chaos.plan import PLAN, Plan, Size

__all__ = ["main", "report", "rounds"]

FOLDER: Final = Path(".segue/chaos")
# What takes this long hangs.
PATIENCE: Final = 600.0


def _runs(size: Size) -> int:
    return size.orders + size.sheets + bool(size.wide)


async def rounds(seed: int, size: Size, folder: Path, *, runs: int, minutes: float | None = None) -> list[round.Round]:
    """Carry out rounds until there were so many runs or so many minutes; return how each ended.

    Folders of rounds that passed are removed.
    """
    began = time.monotonic()
    done: list[round.Round] = []

    def more() -> bool:
        if minutes is not None:
            return time.monotonic() - began < minutes * 60
        return sum(one.runs for one in done) < runs

    def say(what: str) -> None:
        print(f"  {time.monotonic() - began:6.1f} s  {what}", flush=True)

    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(postgres()) if size.postgres else None
        while more():
            number = len(done)
            place = folder / f"round-{number}"
            _prepare(place)
            plan = Plan.draw(f"{seed}/{number}", size)
            say(f"round {number}: {_runs(size)} runs, {len(plan.steps)} steps that go wrong, plan {plan.digest}")
            ended = await round.run(plan, place, patience=PATIENCE, say=say, server=server)
            done.append(ended)
            say(f"round {number}: {'passed' if ended.passed else 'FAILED'} after {ended.seconds:.1f} s")
            for problem in ended.problems:
                say(problem)
            if ended.passed:
                shutil.rmtree(place)
    return done


def _prepare(place: Path) -> None:
    """Make a round's folder anew, unless it holds something else."""
    if place.exists() and any(place.iterdir()) and not (place / PLAN).exists():
        raise SystemExit(f"{place} holds something else than an earlier round: name another folder with --folder")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)


def report(done: Sequence[round.Round], seed: int) -> str:
    """Return what is printed at the end."""
    runs, completed = sum(one.runs for one in done), sum(one.completed for one in done)
    seconds = sum(one.seconds for one in done)
    text = [f"seed {seed}: {len(done)} rounds, {runs} runs, {completed} completed, {seconds:.0f} s", ""]
    faults = sum((one.faults for one in done), Counter[str]())
    text += ["  What went wrong", *(f"  {number:8,}  {what}" for what, number in sorted(faults.items()) if number), ""]
    parked = sum((one.parked for one in done), Counter[str]())
    repaired = sum((one.repaired for one in done), Counter[str]())
    for title, counts in (("Steps that parked", parked), ("Repairs", repaired)):
        text += [f"  {title}: {counts.total()}" + "".join(f", {what} {n}" for what, n in sorted(counts.items()))]
    text += [
        "",
        f"  {'effect':38} {'ledger':21} {'expected':>8} {'found':>7} {'lost':>5} {'double':>6} {'asked again':>12}",
    ]
    by_effect: dict[str, list[Line]] = {}
    for one in done:
        for line in one.lines:
            by_effect.setdefault(line.effect, []).append(line)
    for effect, lines in by_effect.items():
        numbers = (
            sum(line.expected for line in lines),
            sum(line.found for line in lines),
            sum(len(line.lost) for line in lines),
            sum(len(line.double) for line in lines),
            f"{sum(line.again for line in lines if line.again is not None):,}" if lines[0].again is not None else "",
        )
        text += ["  {:38} {:21} {:8,} {:7,} {:5,} {:6,} {:>12}".format(effect, lines[0].ledger, *numbers).rstrip()]
    for one in done:
        if not one.passed:
            text += ["", f"  {one.folder}"]
            text += [f"    {problem}" for problem in one.problems]
            for line in one.lines:
                text += [f"    lost: {line.effect}: {name.strip()}" for name in line.lost]
                text += [f"    double: {line.effect}: {name.strip()}" for name in line.double]
    verdict = "nothing lost, nothing double" if all(one.passed for one in done) else "FAILED"
    return "\n".join([*text, "", f"seed {seed}: {verdict}"])


async def _main(arguments: argparse.Namespace) -> bool:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        # As Ctrl-C does: every process is ended.
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    size = Size.short() if arguments.short else Size.long()
    folder = arguments.folder.absolute()
    done = await rounds(arguments.seed, size, folder, runs=arguments.runs, minutes=arguments.minutes)
    print(f"\n{report(done, arguments.seed)}")
    return all(one.passed for one in done)


def main() -> None:
    """Run the rounds; the exit code is 0 if nothing is lost and nothing double."""
    parser = argparse.ArgumentParser(prog="make chaos", description="Everything dies, and nothing is lost.")
    parser.add_argument("--runs", type=int, default=400, help="at least so many workflow runs (%(default)s)")
    parser.add_argument("--minutes", type=float, help="begin rounds for so long instead")
    parser.add_argument("--seed", type=int, help="of an earlier run, to have its plan again; drawn if not given")
    parser.add_argument("--short", action="store_true", help="small rounds, as in the test suite")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where rounds are (%(default)s)")
    arguments = parser.parse_args()
    if arguments.seed is None:
        arguments.seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {arguments.seed}", flush=True)
    # That the server is gone, for a while, is no news here.
    quiet = LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR"))
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=quiet)))
    try:
        code = 0 if asyncio.run(_main(arguments)) else 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("\nStopped. Every process has ended.", file=sys.stderr)
        code = 130
    sys.stdout.flush()
    sys.stderr.flush()
    # Temporal's native runtime may abort while the interpreter is taken down (temporalio/sdk-python#300).
    os._exit(code)


if __name__ == "__main__":
    main()
