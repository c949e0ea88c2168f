"""The one way into and out of a workflow: policies applied, arguments checked, steps recorded, failures delivered.

`SegueInterceptor` serves the client, the workflows and the activities of whoever has the plugin. What it changes in a
workflow's commands breaks no replay: Temporal compares the type and the id of an activity, but neither its timeouts nor
its retry policy, queue or summary. Only the id needs care, see `segue.workflows.prepared`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final, NoReturn, cast

from temporalio import workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteWorkflowInput,
    HandleQueryInput,
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from segue.activities.errors import leaves, message_of
from segue.workflows.approvals import register as approvals
from segue.workflows.arguments import check_result
from segue.workflows.attempt import AttemptInterceptor
from segue.workflows.fanout.shown import lines as fanout_lines
from segue.workflows.features import Feature, has
from segue.workflows.graph.shown import pending
from segue.workflows.options import Catalogue, UndeclaredActivity
from segue.workflows.outbound import Outbound
from segue.workflows.pausing.register import PauseRegister
from segue.workflows.saga import shown as sagas
from segue.workflows.steps import StepLog
from segue.workflows.waits import waits

__all__ = ["SegueInterceptor"]

_METADATA_QUERY: Final = "__temporal_workflow_metadata"
_STACK_QUERY: Final = "__enhanced_stack_trace"


class SegueInterceptor(Interceptor):
    """Applies the policies of a catalogue to every workflow and activity of a worker.

    Attributes:
        clients: The clients of the workers, by namespace.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.clients: dict[str, Client] = {}

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """See base class."""
        return AttemptInterceptor(next, self.catalogue, self.clients)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        """See base class."""
        # Temporal makes one instance of a class for each run; the class carries what all runs share.
        return type("SegueWorkflowInbound", (_Inbound,), {"catalogue": self.catalogue})


class _Inbound(WorkflowInboundInterceptor):
    catalogue: Catalogue
    _steps: StepLog
    _pauses: PauseRegister
    _outbound: Outbound

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        self._steps = StepLog()
        self._pauses = PauseRegister(outbound.info().headers)
        self._outbound = Outbound(outbound, self.catalogue, self._steps, self._pauses)
        super().init(self._outbound)

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        # Temporal's decorator leaves its definition here; there is no public way to ask for a run's own types.
        definition = getattr(input.type, "__temporal_workflow_definition", None)
        self._outbound.own_types = getattr(definition, "arg_types", None)
        self._pauses.begin()
        try:
            try:
                result = await super().execute_workflow(input)
            except workflow.ContinueAsNewError:
                await self._mended()
                raise
            self._check_result(
                f"workflow {workflow.info().workflow_type!r}", result, getattr(definition, "ret_type", None)
            )
        except Exception as error:
            _deliver(error)
        return result

    async def _mended(self) -> None:
        """Wait until no step is parked: the run that follows knows nothing of this one's, and they would be lost."""
        mending = self._outbound.parked.mending
        await workflow.wait_condition(lambda: not mending)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        try:
            await super().handle_signal(input)
        except workflow.ContinueAsNewError:
            if self._outbound.parked.mending and has(Feature.PATIENT_SIGNALS):
                await self._mended()
            raise
        except Exception as error:
            _deliver(error)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        try:
            result = await super().handle_update_handler(input)
            self._check_result(f"update {input.update!r}", result, _update_type(input.update))
        except Exception as error:
            _deliver(error)
        return result

    def _check_result(self, what: str, result: Any, hint: Any) -> None:
        """Refuse a result that would arrive altered, and name it to the converter, which weighs it afterwards."""
        if self.catalogue.checks:
            check_result(f"The result of {what}", result, hint)

    async def handle_query(self, input: HandleQueryInput) -> Any:
        result = await super().handle_query(input)
        if input.query == _METADATA_QUERY and not result.current_details:
            waiting = [*self._pauses.lines(), *approvals.pending(), *pending(), *sagas.pending()]
            waiting += [*self._outbound.held(), *map(str, waits())]
            result.current_details = self._steps.table([*fanout_lines(), *waiting])
        elif input.query == _STACK_QUERY:
            # The SDK's own trace holds only the outermost frame of each task, and not the run method's.
            for wait in waits():
                location = result.stacks.add().locations.add()
                location.file_path, location.line, location.function_name = wait.path, wait.line, wait.function
        return result


def _deliver(error: Exception) -> NoReturn:
    """Raise an unexpected error so that it fails the run, with its traceback, in place of retrying for ever.

    Temporal would fail the workflow task and try it again until somebody deploys a mended worker. That is right only
    where the run itself is at stake: a nondeterminism error means that this worker's code does not fit the history.
    """
    if isinstance(error, (FailureError, asyncio.TimeoutError, *_OF_THE_RUN)):
        raise error
    for leaf in leaves(error):
        if isinstance(leaf, _OF_THE_RUN):  # a task group wraps what its tasks raise
            raise leaf
    kind = type(error).__name__
    raise ApplicationError(message_of(error) or kind, type=kind).with_traceback(
        error.__traceback__
    ) from error.__cause__


# Errors that tell of the worker's code rather than of the run.
_OF_THE_RUN: Final = (workflow.NondeterminismError, workflow.ReadOnlyContextError, UndeclaredActivity)


def _update_type(name: str) -> Any:
    """Return the type that an update's handler declares to return; None if it declares none."""
    instance: Any = workflow.instance()
    definition = getattr(instance, "__temporal_workflow_definition", None)
    updates = cast("Mapping[str, Any]", getattr(definition, "updates", {}))
    return getattr(updates.get(name), "ret_type", None)
