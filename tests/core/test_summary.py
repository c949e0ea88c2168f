"""What a step is called: names of things, and never their content."""

from __future__ import annotations

import dataclasses
import uuid
from typing import Any

import pytest
from pydantic import BaseModel

from segue.activities import HttpRequest, Query, ReadObject
from segue.workflows.summary import summarize


class Order(BaseModel):
    id: str
    note: str = "a note"


@dataclasses.dataclass
class Shipment:
    order: Order
    weight: float = 1.0


class Login(BaseModel):
    user: str = "ada"
    api_key: str = "sk-live-SECRET"
    access_token_id: str = "tok-SECRET"
    card_number: str = "4111111111111111"


class Person(BaseModel):
    id: int | None = None
    name: str


CASES: list[tuple[list[Any], str | None]] = [
    ([Order(id="17")], "17"),
    ([Shipment(Order(id="17"))], "17"),
    (["reports/today.csv"], "reports/today.csv"),
    ([7, "seven"], "7, seven"),
    ([uuid.UUID(int=1)], "00000000-0000-0000-0000-000000000001"),
    ([{"order_id": "o-1", "lines": []}], "o-1"),
    ([Person(name="Ada")], "Ada"),
    ([[1, 2, 3]], "3 items"),
    (["https://user:pass@example.com/a?key=SECRET"], "https://example.com/a"),
    ([HttpRequest(url="https://example.com/a?key=SECRET")], "https://example.com/a"),
    ([Query(database="env:SHOP", statement="SELECT 1")], "env:SHOP"),
    ([ReadObject(source="invoices/1.txt")], "invoices/1.txt"),
    # what is no name of a thing
    ([Login()], None),
    ([{"secret_key": "SECRET", "password_id": "SECRET"}], None),
    (["x" * 200], None),
    (["two\nlines"], None),
    ([True, None, 1.5], None),
]


@pytest.mark.parametrize(("args", "summary"), CASES)
def test_a_step_is_called_by_what_its_arguments_name(args: list[Any], summary: str | None) -> None:
    """A summary is made of short identifying values; content and secrets have no part in it."""
    assert summarize(args) == summary
