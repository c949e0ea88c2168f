"""Steps carried through: each held back until it may start, sent, and looked after if it fails for good.

To the workflow's code a step is the handle of an activity as any other. Behind the handle may be several activities,
one after the other: a step that is repaired starts again.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Coroutine, Generator, Sequence
from datetime import timedelta
from typing import Any, Final, Optional, cast

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from temporalio.exceptions import FailureError, is_cancelled_exception
from temporalio.worker import StartActivityInput, WorkflowOutboundInterceptor

from segue.activities import faithful
from segue.activities.errors import PayloadError
from segue.activities.idempotency import STEP_HEADER, Step
from segue.activities.system import System, types_of
from segue.workflows.arguments import unsendable
from segue.workflows.compensating import is_compensating
from segue.workflows.fanout.options import batch_of
from segue.workflows.features import Feature, has
from segue.workflows.flow_control import FlowControl, Ticket
from segue.workflows.history_room import Command, Meter
from segue.workflows.ids import Identity
from segue.workflows.options import Catalogue
from segue.workflows.prepared import ActivityInput, PreparedCall, Preparer, asked_of, header_of
from segue.workflows.repair.records import ASKED, FAILED
from segue.workflows.repair.recovery import Again, Cancellation, FailedStep, Recovery, Settled
from segue.workflows.repair.register import Register
from segue.workflows.steps import StepLog
from segue.workflows.summary import summarize

__all__ = ["CarriedStep", "Carrier", "leaving", "named"]

_AT_ONCE: Final = timedelta(milliseconds=1)


class CarriedStep(workflow.ActivityHandle[Any]):
    """The handle of a step, which is a task of its own around that of its activity.

    Args:
        carrying: Carries the step through, and returns its result.
        name: What it is, for the stack traces of the SDK.
        activity: The activity if it has been started already, None if it is held back.
        number: Which step of the run it is, in the order in which they were started.
    """

    def __init__(
        self, carrying: Coroutine[Any, Any, Any], name: str, activity: workflow.ActivityHandle[Any] | None, number: int
    ) -> None:
        super().__init__(carrying)
        self.number = number
        self._activity = activity
        self.begun = False
        self.cancellation = Cancellation()
        # As every task of a workflow: the run's loop keeps it, and ends it when the run is put out of memory.
        cast("Any", asyncio.get_running_loop())._register_task(self, name=name)

    @property
    def is_held(self) -> bool:
        """Whether it was held back when it was asked for."""
        return self._activity is None

    def cancel(self, msg: Any | None = None) -> bool:
        """See base class."""
        if not self.done() and self.cancellation.comes():
            return True
        # A task that has not begun is cancelled without running, and so could not pass the cancellation on.
        if not self.begun and self._activity is not None and not self.done():
            self._activity.cancel(msg)
        return super().cancel(msg)


class Carrier:
    """Carries the activities of one run through.

    Args:
        next: Gives commands to the SDK.
        catalogue: Which options hold for which activity.
        steps: Where steps are recorded.
        control: What holds commands back.

    Attributes:
        parked: The steps that wait for repair.
        is_carrying: Whether steps are carried; None until the run's first step, which decides it by its history.
    """

    def __init__(
        self, next: WorkflowOutboundInterceptor, catalogue: Catalogue, steps: StepLog, control: FlowControl
    ) -> None:
        self.parked = Register(steps.state_of)
        self.is_carrying: bool | None = None
        self._next = next
        self._catalogue = catalogue
        self._steps = steps
        self._control = control
        self._prepared = Preparer(catalogue, steps.open_ids)
        self._parks = False
        self._count = 0

    def flow(self) -> FlowControl | None:
        """Return what holds this run's commands back; None if the run began before there was such a thing."""
        if self.is_carrying is None:
            self.is_carrying = has(Feature.CARRIED_STEPS)
            self._parks = self.is_carrying and has(Feature.PARKED_STEPS)
            self._control.measures = self.is_carrying and has(Feature.MEASURED_STEPS)
        return self._control if self.is_carrying else None

    def start(self, command: Command, input: ActivityInput) -> workflow.ActivityHandle[Any]:
        """Start a step, or have it wait for its turn. A call that is wrong is refused when it would be sent."""
        identity = self._prepared.identify(input)
        try:
            handle = self._started(command, input, identity)
        except BaseException:
            self._prepared.forget(input, identity)
            raise
        id = input.activity_id if command == "activity" else None
        held = isinstance(handle, CarriedStep) and handle.is_held
        self._steps.started(handle, command, input.activity, input.summary, id, held=held)
        return handle

    def _started(self, command: Command, input: ActivityInput, identity: Identity) -> workflow.ActivityHandle[Any]:
        flow = self.flow()
        if flow is None:
            return self._schedule(input, self._prepared.prepare(input, identity), self._control.meter)
        call, activity = None, None
        ticket = self._ticket(flow, command, input)
        if flow.enter(ticket):
            call, activity = self._send(flow, ticket, input, identity)
        carrying = self._carry(flow, ticket, input, identity, call, activity)
        self._count += 1
        return CarriedStep(carrying, f"step: {input.activity}", activity, self._count)

    async def _carry(
        self,
        flow: FlowControl,
        ticket: Ticket,
        input: ActivityInput,
        identity: Identity,
        call: PreparedCall | None,
        activity: workflow.ActivityHandle[Any] | None,
    ) -> Any:
        """Carry a step through to its result."""
        handle = cast("CarriedStep", asyncio.current_task())
        handle.begun = True
        if call is None or activity is None:
            await flow.turn(ticket)
            call, activity = self._send(flow, ticket, input, identity)
            self._steps.sent(handle, input.summary)
        recovery: Recovery | None = None
        while True:
            try:
                return await activity
            except FailureError as error:
                if not self._parks or (is_cancelled_exception(error) and not call.accounted):
                    raise
                if ticket.command == "local_activity":
                    # Its end may come within one workflow task and be replayed within the one before, where what is
                    # decided now is not known yet. A timer's end comes where it came.
                    await workflow.sleep(_AT_ONCE, summary=FAILED.format(call.id))
                recovery = recovery or Recovery(self._failed_step(ticket.command, input, call), self.parked, call.began)
                after = await recovery.after(error)
                if isinstance(after, Settled):
                    return after.result
                input = self._again(input, call, after)
                await flow.entered(ticket)
                activity = self._send_prepared(flow, ticket, input, call)

    def _send(
        self, flow: FlowControl, ticket: Ticket, input: ActivityInput, identity: Identity
    ) -> tuple[PreparedCall, workflow.ActivityHandle[Any]]:
        """Complete and schedule a step that has its turn."""
        with leaving(flow, ticket):
            call = self._prepared.prepare(input, identity)
        return call, self._send_prepared(flow, ticket, input, call)

    def _ticket(self, flow: FlowControl, command: Command, input: ActivityInput) -> Ticket:
        """Return what a step shows to flow control."""
        batch = batch_of(input.activity, input.args)
        name, kind = input.activity, input.activity
        if batch is not None:
            name, kind = batch.activity, f"{batch.activity} in {input.activity}"
        return Ticket(command, name, kind, undoes=flow.measures and is_compensating())

    def _failed_step(self, command: Command, input: ActivityInput, call: PreparedCall) -> FailedStep:
        """Return what matters of a step that has failed."""
        name, handle = call.activity, cast("CarriedStep", asyncio.current_task())
        system, options = self._catalogue.system(name), self._catalogue.options(name)
        return FailedStep(
            number=handle.number,
            id=call.id,
            activity=name,
            kind="local_activity" if command == "local_activity" else "activity",
            system=system.name if system is not None else None,
            summary=input.summary,
            names=call.names,
            hints=input.arg_types or types_of(input.activity),
            returns=self._returns(input, system),
            # The items of a batch fail each by itself, and `fan_out` has it in hand.
            policy="fail" if call.is_batch else options.on_exhausted if options is not None else None,
            rule=call.rule,
            undoes=call.undoes,
            effect=call.effect,
            retry_policy=call.retry_policy,
            within=input.schedule_to_close_timeout,
            sent=lambda: self._sent(input, call),
            handle=handle,
            cancellation=handle.cancellation if call.accounted else None,
            show=lambda why: self._steps.parked(handle, why),
            reconcile=lambda: self._reconcile(input, call),
        )

    def _returns(self, input: ActivityInput, system: System | None) -> Any:
        return input.ret_type or (system.returns.get(input.activity) if system is not None else None)

    def _sent(self, input: ActivityInput, call: PreparedCall) -> list[Payload]:
        """Return the arguments of a step as they were sent, which the workflow's code may have altered since."""
        if call.sent is None:
            call.sent = workflow.payload_converter().to_payloads(input.args)
        return call.sent

    def _again(self, input: ActivityInput, call: PreparedCall, after: Again) -> ActivityInput:
        """Return the call of a step that is tried again: with its id and its key, unless it has another effect."""
        headers = dict(input.headers)
        if after.new_effect:
            known = call.step or Step()
            call.step = known.model_copy(update={"alteration": known.alteration + 1})
            headers[STEP_HEADER] = header_of(call.step)
        summary = input.summary
        if after.args is not None:
            summary = summarize(after.args) if summary == summarize(input.args) else summary
            args, call.sent = after.args, None
        else:
            args = [RawValue(payload) for payload in self._sent(input, call)]
        within = after.within or call.within
        return dataclasses.replace(input, args=args, headers=headers, summary=summary, schedule_to_close_timeout=within)

    async def _reconcile(self, input: ActivityInput, call: PreparedCall) -> Any:
        """Ask the system of a step what happened: with its arguments, and with its idempotency key."""
        assert call.effect.reconcile is not None
        hint = self._returns(input, self._catalogue.system(call.activity))
        told: Any = bool if call.effect.tells_whether else Optional[hint] if hint is not None else None  # noqa: UP045
        key = (call.step or Step()).model_copy(update={"activity_id": input.activity_id})
        token = asked_of.set(key)
        try:
            asking = workflow.start_activity(
                call.effect.reconcile,
                args=[RawValue(payload) for payload in self._sent(input, call)],
                summary=ASKED.format(call.id),
                result_type=told,
            )
        finally:
            asked_of.reset(token)
        return await asking

    def _send_prepared(
        self, flow: FlowControl, ticket: Ticket, input: ActivityInput, call: PreparedCall
    ) -> workflow.ActivityHandle[Any]:
        """Schedule a step that has its turn, and let the next one have it when this one has ended."""
        with leaving(flow, ticket):
            activity = self._schedule(input, call, flow.meter_of(ticket))
            if call.may_park:
                self._sent(input, call)
        activity.add_done_callback(lambda ended: flow.ended(ticket, ended))
        return activity

    def _schedule(self, input: ActivityInput, call: PreparedCall, meter: Meter) -> workflow.ActivityHandle[Any]:
        """Give the command to the server, or raise what is wrong with its arguments."""
        with named(meter, call.callee, call.names, input.args):
            if isinstance(input, StartActivityInput):
                return self._next.start_activity(input)
            token = faithful.stays_here.set(True)
            try:
                return self._next.start_local_activity(input)
            finally:
                faithful.stays_here.reset(token)


@contextlib.contextmanager
def leaving(flow: FlowControl, ticket: Ticket) -> Generator[None]:
    """Count a command as closed if it cannot be sent after all."""
    try:
        yield
    except BaseException:
        flow.left(ticket)
        raise


@contextlib.contextmanager
def named(meter: Meter, callee: str, names: tuple[str, ...], args: Sequence[Any]) -> Generator[None]:
    """Name what the converter refuses, and count what it makes. What was checked it need not look at again."""
    token = faithful.meter.set(meter)
    try:
        with faithful.accepted(args):
            yield
    except PayloadError as error:
        raise unsendable(callee, names, error) from None
    finally:
        faithful.meter.reset(token)
