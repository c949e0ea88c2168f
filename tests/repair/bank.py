"""The workflows and activities of the repair tests: a bank that refuses until somebody mends something."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pydantic import BaseModel
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from segue.activities import Policy, System, Terminal, idempotency_key
    from segue.workflows import Saga, call, fallback, fan_out
    from segue.workflows.repair import on_exhausted

POLICY = Policy(initial_interval=timedelta(milliseconds=1), maximum_attempts=1, on_exhausted="park")
bank = System("repair-test-bank", policy=POLICY)
strict = System("repair-test-strict", policy=Policy(maximum_attempts=1, on_exhausted="fail"))
usual = System("repair-test-usual", policy=Policy(maximum_attempts=1))

# What was done, by order: each effect with its idempotency key. And the accounts that are closed: they refuse.
ledger: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
closed: set[str] = set()


class Payment(BaseModel):
    order: str
    account: str
    cents: int


class Paid(BaseModel):
    order: str
    cents: int


def act(payment: Payment) -> Paid:
    if payment.account in closed:
        raise Terminal(f"account {payment.account} is closed", type="Closed")
    ledger[payment.order].append((payment.account, idempotency_key()))
    return Paid(order=payment.order, cents=payment.cents)


@bank.activity
async def transfer_money(payment: Payment) -> Paid:
    return act(payment)


@bank.activity
async def transfer_two(payment: Payment, times: int) -> None:
    act(payment)


@bank.activity
async def transfer_cents(account: str, cents: int = 5) -> Paid:
    return act(Payment(order=account, account=account, cents=cents))


@bank.activity
async def note_transfer(payment: Payment) -> str:
    return f"noted {act(payment).cents}"


@bank.activity
async def note_slowly(payment: Payment, wait: int) -> str:
    await asyncio.sleep(wait / 50)
    return f"noted {act(payment).cents}"


@strict.activity
async def strictly_transfer(payment: Payment) -> Paid:
    return act(payment)


@usual.activity
async def usually_transfer(payment: Payment) -> Paid:
    return act(payment)


@workflow.defn
class Pay:
    """Pays, and tells what it got."""

    @workflow.run
    async def run(self, payment: Payment) -> Paid | None:
        return await workflow.execute_activity(transfer_money, payment)


@workflow.defn
class PayLocally:
    """Pays in a local activity, and then twice."""

    @workflow.run
    async def run(self, payment: Payment) -> str:
        noted = await workflow.execute_local_activity(note_transfer, payment)
        await workflow.execute_activity(transfer_two, args=[payment, 2])
        return noted


@workflow.defn
class PayAllLocally:
    """Pays in local activities at once, which end in another order than they began in; some fail, and some park."""

    @workflow.run
    async def run(self, payment: Payment, count: int) -> list[str]:
        async def pay(number: int) -> str:
            with on_exhausted("fail" if number % 2 else "park"):
                paying = workflow.start_local_activity(note_slowly, args=[payment, count - number])
            return await paying

        noted = await asyncio.gather(*map(pay, range(count)), return_exceptions=True)
        return [one if isinstance(one, str) else "failed" for one in noted]


@workflow.defn
class PayUsual:
    """Pays the usual amount: the step is given one argument of two."""

    @workflow.run
    async def run(self, account: str) -> Paid:
        return await workflow.execute_activity(transfer_cents, account)


@workflow.defn
class PayMany:
    """Pays so many at once."""

    @workflow.run
    async def run(self, payment: Payment, count: int) -> int:
        paid = await asyncio.gather(*(workflow.execute_activity(transfer_money, payment) for _ in range(count)))
        return sum(one.cents for one in paid)


@workflow.defn
class GoOn:
    """Starts a payment for which nobody waits, and continues as new; the run that follows returns."""

    @workflow.run
    async def run(self, payment: Payment, times: int) -> int:
        if times > 0:
            workflow.start_activity(transfer_money, payment)
            await workflow.sleep(0.5)
            workflow.continue_as_new(args=[payment, times - 1])
        return 7


@workflow.defn
class Relay:
    """Starts a payment, and continues as new when it is told to; the run that follows returns."""

    @workflow.run
    async def run(self, payment: Payment, times: int) -> int:
        if times > 0:
            workflow.start_activity(transfer_money, payment)
            await workflow.wait_condition(lambda: False)
        return 7

    @workflow.signal
    async def go_on(self, payment: Payment) -> None:
        workflow.continue_as_new(args=[payment, 0])


@workflow.defn
class Undo:
    """Fails, and undoes with a step of a system that says nothing, and one of a system that says to fail."""

    @workflow.run
    async def run(self, payment: Payment, strictly: bool) -> None:
        async with Saga() as saga:
            saga.compensate(strictly_transfer if strictly else usually_transfer, payment)
            raise Terminal("no", type="No")


@workflow.defn
class Otherwise:
    """Falls back from what would park, and says of a step that it is to fail."""

    @workflow.run
    async def run(self, payment: Payment, other: Payment) -> list[str]:
        paid = await fallback(call(transfer_money, payment), call(transfer_money, other))
        try:
            with on_exhausted("fail"):
                await workflow.execute_activity(transfer_money, payment)
        except Exception as error:
            return [paid.order, str(error.__cause__)]
        return []


@workflow.defn
class Altered:
    """Alters what it has sent, before the step fails."""

    @workflow.run
    async def run(self, payment: Payment) -> int:
        step = workflow.start_activity(transfer_money, payment)
        payment.cents = 1
        return (await step).cents


@workflow.defn
class PayEach:
    """Pays each of some, and tells how many failed."""

    @workflow.run
    async def run(self, payments: list[Payment], tolerate: float | None) -> int:
        if tolerate is None:
            await fan_out(transfer_money, payments)
            return 0
        return len((await fan_out(transfer_money, payments, tolerate=tolerate)).failures)


WORKFLOWS = [Pay, PayAllLocally, PayEach, PayLocally, PayMany, PayUsual, GoOn, Relay, Undo, Otherwise, Altered]
ACTIVITIES: list[Callable[..., Any]] = [
    transfer_money,
    transfer_two,
    transfer_cents,
    note_transfer,
    note_slowly,
    strictly_transfer,
    usually_transfer,
]
