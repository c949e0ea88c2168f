"""One way after another: the next where the last has failed.

receipt = await fallback(call(charge_card, order), call(charge_account, order), on="CardDeclined")
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from temporalio.exceptions import is_cancelled_exception

from segue.activities.errors import Terminal
from segue.workflows.calls import Call, InvalidCall, execute, no_calls
from segue.workflows.features import Feature, has
from segue.workflows.interruption import is_of_the_worker
from segue.workflows.repair.rule import handled
from segue.workflows.reroute.errors import AllFailed, Reason, Reasons
from segue.workflows.summary import summarize

__all__ = ["fallback", "in_place_of"]

R = TypeVar("R")


async def fallback(
    first: Call[R],
    /,
    *others: Call[R],
    on: Sequence[Reason] | Reason | None = None,
    unless: Sequence[Reason] | Reason = (),
) -> R:
    """Return the result of the first call, or of the next where it failed with an error that leads there.

    Each has the retries of its own system's policy before it has failed. Where a system parks, only the last way does,
    and an error that leads nowhere. Mind the error of which nobody knows whether
    the step took effect, such as a timeout: lead it to another way only where a second effect does no harm.

    Args:
        first: The call to be made.
        others: Those to be made in its place, in this order.
        on: Which errors lead to the next: classes, their names, kinds of timeouts; None for all.
        unless: Which do not, of those.

    Raises:
        InvalidCall: There is nothing to fall back to, or what is given is no call. Nothing was started.
        AllFailed: All have failed, each with an error that leads to the next.
        ActivityError: One has failed with an error that does not. Likewise `ChildWorkflowError`.
    """
    reasons = Reasons(on, unless)
    calls = (first, *others)
    if not others:
        raise Terminal("fallback() has nothing to fall back to: give a second call", type="InvalidCall")
    if (found := no_calls(calls)) and has(Feature.REFUSED_EARLY):
        raise InvalidCall(f"fallback() cannot be made: {'; '.join(found)}")
    errors: list[tuple[str, BaseException]] = []
    for call in calls:
        # An error that leads to another way fails the step, which would otherwise park and never lead there.
        leads_on = reasons.hold if call is not calls[-1] else _leads_nowhere
        try:
            with handled(leads_on):
                return await execute(call, **(in_place_of(first, call) if errors else {}))
        except Exception as error:
            if is_of_the_worker(error) or is_cancelled_exception(error):
                raise
            errors.append((str(call), error))
            if not reasons.hold(error):
                for name, _ in errors[:-1]:
                    error.add_note(f"{name} had failed before")
                raise
    raise AllFailed("fallback", errors) from errors[-1][1]


def _leads_nowhere(error: BaseException) -> bool:
    return False


def in_place_of(first: Call[Any], call: Call[Any]) -> dict[str, Any]:
    """Return the summary by which operators see why a call is made."""
    parts = [told] if (told := summarize(call.args)) is not None else []
    summary = ", ".join([*parts, f"in place of {first.name}"])
    match call.kind:
        case "activity":
            return {"summary": summary}
        case "child_workflow":
            return {"static_summary": summary}
        case "function":
            return {}
