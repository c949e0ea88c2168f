"""The one way into and out of a workflow: policies applied, arguments checked, steps recorded, failures delivered.

`SegueInterceptor` serves the client, the workflows and the activities of whoever has the plugin. What it changes in a
workflow's commands breaks no replay: Temporal compares the type and the id of an activity, but neither its timeouts nor
its retry policy, queue or summary. Only the id needs care, see `_Outbound._activity_id`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any, Final, NoReturn

import pydantic
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ActivityOutboundInterceptor,
    ContinueAsNewInput,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    HandleQueryInput,
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from segue.activities import faithful, heartbeat
from segue.activities.errors import PayloadError, Terminal, classify, describe
from segue.activities.idempotency import RUN_HEADER, original_run_id
from segue.activities.system import parameters_of
from segue.workflows.options import Catalogue
from segue.workflows.steps import StepLog
from segue.workflows.summary import summarize

__all__ = ["ACTIVITY_ID_PATCH", "SegueInterceptor", "check_arguments", "unsendable"]

ACTIVITY_ID_PATCH: Final = "segue.activity-id"
"""Marks in a run's history that its activities have ids of the form `name-n`."""

_METADATA_QUERY: Final = "__temporal_workflow_metadata"
_STACK_QUERY: Final = "__enhanced_stack_trace"


class SegueInterceptor(Interceptor):
    """Applies the policies of a catalogue to every workflow and activity of a worker."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """See base class."""
        return _ActivityInbound(next, self.catalogue)

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        """See base class."""
        # Temporal makes one instance of a class for each run; the class carries what all runs share.
        return type("SegueWorkflowInbound", (_Inbound,), {"catalogue": self.catalogue})


class _Inbound(WorkflowInboundInterceptor):
    catalogue: Catalogue
    _steps: StepLog

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        self._steps = StepLog()
        super().init(_Outbound(outbound, self.catalogue, self._steps))

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        try:
            return await super().execute_workflow(input)
        except Exception as error:
            _deliver(error)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        try:
            await super().handle_signal(input)
        except Exception as error:
            _deliver(error)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        try:
            return await super().handle_update_handler(input)
        except Exception as error:
            _deliver(error)

    async def handle_query(self, input: HandleQueryInput) -> Any:
        result = await super().handle_query(input)
        if input.query == _METADATA_QUERY and not result.current_details:
            result.current_details = self._steps.table(await self._waits(input))
        return result

    async def _waits(self, input: HandleQueryInput) -> list[str]:
        """Return where the workflow's own code waits, from the SDK's stack trace: `FulfilOrder.run, line 31`."""
        return []


class _Outbound(WorkflowOutboundInterceptor):
    def __init__(self, next: WorkflowOutboundInterceptor, catalogue: Catalogue, steps: StepLog) -> None:
        super().__init__(next)
        self._catalogue = catalogue
        self._steps = steps
        self._named: bool | None = None
        self._counts: Counter[str] = Counter()
        self._given: set[str] = set()

    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        self._prepare(input)
        try:
            handle = self.next.start_activity(input)
        except PayloadError as error:
            raise unsendable(f"Activity {input.activity!r}", parameters_of(input.activity), error) from None
        self._steps.started(handle, "activity", input.activity, input.summary)
        return handle

    def start_local_activity(self, input: StartLocalActivityInput) -> workflow.ActivityHandle[Any]:
        self._prepare(input)
        try:
            handle = self.next.start_local_activity(input)
        except PayloadError as error:
            raise unsendable(f"Activity {input.activity!r}", parameters_of(input.activity), error) from None
        self._steps.started(handle, "local_activity", input.activity, input.summary)
        return handle

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> workflow.ChildWorkflowHandle[Any, Any]:
        check_arguments(f"Workflow {input.workflow!r}", (), input.args, input.arg_types)
        if input.static_summary is None:
            input.static_summary = summarize(input.args)
        try:
            handle = await self.next.start_child_workflow(input)
        except PayloadError as error:
            raise unsendable(f"Workflow {input.workflow!r}", (), error) from None
        self._steps.started(handle, "child_workflow", input.workflow, input.static_summary)
        return handle

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        check_arguments("The continued run", (), input.args, input.arg_types)
        self.next.continue_as_new(input)

    def _prepare(self, input: StartActivityInput | StartLocalActivityInput) -> None:
        """Complete a call from its system's policy, or refuse it here, where the workflow's author sees it."""
        name = input.activity
        options = self._catalogue.options(name)
        if options is not None:
            options.fill(input)
        elif input.start_to_close_timeout is None and input.schedule_to_close_timeout is None:
            raise Terminal(
                f"Activity {name!r} has no timeout: no system declares it in this process. Declare it with "
                "@system.activity and import its module in the worker, or pass start_to_close_timeout",
                type="PolicyError",
            )
        check_arguments(f"Activity {name!r}", parameters_of(name), input.args, input.arg_types)
        input.activity_id = self._activity_id(name, input.activity_id)
        if input.summary is None:
            input.summary = summarize(input.args)
        info = workflow.info()
        if info.original_execution_run_id != info.run_id:
            header = Payload(metadata={"encoding": b"json/plain"}, data=f'"{info.original_execution_run_id}"'.encode())
            input.headers = {**input.headers, RUN_HEADER: header}

    def _activity_id(self, name: str, given: str | None) -> str | None:
        """Return a deterministic id, `name-n` for the nth call of an activity type, for a run that began with those.

        Temporal compares activity ids in replay, and without the plugin they are plain numbers. A run that was begun
        without it must keep its numbers, so the first call of a run asks for a patch: histories from before hold no
        marker, and their replay answers no.
        """
        if given is not None:
            self._given.add(given)
            return given
        if self._named is None:
            self._named = workflow.patched(ACTIVITY_ID_PATCH)
        if not self._named:
            return None
        while True:
            self._counts[name] += 1
            candidate = f"{name}-{self._counts[name]}"
            if candidate not in self._given:
                return candidate


class _ActivityInbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, catalogue: Catalogue) -> None:
        super().__init__(next)
        self._catalogue = catalogue

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        super().init(_ActivityOutbound(outbound))

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        header = input.headers.get(RUN_HEADER)
        token = original_run_id.set(header.data.decode().strip('"')) if header is not None else None
        try:
            async with heartbeat.beating():
                result = await super().execute_activity(input)
            faithful.check(result)
            return result
        except Exception as error:
            raised = classify(error, self._catalogue.system(activity.info().activity_type))
            if raised is error:
                raise
            raise raised from raised.__cause__
        finally:
            if token is not None:
                original_run_id.reset(token)


class _ActivityOutbound(ActivityOutboundInterceptor):
    def heartbeat(self, *details: Any) -> None:
        heartbeat.observe(details)
        super().heartbeat(*details)


def check_arguments(callee: str, names: tuple[str, ...], args: Any, hints: list[type] | None) -> None:
    """Refuse arguments that the receiver would misread or refuse, before anything is scheduled.

    Without this a wrong argument fails each attempt at the other side, and a subclass arrives as its base class.
    """
    if hints is None or len(hints) != len(args):
        # Parameters with defaults: the receiver pairs hints and arguments only when all are given.
        hints = None
    for position, value in enumerate(args):
        hint = None if hints is None else hints[position]
        try:
            faithful.check(value, hint)
            if hint is not None:
                faithful.accept(value, hint)
        except PayloadError as error:
            error.position = position
            raise unsendable(callee, names, error) from None
        except pydantic.ValidationError as error:
            raise unsendable(callee, names, PayloadError(describe(error)), position) from None


def unsendable(callee: str, names: tuple[str, ...], error: PayloadError, position: int | None = None) -> PayloadError:
    position = error.position if position is None else position
    name = f" {names[position]!r}" if position < len(names) else ""
    named = PayloadError(f"{callee} is not started: argument {position + 1}{name}: {error.message}", error.path)
    named.position = position
    return named


def _deliver(error: Exception) -> NoReturn:
    """Raise an unexpected error so that it fails the run, with its traceback, in place of retrying for ever.

    Temporal would fail the workflow task and try it again until somebody deploys a mended worker. That is right only
    where the run itself is at stake: a nondeterminism error means that this worker's code does not fit the history.
    """
    if isinstance(
        error, (FailureError, asyncio.TimeoutError, workflow.NondeterminismError, workflow.ReadOnlyContextError)
    ):
        raise error
    kind = type(error).__name__
    raise ApplicationError(str(error) or kind, type=kind).with_traceback(error.__traceback__) from error.__cause__
