"""A person's answer to a question: checked as a model's is, and put in the place of what was in doubt."""

from __future__ import annotations

from typing import Any

from segue.activities import objects
from segue.activities.documents import ParsedDocument, opened
from segue.activities.extraction.checking import Checked, Claim, check
from segue.activities.extraction.filling import fill
from segue.activities.extraction.form import FormField, fields_of
from segue.activities.extraction.records import Extraction, Question, Value, plain
from segue.activities.extraction.requests import Answered, Settled

__all__ = ["PERSON", "settled"]

PERSON = "person"
"""The engine of a value that a person gave."""


async def settled(request: Answered) -> tuple[Extraction | None, Settled]:
    """Return the extraction with the answer in it, and whether the answer holds; no extraction if it does not."""
    document, asked = request.question.document, request.question.question
    model = request.how.form.load()
    fields = {field.name: field for field in fields_of(model)}
    # What was answered meanwhile is in the object, whatever its reference says.
    extraction = Extraction.model_validate_json(await objects.read(request.question.extraction.url))
    rest = tuple(one for one in extraction.questions if one.field != asked.field)

    def result(accepted: bool, why: str = "") -> Settled:
        return Settled(accepted=accepted, why=why, document=document.digest, field=asked.field)

    if asked.field not in fields:
        return extraction.model_copy(update={"questions": rest}), result(accepted=True)
    field = fields[asked.field]
    others = [value for value in extraction.values if value.field != field.name]
    # Of a list, what nobody asked about stays.
    kept = [value for value in extraction.values if value.field == field.name and _stays(field, value, asked)]
    if request.quote is None:
        if field.required and not kept:
            return None, result(accepted=False, why="the form needs a value for this field")
    else:
        parsed = await opened(document)
        checked = check(field, Claim(quote=request.quote, value=request.value or request.quote), parsed)
        if not isinstance(checked, Checked):
            return None, result(accepted=False, why=checked.why)
        if why := _refused(model, list(fields.values()), field, checked.value):
            return None, result(accepted=False, why=why)
        kept = sorted([*kept, _value(field, checked, parsed)], key=lambda value: value.start)
    order = list(fields)
    values = [*others, *(value.model_copy(update={"position": at}) for at, value in enumerate(kept))]
    values.sort(key=lambda value: (order.index(value.field), value.position))
    return extraction.model_copy(update={"values": tuple(values), "questions": rest}), result(accepted=True)


def _stays(field: FormField, value: Value, asked: Question) -> bool:
    return field.many and (value.start, value.end) != (asked.start, asked.end)


def _refused(model: Any, fields: list[FormField], field: FormField, value: Any) -> str:
    """Return what the form says against a value; empty if nothing."""
    return fill(model, fields, {field.name: [value]}).refused.get(field.name, "")


def _value(field: FormField, checked: Checked, parsed: ParsedDocument) -> Value:
    text, unit = plain(checked.value)
    return Value(
        field=field.name,
        value=text,
        unit="%" if field.kind == "percentage" else unit,
        raw=parsed.text[checked.start : checked.end],
        start=checked.start,
        end=checked.end,
        engine=PERSON,
        confidence=1.0,
    )
