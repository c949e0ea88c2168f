"""What a step does to the world, and what may be done when nobody knows whether it did.

    @payments.activity(effect="at_most_once", reconcile=find_charge)
    async def charge(order: Order) -> Receipt: ...

    @stock.activity(effect="compensable", compensate=release)
    async def reserve(order: Order) -> Stock: ...

A declaration is checked when it is made: a step that contradicts itself is refused before anything runs.
"""

from __future__ import annotations

import dataclasses
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any, Final, Literal

__all__ = ["Effect", "EffectError", "EffectKind"]

EffectKind = Literal["idempotent", "at_most_once", "compensable"]
"""What another attempt of a step does. See `System.activity`."""

_KINDS: Final = typing.get_args(EffectKind)
_UNKNOWN: Final = object()


class EffectError(ValueError):
    """A step's effect that contradicts itself.

    Attributes:
        activity: Name of the activity.
    """

    def __init__(self, activity: str, problem: str) -> None:
        super().__init__(f"Activity {activity!r}: {problem}")
        self.activity = activity


@dataclasses.dataclass(frozen=True, kw_only=True)
class Effect:
    """The effect of one activity, as declared.

    Attributes:
        kind: What another attempt does.
        reconcile: Name of the activity that tells whether it happened.
        compensate: Name of the activity that undoes it.
        undo: That activity itself.
        tells_whether: Whether `reconcile` returns a bool, for the step has no result to return.
    """

    kind: EffectKind = "idempotent"
    reconcile: str | None = None
    compensate: str | None = None
    undo: Callable[..., Any] | None = None
    tells_whether: bool = False

    @classmethod
    def of(
        cls,
        name: str,
        fn: Callable[..., Any],
        kind: Any,
        reconcile: Callable[..., Any] | None,
        compensate: Callable[..., Any] | None,
    ) -> Effect:
        """Return the effect of an activity.

        Raises:
            EffectError: It contradicts itself.
        """
        if kind not in _KINDS:
            raise EffectError(name, f"effect must be {', '.join(map(repr, _KINDS))}, not {kind!r}")
        if reconcile is not None and kind != "at_most_once":
            raise EffectError(
                name,
                f'reconcile= asks whether a step happened that must not happen twice: declare effect="at_most_once", '
                f"or leave it out, for one that is {kind} is simply tried again",
            )
        if compensate is not None and kind != "compensable":
            raise EffectError(name, f'compensate= needs effect="compensable", and this is {kind}')
        if compensate is None and kind == "compensable":
            raise EffectError(name, 'effect="compensable" needs compensate=, the activity that undoes it')
        if reconcile is not None:
            reconciler = _registered(name, "reconcile", reconcile)
            return cls(kind=kind, reconcile=reconciler, tells_whether=_reconciles(name, fn, reconciler, reconcile))
        if compensate is not None:
            undoing = _registered(name, "compensate", compensate)
            _undoes(name, fn, undoing, compensate)
            return cls(kind=kind, compensate=undoing, undo=compensate)
        return cls(kind=kind)


def _registered(name: str, role: str, fn: Any) -> str:
    # Temporal's decorator leaves its definition here; there is no public way to ask for what it holds.
    found = getattr(getattr(fn, "__temporal_activity_definition", None), "name", None)
    if not isinstance(found, str):
        raise EffectError(name, f"{role}= must be an activity that is declared before it, not {fn!r}")
    return found


def _reconciles(name: str, fn: Callable[..., Any], reconciler: str, reconcile: Callable[..., Any]) -> bool:
    """Check an activity that tells whether a step happened, and return whether it does so with a bool."""
    takes, returns = _signature(fn)
    asks, answers = _signature(reconcile)
    if len(takes) != len(asks) or not all(map(_same, takes, asks)):
        raise EffectError(
            name,
            f"reconcile={reconciler} must take what it takes, ({_listed(takes)}), and takes ({_listed(asks)})",
        )
    if returns is _UNKNOWN or answers is _UNKNOWN:
        return False
    if returns is None:
        if answers is not bool:
            raise EffectError(
                name,
                f"it returns nothing, so reconcile={reconciler} must return a bool, whether it happened, and returns "
                f"{_shown(answers)}",
            )
        return True
    if _optional(returns):
        raise EffectError(
            name,
            f"it returns {_shown(returns)}, and None from reconcile={reconciler} would mean that it did not happen: "
            "let it return something when it has happened",
        )
    if not _same(returns, _without_none(answers)):
        raise EffectError(
            name,
            f"reconcile={reconciler} must return {_shown(returns)} | None, its result or that it did not happen, and "
            f"returns {_shown(answers)}",
        )
    return False


def _undoes(name: str, fn: Callable[..., Any], undoing: str, compensate: Callable[..., Any]) -> None:
    _, returns = _signature(fn)
    takes, _ = _signature(compensate)
    if len(takes) != 1 or not _same(returns, takes[0]):
        raise EffectError(
            name,
            f"compensate={undoing} must take one argument, what it returns ({_shown(returns)}), and takes "
            f"({_listed(takes)})",
        )


def _signature(fn: Callable[..., Any]) -> tuple[list[Any], Any]:
    """Return the hints of an activity's parameters and of its result; `_UNKNOWN` where they say nothing."""
    called: Any = fn.__call__ if inspect.isclass(fn) else fn
    try:
        hints = typing.get_type_hints(called)
    except Exception:  # a hint that only a type checker can resolve
        hints = {}
    names = list(inspect.signature(called).parameters)
    names = names[1:] if names[:1] == ["self"] else names
    result = hints.get("return", _UNKNOWN)
    return [hints.get(one, _UNKNOWN) for one in names], None if result is types.NoneType else result


def _same(one: Any, other: Any) -> bool:
    return one is _UNKNOWN or other is _UNKNOWN or Any in (one, other) or one == other


def _optional(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType) and types.NoneType in typing.get_args(hint)


def _without_none(hint: Any) -> Any:
    if not _optional(hint):
        return hint
    members = tuple(member for member in typing.get_args(hint) if member is not types.NoneType)
    return members[0] if len(members) == 1 else typing.Union[members]  # noqa: UP007 - of members known only here


def _listed(hints: list[Any]) -> str:
    return ", ".join(map(_shown, hints))


def _shown(hint: Any) -> str:
    if hint is _UNKNOWN:
        return "?"
    return hint.__name__ if inspect.isclass(hint) else str(hint)
