"""Connected systems: each declares its policy, capacity and error classes once, in code.

    payments = System("payments", policy=Policy(maximum_attempts=6), capacity=Capacity(per_second=50),
                      terminal=(CardDeclined,))

    @payments.activity
    async def charge(order: Order) -> Receipt: ...

`charge` is a plain Temporal activity. Workflow workers find its system by the activity's name, so a workflow process
that only imports this module applies the same policy as the process that runs the activity.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from typing import Any, TypeVar, overload

from temporalio import activity, workflow

from segue.activities.policy import Capacity, Policy, PolicyError

__all__ = ["System", "activity_name", "system_of", "systems"]

F = TypeVar("F", bound=Callable[..., Any])

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ATTRIBUTE = "__segue_system__"

# What this process has declared: systems by name, and the system of each activity by the activity's registered name.
_systems: dict[str, System] = {}
_by_activity: dict[str, System] = {}
_parameters: dict[str, tuple[str, ...]] = {}


class System:
    """A connected system with its policy, its capacity, and what its errors mean.

    Args:
        name: Name of the system, as `segue.toml` and the operator's screens show it: letters, digits, `.`, `_`, `-`.
        policy: Timeouts and retries of its activities.
        capacity: Load it takes. Any capacity gives the system its own task queue.
        terminal: Exception classes after which no further attempt can succeed.
        retryable: Exception classes after which one can. The most specific declared class decides.
        task_queue: Task queue of its activities; by default the system's name if it declares a capacity, otherwise
            the queue of the workflow that calls them.

    Raises:
        PolicyError: The name, policy, capacity or an error class cannot be honoured.
    """

    def __init__(
        self,
        name: str,
        *,
        policy: Policy = Policy(),  # noqa: B008 - immutable
        capacity: Capacity = Capacity(),  # noqa: B008 - immutable
        terminal: tuple[type[BaseException], ...] = (),
        retryable: tuple[type[BaseException], ...] = (),
        task_queue: str | None = None,
    ) -> None:
        self.name = name
        self.policy = policy
        self.capacity = capacity
        self.terminal = tuple(terminal)
        self.retryable = tuple(retryable)
        self.task_queue = task_queue if task_queue is not None else (name if capacity else None)
        frame = sys._getframe(1)
        self.declared_at = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        self.module: str = frame.f_globals.get("__name__", "")
        self.activities: list[str] = []
        self._check()
        # The sandbox imports a workflow's module anew for every run; only the process's own import declares.
        if not workflow.unsafe.in_sandbox():
            _systems[name] = self

    def __repr__(self) -> str:
        return f"System({self.name!r})"

    @overload
    def activity(self, fn: F, /) -> F: ...

    @overload
    def activity(self, *, name: str | None = None, no_thread_cancel_exception: bool = False) -> Callable[[F], F]: ...

    def activity(
        self, fn: F | None = None, /, *, name: str | None = None, no_thread_cancel_exception: bool = False
    ) -> F | Callable[[F], F]:
        """Register a function as a plain Temporal activity of this system.

        The function may be sync (it runs in a thread) or async. The options are those of `temporalio.activity.defn`.
        """

        def register(fn: F) -> F:
            registered = name or fn.__name__
            activity.defn(name=registered, no_thread_cancel_exception=no_thread_cancel_exception)(fn)
            setattr(fn, _ATTRIBUTE, self)
            self.activities.append(registered)
            if not workflow.unsafe.in_sandbox():
                _by_activity[registered] = self
                _parameters[registered] = tuple(inspect.signature(fn).parameters)
            return fn

        return register if fn is None else register(fn)

    def _check(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise PolicyError(
                str(self.name), "name", "must start with a letter or digit and hold only letters, digits, '.', '_', '-'"
            )
        for problems in (self.policy.problems(), self.capacity.problems()):
            for field, problem in problems:
                raise PolicyError(self.name, field, problem)
        for field, classes in (("terminal", self.terminal), ("retryable", self.retryable)):
            for cls in classes:
                if not (inspect.isclass(cls) and issubclass(cls, BaseException)):
                    raise PolicyError(self.name, field, f"must hold exception classes, not {cls!r}")
        for cls in self.terminal:
            if cls in self.retryable:
                raise PolicyError(self.name, "retryable", f"holds {cls.__qualname__}, which is also terminal")
        if self.task_queue is not None and not self.task_queue.strip():
            raise PolicyError(self.name, "task_queue", "must not be empty")


def systems() -> dict[str, System]:
    """Return the systems that this process has declared, by name, in the order of their declaration."""
    return dict(_systems)


def system_of(fn_or_name: Callable[..., Any] | str) -> System | None:
    """Return the system of an activity, given as its function or its registered name; None if it has none."""
    if isinstance(fn_or_name, str):
        return _by_activity.get(fn_or_name)
    # A bound method's attributes are its function's.
    system = getattr(fn_or_name, _ATTRIBUTE, None)
    return system if isinstance(system, System) else None


def activity_name(fn: Callable[..., Any]) -> str | None:
    """Return the name under which a function is registered as an activity; None if it is none, or is dynamic."""
    # Temporal's decorator leaves its definition here; there is no public way to ask for the name.
    return getattr(getattr(fn, "__temporal_activity_definition", None), "name", None)


def parameters_of(name: str) -> tuple[str, ...]:
    """Return the parameter names of an activity of some system, for messages; empty if it is not known here."""
    return _parameters.get(name, ())
