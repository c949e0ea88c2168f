"""Forms: what kind of value each field takes, and which models cannot serve."""

from __future__ import annotations

import enum
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional

import pytest
from pydantic import BaseModel, Field, create_model
from tests.extraction.leases import Lease

from segue.activities.extraction import Duration, Form, InvalidForm, Kind, Money, fields_of


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    ("name", "hint", "description", "kind"),
    [
        ("signed", date, "", "date"),
        ("signed", datetime, "", "date"),
        ("notice", Duration, "", "duration"),
        ("notice", timedelta, "", "duration"),
        ("notice_days", int, "Notice in days", "duration"),
        ("rent", Money, "", "money"),
        ("rent", Decimal, "", "money"),
        ("discount", float, "Discount in percent", "percentage"),
        ("seats", int, "How many seats", "number"),
        ("parties", list[str], "", "party"),
        ("tenant", str, "", "party"),
        ("tenant_address", str, "", "text"),
        ("signers", tuple[str, ...], "Names of the parties", "party"),
        ("governing_law", str, "", "jurisdiction"),
        ("law", Annotated[str, Kind("jurisdiction")], "", "jurisdiction"),
        ("title", str, "", "title"),
        ("colour", Colour, "", "choice"),
        ("colour", Literal["red", "blue"], "", "choice"),
        ("exclusive", bool, "", "boolean"),
        ("note", Optional[str], "", "text"),  # noqa: UP045 - what users write
    ],
)
def test_the_kind_of_a_field(name: str, hint: Any, description: str, kind: str) -> None:
    """A field's type tells its kind; for texts and numbers its name and description do, unless a `Kind` says it."""
    fields: dict[str, Any] = {name: (hint, Field(description=description))}
    model: type[BaseModel] = create_model("Model", **fields)
    assert [field.kind for field in fields_of(model)] == [kind]


def test_what_else_is_known_of_a_field() -> None:
    """Lists, fields that may be left out, choices and units are told by the type as well."""
    fields = {field.name: field for field in fields_of(Lease)}
    assert [name for name, field in fields.items() if field.required] == ["parties", "signed", "rent"]
    assert [name for name, field in fields.items() if field.many] == ["parties"]
    assert fields["heating"].choices == ("gas", "oil", "district heating")
    assert fields["rent"].question == "rent: The monthly rent"
    [days] = fields_of(create_model("Model", notice=(int, Field(description="Notice in months"))))
    assert (days.kind, days.unit) == ("duration", "months")


def test_a_form_travels_as_a_name() -> None:
    """A worker that has the same model gets it back."""
    form = Form.of(Lease)
    assert (form.model, form.name, form.load()) == ("tests.extraction.leases:Lease", "Lease", Lease)


def test_a_form_by_its_name() -> None:
    """Where somebody writes JSON the name is enough: the worker's version is taken, and is the version from then on."""
    form = Form.model_validate("tests.extraction.leases:Lease")
    assert (form.digest, form.load(), form.pinned()) == (None, Lease, Form.of(Lease))


class Nested(BaseModel):
    lease: Lease


class Empty(BaseModel):
    pass


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            Nested,
            "Field 'lease' of the form 'Nested' has a type that cannot be extracted, <class "
            "'tests.extraction.leases.Lease'>: "
            "use text, numbers, dates, Duration, Money, bool, a Literal or an enum, or lists of them",
        ),
        (Empty, "Model 'Empty' cannot serve as a form: it has no fields"),
    ],
)
def test_a_model_that_cannot_serve(model: type[BaseModel], message: str) -> None:
    """What could not be filled or checked is refused before anything starts."""
    with pytest.raises(InvalidForm) as refused:
        Form.of(model)
    assert refused.value.message == message


def test_a_model_that_a_worker_could_not_import() -> None:
    """A model within a function exists nowhere else."""

    class Local(BaseModel):
        name: str

    with pytest.raises(InvalidForm) as refused:
        Form.of(Local)
    assert refused.value.message == (
        "Model 'test_a_model_that_a_worker_could_not_import.<locals>.Local' cannot serve as a form: it is "
        "defined within a "
        "function, where a worker cannot import it"
    )


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (
            Form(model="tests.extraction.leases:Gone", digest="0" * 32),
            "The form 'tests.extraction.leases:Gone' is not on this worker: module 'tests.extraction.leases' has "
            "no attribute "
            "'Gone'",
        ),
        (
            Form(model="tests.extraction.leases:lease", digest="0" * 32),
            "The form 'tests.extraction.leases:lease' is no pydantic model on this worker",
        ),
        (
            Form(model="tests.extraction.leases:Lease", digest="0" * 32),
            "The form 'tests.extraction.leases:Lease' of this worker is another version than the caller's: "
            "deploy both alike",
        ),
    ],
)
def test_a_worker_that_has_not_the_form(form: Form, message: str) -> None:
    """A worker with another version of a form would fill in something else than was asked."""
    with pytest.raises(InvalidForm) as refused:
        form.load()
    assert refused.value.message == message
