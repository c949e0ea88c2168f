"""The way out of a workflow: its activities, children and signals, each checked, recorded, and held back where it must.

An activity is carried through by `segue.workflows.carried`; the others are sent when it is their turn.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NoReturn, TypeVar

from temporalio import workflow
from temporalio.worker import (
    ContinueAsNewInput,
    SignalChildWorkflowInput,
    SignalExternalWorkflowInput,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
    WorkflowOutboundInterceptor,
)

from segue.workflows.arguments import check_arguments
from segue.workflows.carried import Carrier, leaving, named
from segue.workflows.flow_control import FlowControl, Ticket
from segue.workflows.options import Catalogue
from segue.workflows.pausing.register import PauseRegister
from segue.workflows.repair.register import Register
from segue.workflows.steps import StepLog
from segue.workflows.summary import summarize

__all__ = ["Outbound"]

T = TypeVar("T")


class Outbound(WorkflowOutboundInterceptor):
    """Stands around each command of one run.

    Attributes:
        own_types: Types of the run's own parameters, for whoever continues it as new; None if not known.
    """

    def __init__(
        self, next: WorkflowOutboundInterceptor, catalogue: Catalogue, steps: StepLog, pauses: PauseRegister
    ) -> None:
        super().__init__(next)
        self.own_types: list[type] | None = None
        self._catalogue = catalogue
        self._steps = steps
        self._pauses = pauses
        self._control = FlowControl(pauses.holds)
        self._carrier = Carrier(next, catalogue, steps, self._control)
        pauses.attach(
            self._control,
            lambda: self._carrier.is_carrying,
            lambda: self._carrier.flow() is not None,
            lambda: steps.held(pauses.holds),
        )

    @property
    def parked(self) -> Register:
        """The steps that wait for repair."""
        return self._carrier.parked

    def held(self) -> list[str]:
        """Return what flow control holds back."""
        held = self._control.held - self._control.paused
        return [f"{held:,} more {'step waits' if held == 1 else 'steps wait'} for a turn"] if held else []

    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        """See base class."""
        return self._carrier.start("activity", input)

    def start_local_activity(self, input: StartLocalActivityInput) -> workflow.ActivityHandle[Any]:
        """See base class."""
        return self._carrier.start("local_activity", input)

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> workflow.ChildWorkflowHandle[Any, Any]:
        """See base class."""
        callee = f"Workflow {input.workflow!r} is not started"
        self._check(callee, (), input.args, input.arg_types)
        summary = input.static_summary
        if summary is None and (summary := summarize(input.args)) is not None:
            # The Web UI labels a child by its summary alone, where it sets an activity's type beside it.
            input.static_summary = f"{input.workflow} • {summary}"

        ticket = Ticket("child_workflow", input.workflow, input.workflow)

        async def start() -> workflow.ChildWorkflowHandle[Any, Any]:
            input.headers = {**input.headers, **self._pauses.headers()}
            with named(self._control.meter_of(ticket), callee, (), input.args):
                return await self.next.start_child_workflow(input)

        flow = self._carrier.flow()
        if flow is None:
            handle = await start()
        else:
            handle = await _in_turn(flow, ticket, start())
            handle.add_done_callback(lambda ended: flow.ended(ticket, ended))
            self._pauses.started(handle, input.headers)
        self._steps.started(handle, "child_workflow", input.workflow, summary)
        return handle

    async def signal_child_workflow(self, input: SignalChildWorkflowInput) -> None:
        """See base class."""
        await self._signal(input.signal, lambda: self.next.signal_child_workflow(input))

    async def signal_external_workflow(self, input: SignalExternalWorkflowInput) -> None:
        """See base class."""
        await self._signal(input.signal, lambda: self.next.signal_external_workflow(input))

    async def _signal(self, name: str, sending: Callable[[], Coroutine[Any, Any, None]]) -> None:
        ticket = Ticket("signal", name, name)

        async def send() -> None:
            with named(self._control.meter_of(ticket), f"Signal {name!r} is not sent", (), ()):
                await sending()

        flow = self._carrier.flow()
        if flow is None:
            await send()
        else:
            await _in_turn(flow, ticket, send())
            flow.left(ticket)

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        """See base class."""
        callee = "The continued run is not started"
        self._check(callee, (), input.args, input.arg_types if input.workflow is not None else self.own_types)
        if self._catalogue.checks:
            # What the SDK cannot convert once the run's own code has ended, it drops without a word.
            with named(self._control.meter, callee, (), input.args):
                workflow.payload_converter().to_payloads(input.args)
        input.headers = {**input.headers, **self._pauses.headers()}
        self.next.continue_as_new(input)

    def _check(self, callee: str, names: tuple[str, ...], args: Sequence[Any], hints: list[type] | None) -> None:
        if self._catalogue.checks:
            check_arguments(callee, names, args, hints)


async def _in_turn(flow: FlowControl, ticket: Ticket, sending: Coroutine[Any, Any, T]) -> T:
    """Send something when it is its turn. Whoever waits for its end counts it as closed, if it could be sent."""
    try:
        await flow.entered(ticket)
    except BaseException:
        sending.close()
        raise
    with leaving(flow, ticket):
        return await sending
