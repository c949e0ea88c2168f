"""What is wrong with a graph as declared: all of it, a sentence each, before anything starts."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from temporalio import workflow

from segue.workflows.graph.errors import quoted
from segue.workflows.graph.hints import UNKNOWN, Parameter, Signature, admits, fits, refusal, shown, signature
from segue.workflows.graph.plan import Plan
from segue.workflows.graph.rules import Rule, assured
from segue.workflows.graph.step import (
    Declaration,
    Kind,
    Outcome,
    Step,
    hidden,
    is_listed,
    is_outcome,
    is_step,
    references,
)

__all__ = ["problems", "problems_missed_before"]

_OPTIONS: Final[dict[Kind, tuple[str, dict[str, Any]]]] = {
    "activity": ("an activity", typing.get_type_hints(workflow.ActivityConfig)),
    "child_workflow": ("a child workflow", typing.get_type_hints(workflow.ChildWorkflowConfig)),
    "function": ("plain code of the workflow", {}),
}
# Rules that ask for one step of a kind, which nothing before a step cannot have.
_NEED_ONE: Final = (Rule.ALL_FAILED, Rule.ONE_SUCCEEDED, Rule.ONE_FAILED, Rule.NONE_FAILED_MIN_ONE_SUCCEEDED)


def problems(steps: Sequence[Step[Any]], plan: Plan) -> Iterator[str]:
    """Yield what keeps a graph from running, step by step in the order of their declaration."""
    signatures = _Signatures()
    yield from _same_names(plan)
    for step in steps:
        declared = step.declaration
        yield from _no_steps(declared)
        yield from _strangers(declared)
        yield from _edges(declared, plan)
        yield from _call(declared, plan, signatures)
    if cycle := plan.cycle():
        names = [repr(plan.steps[index].name) for index in (*cycle, cycle[0])]
        yield f"Steps wait for each other in a cycle: {' → '.join(names)}"


def problems_missed_before(steps: Sequence[Step[Any]], plan: Plan) -> Iterator[str]:
    """Yield what else keeps a graph from running as it is declared, of which earlier versions took no notice.

    They let such a graph begin, and its run is to go on.
    """
    yield from _same_ids(plan)
    for step in steps:
        yield from _no_rule(step.declaration)
        yield from _no_items(step.declaration)
        yield from _hidden(step.declaration)
        yield from _option_types(step.declaration)


def _same_names(plan: Plan) -> Iterator[str]:
    seen: dict[str, int] = {}
    for step in plan.steps:
        seen[step.name] = seen.get(step.name, 0) + 1
    for name, count in seen.items():
        if count > 1:
            yield f"{count} steps are named {name!r}: give each a name of its own"


def _same_ids(plan: Plan) -> Iterator[str]:
    """An id that a step was given must be no other's; those that it was not given are its name's."""
    holders: dict[str, list[Declaration]] = {}
    for step in plan.steps:
        if step.kind == "activity" and not step.mapped:
            holders.setdefault(step.options.get("activity_id") or step.name, []).append(step)
    for id, steps in holders.items():
        if len(steps) > 1 and any(step.options.get("activity_id") for step in steps):
            yield (
                f"Steps {quoted([step.name for step in steps])} have the activity id {id!r}, by which Temporal tells "
                "them apart: leave activity_id out"
            )


def _no_rule(step: Declaration) -> Iterator[str]:
    if not _is_rule(step.when):
        yield f"Step {step.name!r} has when={step.when!r}, which is no rule: pass one, such as ALL_DONE"


def _no_items(step: Declaration) -> Iterator[str]:
    if step.mapped and not is_step(items := step.args[0]) and not is_outcome(items) and not is_listed(items):
        yield f"Step {step.name!r} maps over a value of type {type(items).__name__!r}: pass a list, or a step"


def _hidden(step: Declaration) -> Iterator[str]:
    for other, kind in hidden(step.args):
        yield (
            f"Step {step.name!r} is given {other.name!r} inside of a {kind}, where no result takes its place: pass it "
            "as an argument, or in a list that is one"
        )


def _option_types(step: Declaration) -> Iterator[str]:
    known = {"name": str, **(_OPTIONS[step.kind][1] if step.kind is not None else {})}
    for name, value in {"name": step.name, **step.options}.items():
        if name in known and not admits(known[name], value):
            yield f"Step {step.name!r} has {name}={value!r}, but takes it as {shown(known[name])}"


def _no_steps(step: Declaration) -> Iterator[str]:
    what = f"Step {step.name!r}"
    for relation, others in (("stands after", step.after), ("is a teardown of", step.teardown_of)):
        for other in others:
            if not is_step(other):
                yield f"{what} {relation} {other!r}, which is no step: pass what graph.step returned"


def _strangers(step: Declaration) -> Iterator[str]:
    needed = [one for one in (*references(step.args), *step.after, *step.teardown_of) if is_step(one)]
    for name in dict.fromkeys(other.name for other in needed if other.declaration.graph is not step.graph):
        yield f"Step {step.name!r} needs {name!r}, which is not in the graph"


def _edges(step: Declaration, plan: Plan) -> Iterator[str]:
    before = [plan.steps[index] for index in plan.before[step.index]]
    what = f"Step {step.name!r}"
    if step.teardown_of:
        if step.when is not Rule.ALL_SUCCEEDED and _is_rule(step.when):
            yield f"{what} is a teardown, which runs whenever its setup completed: leave out when={step.when.name}"
        if step.branch:
            yield f"{what} is a branch, which cannot be a teardown"
    elif teardowns := [one.name for one in before if one.teardown_of]:
        yield f"{what} stands after the teardown {quoted(teardowns)}: only a teardown may"
    if not before and step.when in _NEED_ONE and _is_rule(step.when):
        yield f"{what} waits for {step.when.name}, but nothing stands before it"
    if step.branch and not any(not plan.steps[index].teardown_of for index in plan.after[step.index]):
        yield f"{what} is a branch with no step after it to choose: declare steps with after={step.name}"
    if step.mapped and not (_is_number(step.concurrency) and step.concurrency >= 1):
        yield f"{what} has concurrency={step.concurrency!r}, which lets nothing run: it must be at least 1"


def _call(step: Declaration, plan: Plan, signatures: _Signatures) -> Iterator[str]:
    what = f"Step {step.name!r}"
    if step.kind is None:
        yield f"{what}: {_unfit(step.fn)}"
        return
    if step.kind == "function" and not step.branch:
        yield f"{what}: {_unfit(step.fn)}"
        return
    described, known = _OPTIONS[step.kind]
    if strange := [name for name in step.options if name not in known]:
        yield f"{what} is {described}, which takes no {', '.join(strange)}"
    if step.mapped and (single := [name for name in ("activity_id", "id") if name in step.options]):
        yield f"{what} runs once for each item, which cannot all have the same {single[0]}: leave it out"
    taken = signatures.of(step.fn)
    if taken is None:
        return
    given = len(step.args)
    if given < taken.required:
        missing = [parameter.name for parameter in taken.parameters[given:] if parameter.required]
        yield f"{what} lacks {quoted(missing)}: {_count(given)} given, {_name(step.fn)} takes {_arity(taken)}"
    elif given and taken.parameter(given - 1) is None:
        yield f"{what} has {_count(given)}, but {_name(step.fn)} takes {_arity(taken)}"
    for position, arg in enumerate(step.args):
        if (parameter := taken.parameter(position)) is not None:
            yield from _argument(step, arg, parameter, plan, signatures, is_items=step.mapped and position == 0)


def _argument(
    step: Declaration, arg: Any, parameter: Parameter, plan: Plan, signatures: _Signatures, *, is_items: bool
) -> Iterator[str]:
    what, named = f"Step {step.name!r}", f"{parameter.name!r}"
    if not any(True for _ in references([arg])):
        values: Iterable[Any] = (arg if _is_iterable(arg) else ()) if is_items else (arg,)
        if step.kind != "function":  # what plain code is given goes nowhere
            reasons = (refusal(value, parameter.hint) for value in values)
            yield from (f"{what} cannot take {named}: {why}" for why in reasons if why is not None)
        return
    others = [one for one in references([arg]) if one.declaration.graph is step.graph]
    if step.when is Rule.ALWAYS and others:
        yield f"{what} starts at once (ALWAYS), so it cannot take {named} from {_names(others)}: use ALL_DONE"
        return
    results = [one for one in _results([arg]) if one.declaration.graph is step.graph]
    if step.when is Rule.ALL_FAILED and results:
        yield (
            f"{what} runs only if {_names(results)} failed (ALL_FAILED), so there is no result for {named}: "
            f"pass {results[0].name}.outcome"
        )
        return
    if is_outcome(arg) and not fits(Outcome, _bare(parameter.hint)):
        yield f"{what} takes {named} as {shown(parameter.hint)}, but is given an Outcome: pass the step itself"
        return
    # Of a list of steps only the receiver can tell what each item should be.
    if is_step(arg) and arg.declaration.graph is step.graph:
        yield from _result(step, arg, parameter, plan, signatures, is_items=is_items)


def _result(
    step: Declaration,
    other: Step[Any],
    parameter: Parameter,
    plan: Plan,
    signatures: _Signatures,
    *,
    is_items: bool,
) -> Iterator[str]:
    what, named = f"Step {step.name!r}", f"{parameter.name!r}"
    returns = signatures.result(other.declaration)
    if is_items:
        yield from _items(step, other, returns, parameter, plan)
        return
    if not _is_assured(step, other, plan) and not fits(type(None), parameter.hint):
        rule = "a teardown" if step.teardown_of else step.when.name
        yield (
            f"{what} may run without a result of {other.name!r} ({rule}), but takes {named} as "
            f"{shown(parameter.hint)}: declare it {shown(parameter.hint)} | None, or pass {other.name}.outcome"
        )
    if not fits(returns, parameter.hint):
        yield f"{what} takes {named} as {shown(parameter.hint)}, but {other.name!r} returns {shown(returns)}"


def _items(step: Declaration, other: Step[Any], returns: Any, parameter: Parameter, plan: Plan) -> Iterator[str]:
    what = f"Step {step.name!r}"
    if not _is_assured(step, other, plan):
        yield f"{what} may run without a result of {other.name!r} ({step.when.name}), and so without items"
    if not fits(returns, types.GenericAlias(list, (parameter.hint,)) if parameter.hint is not UNKNOWN else list):
        yield (
            f"{what} takes each item as {shown(parameter.hint)}, but {other.name!r} returns {shown(returns)}"
            if parameter.hint is not UNKNOWN
            else f"{what} maps over the result of {other.name!r}, which is {shown(returns)} and no list"
        )


def _is_assured(step: Declaration, other: Step[Any], plan: Plan) -> bool:
    """Whether a step, if it runs, has the result of another."""
    if step.teardown_of:
        return plan.setups[step.index] == [other.declaration.index]
    # What is no rule is said elsewhere.
    return not _is_rule(step.when) or assured(step.when, len(plan.before[step.index]))


def _results(args: Sequence[Any]) -> Iterator[Step[Any]]:
    """Yield the steps whose results are passed, and not their outcomes."""
    for arg in args:
        if is_step(arg):
            yield arg
        elif is_listed(arg):
            yield from _results(arg)


class _Signatures:
    """Signatures by function, read once for a graph: many steps may call the same."""

    def __init__(self) -> None:
        self._known: dict[Any, Signature | None] = {}

    def of(self, fn: Callable[..., Any]) -> Signature | None:
        """Return what a function takes; None if it does not say."""
        if fn not in self._known:
            try:
                self._known[fn] = signature(fn)
            except (TypeError, ValueError):  # some callables made in C
                self._known[fn] = None
        return self._known[fn]

    def result(self, step: Declaration) -> Any:
        """Return the type of a step's result."""
        found = self.of(step.fn) if step.kind is not None else None
        if step.branch:
            return tuple[str, ...]
        if found is None or found.returns is UNKNOWN:
            return UNKNOWN
        return types.GenericAlias(list, (found.returns,)) if step.mapped else found.returns


def _unfit(fn: Any) -> str:
    if isinstance(fn, str):
        return f"{fn!r} is a name: declare a function of that name with @activity.defn, for its types"
    if inspect.isclass(fn) and hasattr(fn, "__temporal_workflow_definition"):
        return f"{fn.__name__} is a workflow: pass its run method, such as {fn.__name__}.run"
    return f"{_name(fn)} is neither an activity nor a workflow's run method: decorate it with @activity.defn"


def _bare(hint: Any) -> Any:
    """Return the hint with the parameters of `Outcome` left out: what a step returns may differ from what is taken."""
    return Outcome if getattr(hint, "__origin__", None) is Outcome else hint


def _name(fn: Any) -> str:
    return getattr(fn, "__name__", None) or repr(fn)


def _names(steps: Sequence[Step[Any]]) -> str:
    return quoted([step.name for step in steps])


def _is_rule(when: Any) -> bool:
    return isinstance(when, Rule)


def _is_number(concurrency: Any) -> bool:
    return isinstance(concurrency, int)


def _is_iterable(items: Any) -> bool:
    return isinstance(items, Iterable)


def _count(count: int) -> str:
    return f"{count} argument{'' if count == 1 else 's'}"


def _arity(taken: Signature) -> str:
    if taken.rest is not None:
        return f"{taken.required} or more"
    most = len(taken.parameters)
    return str(most) if taken.required == most else f"{taken.required} to {most}"
