"""Requirements: the loop of generation against a single answer, on prompts with constraints that code can check.

    rows = measure(Path("data"))

The prompts and their constraints are IFEval's (google-research): "at least 300 words", "no commas", "end with ...".
Each constraint becomes a `Requirement` with a validator, and each prompt is generated twice by the same model: with one
attempt, and with several. Whatever a model makes of the rest of a prompt is not looked at, by either.

Which model: that of `SEGUE_EVALS_MODEL`, a `Model` as JSON such as `{"name": "...", "base_url": "...", "key": {"ref":
"env:KEY"}}`; else the local one, if it is installed. `SEGUE_EVALS_PROMPTS` says how many prompts, by default 30.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import tempfile
import time
import uuid
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from temporalio.client import Client
    from temporalio.worker import Worker

    from segue.activities import generation, llm
    from segue.activities.generation import Draft, Requirement, Validator, Verdict, validators
    from segue.activities.llm import Model
    from segue.activities.settings import Settings
    from segue.client import SeguePlugin
    from segue.workers.server import dev_server
    from segue.workflows import Budget, generate

__all__ = ["Generate", "Task", "measure", "tasks"]

MODEL: Final = "SEGUE_EVALS_MODEL"
PROMPTS: Final = "SEGUE_EVALS_PROMPTS"

_ATTEMPTS: Final = 4
_AT_ONCE: Final = 4
_TOKENS: Final = 700


class Task(BaseModel):
    """A prompt with what can be checked of it."""

    key: int
    prompt: str
    requirements: tuple[Requirement, ...]


class Asked(BaseModel):
    """A task as a run is given it."""

    task: Task
    model: Model
    attempts: int
    store: str


class Outcome(BaseModel):
    """What came of it: how many constraints are met, and what it took."""

    met: int
    of: int
    attempts: int
    tokens: int
    cost_usd: float | None
    engine: str


@workflow.defn(name="segue.evals.Generate")
class Generate:
    """Generate one prompt."""

    @workflow.run
    async def run(self, asked: Asked) -> Outcome:
        """Return how many constraints the best draft meets."""
        made = await generate(
            asked.task.prompt,
            models=asked.model,
            requirements=asked.task.requirements,
            budget=Budget(attempts=asked.attempts),
            maximum_tokens=_TOKENS,
            store=asked.store,
        )
        return Outcome(
            met=sum(score.met for score in made.scores),
            of=len(asked.task.requirements),
            attempts=len(made.candidates),
            tokens=made.usage.tokens,
            cost_usd=made.usage.cost_usd,
            engine=asked.model.engine,
        )


def measure(data: Path, *, prompts: int | None = None, attempts: int = _ATTEMPTS) -> list[dict[str, Any]]:
    """Return a row for a single answer and one for the loop: the shares that are met, and what that took."""
    chosen = _spread(tasks(data / "ifeval"), prompts or int(os.environ.get(PROMPTS, "30")))
    return asyncio.run(_measured(chosen, attempts))


def tasks(folder: Path) -> list[Task]:
    """Return the prompts of which every constraint can be checked here."""
    found: list[Task] = []
    for line in (folder / "input_data.jsonl").read_text().splitlines():
        row = json.loads(line)
        made = [
            _requirement(number, name, given)
            for number, (name, given) in enumerate(zip(row["instruction_id_list"], row["kwargs"], strict=True), 1)
        ]
        known = [one for one in made if one is not None]
        if len(known) == len(made):
            found.append(Task(key=row["key"], prompt=row["prompt"], requirements=tuple(known)))
    return found


async def _measured(chosen: list[Task], attempts: int) -> list[dict[str, Any]]:
    async with _model() as model:
        if model is None:
            why = f"no model: set {MODEL}, or run `segue model setup`"
            return [{"eval": "requirements", "way": "not run", "engine": why}]
        async with dev_server(None, port=0, ui_port=None) as server:
            client = await Client.connect(server.address, plugins=[SeguePlugin(settings=Settings())])
            queue = f"evals-{uuid.uuid4()}"
            with tempfile.TemporaryDirectory(prefix="segue-evals-") as store:
                async with Worker(client, task_queue=queue, workflows=[Generate], activities=generation.ACTIVITIES):
                    return [
                        await _row(client, queue, way, chosen, model, most, store)
                        for way, most in (("single answer", 1), (f"loop of {attempts}", attempts))
                    ]


async def _row(
    client: Client, queue: str, way: str, chosen: list[Task], model: Model, attempts: int, store: str
) -> dict[str, Any]:
    slots, began = asyncio.Semaphore(_AT_ONCE), time.perf_counter()

    async def one(task: Task) -> Outcome:
        async with slots:
            asked = Asked(task=task, model=model, attempts=attempts, store=f"{store}/{attempts}")
            return await client.execute_workflow(
                Generate.run, asked, id=f"{queue}-{attempts}-{task.key}", task_queue=queue
            )

    made = await asyncio.gather(*map(one, chosen))
    costs = [outcome.cost_usd for outcome in made]
    return {
        "eval": "requirements",
        "way": way,
        "engine": model.engine,
        "prompts": len(made),
        "prompts met": sum(outcome.met == outcome.of for outcome in made) / len(made),
        "constraints met": sum(outcome.met for outcome in made) / sum(outcome.of for outcome in made),
        "attempts": sum(outcome.attempts for outcome in made) / len(made),
        "tokens": sum(outcome.tokens for outcome in made),
        "cost_usd": None if None in costs else sum(cost for cost in costs if cost is not None),
        "seconds": time.perf_counter() - began,
    }


@contextlib.asynccontextmanager
async def _model() -> AsyncGenerator[Model | None]:
    if told := os.environ.get(MODEL):
        yield Model.model_validate_json(told)
    elif llm.local_model_problem() is not None:
        yield None
    else:
        async with llm.local_model() as model:
            yield model


def _spread(found: list[Task], count: int) -> list[Task]:
    """Return so many tasks, spread evenly over all of them."""
    step = max(len(found) / count, 1)
    return [found[int(at * step)] for at in range(min(count, len(found)))]


def _requirement(number: int, name: str, given: dict[str, Any]) -> Requirement | None:
    made = _CHECKS.get(name)
    if made is None:
        return None
    description, validator = made(given)
    return Requirement(
        name=f"{number} {name.partition(':')[2]}", description=description, target=1.0, validator=validator
    )


Made = tuple[str, Validator]


def _counted(what: str, relation: str, count: int, pattern: str) -> Made:
    """Return a constraint on how often a pattern matches, in IFEval's two relations."""
    if relation == "at least":
        return f"Holds {what} at least {count} times.", validators.matches(pattern, at_least=count)
    return f"Holds {what} less than {count} times.", validators.matches(pattern, at_least=0, at_most=max(count - 1, 0))


def _bounds(relation: str, count: int) -> tuple[int | None, int | None]:
    return (count, None) if relation == "at least" else (None, count - 1)


def _words(given: dict[str, Any]) -> Made:
    relation, count = given["relation"], given["num_words"]
    return f"Has {relation} {count} words.", validators.length(words=_bounds(relation, count))


def _sentences(given: dict[str, Any]) -> Made:
    relation, count = given["relation"], given["num_sentences"]
    return f"Has {relation} {count} sentences.", validators.length(sentences=_bounds(relation, count))


def _frequency(given: dict[str, Any]) -> Made:
    word = given["keyword"]
    return _counted(f"the word {word!r}", given["relation"], given["frequency"], rf"(?i)\b{re.escape(word)}\b")


def _letters(given: dict[str, Any]) -> Made:
    letter = given["letter"]
    return _counted(
        f"the character {letter!r}", given["let_relation"], given["let_frequency"], f"(?i){re.escape(letter)}"
    )


def _capitals(given: dict[str, Any]) -> Made:
    return _counted(
        "words in capital letters", given["capital_relation"], given["capital_frequency"], r"\b[A-Z][A-Z\d'\-]*\b"
    )


def _paragraphs(given: dict[str, Any]) -> Made:
    count = given["num_paragraphs"]
    return f"Has {count} paragraphs separated by ***.", Validator.of(count_parts, divider=r"\s?\*\*\*\s?", count=count)


def _sections(given: dict[str, Any]) -> Made:
    word, count = given["section_spliter"], given["num_sections"]
    pattern = rf"(?:^|\n)\s*{re.escape(word)}\s?\d+"
    return f"Has {count} sections, each begun by {word} and its number.", validators.matches(pattern, at_least=count)


def _nth(given: dict[str, Any]) -> Made:
    count, place, word = given["num_paragraphs"], given["nth_paragraph"], given["first_word"]
    return (
        f"Has {count} paragraphs separated by empty lines, and paragraph {place} begins with {word!r}.",
        Validator.of(nth_begins, count=count, place=place, word=word),
    )


def _phrase(phrase: str) -> Made:
    return f"Ends with exactly this: {phrase}", validators.ends_with(phrase)


_CHECKS: Final[dict[str, Callable[[dict[str, Any]], Made]]] = {
    "punctuation:no_comma": lambda _: ("Holds no comma.", validators.matches(",", at_least=0, at_most=0)),
    "length_constraints:number_words": _words,
    "length_constraints:number_sentences": _sentences,
    "length_constraints:number_paragraphs": _paragraphs,
    "length_constraints:nth_paragraph_first_word": _nth,
    "keywords:frequency": _frequency,
    "keywords:letter_frequency": _letters,
    "keywords:existence": lambda given: (
        f"Holds the words {', '.join(given['keywords'])}.",
        validators.contains(*given["keywords"]),
    ),
    "keywords:forbidden_words": lambda given: (
        f"Holds none of the words {', '.join(given['forbidden_words'])}.",
        validators.excludes(*given["forbidden_words"]),
    ),
    "change_case:english_lowercase": lambda _: (
        "Holds no capital letter.",
        validators.matches("[A-Z]", at_least=0, at_most=0),
    ),
    "change_case:english_capital": lambda _: (
        "Holds capital letters only.",
        validators.matches("[a-z]", at_least=0, at_most=0),
    ),
    "change_case:capital_word_frequency": _capitals,
    "detectable_format:number_highlighted_sections": lambda given: _counted(
        "*highlighted* sections", "at least", given["num_highlights"], r"\*\*?[^\n*]+\*\*?"
    ),
    "detectable_format:number_bullet_lists": lambda given: (
        f"Has exactly {given['num_bullets']} bullet points.",
        validators.matches(
            r"^\s*(?:\*[^*\n]|-[^-\n])[^\n]*", at_least=given["num_bullets"], at_most=given["num_bullets"]
        ),
    ),
    "detectable_format:title": lambda _: (
        "Has a title in <<double angular brackets>>.",
        validators.matches("<<[^\n]+>>"),
    ),
    "detectable_format:json_format": lambda _: ("Is JSON as a whole.", validators.is_json()),
    "detectable_format:multiple_sections": _sections,
    "detectable_content:number_placeholders": lambda given: _counted(
        "placeholders in [square brackets]", "at least", given["num_placeholders"], r"\[.*?\]"
    ),
    "detectable_content:postscript": lambda given: (
        f"Has a postscript that begins with {given['postscript_marker']}",
        validators.matches(rf"(?i)^\s*{re.escape(given['postscript_marker'])}"),
    ),
    "startend:quotation": lambda _: ("Stands as a whole in double quotation marks.", Validator.of(is_quoted)),
    "startend:end_checker": lambda given: _phrase(given["end_phrase"]),
    "combination:repeat_prompt": lambda given: (
        "Begins with the request, word for word.",
        Validator.of(begins_with, text=given["prompt_to_repeat"]),
    ),
    "combination:two_responses": lambda _: (
        "Gives two different answers, separated by ******.",
        Validator.of(count_parts, divider=r"\*\*\*\*\*\*", count=2),
    ),
}


def count_parts(draft: Draft, divider: str, count: int) -> Verdict:
    """Return 1 if a divider parts the draft into so many different parts."""
    parts = [part.strip() for part in re.split(divider, draft.text)]
    filled = [part for at, part in enumerate(parts) if part or 0 < at < len(parts) - 1]
    if len(filled) == count and all(filled) and len(set(filled)) == count:
        return Verdict(1, f"has {count} parts")
    return Verdict(0, f"has {len(filled)} parts, not {count}")


def nth_begins(draft: Draft, count: int, place: int, word: str) -> Verdict:
    """Return 1 if there are so many paragraphs and one of them begins with a word."""
    parts = [part.strip() for part in re.split(r"\n\n", draft.text) if part.strip()]
    if len(parts) != count:
        return Verdict(
            0.5 * min(len(parts), count) / max(len(parts), count), f"has {len(parts)} paragraphs, not {count}"
        )
    first = parts[place - 1].split()[0].strip("'\".,;:!?").lower()
    return Verdict(1, "it does") if first == word.lower() else Verdict(0.5, f"paragraph {place} begins with {first!r}")


def is_quoted(draft: Draft) -> bool:
    """Whether the whole stands in quotation marks."""
    text = draft.text.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'


def begins_with(draft: Draft, text: str) -> bool:
    """Whether the draft begins with a text."""
    return draft.text.strip().lower().startswith(text.strip().lower())
