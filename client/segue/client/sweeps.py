"""Pause and resume many runs: every open run, or those that a query finds, wholly or for one system's steps.

    swept = await pause_all(client, system="payments", reason="the bank is down")
    print(swept.changed, swept.queue)
    ...
    await resume_all(client, system="payments")

Which runs will ever use a system nobody knows, so all open ones are told. Those that start later are not; where the
system has a task queue of its own, that is stopped, and their steps wait in it. Where it has none, they are not held,
and `Swept.uncovered` says so.
"""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import UTC, datetime
from typing import Any, Final, Literal

from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from segue.activities.settings import Settings
from segue.activities.system import System, systems
from segue.client import _stopped
from segue.client._pauses import PauseHistory
from segue.client._server import describe, pages
from segue.client.pauses import declared, pauses_of, request, user
from segue.client.waiting import entries
from segue.workflows.pausing.pause import PAUSE, RESUME, Request

__all__ = ["Swept", "pause_all", "resume_all"]

# Runs that are told at once, and events of each that are read at once.
_AT_ONCE: Final = 20
_FIRST_EVENTS: Final = 100
# A run shows up in lists about a second after it started. What the first pass could not see yet, the second does.
_LAG_SECONDS: Final = 1.5

_Fate = Literal["changed", "unchanged", "ended", "unsupported"]


@dataclasses.dataclass(kw_only=True)
class Swept:
    """What came of it.

    Attributes:
        found: How many open runs there are that are meant.
        changed: How many were paused or resumed now; in a dry run, how many would be.
        unchanged: How many had nothing to be told: paused already, or not paused so.
        ended: How many ended meanwhile.
        unsupported: Ids of those whose steps cannot be held, for they made the first without Segue's plugin.
        failed: Ids of those that could not be told, and why.
        queue: The system's own task queue, if it has one and it was to be stopped or started.
        queue_changed: Whether it was stopped, or started, now; in a dry run, whether it would be.
        uncovered: What is not paused, in a sentence; None if all is.
    """

    found: int = 0
    changed: int = 0
    unchanged: int = 0
    ended: int = 0
    unsupported: list[str] = dataclasses.field(default_factory=list[str])
    failed: dict[str, str] = dataclasses.field(default_factory=dict[str, str])
    queue: str | None = None
    queue_changed: bool = False
    uncovered: str | None = None


async def pause_all(
    client: Client,
    *,
    system: System | str | None = None,
    query: str | None = None,
    reason: str | None = None,
    by: str | None = None,
    dry_run: bool = False,
    settings: Settings | None = None,
) -> Swept:
    """Pause many runs: wholly, or for the steps of one system, which then has its own task queue stopped too.

    Steps that wait in a stopped queue may exceed their `schedule_to_start_timeout` or `schedule_to_close_timeout`,
    where their policy has one. Steps that run are let run.

    Args:
        client: A client, with the data converter that the runs' payloads need.
        system: The system, declared in this process; None for the runs as a whole.
        query: Only runs that this list filter finds; then no queue is stopped, for it serves the others too.
        reason: Why: it is kept in each run's history.
        by: Who pauses; by default the user of this process.
        dry_run: Only count.
        settings: Overrides of this deployment, which name the queue; by default those of `segue.toml`.

    Raises:
        UnknownSystem: No module of this process declares the system.
        ValueError: Neither a system nor a query is given.
        RPCError: The query is wrong, or the server cannot be reached.
    """
    _check(system, query)
    asked = request(system, reason=reason, by=by, children=False)
    swept = Swept()
    if system is not None:
        why = f"{asked.system} by {asked.by}" + (f": {reason}" if reason else "")
        await _stop(client, declared(system), query, settings, why, dry_run, swept)
    await _sweep(client, PAUSE, asked, query, dry_run, swept)
    return swept


async def resume_all(
    client: Client,
    *,
    system: System | str | None = None,
    query: str | None = None,
    by: str | None = None,
    dry_run: bool = False,
    settings: Settings | None = None,
) -> Swept:
    """Undo `pause_all`: the open runs are told that are paused so, also those that no worker has served since.

    Args:
        client: A client.
        system: The system, declared in this process; None for the runs as a whole.
        query: Only runs that this list filter finds; then the system's queue stays as it is.
        by: Who resumes; by default the user of this process.
        dry_run: Only count.
        settings: Overrides of this deployment, which name the queue; by default those of `segue.toml`.

    Raises:
        UnknownSystem: No module of this process declares the system.
        ValueError: Neither a system nor a query is given.
        RPCError: The query is wrong, or the server cannot be reached.
    """
    _check(system, query)
    found = declared(system) if system is not None else None
    asked = Request(system=found.name if found is not None else None, by=by or user(), since=datetime.now(UTC))
    swept = Swept()
    await _sweep(client, RESUME, asked, query, dry_run, swept)
    if found is not None and query is None and (queue := _queue(found, settings)) is not None:
        swept.queue = queue
        if dry_run:
            swept.queue_changed = await _stopped.is_stopped(client, queue)
        else:
            swept.queue_changed = await _stopped.start(client, queue, f"{found.name} by {asked.by}")
    return swept


def _check(system: System | str | None, query: str | None) -> None:
    if system is None and query is None:
        raise ValueError("All runs of a namespace are not paused or resumed at once: give a system, a query, or both")


def _queue(system: System, settings: Settings | None) -> str | None:
    return (settings if settings is not None else Settings.load()).resolve(system).task_queue


async def _stop(
    client: Client, system: System, query: str | None, settings: Settings | None, why: str, dry_run: bool, swept: Swept
) -> None:
    """Stop the system's own queue, or say why the steps of runs that start later are not held."""
    settings = settings if settings is not None else Settings.load()
    later = f"Steps of {system.name!r} in runs that start from now on are not held"
    if query is not None:
        swept.uncovered = f"{later}: only the runs that the query finds now are paused"
        return
    if (queue := _queue(system, settings)) is None:
        swept.uncovered = f"{later}: the system has no task queue of its own, which could be stopped"
        return
    sharing = [
        repr(other.name)
        for other in systems().values()
        if other.name != system.name and _queue(other, settings) == queue
    ]
    if sharing:
        swept.uncovered = (
            f"{later}: its task queue {queue!r} is not stopped, for it is that of {', '.join(sharing)} too"
        )
        return
    try:
        swept.queue = queue
        if dry_run:
            swept.queue_changed = not await _stopped.is_stopped(client, queue)
        else:
            swept.queue_changed = await _stopped.stop(client, queue, why)
    except RPCError as error:
        if error.status in (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED):
            raise
        swept.queue = None
        swept.uncovered = f"{later}: the server does not stop task queue {queue!r} ({error.message.strip()})"


async def _sweep(client: Client, signal: str, asked: Request, query: str | None, dry_run: bool, swept: Swept) -> None:
    """Tell every open run, in two passes, of which the second finds what was too new for the first."""
    meant = "ExecutionStatus = 'Running'" + (f" AND ({query})" if query is not None else "")
    seen: set[str] = set()
    slots = asyncio.Semaphore(_AT_ONCE)
    for number in range(2):
        if number:
            if dry_run:
                break
            await asyncio.sleep(_LAG_SECONDS)
        async for page in pages(client, meant):
            new = [info for info in page if info.execution.run_id not in seen]
            seen.update(info.execution.run_id for info in new)
            swept.found += len(new)
            await asyncio.gather(*(_one(client, info, signal, asked, dry_run, swept, slots) for info in new))


async def _one(
    client: Client,
    info: WorkflowExecutionInfo,
    signal: str,
    asked: Request,
    dry_run: bool,
    swept: Swept,
    slots: asyncio.Semaphore,
) -> None:
    workflow_id = info.execution.workflow_id
    async with slots:
        try:
            fate = await _told(client, info, signal, asked, dry_run)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                swept.failed[workflow_id] = error.message.strip() or error.status.name.lower()
                return
            fate = "ended"
    if fate == "unsupported":
        swept.unsupported.append(workflow_id)
    else:
        setattr(swept, fate, getattr(swept, fate) + 1)


async def _told(client: Client, info: WorkflowExecutionInfo, signal: str, asked: Request, dry_run: bool) -> _Fate:
    workflow_id = info.execution.workflow_id
    handle = client.get_workflow_handle(workflow_id, run_id=info.execution.run_id)
    if signal == RESUME:
        if not await _is_paused(client, handle, asked.system):
            return "unchanged"
    elif _shows(await _shown(client, workflow_id, info.memo.fields), asked.system):
        return "unchanged"
    else:
        read = PauseHistory()
        # Whether its steps can be held is decided with the first of them, which is near the start of its history.
        async for event in handle.fetch_history_events(page_size=_FIRST_EVENTS):
            read.feed(event)
            if read.supported is not None:
                break
        if read.supported is False:
            return "unsupported"
    if not dry_run:
        await handle.signal(signal, asked)
    return "changed"


async def _is_paused(client: Client, handle: WorkflowHandle[Any, Any], system: str | None) -> bool:
    """Return whether a run is paused wholly, or for a system's steps.

    Its memo says so as soon as a worker has heard of the pause, and only where one has yet to hear of something need
    its history be read. What the memo of a list says may be a second old.

    Raises:
        RPCError: It has ended, or the server cannot be reached.
    """
    described = await describe(client, handle.id, handle.run_id)
    if described.workflow_execution_info.HasField("close_time"):
        raise RPCError("workflow execution already completed", RPCStatusCode.NOT_FOUND, b"")
    shown = await _shown(client, handle.id, described.workflow_execution_info.memo.fields)
    if not described.HasField("pending_workflow_task") and shown is not None:
        return _shows(shown, system)
    return any(pause.system == system for pause in await pauses_of(handle))


async def _shown(client: Client, workflow_id: str, memo: Any) -> list[Any] | None:
    """Return the pauses that a memo tells of; None if it cannot be decoded here."""
    return await entries(client, "paused", workflow_id, memo)


def _shows(shown: list[Any] | None, system: str | None) -> bool:
    return any(entry.get("system") == system for entry in shown or [])
