"""It does not matter where a hint is first looked at: in the process, a run's sandbox, or many threads at once."""

from __future__ import annotations

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any, Generic, NamedTuple, TypeVar

import pydantic
import pytest
from pydantic import BaseModel, ConfigDict
from temporalio.client import Client
from temporalio.worker import Worker
from tests.core import leaves
from tests.core.elsewhere import Elsewhere
from typing_extensions import TypedDict

from segue.activities import faithful

T = TypeVar("T")


@dataclass
class Paged(Generic[T]):
    items: list[T]
    first: Sheet | None = None


@dataclass
class Sheet:
    printed: date


class Deferred(BaseModel):
    model_config = ConfigDict(defer_build=True)

    sheets: list[Sheet]
    again: Deferred | None = None


class Row(NamedTuple):
    sheet: Sheet


class Line(TypedDict):
    sheet: Sheet


@dataclass
class Early:
    later: Later  # type: ignore[name-defined]  # noqa: F821


async def test_a_workflow_sends_to_a_module_that_it_does_not_import(client: Client) -> None:
    """What an activity takes is known in a sandbox without its module, and the activity gets its own classes."""
    test = str(uuid.uuid4())
    async with Worker(client, task_queue=test, workflows=[leaves.Gather, Elsewhere], activities=[leaves.press_twig]):
        assert await client.execute_workflow(Elsewhere.run, id=test, task_queue=test) == [True, True]


async def test_an_activity_gets_the_classes_of_its_own_module(client: Client) -> None:
    """A run that has the activity's module too, imported anew, leaves none of its classes with the process."""
    test = str(uuid.uuid4())
    async with Worker(client, task_queue=test, workflows=[leaves.Gather], activities=[leaves.press_sprig]):
        assert await client.execute_workflow(leaves.Gather.run, id=test, task_queue=test) == [True]


@pytest.mark.parametrize(
    ("hint", "sent", "arrives"),
    [
        (Paged[int], {"items": [1], "first": {"printed": "2026-05-01"}}, Paged([1], Sheet(date(2026, 5, 1)))),
        (list[Sheet], [{"printed": "2026-05-01"}], [Sheet(date(2026, 5, 1))]),
        (Deferred, {"sheets": []}, Deferred.model_construct(sheets=[], again=None)),
        (dict[str, Row], {"a": [{"printed": "2026-05-01"}]}, {"a": Row(Sheet(date(2026, 5, 1)))}),
        (Line, {"sheet": {"printed": "2026-05-01"}}, {"sheet": Sheet(date(2026, 5, 1))}),
    ],
)
def test_threads_may_use_a_hint_at_once(hint: Any, sent: Any, arrives: Any) -> None:
    """Twenty threads that are the first to use a validator all get what the hint says."""
    ready = threading.Barrier(20)

    def use(_: int) -> Any:
        ready.wait()
        return faithful.adapter(hint).validate_json(json.dumps(sent))

    with ThreadPoolExecutor(20) as threads:
        assert list(threads.map(use, range(20))) == [arrives] * 20


def test_a_hint_may_be_asked_for_too_early() -> None:
    """A validator is refused while a class that it names is not defined, and is there as soon as the class is."""
    with pytest.raises(pydantic.PydanticUserError) as caught:
        faithful.adapter(list[Early])
    assert str(caught.value).splitlines()[0] == (
        "list[tests.core.test_home.Early] names a type that its module does not define"
    )

    globals()["Later"] = date
    assert faithful.adapter(list[Early]).validate_json('[{"later": "2026-05-01"}]') == [Early(date(2026, 5, 1))]
