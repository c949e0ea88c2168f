"""What errors of activities mean to a real server: attempts, delays, categories and types, as history has them."""

from __future__ import annotations

import asyncio
import time
import uuid
from datetime import timedelta
from typing import Any, cast

import pydantic
import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ActivityError, ApplicationError, ApplicationErrorCategory
from temporalio.worker import Worker

from segue.activities import Policy, Retryable, System, Terminal


class CardDeclined(Exception):
    """Cannot succeed."""


class StolenCard(CardDeclined):
    """Cannot succeed either."""


class TryAnother(CardDeclined):
    """Declined, but another attempt may succeed: more specific than what is declared terminal."""


class Busy(Retryable):
    """A retryable class of the user's own."""


class Blocked(Terminal):
    """A terminal class of the user's own."""


till = System(
    "till-errors-test",
    policy=Policy(maximum_attempts=3, initial_interval=timedelta(milliseconds=50)),
    terminal=(CardDeclined, LookupError),
    retryable=(TryAnother, pydantic.ValidationError),
)

STARTS: dict[str, list[float]] = {}


class Amount(pydantic.BaseModel):
    cents: int


async def refuse(error: Exception) -> None:
    raise error


@till.activity
async def take(run: str, how: str) -> str:
    info = activity.info()
    STARTS.setdefault(run, []).append(time.monotonic())
    match how:
        case "terminal":
            raise Terminal("no", 1, "two")
        case "own terminal":
            raise Blocked("no")
        case "renamed terminal":
            raise Terminal("no", type="bank.blocked")
        case "declared terminal":
            raise CardDeclined("declined")
        case "subclass of declared":
            raise StolenCard("stolen")
        case "more specific":
            raise TryAnother("again")
        case "builtin declared":
            raise KeyError("k")
        case "retryable":
            raise Retryable("not yet")
        case "own retryable after":
            if info.attempt == 1:
                raise Busy("busy", after=timedelta(seconds=1.2))
        case "other":
            raise ValueError("other")
        case "plain":
            raise ApplicationError("plain", type="Plain")
        case "plain non-retryable":
            raise ApplicationError("plain", type="Plain", non_retryable=True)
        case "invalid":
            Amount.model_validate({"cents": "x"})
        case "cause":
            try:
                int("x")
            except ValueError as error:
                raise Terminal("no number") from error
        case "terminal in a group":
            async with asyncio.TaskGroup() as group:
                group.create_task(asyncio.Event().wait())
                group.create_task(refuse(Blocked("no")))
        case "others in a group":
            async with asyncio.TaskGroup() as group:
                group.create_task(refuse(ValueError("other")))
        case "asked to wait":
            raise Busy("busy", after=timedelta(milliseconds=50))
        case _:
            raise AssertionError(how)
    return f"taken at attempt {info.attempt}"


@workflow.defn
class Take:
    @workflow.run
    async def run(self, how: str) -> str:
        return await workflow.execute_activity(take, args=[workflow.info().run_id, how])


async def taken(client: Client, how: str) -> tuple[str | ApplicationError, list[float], WorkflowHandle[Any, Any]]:
    """Return the result or the activity's error, and when each attempt started."""
    async with Worker(client, task_queue="till", workflows=[Take], activities=[take]):
        handle = await client.start_workflow(Take.run, how, id=str(uuid.uuid4()), task_queue="till")
        outcome: str | ApplicationError
        try:
            outcome = await asyncio.wait_for(handle.result(), 30)
        except WorkflowFailureError as failed:
            outcome = cast("ApplicationError", cast("ActivityError", failed.cause).cause)
    assert handle.first_execution_run_id is not None
    return outcome, STARTS[handle.first_execution_run_id], handle


FAILURES: list[tuple[str, int, str, str | None]] = [
    ("terminal", 1, "Terminal", "no"),
    ("own terminal", 1, "Blocked", "no"),
    ("renamed terminal", 1, "bank.blocked", "no"),
    ("declared terminal", 1, "CardDeclined", "declined"),
    ("subclass of declared", 1, "StolenCard", "stolen"),
    ("more specific", 3, "TryAnother", "again"),
    ("builtin declared", 1, "KeyError", "'k'"),
    ("retryable", 3, "Retryable", "not yet"),
    ("other", 3, "ValueError", "other"),
    ("plain", 3, "Plain", "plain"),
    ("plain non-retryable", 1, "Plain", "plain"),
    # Terminal by itself, but the system says otherwise.
    ("invalid", 3, "ValidationError", None),
    ("cause", 1, "Terminal", "no number"),
    ("terminal in a group", 1, "Blocked", "no"),
    ("others in a group", 3, "ValueError", "other"),
]


@pytest.mark.parametrize(("how", "attempts", "type", "message"), FAILURES)
async def test_attempts_and_type_of_an_error(
    client: Client, how: str, attempts: int, type: str, message: str | None
) -> None:
    """A terminal error stops after one attempt, a retryable one after the policy's; the type is the class's name."""
    error, starts, handle = await taken(client, how)
    assert isinstance(error, ApplicationError)
    assert len(starts) == attempts
    assert (error.type, error.non_retryable) == (type, attempts == 1)
    assert error.category == ApplicationErrorCategory.UNSPECIFIED
    if message is not None:
        assert error.message == message
    if how == "cause":
        assert str(error.__cause__) == "ValueError: invalid literal for int() with base 10: 'x'"
    if how == "terminal":
        assert list(error.details) == [1, "two"]
    [event] = [
        event
        for event in (await handle.fetch_history()).events
        if event.HasField("activity_task_failed_event_attributes")
    ]
    failure = event.activity_task_failed_event_attributes.failure
    told = failure.application_failure_info
    assert (told.type, told.non_retryable, told.category) == (type, attempts == 1, 0)
    assert failure.message == error.message
    # A task group's error has the traceback of the task that raised it.
    assert ("in refuse" if "group" in how else "in take") in failure.stack_trace


async def test_a_delay_that_the_system_asks_for(client: Client) -> None:
    """`Retryable(after=...)` waits that long in place of the policy's backoff, and raises no alarm."""
    outcome, starts, _ = await taken(client, "own retryable after")
    assert outcome == "taken at attempt 2"
    assert starts[1] - starts[0] >= 1.2
    error = Busy("busy", after=timedelta(seconds=1))
    assert (error.type, error.category, error.next_retry_delay) == (
        "Busy",
        ApplicationErrorCategory.BENIGN,
        timedelta(seconds=1),
    )


async def test_the_category_of_an_asked_delay(client: Client) -> None:
    """An error that says when to come back is benign in history, also when the attempts have run out."""
    error, starts, handle = await taken(client, "asked to wait")
    assert isinstance(error, ApplicationError)
    assert (len(starts), error.type, error.category) == (3, "Busy", ApplicationErrorCategory.BENIGN)
    [told] = [
        event.activity_task_failed_event_attributes.failure.application_failure_info
        for event in (await handle.fetch_history()).events
        if event.HasField("activity_task_failed_event_attributes")
    ]
    assert (told.type, told.non_retryable, told.category) == ("Busy", False, ApplicationErrorCategory.BENIGN.value)
    assert told.next_retry_delay.ToTimedelta() == timedelta(milliseconds=50)
