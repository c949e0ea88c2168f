"""Generate a text, or JSON of a schema, that meets requirements: deterministic workflow code.

    letter = await generate(
        "Write to the customer that the delivery is late.",
        sources=(order,),
        requirements=[
            Requirement(name="short", description="At most 120 words", validator=validators.length(words=(None, 120))),
            Requirement(name="polite", description="A customer would find it polite", mandatory=True),
        ],
        models=Models(writer=small, stronger=(large,)),
        budget=Budget(attempts=6, cost_usd=0.10),
        store="s3://bucket/letters",
    )
    letter.output, letter.total, letter.scores, letter.finish_reason

Each answer of a model is a step of its own, so what was paid for is not paid again after a crash. Drafts, prompts and
sources stay in objects; the history holds references, scores and counts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, TypeVar, overload

import pydantic
from temporalio import workflow

from segue.activities import faithful
from segue.activities.errors import describe
from segue.activities.generation import steps
from segue.activities.generation.brief import Source
from segue.activities.generation.requirement import Requirement
from segue.activities.llm import Model, schema_of
from segue.activities.objects import ObjectRef
from segue.activities.system import activity_name
from segue.workflows.generation.budget import Budget
from segue.workflows.generation.errors import InvalidGeneration
from segue.workflows.generation.models import Models
from segue.workflows.generation.result import Generated
from segue.workflows.generation.review import Review
from segue.workflows.generation.running import Course, Plan
from segue.workflows.generation.shown import show

__all__ = ["Fallback", "generate"]

T = TypeVar("T")

Fallback = Callable[[ObjectRef], Awaitable[ObjectRef]]
"""An activity that takes the object of a `Brief` and returns the object of a text made without a model."""

_MOST_CANDIDATES = 20


@overload
async def generate(
    task: str | ObjectRef,
    *,
    store: str,
    output: type[T],
    models: Models | Model | None = None,
    requirements: Sequence[Requirement] = (),
    sources: Sequence[Source] = (),
    budget: Budget = ...,
    candidates: int = 1,
    plan: bool = False,
    review: Review | None = None,
    fallback: Fallback | None = None,
    keep: Literal["reference", "inline"] = "reference",
    maximum_tokens: int | None = None,
    temperature: float | None = None,
    name: str = "generate",
) -> Generated[T]: ...


@overload
async def generate(
    task: str | ObjectRef,
    *,
    store: str,
    output: None = None,
    models: Models | Model | None = None,
    requirements: Sequence[Requirement] = (),
    sources: Sequence[Source] = (),
    budget: Budget = ...,
    candidates: int = 1,
    plan: bool = False,
    review: Review | None = None,
    fallback: Fallback | None = None,
    keep: Literal["reference", "inline"] = "reference",
    maximum_tokens: int | None = None,
    temperature: float | None = None,
    name: str = "generate",
) -> Generated[str]: ...


async def generate(
    task: str | ObjectRef,
    *,
    store: str,
    output: Any = None,
    models: Models | Model | None = None,
    requirements: Sequence[Requirement] = (),
    sources: Sequence[Source] = (),
    budget: Budget = Budget(),  # noqa: B008 - immutable
    candidates: int = 1,
    plan: bool = False,
    review: Review | None = None,
    fallback: Fallback | None = None,
    keep: Literal["reference", "inline"] = "reference",
    maximum_tokens: int | None = None,
    temperature: float | None = None,
    name: str = "generate",
) -> Generated[Any]:
    """Return the best draft that the budget allows, with its scores.

    A draft is scored by code, then by evidence in the sources, then by a judge; what it costs to judge is spared where
    a mandatory requirement is not met already. The best draft is mended until every requirement is met or the budget is
    used up. Where a round brings nothing better, and where a model refuses or fails, the next stronger model goes on.

    Args:
        task: What is asked for. Text is in the history, as the first step's input; an object's is not.
        store: Object URL prefix under which everything is written.
        output: The type that the output has, as JSON: a pydantic model, a dataclass, a hint; None for text.
        models: Who writes and who judges; a single model does both.
        requirements: What drafts are scored by.
        sources: What they are made from: parsed documents, or objects of text.
        budget: What may be spent.
        candidates: How many drafts each round asks for, at once.
        plan: Whether the writer makes a plan first.
        review: Who is asked if requirements are not met in the end.
        fallback: What makes a text where no model is configured, and where none answers.
        keep: Where the result is kept: "inline" puts it into the history, and into `Generated.value`.
        maximum_tokens: Bound on each draft.
        temperature: How far drafts may stray.
        name: What it is called on the operator's screens.

    Raises:
        InvalidGeneration: It cannot be done as it is asked for. Nothing was paid for.
        ActivityError: A step failed for what is no fault of a model: a validator that is not there or broke
            (`InvalidRequirement`, `ValidatorFailed`), an object that is gone.
    """
    ladder = Models(writer=models) if isinstance(models, Model) else models
    chosen = Plan(
        name=name,
        store=store,
        requirements=tuple(requirements),
        models=ladder,
        budget=budget,
        candidates=candidates,
        plans=plan and ladder is not None,
        asked=review,
        typed=output is not None,
        maximum_tokens=maximum_tokens,
        temperature=temperature,
    )
    if problems := _problems(chosen, task, fallback):
        raise InvalidGeneration(f"{name!r} cannot be generated: {'; '.join(problems)}")
    brief = await workflow.execute_activity(
        steps.assign, _assignment(chosen, task, sources, output), summary=f"{name}: what is asked for"
    )
    course = Course(chosen, brief)
    show(name, course.loop)
    reason = await course.run() if ladder is not None else "no_model"
    if course.loop.best is None and fallback is not None:
        await course.fall_back(fallback, activity_name(fallback) or name)
    best = course.loop.best
    return Generated[Any](
        output=best.output if best is not None else None,
        value=await _value(best.output, output) if best is not None and best.output and keep == "inline" else None,
        met=best is not None and best.sheet.met,
        total=best.sheet.total if best is not None else 0.0,
        scores=best.sheet.scores if best is not None else (),
        candidates=tuple(course.loop.candidates),
        usage=course.loop.usage,
        engine=best.engine if best is not None else "",
        finish_reason=reason,
        brief=brief,
        comment=course.comment,
    )


def _problems(plan: Plan, task: str | ObjectRef, fallback: Any) -> list[str]:
    found: list[str] = []
    if isinstance(task, str) and not task.strip():
        found.append("the task is empty")
    if plan.models is None and fallback is None:
        found.append(
            "no model is configured: give models=, or fallback=, an activity that makes a text without a model"
        )
    if fallback is not None and activity_name(fallback) is None:
        found.append(f"fallback={fallback!r} is no activity: declare it with @system.activity")
    names = [one.name for one in plan.requirements]
    if twice := sorted({one for one in names if names.count(one) > 1}):
        found.append(f"several requirements are called {', '.join(map(repr, twice))}")
    if not 1 <= plan.candidates <= _MOST_CANDIDATES:
        found.append(f"candidates={plan.candidates} must be 1 to {_MOST_CANDIDATES}")
    if plan.budget.cost_usd is not None and plan.models is not None:
        models = {model.engine: model for model in (*plan.models.writers, plan.models.judging)}
        free = [engine for engine, model in models.items() if model.price is None]
        if free:
            found.append(f"budget.cost_usd needs the price of {', '.join(map(repr, free))}: give Model(price=...)")
    return found


def _assignment(plan: Plan, task: str | ObjectRef, sources: Sequence[Source], output: Any) -> steps.Assign:
    try:
        return steps.Assign(
            task=task,
            requirements=plan.requirements,
            output_schema=schema_of(output) if output is not None else None,
            sources=tuple(sources),
            store=plan.store,
        )
    except pydantic.ValidationError as error:
        raise InvalidGeneration(f"{plan.name!r} cannot be generated: {describe(error)}") from None


async def _value(ref: ObjectRef, output: Any) -> Any:
    text = await workflow.execute_activity(
        steps.read_text, steps.ReadText(source=ref), summary="the result, into the history"
    )
    return text if output is None else faithful.adapter(output).validate_json(text)
