"""A call of an activity, completed from its system's policy before it is sent: options, id, summary, whose step.

Temporal compares the type and the id of an activity in replay, but neither its timeouts nor its retry policy, queue or
summary. So all may be filled in by what this deployment says, but for the id, which must be what it was.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Final

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RetryPolicy
from temporalio.worker import StartActivityInput, StartLocalActivityInput

from segue.activities.effect import Effect
from segue.activities.errors import Terminal
from segue.activities.idempotency import STEP_HEADER, Step, acting_for
from segue.activities.system import parameters_of, types_of
from segue.workflows.arguments import check_arguments
from segue.workflows.compensating import is_compensating
from segue.workflows.fanout.options import batch_of, fill_batch
from segue.workflows.features import Feature, has
from segue.workflows.options import Catalogue, UndeclaredActivity
from segue.workflows.repair.recovery import at_most_once
from segue.workflows.repair.rule import Rule, rule
from segue.workflows.summary import summarize

__all__ = ["ActivityInput", "PreparedCall", "Preparer", "asked_of", "header_of"]

ActivityInput = StartActivityInput | StartLocalActivityInput

asked_of: Final[ContextVar[Step | None]] = ContextVar("segueasked_of", default=None)
"""Whose step it is that an activity asks about, which then has the key of that step."""


@dataclasses.dataclass
class PreparedCall:
    """A call that was prepared: how errors name it, and whose step it is."""

    callee: str
    names: tuple[str, ...]
    activity: str
    id: str
    step: Step | None
    began: datetime
    within: timedelta | None
    effect: Effect
    retry_policy: RetryPolicy
    is_batch: bool
    rule: Rule | None
    undoes: bool
    may_park: bool = False
    sent: list[Payload] | None = None


def header_of(step: Step) -> Payload:
    """Return what tells an attempt whose step it is."""
    return Payload(metadata={"encoding": b"json/plain"}, data=step.model_dump_json().encode())


class Preparer:
    """Completes the calls of one run.

    Args:
        catalogue: Which options hold for which activity.
        open_ids: Ids of the activities that are running.
    """

    def __init__(self, catalogue: Catalogue, open_ids: Collection[str | None]) -> None:
        self._catalogue = catalogue
        self._open_ids = open_ids
        self._named: bool | None = None
        self._counts: Counter[str] = Counter()
        self._given: Counter[str] = Counter()

    def identify(self, input: ActivityInput) -> str | None:
        """Give a call its id, in the order of the calls, and return the id that it came with.

        Raises:
            Terminal: An activity with that id is still running.
        """
        name, given = input.activity, input.activity_id
        if given and isinstance(input, StartActivityInput) and given in self._open_ids:
            raise Terminal(
                f"Activity {name!r} is not started: an activity with the id {given!r} is still running in this run. "
                "Temporal tells the activities of a run apart by their ids: give another, or none",
                type="DuplicateActivityId",
            )
        input.activity_id = self._activity_id(name, given)
        return given

    def forget(self, input: ActivityInput, given: str | None) -> None:
        """Take the id back of a call that was refused at once, before any other was made."""
        if given is not None:
            self._given -= Counter([given])
        elif self._named:
            self._counts[input.activity] -= 1

    def prepare(self, input: ActivityInput, given: str | None) -> PreparedCall:
        """Complete a call from its system's policy, or refuse it.

        Args:
            input: The call, which has been given its id.
            given: The id that it came with.

        Raises:
            UndeclaredActivity: It has no timeout, and no system that would give it one.
            PayloadError: Its arguments would not arrive as they are.
            Terminal: An at-most-once activity may not be called so.
        """
        name = input.activity
        batch = batch_of(name, input.args)
        options = self._catalogue.options(name if batch is None else batch.activity)
        if batch is not None and isinstance(input, StartActivityInput):
            name = batch.activity if not fill_batch(input, batch, options) else name
        elif options is not None:
            options.fill(input)
        if input.start_to_close_timeout is None and input.schedule_to_close_timeout is None:
            raise UndeclaredActivity(
                f"Activity {name!r} has no timeout: no system declares it in this process. Declare it with "
                "@system.activity and import its module in the worker, or pass start_to_close_timeout"
            )
        callee, names = f"Activity {name!r} is not started", parameters_of(name)
        if self._catalogue.checks:
            check_arguments(callee, names, input.args, input.arg_types or types_of(name))
        if input.summary is None:
            input.summary = summarize(input.args)
        step = self._step(given)
        if step is not None:
            input.headers = {**input.headers, STEP_HEADER: header_of(step)}
        called = PreparedCall(
            callee,
            names,
            batch.activity if batch is not None else input.activity,
            id=input.activity_id or name,
            step=step,
            began=workflow.now(),
            within=input.schedule_to_close_timeout,
            effect=self._catalogue.effect(batch.activity if batch is not None else input.activity),
            retry_policy=input.retry_policy or RetryPolicy(),
            is_batch=batch is not None,
            rule=rule(),
            undoes=is_compensating(),
        )
        if called.effect.kind == "at_most_once":
            self._hold_to_once(called, input)
        called.may_park = (
            called.effect.kind == "at_most_once"
            or called.undoes
            or called.rule is not None
            or (options is not None and options.on_exhausted == "park")
        )
        return called

    def _hold_to_once(self, call: PreparedCall, input: ActivityInput) -> None:
        """Have the server try an at-most-once step a single time, or refuse it where it might run twice."""
        if isinstance(input, StartLocalActivityInput):
            raise Terminal(
                f"{call.callee}: it is at-most-once, and a local activity runs again where its worker dies: call it "
                "with execute_activity",
                type="InvalidCall",
            )
        if call.is_batch:
            raise Terminal(
                f"Activity {call.activity!r} is not started: it is at-most-once, and a batch is tried again as a "
                "whole: leave batch out of fan_out",
                type="InvalidCall",
            )
        input.retry_policy = at_most_once(input.retry_policy)

    def _activity_id(self, name: str, given: str | None) -> str | None:
        """Return a deterministic id, `name-n` for the nth call of an activity type, for a run that began with those.

        Temporal compares activity ids in replay, and without the plugin they are plain numbers. A run that was begun
        without it must keep its numbers.
        """
        if given is not None:
            self._given[given] += 1
            return given
        if self._named is None:
            self._named = has(Feature.NAMED_STEPS)
        if not self._named:
            return None
        while True:
            self._counts[name] += 1
            candidate = f"{name}-{self._counts[name]}"
            if candidate not in self._given:
                return candidate

    def _step(self, given: str | None) -> Step | None:
        """Return what the ids of an activity do not say of its step; None where they say all."""
        info = workflow.info()
        reset = info.original_execution_run_id != info.run_id
        # Temporal lets a run give an id again once its activity has closed, and each is a step with effects of its own.
        repetition = self._given[given] - 1 if given is not None else 0
        if (asked := asked_of.get()) is not None:
            return asked
        if (whose := acting_for.get()) is not None:
            return whose.model_copy(update={"repetition": repetition})
        if not reset and not repetition:
            return None
        return Step(run_id=info.original_execution_run_id if reset else None, repetition=repetition)
