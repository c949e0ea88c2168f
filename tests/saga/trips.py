"""The workflows and activities of the saga tests: a trip that is booked in parts, and unbooked when a part fails."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from segue.activities import Policy, System, Terminal
    from segue.workflows import CompensationFailed, DeadlineExceeded, Saga, call
    from segue.workflows.options import UndeclaredActivity

agency = System(
    "saga-test-agency",
    policy=Policy(initial_interval=timedelta(milliseconds=50), maximum_attempts=1, on_exhausted="fail"),
)

# It says nothing of what becomes of a step that has failed for good.
guides = System("saga-test-guides", policy=Policy(initial_interval=timedelta(milliseconds=50), maximum_attempts=1))

# What the activities did, by trip, in order; the trips whose held step may go on, and those that are being paid for.
effects: defaultdict[str, list[str]] = defaultdict(list)
released: set[str] = set()
paying: set[str] = set()


@dataclass
class Trip:
    """A trip. `refuse`, `hold` and `stumble` name the steps that are refused, wait to be let go, and fail once."""

    id: str
    refuse: tuple[str, ...] = ()
    hold: str = ""
    stumble: str = ""
    deadline: timedelta | None = None
    parallel: bool = False


async def act(trip: Trip, step: str) -> None:
    while trip.hold == step and trip.id not in released:
        activity.heartbeat()
        await asyncio.sleep(0.02)
    if step in trip.refuse:
        raise Terminal(f"cannot {step}", type="Refused")
    if step == trip.stumble and activity.info().attempt == 1:
        raise RuntimeError(f"{step} stumbled")
    effects[trip.id].append(step)


@agency.activity
async def book_part(trip: Trip, part: str) -> None:
    await act(trip, f"book {part}")


@agency.activity
async def unbook_part(trip: Trip, part: str) -> None:
    await act(trip, f"unbook {part}")


@dataclass
class Payment:
    trip: Trip
    cents: int


@agency.activity
async def pay_for(trip: Trip) -> Payment:
    """Takes no notice of a cancellation: it pays all the same."""
    paying.add(trip.id)
    try:
        await act(trip, "pay")
    except asyncio.CancelledError:
        effects[trip.id].append("pay")
    return Payment(trip, 5)


@agency.activity
async def repay(payment: Payment) -> None:
    await act(payment.trip, f"repay {payment.cents}")


@guides.activity
async def cancel_guide(trip: Trip) -> None:
    await act(trip, "cancel guide")


@agency.activity
async def depart(trip: Trip) -> None:
    """Waits until a payment that is held has begun."""
    while trip.hold == "pay" and trip.id not in paying:
        await asyncio.sleep(0.02)
    await act(trip, "depart")


@workflow.defn
class Travel:
    """Hotel and flight are registered before they are booked, the payment with its result, and then the trip begins."""

    @workflow.run
    async def run(self, trip: Trip) -> str:
        async with Saga("trip", deadline=trip.deadline, parallel=trip.parallel) as saga:
            for part in ("hotel", "flight"):
                saga.compensate(unbook_part, trip, part)
                await workflow.execute_activity(book_part, args=[trip, part])
            await saga.step(call(pay_for, trip, undo=repay, heartbeat_timeout=timedelta(seconds=5)))
            await workflow.execute_activity(depart, trip, heartbeat_timeout=timedelta(seconds=5))
        return "away"


@workflow.defn
class Party:
    """Travels as a child."""

    @workflow.run
    async def run(self, trip: Trip) -> str:
        return await workflow.execute_child_workflow(Travel.run, trip, id=f"{trip.id}/travel")


@workflow.defn
class Guarded:
    """A workflow that catches what its saga raises, and tells what became of it."""

    @workflow.run
    async def run(self, trip: Trip) -> list[str]:
        saga = Saga()
        try:
            async with saga:
                saga.compensate(unbook_part, trip, "hotel")
                saga.compensate(unbook_part, trip, "flight").withdraw()
                await workflow.execute_activity(depart, trip)
        except ActivityError as error:
            return [str(error.cause), *error.__notes__, *(f"{one}: {one.state}" for one in saga.compensations)]
        except CompensationFailed as error:
            return [error.message, str(error.done), str(error.__cause__)]
        return ["away"]


@workflow.defn
class Guided:
    """Undoes with a step of a system that says nothing, or with plain code that calls one."""

    @workflow.run
    async def run(self, trip: Trip, plainly: bool) -> None:
        async def cancel() -> None:
            await workflow.execute_activity(cancel_guide, trip)

        async with Saga() as saga:
            if plainly:
                saga.compensate(cancel)
            else:
                saga.compensate(cancel_guide, trip)
            raise ApplicationError("on purpose")


@workflow.defn
class Unbook:
    @workflow.run
    async def run(self, trip: Trip, part: str) -> None:
        await workflow.execute_activity(unbook_part, args=[trip, part])


@workflow.defn
class Mixed:
    """Compensations of every kind, in an outer saga and an inner one, and one saga that is undone by hand."""

    @workflow.run
    async def run(self, trip: Trip) -> list[str]:
        told: list[str] = []
        by_hand = Saga("by hand")
        by_hand.compensate(unbook_part, trip, "car")

        async def tell(what: str) -> None:
            await workflow.sleep(timedelta(milliseconds=10))
            told.append(what)

        try:
            async with Saga("outer") as outer:
                outer.compensate(told.append, "outer")
                outer.compensate(by_hand.run_compensations)
                async with Saga("done") as done:
                    done.compensate(tell, "never")
                async with Saga("inner") as inner:
                    inner.compensate(Unbook.run, trip, "train", id=f"{workflow.info().workflow_id}/train")
                    inner.compensate(tell, "inner")
                    await workflow.execute_activity(depart, trip)
        except ActivityError as error:
            told.extend(error.__notes__)
        return told


@workflow.defn
class Waiting:
    """Waits in its saga for ever, or continues as new in it."""

    @workflow.run
    async def run(self, trip: Trip) -> None:
        async with Saga(deadline=trip.deadline) as saga:
            saga.compensate(unbook_part, trip, "hotel")
            if trip.hold == "continue":
                workflow.continue_as_new(trip)
            try:
                await workflow.wait_condition(lambda: False)
            except asyncio.CancelledError:
                if trip.stumble == "swallow":
                    return
                raise


@workflow.defn
class Interrupted:
    """Is cancelled while it is undone."""

    @workflow.run
    async def run(self, trip: Trip) -> list[str]:
        me = asyncio.current_task()
        assert me is not None
        try:
            async with Saga() as saga:
                saga.compensate(unbook_part, trip, "hotel")
                saga.compensate(me.cancel)
                raise ApplicationError("on purpose")
        except asyncio.CancelledError as error:
            return [str(error.__cause__)]
        return []


@workflow.defn
class Overdue:
    """Its outer saga's deadline passes while the inner one is undone; afterwards the run goes on."""

    @workflow.run
    async def run(self, trip: Trip) -> list[str]:
        told: list[str] = []
        try:
            async with Saga("outer", deadline=trip.deadline) as outer:
                outer.compensate(told.append, "outer")
                async with Saga("inner") as inner:
                    inner.compensate(workflow.sleep, timedelta(hours=1))
                    raise ApplicationError("on purpose")
        except DeadlineExceeded as error:
            told.append(error.message)
        await workflow.sleep(timedelta(hours=1))
        return told


@workflow.defn
class Together:
    """Pays, as a step of its saga, while it departs.

    What `stumble` says it does besides: "late", when the block has ended it waits for the payment, and registers
    something more; "go on", books a train when it has paid; "continue" and "depart and continue", continues as new
    while it pays.
    """

    @workflow.run
    async def run(self, trip: Trip) -> list[str]:
        saga = Saga()

        async def pay() -> None:
            await saga.step(call(pay_for, trip, undo=repay, heartbeat_timeout=timedelta(seconds=5)))
            if trip.stumble == "go on":
                await saga.step(call(book_part, trip, "train"))

        told, payment = list[str](), asyncio.create_task(pay())
        try:
            async with saga:
                if trip.stumble == "continue":
                    await workflow.sleep(0.1)
                    workflow.continue_as_new(Trip(trip.id))
                if trip.stumble == "depart and continue":
                    await workflow.execute_activity(depart, trip)
                    workflow.continue_as_new(Trip(trip.id))
                await asyncio.gather(payment, workflow.execute_activity(depart, trip))
            await payment
        except ActivityError as error:
            if not trip.stumble:
                raise
            told.append(str(error.cause))
            await workflow.wait([payment])
            if not payment.cancelled() and isinstance(failed := payment.exception(), ApplicationError):
                told.append(failed.message)
        if trip.stumble == "late":
            try:
                saga.compensate(unbook_part, trip, "flight")
            except ApplicationError as error:
                told.append(error.message)
        return [*told, saga.state, *(f"{one}: {one.state}" for one in saga.compensations)]


undeclared: set[str] = set()


@workflow.defn
class Unfit:
    """Fails its first task as one does whose worker lacks a declaration."""

    @workflow.run
    async def run(self, trip: Trip) -> str:
        async with Saga() as saga:
            saga.compensate(unbook_part, trip, "hotel")
            if trip.id in undeclared:
                undeclared.discard(trip.id)
                raise UndeclaredActivity("not here")
        return "away"


WORKFLOWS: list[type] = [Travel, Party, Guarded, Guided, Mixed, Unbook, Waiting, Interrupted, Overdue, Together, Unfit]
ACTIVITIES: list[Callable[..., Any]] = [book_part, unbook_part, pay_for, repay, cancel_guide, depart]
