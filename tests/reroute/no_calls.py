"""A workflow that gives something else where a call is asked for, as where its author forgot `call(...)`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from segue.activities import Policy, System
from segue.workflows import Saga, call, fallback, first_success, hedge

parcels = System("reroute-test-parcels", policy=Policy(start_to_close_timeout=timedelta(seconds=10)))


@parcels.activity
async def post_parcel(parcel: str) -> str:
    return f"posted {parcel}"


async def nothing() -> None: ...


@workflow.defn
class Deliver:
    @workflow.run
    async def run(self, parcel: str) -> str:
        return parcel


@workflow.defn
class Forgetful:
    """Returns what each way of making calls says of what is none."""

    @workflow.run
    async def run(self) -> list[str]:
        good, none = call(post_parcel, "a"), None
        bad: list[Any] = [post_parcel, Deliver.run, Deliver, nothing, nothing(), none, "post_parcel"]
        soon = timedelta(seconds=1)
        told = [await _told(fallback(good, *bad))]
        told += [await _told(made) for made in (hedge(bad[0], after=soon), first_success(good, bad[0], bad[0]))]
        async with Saga() as saga:
            told += [await _told(saga.step(one)) for one in bad]
        return told


@workflow.defn
class Lucky:
    """Falls back to what is no call, if the first fails, which it does not."""

    @workflow.run
    async def run(self) -> str:
        bad: Any = post_parcel
        return await fallback(call(post_parcel, "a"), bad)


async def _told(made: Awaitable[Any]) -> str:
    try:
        return str(await made)
    except ApplicationError as error:
        return f"{error.type}: {error.message}"


WORKFLOWS: list[type] = [Deliver, Forgetful, Lucky]
ACTIVITIES: list[Callable[..., Any]] = [post_parcel]
