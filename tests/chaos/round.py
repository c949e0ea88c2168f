"""One round: a Temporal server, workers, services and proxies of its own, a plan's work, and what goes wrong in it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
import zlib
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

from examples.order_to_cash.processes import addresses, service
from examples.order_to_cash.workflows import FulfilOrder
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode
from tests.activities.sql_postgres import PostgresServer
from tests.chaos import ledgers
from tests.chaos.database import Database
from tests.chaos.plan import Moment, Plan
from tests.chaos.processes import Server, Worker, supervised
from tests.chaos.proxy import Proxy
from tests.chaos.repairs import Operator
from tests.chaos.stocktake import FOLDER, Stocktake

import segue.client
from segue.activities.settings import SETTINGS_VARIABLE
from segue.workers.replay import ReplayError, replay
from segue.workflows.fanout.shard import FanOutShard

__all__ = ["Round", "run"]

T = TypeVar("T")

# Longer than any step of these waits: an answer or a request that is this late comes when nobody waits for it.
_DELAY_SECONDS: Final = 4.0
_STALL_SECONDS: Final = 2.5
_LOOK_SECONDS: Final = 0.05

# What the SDK says of a completion that the server does not take, because it has had one or has given the attempt up.
_UNKNOWN_COMPLETION: Final = "Activity not found on completion"
_STEPS: Final[Mapping[str, str]] = {
    "early": "failed before the effect",
    "lost": "answer lost after the effect",
    "late": "effect after the attempt was given up",
    "hangs": "completed after the attempt was given up",
    "dies": "worker killed right after the effect",
    "twice": "completed twice",
}
_ANSWERS: Final[Mapping[str, str]] = {
    "cut": "connection cut instead of the answer",
    "late": "answer later than the timeout",
    "held": "request later than the timeout",
    "kill": "worker killed before the answer",
    "stall": "nothing passed for a while",
}

# Operations bound the waits between attempts, so that a round takes no longer than its faults.
_SETTINGS: Final = "".join(
    f'[systems.{name}]\nstart_to_close_timeout = "3s"\nmaximum_interval = "2s"\n'
    for name in ("inventory", "payments", "invoices", "notices")
)


@dataclasses.dataclass(frozen=True)
class Round:
    """How a round ended.

    Attributes:
        folder: Holds its ledgers, logs, plan and the server's data.
        runs: How many runs it had.
        completed: How many of them completed.
        faults: What went wrong, and how often.
        parked: How often a step was found parked, by activity.
        repaired: How often which repair was taken.
        lines: What the ledgers say.
        problems: What else is wrong: runs that did not complete, histories that do not replay.
        seconds: How long it took.
    """

    folder: Path
    runs: int
    completed: int
    faults: Counter[str]
    parked: Counter[str]
    repaired: Counter[str]
    lines: list[ledgers.Line]
    problems: list[str]
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether nothing is lost, nothing double, and every run at its end."""
        return not self.problems and _clean(self.lines)


async def run(
    plan: Plan, folder: Path, *, patience: float, say: Callable[[str], None], server: PostgresServer | None = None
) -> Round:
    """Carry out a plan in an empty folder, and return how it ended.

    Args:
        plan: The plan.
        folder: Made if it is not there.
        patience: Seconds after which a run that is not done counts as lost.
        say: Told what happens.
        server: Holds the stocktake's database; without one it is a file.
    """
    began = time.monotonic()
    ledgers.prepare(folder)
    plan.save(folder)
    (folder / "segue.toml").write_text(_SETTINGS)
    temporal = Server(folder)
    async with contextlib.AsyncExitStack() as stack:
        database = None if server is None else await stack.enter_async_context(Database.of(server))
        keeping = [await stack.enter_async_context(supervised(temporal.keep()))]
        await _unless_failed(keeping, temporal.up.wait())
        site = await stack.enter_async_context(_site(plan, folder, temporal, database))
        client = await _patiently(lambda: segue.client.connect(target_host=temporal.address))
        operator = Operator(client, folder)
        async with contextlib.AsyncExitStack() as inner:
            keeping += [await inner.enter_async_context(supervised(worker.keep())) for worker in site.workers]
            keeping.append(await inner.enter_async_context(supervised(operator.keep())))
            faults = asyncio.create_task(_happen(plan, folder, temporal, site, say))
            inner.callback(faults.cancel)
            try:
                problems = await _unless_failed([*keeping, faults], _work(client, plan, patience))
                # Faults that were to come after the last effect of all count as well.
                await asyncio.wait([faults], timeout=_STALL_SECONDS * 2)
                await site.settled()
            except Exception as error:
                problems = [f"{type(error).__name__}: {error}"]
        # The workers have ended, and every straggler with them.
        if database is not None:
            await database.export(folder)
        problems = problems or await _not_replayed(client)
        lines = ledgers.audit(folder, plan)
        if problems or not _clean(lines):
            await _keep_histories(client, folder)
        happened = site.happened(temporal)
    met = Counter(path.suffix.removeprefix(".") for path in (folder / "met").glob("*"))
    happened.update({f"steps: {_STEPS[kind]}": number for kind, number in met.items()})
    happened.update(ledgers.mishaps(folder))
    happened["Temporal: completions that were twice or too late, refused"] = sum(
        worker.log.read_text(errors="replace").count(_UNKNOWN_COMPLETION) for worker in site.workers
    )
    runs = len(plan.orders) + len(plan.sheets)
    return Round(
        folder=folder,
        runs=runs,
        completed=runs - sum(problem.startswith("run ") for problem in problems),
        faults=happened,
        parked=operator.parked,
        repaired=operator.repaired,
        lines=lines,
        problems=problems,
        seconds=time.monotonic() - began,
    )


def _clean(lines: list[ledgers.Line]) -> bool:
    return not any(line.lost or line.double for line in lines)


@dataclasses.dataclass(frozen=True)
class _Site:
    """The workers of a round, and the proxies between them and the rest of the world."""

    workers: list[Worker]
    temporal: Proxy
    payments: Proxy
    mail: Proxy
    database: Proxy | None
    stocktake: Database | None

    async def effects(self, folder: Path) -> int:
        return ledgers.count(folder) + (0 if self.stocktake is None else await self.stocktake.effects())

    @property
    def proxies(self) -> dict[str, Proxy]:
        found = {"Temporal": self.temporal, "payments": self.payments, "mail": self.mail}
        return found if self.database is None else {**found, "database": self.database}

    async def settled(self) -> None:
        await self.payments.settled()

    def happened(self, server: Server) -> Counter[str]:
        found: Counter[str] = Counter()
        found["workers killed (SIGKILL)"] = sum(worker.killed for worker in self.workers)
        found["Temporal server killed (SIGKILL)"] = server.killed
        for name, proxy in self.proxies.items():
            found.update({f"{name}: {_ANSWERS[kind]}": number for kind, number in proxy.done.items()})
        return found


@contextlib.asynccontextmanager
async def _site(plan: Plan, folder: Path, server: Server, database: Database | None) -> AsyncGenerator[_Site]:
    seed = zlib.crc32(plan.seed.encode())
    workers: list[Worker] = []

    def kill(name: str) -> None:
        next(worker for worker in workers if worker.name == name).kill()

    async with service("payments", folder, seed) as payments, service("mail", folder, seed) as mail:
        site = _Site(
            workers,
            Proxy(server.address),
            Proxy(payments, faults=plan.payments, delay=_DELAY_SECONDS, kill=kill),
            Proxy(mail, faults=plan.mail, delay=_DELAY_SECONDS, kill=kill, greets=True),
            None
            if database is None
            else Proxy(database.address, faults=plan.database, delay=_DELAY_SECONDS, kill=kill),
            database,
        )
        for number in range(plan.size.workers):
            name = f"worker {number}"
            found = {kind: await proxy.listen(name) for kind, proxy in site.proxies.items()}
            environment = {
                **addresses(folder, found["payments"], found["mail"]),
                "TEMPORAL_ADDRESS": found["Temporal"],
                "CHAOS_STOCKTAKE_URL": f"sqlite:///{folder / ledgers.STOCKTAKE}"
                if database is None
                else database.url(found["database"]),
                FOLDER: str(folder),
                SETTINGS_VARIABLE: str(folder / "segue.toml"),
            }
            workers.append(Worker(name, folder / f"worker-{number}.log", environment))
        try:
            yield site
        finally:
            for proxy in site.proxies.values():
                await proxy.close()


async def _work(client: Client, plan: Plan, patience: float) -> list[str]:
    """Start every run, and wait until each has ended; return what is wrong with any."""
    handles = await asyncio.gather(
        *(_started(client, FulfilOrder, order, f"order-{order.id}") for order in plan.orders),
        *(_started(client, Stocktake, sheet, f"stocktake-{sheet.id}") for sheet in plan.sheets),
    )
    deadline = time.monotonic() + patience
    return [problem for problem in await asyncio.gather(*(_end(one, deadline) for one in handles)) if problem]


async def _started(client: Client, kind: Any, argument: Any, id: str) -> WorkflowHandle[Any, Any]:
    async def start() -> WorkflowHandle[Any, Any]:
        try:
            return await client.start_workflow(kind.run, argument, id=id, task_queue="orders")
        except WorkflowAlreadyStartedError:
            # The server died after it had taken the start and before it had said so.
            return client.get_workflow_handle(id)

    return await _patiently(start)


async def _end(handle: WorkflowHandle[Any, Any], deadline: float) -> str | None:
    """Return what is wrong with the end of a run; None if it completed."""
    try:
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + deadline - time.monotonic()):
            await _patiently(handle.result)
    except WorkflowFailureError as error:
        return f"run {handle.id} failed: {error.cause}"
    except TimeoutError:
        return f"run {handle.id} is not done"
    return None


async def _happen(plan: Plan, folder: Path, server: Server, site: _Site, say: Callable[[str], None]) -> None:
    """Let things go wrong as effects add up."""
    for moment in plan.moments:
        while (effects := await site.effects(folder)) < moment.effects:
            await asyncio.sleep(_LOOK_SECONDS)
        say(f"{moment.kind} after effect {moment.effects} (seen at {effects})")
        await _strike(moment, server, site)


async def _strike(moment: Moment, server: Server, site: _Site) -> None:
    match moment.kind:
        case "kill worker":
            # One that has just died is waited for.
            while not site.workers[moment.worker % len(site.workers)].kill():
                await asyncio.sleep(_LOOK_SECONDS)
        case "kill server":
            await server.up.wait()
            server.kill()
        case "cut":
            site.temporal.cut()
        case "stall":
            await site.temporal.stall(_STALL_SECONDS)


async def _patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Return what a call returns, asked again while the server is down."""
    while True:
        try:
            return await call()
        except RPCError as error:
            if error.status not in (
                RPCStatusCode.UNAVAILABLE,
                RPCStatusCode.CANCELLED,
                RPCStatusCode.DEADLINE_EXCEEDED,
                RPCStatusCode.UNKNOWN,
                RPCStatusCode.RESOURCE_EXHAUSTED,
                RPCStatusCode.ABORTED,
                RPCStatusCode.INTERNAL,
            ):
                raise
        except RuntimeError as error:
            # What the SDK raises where no first connection comes about.
            if "connect" not in str(error).lower():
                raise
        await asyncio.sleep(0.2)


async def _unless_failed(keeping: list[asyncio.Task[None]], work: Awaitable[T]) -> T:
    """Return what the work returns, unless a supervisor fails before that."""
    working = asyncio.ensure_future(work)
    pending = {task for task in keeping if not task.done()}
    try:
        while not working.done():
            await asyncio.wait([working, *pending], return_when=asyncio.FIRST_COMPLETED)
            ended = {task for task in pending if task.done()}
            pending -= ended
            for task in ended:
                task.result()
        return working.result()
    finally:
        working.cancel()


async def _histories(client: Client) -> Any:
    listed = await _patiently(lambda: _listed(client))
    return [await _patiently(client.get_workflow_handle(id, run_id=run_id).fetch_history) for id, run_id in listed]


async def _listed(client: Client) -> list[tuple[str, str]]:
    return [(found.id, found.run_id) async for found in client.list_workflows("")]


async def _keep_histories(client: Client, folder: Path) -> None:
    """Write every run's history into the folder, for whoever looks into what went wrong."""
    (folder / "histories").mkdir(exist_ok=True)
    with contextlib.suppress(TimeoutError, RPCError):
        async with asyncio.timeout(30):
            for history in await _histories(client):
                name = f"{history.workflow_id}-{history.run_id[:8]}.json".replace("/", "_")
                (folder / "histories" / name).write_text(history.to_json())


async def _not_replayed(client: Client) -> list[str]:
    """Return which of the histories the code does not fit that wrote them, after all that befell them."""
    try:
        await replay(await _histories(client), [FulfilOrder, Stocktake, FanOutShard])
    except ReplayError as error:
        return [f"replay of {failure}" for failure in error.failures]
    return []
