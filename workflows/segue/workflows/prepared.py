"""A call of an activity, completed from its system's policy before it is sent: options, id, summary, whose step.

Temporal compares the type and the id of an activity in replay, but neither its timeouts nor its retry policy, queue or
summary. So all may be filled in by what this deployment says, but for the id, which must be what it was.
"""

from __future__ import annotations

import dataclasses
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
from segue.workflows.ids import Identity, ids_of_this_run
from segue.workflows.options import Catalogue, UndeclaredActivity
from segue.workflows.repair.recovery import at_most_once
from segue.workflows.repair.rule import Rule, is_accounted, rule
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
    accounted: bool
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

    def identify(self, input: ActivityInput) -> Identity:
        """Give a call its id, in the order of the calls, and return it.

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
        identity = self._identity(name, given)
        input.activity_id = identity.id
        return identity

    def forget(self, input: ActivityInput, identity: Identity) -> None:
        """Take the id back of a call that was refused at once, before any other was made."""
        ids_of_this_run().take_back(input.activity, identity)

    def prepare(self, input: ActivityInput, identity: Identity) -> PreparedCall:
        """Complete a call from its system's policy, or refuse it.

        Args:
            input: The call, which has been given its id.
            identity: What it was given.

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
            # What undoes earlier work does not give up. It parks, unless it may not; then it is tried again for ever,
            # but for code that says itself what becomes of an error.
            gives_up = not is_compensating() or options.on_exhausted != "fail" or rule() is not None
            (options if gives_up else options.without_bounds()).fill(input)
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
        step = self._step(identity)
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
            accounted=is_accounted(),
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

    def _identity(self, name: str, given: str | None) -> Identity:
        """Return what an activity is known by, deterministically, for a run that began with such ids.

        Temporal compares activity ids in replay, and without the plugin they are plain numbers. A run that was begun
        without it must keep its numbers.
        """
        if given is not None:
            return ids_of_this_run().given(given)
        if self._named is None:
            self._named = has(Feature.NAMED_STEPS)
        return ids_of_this_run().made(name) if self._named else Identity(None)

    def _step(self, identity: Identity) -> Step | None:
        """Return what the ids of an activity do not say of its step; None where they say all."""
        info = workflow.info()
        reset = info.original_execution_run_id != info.run_id
        if (asked := asked_of.get()) is not None:
            return asked
        # Each that has an id is a step with effects of its own.
        if (whose := acting_for.get()) is not None:
            return whose.model_copy(update={"repetition": identity.before})
        if not reset and not identity.before:
            return None
        return Step(run_id=info.original_execution_run_id if reset else None, repetition=identity.before)
