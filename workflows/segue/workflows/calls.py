"""A call that is written down before it is made: of an activity, a child workflow, or plain code of the workflow.

    call(charge, order)                        # what workflow.execute_activity(charge, order) would do
    call(charge, order, undo=refund)           # refund(receipt) undoes it, where its result is not wanted
    call(Deliver.run, parcel, id="parcel-17")  # what workflow.execute_child_workflow(...) would do

It is checked when it is written down: one that undoes earlier work is made when it is too late to mend it.
"""

from __future__ import annotations

import dataclasses
import inspect
import reprlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, Generic, Literal, TypeVar, TypeVarTuple, Unpack, cast, overload

import pydantic
from temporalio import workflow

from segue.activities import faithful
from segue.activities.effect import Effect
from segue.activities.errors import PayloadError, Terminal, describe
from segue.activities.system import activity_name, system_of
from segue.workflows.graph.hints import UNKNOWN, Parameter, Signature, fits, shown, signature
from segue.workflows.graph.step import StepOptions
from segue.workflows.options import UndeclaredActivity, has_timeout
from segue.workflows.summary import summarize

__all__ = [
    "Call",
    "InvalidCall",
    "Kind",
    "call",
    "execute",
    "given_id",
    "is_at_most_once",
    "no_call",
    "no_calls",
    "written",
]

Kind = Literal["activity", "child_workflow", "function"]
"""What a call is of. `function` is plain code of the workflow."""

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
Ts = TypeVarTuple("Ts")

_OPTIONS: Final[dict[Kind, tuple[str, frozenset[str]]]] = {
    "activity": ("an activity", frozenset(workflow.ActivityConfig.__annotations__)),
    "child_workflow": ("a child workflow", frozenset(workflow.ChildWorkflowConfig.__annotations__)),
    "function": ("plain code of the workflow", frozenset[str]()),
}

_NAMED: Final[dict[Kind, str]] = {
    "activity": "the activity",
    "child_workflow": "the workflow",
    "function": "the function",
}


class InvalidCall(Terminal):
    """A call that cannot be made as it is written. Nothing was started."""


@dataclasses.dataclass(frozen=True, eq=False)
class Call(Generic[R_co]):
    """A call that can be made; `call` writes it down. Its type parameter is the type of its result.

    Attributes:
        fn: An activity, a workflow's run method, or plain code.
        args: Its arguments.
        options: Those of `workflow.start_activity` or `workflow.start_child_workflow`; what is left open comes from
            the system's policy.
        undo: What undoes it, given its result.
        kind: What it is a call of.
    """

    fn: Callable[..., Any]
    args: tuple[Any, ...]
    options: StepOptions
    undo: Callable[[Any], Any] | None
    kind: Kind

    @property
    def name(self) -> str:
        """The name of what is called."""
        return _name(self.fn)

    def __str__(self) -> str:
        told = summarize(self.args)
        return self.name if told is None else f"{self.name} • {told}"


@overload
def call(
    fn: Callable[[*Ts], Awaitable[R]],
    /,
    *args: *Ts,
    undo: Callable[[R], Any] | None = None,
    **options: Unpack[StepOptions],
) -> Call[R]: ...


# A workflow's run method is given unbound, so its first parameter takes nothing.
@overload
def call(
    fn: Callable[[Any, *Ts], Awaitable[R]],
    /,
    *args: *Ts,
    undo: Callable[[R], Any] | None = None,
    **options: Unpack[StepOptions],
) -> Call[R]: ...


@overload
def call(
    fn: Callable[[*Ts], R],
    /,
    *args: *Ts,
    undo: Callable[[R], Any] | None = None,
    **options: Unpack[StepOptions],
) -> Call[R]: ...


# mypy does not see that `*args: Any` takes what `*args: *Ts` does.
def call(  # type: ignore[misc]
    fn: Callable[..., Any],
    /,
    *args: Any,
    undo: Callable[[Any], Any] | None = None,
    **options: Unpack[StepOptions],
) -> Call[Any]:
    """Write a call down.

    Args:
        fn: An activity, the run method of a workflow, which is run as a child, or plain code of the workflow.
        args: Its arguments.
        undo: What undoes it, given its result; by default what its declaration says, see `System.activity`.
        options: Those of `workflow.start_activity`, or of `workflow.start_child_workflow` for a child.

    Raises:
        InvalidCall: It cannot be made. The message says all that is wrong.
        UndeclaredActivity: It is of an activity that has no timeout, because no system declares it here.
    """
    return written("The call", fn, args, options, undo)


def written(
    what: str,
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    options: StepOptions,
    undo: Callable[[Any], Any] | None = None,
) -> Call[Any]:
    """Return a call that was checked; `what` begins the message if it is refused."""
    kind = _kind(fn)
    if undo is None and kind == "activity":
        undo = _declared_undo(fn)
    found = list(_problems(fn, args, options, kind))
    if undo is not None:
        found.extend(_undo_problems(fn, undo))
    if found or kind is None:
        raise InvalidCall(f"{what} of {_name(fn)} cannot be made: {'; '.join(found)}")
    if kind == "activity" and not has_timeout(fn, options):
        raise UndeclaredActivity(
            f"{what} of {_name(fn)} has no timeout: no system declares it in this process. Declare it with "
            "@system.activity and import its module in the worker, or pass start_to_close_timeout"
        )
    if undo is not None and _kind(undo) == "activity" and not has_timeout(undo, {}):
        raise UndeclaredActivity(
            f"{what} of {_name(fn)}: {_name(undo)}, which undoes it, has no timeout: no system declares it in this "
            "process. Declare it with @system.activity and import its module in the worker"
        )
    return Call(fn, args, options, undo, kind)


async def execute(call: Call[R], **defaults: Any) -> R:
    """Make a call, and return its result.

    Args:
        call: The call.
        defaults: Options of its kind that it does not give itself.
    """
    options = cast("dict[str, Any]", {**defaults, **call.options})
    if call.kind == "activity":
        return cast("R", await workflow.start_activity(cast("Any", call.fn), args=call.args, **options))
    if call.kind == "child_workflow":
        # Unlike an activity's, a child's id is one of the namespace, where the run before this one may still hold it.
        options.setdefault("id", f"{workflow.info().workflow_id}/{call.name}/{str(workflow.uuid4())[:8]}")
        return cast("R", await workflow.execute_child_workflow(cast("Any", call.fn), args=call.args, **options))
    result = call.fn(*call.args)
    return cast("R", await result if inspect.isawaitable(result) else result)


def is_at_most_once(call: Call[Any]) -> bool:
    """Return whether a second effect of a call would do harm, as its declaration says."""
    effect = _declared_effect(call.fn) if call.kind == "activity" else None
    return effect is not None and effect.kind == "at_most_once"


def given_id(call: Call[Any]) -> str | None:
    """Return the id that a call gives to what it starts; None if it leaves it open."""
    return call.options.get("activity_id") or call.options.get("id")


def no_calls(given: Sequence[object]) -> list[str]:
    """Return what is given in place of calls, a clause each: an activity, say, where `call(...)` was forgotten."""
    numbered = {id(one): (number, one) for number, one in reversed(list(enumerate(given, 1)))}
    return [
        f"its call {number} is {told}"
        for number, one in sorted(numbered.values(), key=lambda pair: pair[0])
        if (told := no_call(one)) is not None
    ]


def no_call(given: Any) -> str | None:
    """Return what is given in place of a call, and what to write; None if it is a call."""
    if isinstance(given, Call):
        return None
    what, fn = reprlib.repr(given), "fn"
    if inspect.iscoroutine(given):
        what = f"a coroutine of {given.__name__!r}"
        given.close()  # nobody will await it
    elif inspect.isclass(given) and hasattr(given, "__temporal_workflow_definition"):
        what, fn = f"the workflow {_name(given)!r}", f"{given.__name__}.run"
    elif (kind := _kind(given)) is not None:
        what, fn = f"{_NAMED[kind]} {_name(given)!r}", getattr(given, "__qualname__", "fn")
    return f"{what}, which is no call: write call({fn}, ...)"


def _problems(fn: Any, args: Sequence[Any], options: StepOptions, kind: Kind | None) -> Iterator[str]:
    if kind is None:
        yield _unfit(fn)
        return
    described, known = _OPTIONS[kind]
    if strange := [name for name in options if name not in known]:
        yield f"it is {described}, which takes no {', '.join(strange)}"
    try:
        taken = signature(fn)
    except (TypeError, ValueError):  # some callables made in C
        return
    if len(args) < taken.required:
        missing = [repr(parameter.name) for parameter in taken.parameters[len(args) :] if parameter.required]
        yield f"it lacks {', '.join(missing)}"
    elif args and taken.parameter(len(args) - 1) is None:
        yield f"it is given {len(args)} arguments, but takes {len(taken.parameters)}"
    if kind != "function":  # what plain code is given goes nowhere
        yield from _arguments(args, taken)


def _arguments(args: Sequence[Any], taken: Signature) -> Iterator[str]:
    for position, value in enumerate(args):
        parameter = taken.parameter(position) or Parameter("", UNKNOWN, False)
        try:
            if parameter.hint is UNKNOWN:
                faithful.check(value)
            else:
                faithful.accept(value, parameter.hint)
        except PayloadError as error:
            yield f"argument {position + 1} {parameter.name!r}: {error.message}"
        except pydantic.ValidationError as error:
            yield f"argument {position + 1} {parameter.name!r}: {describe(error)}"


def _declared_undo(fn: Callable[..., Any]) -> Callable[[Any], Any] | None:
    """Return the activity that undoes one, where its declaration says so."""
    effect = _declared_effect(fn)
    return effect.undo if effect is not None else None


def _declared_effect(fn: Callable[..., Any]) -> Effect | None:
    system, name = system_of(fn), activity_name(fn)
    return system.effects.get(name) if system is not None and name is not None else None


def _undo_problems(fn: Callable[..., Any], undo: Any) -> Iterator[str]:
    if _kind(undo) is None:
        yield f"undo: {_unfit(undo)}"
        return
    try:
        returns, taken = signature(fn).returns, signature(undo)
    except (TypeError, ValueError):  # some callables made in C
        return
    parameter = taken.parameter(0)
    if parameter is None or taken.required > 1:
        yield f"undo: {_name(undo)} takes {len(taken.parameters)} arguments, but is given one, the result"
    elif not fits(returns, parameter.hint):
        yield f"undo: {_name(undo)} takes {shown(parameter.hint)}, but {_name(fn)} returns {shown(returns)}"


def _kind(fn: Any) -> Kind | None:
    # Temporal's decorators leave their definitions here; there is no public way to ask for them.
    if hasattr(fn, "__temporal_activity_definition"):
        return "activity"
    if hasattr(fn, "__temporal_workflow_run") and hasattr(fn, "__temporal_workflow_definition"):
        return "child_workflow"
    return "function" if callable(fn) and not inspect.isclass(fn) else None


def _name(fn: Any) -> str:
    for mark in ("__temporal_workflow_definition", "__temporal_activity_definition"):
        name = getattr(getattr(fn, mark, None), "name", None)
        if name is not None:
            return str(name)
    return str(getattr(fn, "__name__", None) or type(fn).__name__)


def _unfit(fn: Any) -> str:
    if isinstance(fn, str):
        return f"{fn!r} is a name: declare a function of that name with @activity.defn, for its types"
    if inspect.isclass(fn) and hasattr(fn, "__temporal_workflow_definition"):
        return f"it is a workflow: pass its run method, {fn.__name__}.run"
    return f"{_name(fn)} is not a function"
