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
from collections.abc import Callable
from typing import Any, TypeVar, cast, overload

from temporalio import activity, workflow

from segue.activities.effect import Effect, EffectKind
from segue.activities.policy import Capacity, Policy, PolicyError

__all__ = ["System", "activity_name", "system_of", "systems"]

F = TypeVar("F", bound=Callable[..., Any])

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ATTRIBUTE = "__segue_system__"

# What this process has declared: systems by name, and the systems of each activity by the activity's registered name.
_systems: dict[str, System] = {}
_claims: dict[str, dict[str, System]] = {}
_parameters: dict[str, tuple[str, ...]] = {}
_types: dict[str, list[type] | None] = {}


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
        self.terminal = terminal
        self.retryable = retryable
        self._check(task_queue)
        self.task_queue = task_queue if task_queue is not None else (name if capacity else None)
        caller = inspect.currentframe()
        caller = caller.f_back if caller is not None else None
        self.declared_at = f"{caller.f_code.co_filename}:{caller.f_lineno}" if caller is not None else "unknown"
        self.module: str = caller.f_globals.get("__name__", "") if caller is not None else ""
        self.activities: list[str] = []
        self.effects: dict[str, Effect] = {}
        self.returns: dict[str, Any] = {}
        # The sandbox imports a workflow's module anew for every run; only the process's own import declares.
        if not workflow.unsafe.in_sandbox():
            _systems[name] = self

    def __repr__(self) -> str:
        return f"System({self.name!r})"

    @overload
    def activity(self, fn: F, /) -> F: ...

    @overload
    def activity(
        self,
        /,
        *,
        name: str | None = None,
        no_thread_cancel_exception: bool = False,
        effect: EffectKind = "idempotent",
        reconcile: Callable[..., Any] | None = None,
        compensate: Callable[..., Any] | None = None,
    ) -> Callable[[F], F]: ...

    def activity(
        self,
        fn: F | None = None,
        /,
        *,
        name: str | None = None,
        no_thread_cancel_exception: bool = False,
        effect: EffectKind = "idempotent",
        reconcile: Callable[..., Any] | None = None,
        compensate: Callable[..., Any] | None = None,
    ) -> F | Callable[[F], F]:
        """Register a function as a plain Temporal activity of this system.

        The function may be sync (it runs in a thread) or async.

        Args:
            fn: The function.
            name: Its name; by default the function's own.
            no_thread_cancel_exception: As for `temporalio.activity.defn`.
            effect: What another attempt does. "idempotent": no harm. "at_most_once": perhaps a second effect, so it is
                tried again only where the last attempt is known to have had none; else it is reconciled, or parks.
                "compensable": no harm, and `compensate` undoes what it did.
            reconcile: For an at-most-once step, the activity that asks the system what happened. It takes the same
                arguments, and returns the step's result if it happened, and None if it did not; for a step without a
                result, whether it happened.
            compensate: For a compensable step, the activity that undoes it, given its result.

        Raises:
            EffectError: The declaration contradicts itself.
        """

        def register(fn: F) -> F:
            return self._register(
                fn,
                name or fn.__name__,
                no_thread_cancel_exception,
                Effect.of(name or fn.__name__, fn, effect, reconcile, compensate),
            )

        return register if fn is None else register(fn)

    def _register(self, fn: F, name: str, no_thread_cancel_exception: bool, effect: Effect) -> F:
        activity.defn(name=name, no_thread_cancel_exception=no_thread_cancel_exception)(fn)
        setattr(fn, _ATTRIBUTE, self)
        self.activities.append(name)
        self.effects[name] = effect
        self.returns[name] = getattr(_definition(fn), "ret_type", None)
        if not workflow.unsafe.in_sandbox():
            _claims.setdefault(name, {})[self.name] = self
            _parameters[name] = _parameter_names(fn)
            _types[name] = getattr(_definition(fn), "arg_types", None)
        return fn

    def _check(self, task_queue: Any) -> None:
        name, policy, capacity = cast("tuple[Any, Any, Any]", (self.name, self.policy, self.capacity))
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise PolicyError(
                str(name), "name", "must start with a letter or digit and hold only letters, digits, '.', '_', '-'"
            )
        for field, value, kind in (("policy", policy, Policy), ("capacity", capacity, Capacity)):
            if not isinstance(value, kind):
                raise PolicyError(name, field, f"must be a {kind.__name__}, not {value!r}")
            for problem in value.problems():
                raise PolicyError(name, *problem)
        for field in ("terminal", "retryable"):
            classes: Any = getattr(self, field)
            if not isinstance(classes, (tuple, list, set, frozenset)):
                raise PolicyError(name, field, f"must be a tuple of exception classes, not {classes!r}")
            given: tuple[Any, ...] = tuple(classes)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            for cls in given:
                if not (inspect.isclass(cls) and issubclass(cls, BaseException)):
                    raise PolicyError(name, field, f"must hold exception classes, not {cls!r}")
            setattr(self, field, given)
        for cls in self.terminal:
            if cls in self.retryable:
                raise PolicyError(name, "retryable", f"holds {cls.__qualname__}, which is also terminal")
        if task_queue is not None and not (isinstance(task_queue, str) and task_queue.strip()):
            raise PolicyError(name, "task_queue", f"must be the name of a task queue or None, not {task_queue!r}")


def systems() -> dict[str, System]:
    """Return the systems that this process has declared, by name, in the order of their declaration."""
    return dict(_systems)


def system_of(fn_or_name: Callable[..., Any] | str) -> System | None:
    """Return the system of an activity, given as its function or its registered name; None if it has none."""
    if isinstance(fn_or_name, str):
        return next(reversed(claims(fn_or_name)), None)
    # A bound method's attributes are its function's.
    system = getattr(fn_or_name, _ATTRIBUTE, None)
    return system if isinstance(system, System) else None


def claims(name: str) -> tuple[System, ...]:
    """Return the systems that declare an activity of this name, the latest last: more than one is ambiguous."""
    return tuple(_claims.get(name, {}).values())


def activity_name(fn: Callable[..., Any]) -> str | None:
    """Return the name under which a function is registered as an activity; None if it is none, or is dynamic."""
    return getattr(_definition(fn), "name", None)


def parameters_of(name: str) -> tuple[str, ...]:
    """Return the parameter names of an activity of some system, for messages; empty if it is not known here."""
    return _parameters.get(name, ())


def types_of(name: str) -> list[type] | None:
    """Return the parameter types of an activity of some system; None if they are not known here."""
    return _types.get(name)


def _definition(fn: Callable[..., Any]) -> Any:
    # Temporal's decorator leaves its definition here; there is no public way to ask for what it holds.
    return getattr(fn, "__temporal_activity_definition", None)


def _parameter_names(fn: Callable[..., Any]) -> tuple[str, ...]:
    called: Any = fn.__call__ if inspect.isclass(fn) else fn
    names = tuple(inspect.signature(called).parameters)
    # Temporal, too, takes a first parameter of this name for the instance of a method.
    return names[1:] if names[:1] == ("self",) else names
