"""What type checkers know of a call and of a saga: both check this file; it also runs."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_type

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from segue.activities import System
    from segue.workflows import Call, Compensation, Saga, call, fallback, first_success, hedge

SECOND = timedelta(seconds=1)
typed = System("saga-test-types")


@typed.activity
async def book_typed(trip: str, seats: int) -> list[int]:
    return [len(trip)] * seats


@typed.activity
def price_typed(trip: str) -> int:
    return len(trip)


@typed.activity
async def unbook_typed(seats: list[int]) -> None: ...


@workflow.defn
class Rent:
    @workflow.run
    async def run(self, days: int) -> str:
        return "car" * days


async def plain(text: str) -> bytes:
    return text.encode()


def test_a_call_has_the_type_of_what_it_returns() -> None:
    """Async and sync activities, children and plain code each give a call of their result's type."""
    booked = call(book_typed, "rome", 2, undo=unbook_typed, start_to_close_timeout=SECOND)

    assert_type(booked, Call[list[int]])
    assert_type(call(price_typed, "rome"), Call[int])
    assert_type(call(Rent.run, 3, id="rent"), Call[str])
    assert_type(call(plain, "rome"), Call[bytes])


async def used(saga: Saga) -> None:
    """What a saga and the ways around a failure give is what the call returns; wrong arguments are wrong types."""
    priced = call(price_typed, "rome")
    assert_type(await saga.step(priced), int)
    assert_type(await fallback(priced, call(price_typed, "oslo")), int)
    assert_type(await hedge(priced, after=SECOND), int)
    assert_type(await first_success(priced, priced), int)
    assert_type(saga.compensate(unbook_typed, [1]), Compensation)
    assert_type(saga.compensate(Rent.run, 3), Compensation)
    saga.compensate(unbook_typed, "rome")  # type: ignore[arg-type]  # pyright: ignore
    call(price_typed, 7)  # type: ignore[arg-type]  # pyright: ignore
    call(price_typed, "rome", undo=unbook_typed)  # type: ignore[arg-type]  # pyright: ignore
