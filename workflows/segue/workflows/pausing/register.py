"""The pauses of one run: which of its steps they hold, who is told of them, and how they reach its children.

A paused run starts no activity, local activity or child workflow and sends no signal; flow control holds them back
with all that waits for a turn, and lets them go in their order. What runs goes on and is kept, timers run, handlers
answer. Everything is decided by signals of the history, so a replay decides the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.exceptions import FailureError

from segue.workflows.flow_control import FlowControl
from segue.workflows.pausing.pause import (
    HEADER,
    PAUSE,
    QUERY,
    RESUME,
    Held,
    Paused,
    Pauses,
    Request,
    begun,
    heed,
    inherited,
    steps_wait,
)
from segue.workflows.waiting import waiting_for

__all__ = ["PauseRegister"]

_OWN: Final = frozenset({PAUSE, RESUME})


class PauseRegister:
    """A run's pauses. Made when the run is made, before anything of it runs, so that no signal comes too early.

    Args:
        headers: The run's headers, by which it was given those that it begins with.
    """

    _flow: FlowControl
    _supported: Callable[[], bool | None]
    _ask: Callable[[], bool]
    _steps: Callable[[], tuple[Held, ...]]

    def __init__(self, headers: Mapping[str, Payload]) -> None:
        header = headers.get(HEADER)
        self._pauses: Pauses = begun(header.data if header is not None else None)
        self._inherited = bool(self._pauses)
        self._names = self._held_names()
        # What each open child was told, by the systems of the pauses.
        self._children: dict[workflow.ChildWorkflowHandle[Any, Any], set[str | None]] = {}
        self._sending: set[asyncio.Task[None]] = set()
        workflow.set_signal_handler(PAUSE, self.pause)  # pyright: ignore[reportUnknownMemberType]
        workflow.set_signal_handler(RESUME, self.resume)  # pyright: ignore[reportUnknownMemberType]
        workflow.set_query_handler(QUERY, self.paused)  # pyright: ignore[reportUnknownMemberType]

    def attach(
        self,
        flow: FlowControl,
        supported: Callable[[], bool | None],
        ask: Callable[[], bool],
        steps: Callable[[], tuple[Held, ...]],
    ) -> None:
        """Hold the steps of a flow control.

        Args:
            flow: It asks `holds` before a step starts.
            supported: Tells whether the run's steps pass through it, None while that is not decided.
            ask: The same, and decides it.
            steps: Tells which steps are held.
        """
        self._flow, self._supported, self._ask, self._steps = flow, supported, ask, steps

    def begin(self) -> None:
        """Show the pauses that the run begins with, once it can."""
        if self._inherited and self._ask():
            self._show()

    def holds(self, name: str | None) -> bool:
        """Return whether a step may not start now.

        Args:
            name: Its activity, or the signal that it sends; None for a child workflow.
        """
        if not self._pauses:
            return False
        return (None in self._pauses and name not in _OWN) or name in self._names

    def pause(self, *given: Any) -> None:
        """Handle the signal that pauses."""
        self._heed(PAUSE, given)

    def resume(self, *given: Any) -> None:
        """Handle the signal that resumes."""
        self._heed(RESUME, given)

    def paused(self) -> Paused:
        """Answer the query."""
        supported = self._supported() is not False
        held = self._flow.paused
        return Paused(
            supported=supported,
            pauses=tuple(self._pauses.values()),
            held=held,
            turns=self._flow.held - held,
            steps=self._steps(),
        )

    def lines(self) -> list[str]:
        """Return what a person is told of the pauses, a line each."""
        lines = [str(pause) for pause in self._pauses.values()]
        if lines and (held := self._flow.paused):
            lines[-1] += f", {steps_wait(held)}"
        return lines

    def headers(self) -> dict[str, Payload]:
        """Return the header with which a run begins that this one starts now: a child, or the run it continues as."""
        if not self._pauses:
            return {}
        return {HEADER: Payload(metadata={"encoding": b"json/plain"}, data=inherited(self._pauses.values()))}

    def started(self, handle: workflow.ChildWorkflowHandle[Any, Any], headers: Mapping[str, Payload]) -> None:
        """Remember an open child, which began with these headers, and tell it what has changed since."""
        header = headers.get(HEADER)
        self._children[handle] = set(begun(header.data if header is not None else None))
        handle.add_done_callback(lambda ended: self._children.pop(handle, None))
        self._tell(handle)

    def _heed(self, signal: str, given: tuple[Any, ...]) -> None:
        if not self._ask():
            workflow.logger.warning("%s is not heeded: the run made its first step without Segue's plugin", signal)
            return
        try:
            changed = heed(self._pauses, signal, given[0] if given else None, workflow.now())
        except ValueError as error:
            # A signal that anybody may send must not fail the run.
            workflow.logger.warning("%s is not heeded: %s", signal, error)
            return
        if changed:
            self._names = self._held_names()
            self._show()
            self._flow.pauses_changed()
            for handle in list(self._children):
                self._tell(handle)

    def _held_names(self) -> frozenset[str]:
        return frozenset(name for pause in self._pauses.values() for name in pause.activities)

    def _show(self) -> None:
        told = [
            {"system": pause.system, "by": pause.by, "reason": pause.reason, "since": pause.since.isoformat()}
            for pause in self._pauses.values()
        ]
        waiting_for("paused", told)

    def _tell(self, handle: workflow.ChildWorkflowHandle[Any, Any]) -> None:
        """Let a child know of the pauses that it has not heard of, and of the end of those that it has."""
        told = self._children[handle]
        for system, pause in self._pauses.items():
            if system not in told and pause.children:
                told.add(system)
                self._send(handle, PAUSE, pause.request())
        for system in [system for system in told if system not in self._pauses]:
            told.remove(system)
            self._send(handle, RESUME, Request(system=system))

    def _send(self, handle: workflow.ChildWorkflowHandle[Any, Any], signal: str, asked: Request) -> None:
        sending = asyncio.create_task(_sent(handle, signal, asked))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)


async def _sent(handle: workflow.ChildWorkflowHandle[Any, Any], signal: str, asked: Request) -> None:
    try:
        await handle.signal(signal, asked)
    except FailureError as error:  # it has ended meanwhile
        workflow.logger.debug("%s did not reach child %r: %s", signal, handle.id, error)
