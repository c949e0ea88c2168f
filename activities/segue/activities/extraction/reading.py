"""One document read: by rules, then by a model where rules are not sure; each value checked, what failed asked again.

    extraction = await read(parsed, Lease, Reading(store="s3://work"))

Rules are free and exact, so they go first. A model is asked for the fields that rules found nothing for, are not sure
of, or that the form refuses; what it claims is checked, and what is rejected is asked again with the reason. What still
fails is a question to a person.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel

from segue.activities import llm
from segue.activities.documents import ParsedDocument
from segue.activities.extraction.asking import Passages, ask
from segue.activities.extraction.checking import Checked, Claim, check
from segue.activities.extraction.filling import Filled, fill
from segue.activities.extraction.form import FormField, fields_of
from segue.activities.extraction.records import Extraction, Question, Value, plain
from segue.activities.extraction.rules.amounts import money_of
from segue.activities.extraction.rules.finding import find

__all__ = ["RULES", "Reading", "read"]

RULES: Final = "rules"
"""The engine of a value that rules found."""

_MODEL_CONFIDENCE: Final = 0.85
_AGREED_CONFIDENCE: Final = 0.97


@dataclasses.dataclass(frozen=True)
class Reading:
    """How documents are read.

    Attributes:
        store: Where prompts and answers of a model are kept.
        model: A model that is asked for what rules do not find for sure; None for rules alone.
        minimum_confidence: What a value of rules must reach to be accepted unseen. A model's is accepted when its quote
            holds.
        attempts: How often a model is asked for a field, the first included.
    """

    store: str
    model: llm.Model | None = None
    minimum_confidence: float = 0.6
    attempts: int = 2


@dataclasses.dataclass(frozen=True)
class _Held:
    """A value that is held for a field, for now."""

    value: Any
    start: int
    end: int
    engine: str
    confidence: float


async def read(parsed: ParsedDocument, model: type[BaseModel], how: Reading) -> Extraction:
    """Return what a document says to a form's fields.

    Raises:
        ModelUnavailable: The model does not answer now.
        ModelError: The model cannot be asked at all.
    """
    began = time.perf_counter()
    document = _Document(parsed, model, how)
    await asyncio.to_thread(document.by_rules)
    if how.model is not None:
        await document.by_model(how.model)
    return document.extraction(time.perf_counter() - began)


class _Document:
    """One document while it is read."""

    def __init__(self, parsed: ParsedDocument, model: type[BaseModel], how: Reading) -> None:
        self.parsed = parsed
        self.model = model
        self.how = how
        self.fields = fields_of(model)
        self.held: dict[str, list[_Held]] = {field.name: [] for field in self.fields}
        self.rejected: dict[str, str] = {}
        self.usage = llm.Usage()

    def by_rules(self) -> None:
        for found in find(self.parsed, self.fields):
            held = _Held(found.value, found.start, found.end, RULES, found.confidence)
            self.held[found.field].append(held)

    async def by_model(self, model: llm.Model) -> None:
        open_ = self.open()
        passages = await asyncio.to_thread(Passages, self.parsed) if open_ else None
        for attempt in range(self.how.attempts):
            if not open_ or passages is None:
                return
            spans = await asyncio.to_thread(passages.of, open_)
            try:
                claims, engine, usage = await ask(
                    model, self.parsed, spans, open_, self.rejected, store=self.how.store, attempt=attempt
                )
            except (llm.Refused, llm.Truncated, llm.InvalidOutput, llm.ContextTooLong) as error:
                # The next attempt, and else a person, has another chance; a model that is not there has none.
                self.usage += error.spent or llm.Usage()
                self.rejected |= {field.name: f"there was no usable answer ({error.type})" for field in open_}
                continue
            self.usage += usage
            for field in open_:
                self._take(field, claims.get(field.name, []), engine)
            # A null is an answer; only what was claimed and does not hold is asked again.
            failed = {field.name for field in self.open()} & self.rejected.keys()
            open_ = [field for field in open_ if field.name in failed]

    def open(self) -> list[FormField]:
        """Return the fields that are not settled."""
        filled = self.filled()
        return [
            field
            for field in self.fields
            if not self.held[field.name] or field.name in filled.refused or self._unsure(field)
        ]

    def _unsure(self, field: FormField) -> list[_Held]:
        """Return the values of a field that rules are not sure of; what a model says is held against its quote."""
        least = self.how.minimum_confidence
        return [one for one in self.held[field.name] if one.engine == RULES and one.confidence < least]

    def filled(self) -> Filled:
        return fill(self.model, self.fields, {name: [one.value for one in held] for name, held in self.held.items()})

    def extraction(self, seconds: float) -> Extraction:
        filled = self.filled()
        values: list[Value] = []
        questions: list[Question] = []
        for field in self.fields:
            held = self.held[field.name]
            if held and field.name in filled.refused:
                place = held[0]
                questions.append(_question(field, "invalid", filled.refused[field.name], place))
                continue
            values += [_value(self.parsed, field, position, one) for position, one in enumerate(held)]
            if unsure := self._unsure(field):
                detail = f"found by {unsure[0].engine}, with a confidence of {unsure[0].confidence:.2f}"
                questions.append(_question(field, "unsure", self._told(field, detail), unsure[0]))
            elif not held and (field.required or field.name in self.rejected):
                questions.append(_question(field, "missing", self._told(field, "nothing was found"), None))
        if "" in filled.refused:
            questions.append(Question(field="", reason="invalid", detail=filled.refused[""]))
        return Extraction(
            document=self.parsed.digest,
            name=self.parsed.name,
            form=self.model.__name__,
            values=tuple(values),
            questions=tuple(questions),
            usage=self.usage,
            seconds=round(seconds, 3),
        )

    def _take(self, field: FormField, claims: Sequence[Claim], engine: str) -> None:
        """Take what a model claims for a field, as far as it holds, in place of what is less sure."""
        self.rejected.pop(field.name, None)
        checked = [check(field, claim, self.parsed) for claim in (claims if field.many else claims[:1])]
        good = [one for one in checked if isinstance(one, Checked)]
        wrong = [one for one in checked if not isinstance(one, Checked)]
        if wrong:
            self.rejected[field.name] = wrong[0].why
        if not good or (wrong and field.many):
            return
        before = self.held[field.name]
        known = {str(one.value) for one in before}
        held = [
            _Held(
                one.value,
                one.start,
                one.end,
                engine,
                _AGREED_CONFIDENCE if str(one.value) in known else _MODEL_CONFIDENCE,
            )
            for one in good
        ]
        self.held[field.name] = held
        if (why := self.filled().refused.get(field.name)) is not None:
            self.rejected[field.name] = why
            self.held[field.name] = before or held

    def _told(self, field: FormField, detail: str) -> str:
        why = self.rejected.get(field.name)
        return f"{detail}; the model's last answer was rejected: {why}" if why else detail


def _question(field: FormField, reason: Any, detail: str, place: _Held | None) -> Question:
    return Question(
        field=field.name,
        reason=reason,
        detail=detail,
        start=None if place is None else place.start,
        end=None if place is None else place.end,
    )


def _value(parsed: ParsedDocument, field: FormField, position: int, held: _Held) -> Value:
    text, unit = plain(held.value)
    raw = parsed.text[held.start : held.end]
    if field.kind == "percentage":
        unit = "%"
    elif field.kind == "money" and not unit and (amount := money_of(raw)) is not None:
        # A field that is a plain number drops the currency; the record keeps it.
        unit = amount.currency
    return Value(
        field=field.name,
        position=position,
        value=text,
        unit=unit,
        raw=raw,
        start=held.start,
        end=held.end,
        engine=held.engine,
        confidence=held.confidence,
    )
