"""The options of an activity call, filled from the policy of its system.

A call site's option always wins. What it leaves open comes from the system: timeouts, retry policy, task queue.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

from temporalio.common import RetryPolicy
from temporalio.worker import StartActivityInput, StartLocalActivityInput

from segue.activities.effect import Effect
from segue.activities.policy import OnExhausted
from segue.activities.settings import Effective, Settings
from segue.activities.system import System, activity_name, claims, system_of

__all__ = ["Catalogue", "Options", "UndeclaredActivity", "has_timeout"]


@dataclasses.dataclass(frozen=True)
class Options:
    """What one system's policy says of a call, computed once per activity type."""

    system: System
    start_to_close_timeout: timedelta
    schedule_to_close_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    heartbeat_timeout: Callable[[timedelta], timedelta | None]
    retry_policy: RetryPolicy
    task_queue: str | None
    on_exhausted: OnExhausted | None

    @classmethod
    def of(cls, system: System, effective: Effective) -> Options:
        """Return the options that hold for a system in this deployment."""
        policy = effective.policy
        return cls(
            system=system,
            start_to_close_timeout=policy.start_to_close_timeout,
            schedule_to_close_timeout=policy.schedule_to_close_timeout,
            schedule_to_start_timeout=policy.schedule_to_start_timeout,
            heartbeat_timeout=policy.heartbeat_timeout_of,
            retry_policy=policy.retry_policy(),
            task_queue=effective.task_queue,
            on_exhausted=policy.on_exhausted,
        )

    def without_bounds(self) -> Options:
        """Return them without what makes a step give up: it is tried at the same intervals until it succeeds."""
        return dataclasses.replace(
            self,
            schedule_to_close_timeout=None,
            schedule_to_start_timeout=None,
            retry_policy=dataclasses.replace(self.retry_policy, maximum_attempts=0),
        )

    def fill(self, call: StartActivityInput | StartLocalActivityInput) -> None:
        """Fill what the call leaves open.

        Temporal applies the shortest of all timeouts, so a timeout of the policy that is shorter than one given at the
        call would win over it. Such a one is left out.
        """
        total = self.schedule_to_close_timeout
        if call.schedule_to_close_timeout is None and not any(
            _shorter(total, given) for given in (call.start_to_close_timeout, call.schedule_to_start_timeout)
        ):
            call.schedule_to_close_timeout = total
        if call.start_to_close_timeout is None:
            call.start_to_close_timeout = self.start_to_close_timeout
        if call.schedule_to_start_timeout is None:
            call.schedule_to_start_timeout = self.schedule_to_start_timeout
        if call.retry_policy is None:
            call.retry_policy = self.retry_policy
        if isinstance(call, StartActivityInput):
            if call.heartbeat_timeout is None:
                call.heartbeat_timeout = self.heartbeat_timeout(call.start_to_close_timeout)
            if call.task_queue is None:
                call.task_queue = self.task_queue


class UndeclaredActivity(RuntimeError):
    """A call without timeouts of an activity that no system, or more than one, declares in this worker's process.

    Whether that is so depends on what the process has imported, not on the run. So it fails the workflow task and not
    the run, which goes on as soon as a worker with the declaration takes it.
    """


def has_timeout(fn: Callable[..., Any], given: Mapping[str, object]) -> bool:
    """Return whether an activity has a timeout: from its call, or from a system that declares it here."""
    if given.get("start_to_close_timeout") or given.get("schedule_to_close_timeout"):
        return True
    name = activity_name(fn)
    return system_of(fn) is not None or (name is not None and system_of(name) is not None)


class Catalogue:
    """Which options hold for which activity, in one client or worker.

    Args:
        settings: Overrides of this deployment.

    Attributes:
        checks: Whether what is sent is checked: not where a user's own converter knows better what it carries.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.checks = True
        self._registered: dict[str, System] = {}
        self._options: dict[str, Options] = {}

    def register(self, activities: Iterable[Callable[..., Any]]) -> None:
        """Learn the systems of a worker's own activities. They take precedence over declarations elsewhere."""
        for fn in activities:
            if (system := system_of(fn)) is not None and (name := activity_name(fn)) is not None:
                self._registered[name] = system
                self._options.pop(name, None)

    def system(self, name: str) -> System | None:
        """Return the system of an activity type: registered with this worker, else declared in this process."""
        return self._registered.get(name) or system_of(name)

    def options(self, name: str) -> Options | None:
        """Return the options of an activity type; None if it belongs to no system.

        Raises:
            UndeclaredActivity: Several systems declare this activity, and this worker does not say which is meant.
        """
        if name not in self._registered and len(systems := claims(name)) > 1:
            declared = " and ".join(f"{system.name!r} ({system.declared_at})" for system in systems)
            raise UndeclaredActivity(
                f"Activity {name!r} belongs to several systems: {declared}. Give one of them another name with "
                '@system.activity(name="...")'
            )
        options = self._options.get(name)
        system = self.system(name)
        if system is None or (options is not None and options.system is system):
            return options
        options = self._options[name] = Options.of(system, self.settings.resolve(system))
        return options

    def effect(self, name: str) -> Effect:
        """Return the effect of an activity type, as its system declares it."""
        system = self.system(name)
        return system.effects.get(name, _IDEMPOTENT) if system is not None else _IDEMPOTENT

    def queues(self, activities: Iterable[Callable[..., Any]]) -> Mapping[str, list[Callable[..., Any]]]:
        """Return the activities that have a task queue of their own, by that queue."""
        queues: dict[str, list[Callable[..., Any]]] = {}
        for fn in activities:
            name = activity_name(fn)
            options = self.options(name) if name is not None else None
            if options is not None and options.task_queue is not None:
                queues.setdefault(options.task_queue, []).append(fn)
        return queues


_IDEMPOTENT: Final = Effect()


def _shorter(one: timedelta | None, other: timedelta | None) -> bool:
    return one is not None and other is not None and one < other
