"""The workflows and activities of the approval tests: payments that people approve, in every way there is to ask."""

from __future__ import annotations

import asyncio
import enum
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, Field
from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from segue.activities import Policy, System, Terminal
    from segue.workflows import ApprovalExpired, Decision, Escalation, Notice, approval

people = System("approval-test-people", policy=Policy(maximum_attempts=1, initial_interval=timedelta(milliseconds=50)))

# What was told and paid, by workflow.
told: defaultdict[str, list[tuple[str, int, tuple[str, ...]]]] = defaultdict(list)


class Correction(BaseModel):
    amount: int = Field(gt=0)
    note: str = ""


class Verdict(enum.Enum):
    PAY = "pay"
    HALVE = "pay half"
    REFUSE = "refuse"


class Muddle(enum.Enum):
    """The text of one choice is the name of another."""

    PAY = "REFUSE"
    REFUSE = 0
    WAIT = "wait"


@dataclass
class Asked:
    """How to ask, and what came of it."""

    by: timedelta | None = None
    on_deadline: str | None = None
    form: bool = False
    allowed: list[str] | None = None
    remind: timedelta | list[timedelta] | None = None
    escalate: timedelta | None = None
    name: str = "approval"
    question: str = "Pay 12,000 EUR?"
    tell: bool = False


@dataclass
class Told:
    choice: str = ""
    approved: bool = False
    by: str | None = None
    comment: str | None = None
    form: Correction | None = None
    from_deadline: bool = False
    identity: str | None = None
    took: timedelta = field(default_factory=timedelta)


@people.activity
async def tell_approvers(notice: Notice) -> None:
    if notice.question.endswith("??"):
        raise Terminal("the chat is down")
    while notice.question.startswith("Slowly"):
        activity.heartbeat()
        await asyncio.sleep(0.05)
    told[notice.workflow_id].append((notice.reason, notice.number, notice.to))


@workflow.defn
class Payment:
    """Ask once, as told."""

    @workflow.run
    async def run(self, asked: Asked) -> Told:
        began = workflow.now()
        try:
            decision = await approval(
                asked.question,
                name=asked.name,
                details="Invoice **17**",
                by=asked.by,
                on_deadline=_verdict(asked.on_deadline),
                form=Correction if asked.form else None,
                allowed=asked.allowed,
                notify=tell_approvers if asked.remind or asked.escalate or asked.tell else None,
                remind=asked.remind,
                escalate=Escalation(asked.escalate, "cfo") if asked.escalate else None,
            )
        except ApprovalExpired as error:
            return Told(error.message, took=_days(workflow.now() - began))
        return _told(decision, began)


@workflow.defn
class Payments:
    """Ask for several at once, by one name, and for one of one's own, with choices of an enum."""

    @workflow.run
    async def run(self) -> list[str]:
        first, second, third = await asyncio.gather(
            approval("Pay rent?", name="payment"),
            approval("Pay wages?", name="payment"),
            approval("And the bonus?", id="bonus", choices=Verdict, approving=[Verdict.PAY, Verdict.HALVE]),
        )
        return [f"{one.approval}: {one.choice}, {one.approved}" for one in (first, second, third)]


@workflow.defn
class Batch:
    """A parent whose child asks."""

    @workflow.run
    async def run(self, asked: Asked) -> Told:
        return await workflow.execute_child_workflow(Payment.run, asked, id=f"{workflow.info().workflow_id}-payment")


@workflow.defn
class Monthly:
    """Ask in each of two runs of a chain."""

    @workflow.run
    async def run(self, month: int) -> str:
        decision = await approval(f"Close month {month}?", choices=Literal["close", "leave open"])
        if month == 1:
            workflow.continue_as_new(2)
        return f"{decision.approval}: {decision.choice}"


@workflow.defn
class Muddled:
    """Ask with choices of which two have the same text."""

    @workflow.run
    async def run(self) -> str:
        return (await approval("Pay?", choices=Muddle)).choice.name


@workflow.defn
class Invalid:
    """Ask for what cannot be decided."""

    @workflow.run
    async def run(self, how: str) -> None:
        cases: dict[str, dict[str, Any]] = {
            "choices": {"choices": ["yes"]},
            "twice": {"choices": ["yes", "yes"]},
            "approving": {"choices": ["yes", "no"], "approving": ["maybe"]},
            "outcome": {"by": timedelta(days=1), "on_deadline": "perhaps"},
            "no deadline": {"on_deadline": "reject"},
            "form at deadline": {"by": timedelta(days=1), "on_deadline": "approve", "form": Correction},
            "naive": {"by": datetime(2030, 1, 1)},
            "past": {"by": timedelta(0)},
            "remind": {"remind": timedelta(hours=1)},
            "escalate": {"escalate": Escalation(timedelta(hours=1), "cfo")},
            "notify": {"notify": _verdict},
            "allowed": {"allowed": "ann"},
        }
        await approval("Pay?", **cases[how])


def _verdict(text: str | None) -> Literal["approve", "reject"] | None:
    return None if text is None else "approve" if text == "approve" else "reject"


def _days(took: timedelta) -> timedelta:
    """Whole days: a timer fires a little after its time."""
    return timedelta(days=round(took / timedelta(days=1)))


def _told(decision: Decision[Any, Correction | None], began: datetime) -> Told:
    return Told(
        choice=str(decision.choice),
        approved=decision.approved,
        by=decision.by,
        comment=decision.comment,
        form=decision.form,
        from_deadline=decision.from_deadline,
        identity=decision.identity,
        took=_days(decision.at - began),
    )


WORKFLOWS: list[type] = [Payment, Payments, Batch, Monthly, Muddled, Invalid]
