"""Pause and resume a run: it starts no new step until it goes on, and loses none.

    await pause(client.get_workflow_handle("order-17"), reason="fire drill", by="ann")
    ...
    await resume(client.get_workflow_handle("order-17"), by="ann")

A pause is a signal, so it is delivered whether or not a worker is alive, and the history tells of it. The server's own
pause of a workflow is not used: it would break what lists and describes runs. `segue.client.pause_all` pauses
every run of a system.
"""

from __future__ import annotations

import dataclasses
import getpass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from segue.activities.system import System, systems
from segue.client._decoding import decode
from segue.client._pauses import PauseHistory
from segue.client._server import describe
from segue.workflows.pausing.pause import PAUSE, QUERY, RESUME, Pause, Paused, Pauses, Request

__all__ = ["Change", "PauseUnsupported", "UnknownSystem", "pause", "paused", "pauses_of", "resume"]

_PATIENCE: Final = timedelta(seconds=5)


class PauseUnsupported(RuntimeError):
    """A run whose steps cannot be held, because it made the first of them without Segue's plugin.

    Attributes:
        workflow_id: Id of the workflow.
    """

    def __init__(self, workflow_id: str) -> None:
        super().__init__(
            f"{workflow_id} cannot be paused: it made its first step on a worker without Segue's plugin, or with one "
            "of an earlier version. Cancel it, or stop its workers"
        )
        self.workflow_id = workflow_id


class UnknownSystem(ValueError):
    """A system that no module of this process declares.

    Attributes:
        system: Its name.
    """

    def __init__(self, system: str) -> None:
        known = ", ".join(repr(name) for name in sorted(systems())) or "none"
        super().__init__(
            f"No system {system!r} is declared in this process, so it is not known which steps are its own; known are "
            f"{known}. Import the module that declares it"
        )
        self.system = system


@dataclasses.dataclass(frozen=True, kw_only=True)
class Change:
    """What was asked of a run, and what came of it.

    Attributes:
        workflow_id: Id of the workflow.
        run_id: Id of the run.
        changed: Whether it was sent: not if the run was paused, or not paused, already.
        pause: The pause that holds now, or that held until now; None if there was none.
        others: The other pauses that hold in the run.
    """

    workflow_id: str
    run_id: str
    changed: bool
    pause: Pause | None
    others: tuple[Pause, ...] = ()


async def pause(
    handle: WorkflowHandle[Any, Any],
    *,
    system: System | str | None = None,
    reason: str | None = None,
    by: str | None = None,
) -> Change:
    """Pause a run, and through it its children: no step starts, what runs goes on, timers run, handlers answer.

    A run that is paused already stays paused as it is. It can be cancelled; what its code does then waits too.

    Args:
        handle: The workflow, from a client with the data converter that its payloads need.
        system: The system whose steps are meant, declared in this process; None for the whole run.
        reason: Why: it is kept in the run's history.
        by: Who pauses; by default the user of this process.

    Raises:
        PauseUnsupported: It made its first step without the plugin.
        UnknownSystem: No module of this process declares the system.
        RPCError: The server does not know the workflow, it has ended, or the server cannot be reached.
    """
    asked = request(system, reason=reason, by=by)
    handle, read, pauses = await _read(handle)
    if read.supported is False:
        raise PauseUnsupported(handle.id)
    held = pauses.pop(asked.system, None)
    if held is None:
        await handle.signal(PAUSE, asked)
    return _change(handle, held is None, held or Pause(**vars(asked)), pauses)


async def resume(
    handle: WorkflowHandle[Any, Any], *, system: System | str | None = None, by: str | None = None
) -> Change:
    """Let a run go on, and its children that were paused through it: what waits starts, first come, first served.

    Args:
        handle: The workflow.
        system: The system whose pause ends; None for the pause of the whole run.
        by: Who resumes; by default the user of this process.

    Raises:
        RPCError: The server does not know the workflow, it has ended, or the server cannot be reached.
    """
    name = system.name if isinstance(system, System) else system
    handle, _, pauses = await _read(handle)
    held = pauses.pop(name, None)
    if held is not None:
        await handle.signal(RESUME, Request(system=name, by=by or user(), since=datetime.now(UTC)))
    return _change(handle, held is not None, held, pauses)


async def pauses_of(handle: WorkflowHandle[Any, Any]) -> tuple[Pause, ...]:
    """Return the pauses that hold in a run, from its history: so also with no worker alive.

    Raises:
        RPCError: The server does not know the workflow, or cannot be reached.
    """
    _, _, pauses = await _read(handle)
    return tuple(pauses.values())


async def paused(handle: WorkflowHandle[Any, Any], *, timeout: timedelta = _PATIENCE) -> Paused:
    """Return how a run is paused and how many steps wait, asked of its worker.

    Raises:
        RPCError: No worker answers in time, or the server does not know the workflow, or cannot be reached.
    """
    found: Paused = await handle.query(QUERY, result_type=Paused, rpc_timeout=timeout)
    return found


def declared(system: System | str) -> System:
    """Return a system by its name.

    Raises:
        UnknownSystem: No module of this process declares it.
    """
    if isinstance(system, System):
        return system
    if (found := systems().get(system)) is None:
        raise UnknownSystem(system)
    return found


def request(system: System | str | None, *, reason: str | None, by: str | None, children: bool = True) -> Request:
    """Return what a pause asks for.

    Raises:
        UnknownSystem: No module of this process declares the system.
    """
    found = declared(system) if system is not None else None
    return Request(
        system=found.name if found is not None else None,
        activities=tuple(found.activities) if found is not None else (),
        by=by or user(),
        reason=reason,
        since=datetime.now(UTC),
        children=children,
    )


def user() -> str:
    """Return the name of this process's user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return "somebody"


async def _read(handle: WorkflowHandle[Any, Any]) -> tuple[WorkflowHandle[Any, Any], PauseHistory, Pauses]:
    """Return a handle of the one run that is meant, and its pauses.

    Raises:
        RPCError: The server does not know it, or it has ended.
    """
    client = handle._client  # pyright: ignore[reportPrivateUsage]
    info = (await describe(client, handle.id, handle.run_id)).workflow_execution_info
    if info.HasField("close_time"):
        # As the server says it of a signal, which is not sent if there is nothing to change.
        raise RPCError("workflow execution already completed", RPCStatusCode.NOT_FOUND, b"")
    handle = client.get_workflow_handle(handle.id, run_id=info.execution.run_id)
    read = PauseHistory()
    async for event in handle.fetch_history_events():
        read.feed(event)
    return handle, read, read.pauses(await decode(client, handle.id, read.payloads()))


def _change(handle: WorkflowHandle[Any, Any], changed: bool, pause: Pause | None, others: Pauses) -> Change:
    return Change(
        workflow_id=handle.id,
        run_id=handle.run_id or "",
        changed=changed,
        pause=pause,
        others=tuple(others.values()),
    )
