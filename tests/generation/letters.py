"""The workflows and validators of the generation tests: letters that are asked for in every way there is."""

from __future__ import annotations

import re
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from segue.activities import ObjectRef, System, generation, objects
    from segue.activities.generation import Draft, Requirement, Verdict, validators
    from segue.workflows.generation import Budget, Generated, Models, Review, generate

office = System("generation-test-office")

LET_GO = threading.Event()
DELIVERY_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Letter(BaseModel):
    greeting: str
    lines: list[str]


def names_a_date(draft: Draft) -> Verdict:
    """Whether the letter says when."""
    found = DELIVERY_DATE.search(draft.text)
    return Verdict(1, f"names {found.group()}") if found else Verdict(0, "names no date of the form 2026-01-31")


def greets(draft: Draft) -> bool:
    return draft.text.startswith("Dear")


def two_lines(draft: Draft) -> float:
    assert draft.value is not None, "it is not JSON"
    return min(len(draft.value["lines"]) / 2, 1.0)


def breaks(draft: Draft) -> float:
    return 1 / len(draft.text[:0])


def thinks(draft: Draft) -> bool:
    """Whether the letter is good, after more thought than anybody has time for."""
    LET_GO.wait(60)
    return True


def says_nothing(draft: Draft) -> None:
    return None


def says_too_much(draft: Draft) -> float:
    return 7.0


SHORT = Requirement(name="short", description="At most 12 words", validator=validators.length(words=(None, 12)))
DATED = Requirement(name="dated", description="Names the day of delivery", mandatory=True, validator=names_a_date)
GREETS = Requirement(name="greets", description="Begins with Dear", validator=greets)
POLITE = Requirement(name="polite", description="A customer would find it polite")
QUOTES = Requirement(name="quotes", description="Quotes the order", validator=validators.quotes_in_sources())
TWO_LINES = Requirement(name="two lines", description="Has two lines", mandatory=True, validator=two_lines)
NAMED = {one.name: one for one in (SHORT, DATED, GREETS, POLITE, QUOTES, TWO_LINES)} | {
    name: Requirement(name=name, description="Can be scored", validator=validator)
    for name, validator in (
        ("breaks", breaks),
        ("nothing", says_nothing),
        ("too much", says_too_much),
        ("thinks", thinks),
    )
}


class Asked(BaseModel):
    """How to generate."""

    store: str
    models: Models | None = None
    requirements: list[str] = []
    task: str | ObjectRef = "Write that the delivery is late."
    source: ObjectRef | None = None
    budget: Budget = Budget()
    candidates: int = 1
    plan: bool = False
    review: bool = False
    fallback: bool = False
    bill: bool = False
    inline: bool = True
    structured: bool = False


@office.activity
async def form_letter(brief: ObjectRef) -> ObjectRef:
    """Make a letter without a model."""
    return await objects.write(f"{brief.url}.letter", "Dear customer, it comes on 2026-01-31.")


@office.activity
async def form_bill(brief: ObjectRef) -> ObjectRef:
    """Make a letter as JSON without a model."""
    return await objects.write(f"{brief.url}.bill", '{"greeting": "Dear customer", "line": "It comes."}')


@workflow.defn
class WriteLetter:
    """Generate as asked."""

    @workflow.run
    async def run(self, asked: Asked) -> Generated[Any]:
        ask: Callable[..., Awaitable[Generated[Any]]] = generate
        options: dict[str, Any] = {
            "store": asked.store,
            "models": asked.models,
            "requirements": [NAMED[name] for name in asked.requirements],
            "sources": [asked.source] if asked.source is not None else [],
            "budget": asked.budget,
            "candidates": asked.candidates,
            "plan": asked.plan,
            "review": Review(by=timedelta(days=1)) if asked.review else None,
            "fallback": form_bill if asked.bill else form_letter if asked.fallback else None,
            "keep": "inline" if asked.inline else "reference",
            "name": "letter",
        }
        if asked.structured:
            options["output"] = Letter
        return await ask(asked.task, **options)


WORKFLOWS: list[type] = [WriteLetter]
ACTIVITIES: list[Callable[..., Any]] = [*generation.ACTIVITIES, form_letter, form_bill]
