"""The one way into and out of a workflow: policies applied, arguments checked, steps recorded, failures delivered.

`SegueInterceptor` serves the client, the workflows and the activities of whoever has the plugin. What it changes in a
workflow's commands breaks no replay: Temporal compares the type and the id of an activity, but neither its timeouts nor
its retry policy, queue or summary. Only the id needs care, see `_Outbound._activity_id`.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections import Counter
from collections.abc import Coroutine, Generator, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any, Final, NoReturn, Optional, TypeVar, cast

import pydantic
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue, RetryPolicy
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception
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
    SignalChildWorkflowInput,
    SignalExternalWorkflowInput,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from segue.activities import faithful, heartbeat
from segue.activities.certainty import begun_in_time, certain
from segue.activities.effect import Effect
from segue.activities.errors import PayloadError, Terminal, classify, describe, leaves, message_of
from segue.activities.idempotency import STEP_HEADER, Step, acting_for, effects, step_info
from segue.activities.system import System, parameters_of, types_of
from segue.workflows.approvals import register as approvals
from segue.workflows.carried import CarriedStep
from segue.workflows.compensating import is_compensating
from segue.workflows.fanout.options import batch_of, fill_batch
from segue.workflows.fanout.shown import lines as fanout_lines
from segue.workflows.features import Feature, has
from segue.workflows.flow_control import LOCAL_RESULT_LIMIT, Command, FlowControl, size_of
from segue.workflows.graph.shown import pending
from segue.workflows.options import Catalogue, UndeclaredActivity
from segue.workflows.pausing.register import PauseRegister
from segue.workflows.repair.recovery import Again, FailedStep, Recovery, Settled, at_most_once
from segue.workflows.repair.register import Register
from segue.workflows.repair.rule import Rule, rule
from segue.workflows.saga import shown as sagas
from segue.workflows.steps import StepLog
from segue.workflows.summary import summarize
from segue.workflows.waits import waits

__all__ = ["SegueInterceptor", "check_arguments", "unsendable"]

T = TypeVar("T")

_METADATA_QUERY: Final = "__temporal_workflow_metadata"
_AT_ONCE: Final = timedelta(milliseconds=1)
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
    _pauses: PauseRegister
    _outbound: _Outbound

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        self._steps = StepLog()
        self._pauses = PauseRegister(outbound.info().headers)
        self._outbound = _Outbound(outbound, self.catalogue, self._steps, self._pauses)
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
                # The run that follows knows nothing of the steps of this one, and those that parked would be lost.
                mending = self._outbound.parked.mending
                await workflow.wait_condition(lambda: not mending)
                raise
            self._check_result(
                f"workflow {workflow.info().workflow_type!r}", result, getattr(definition, "ret_type", None)
            )
        except Exception as error:
            _deliver(error)
        return result

    async def handle_signal(self, input: HandleSignalInput) -> None:
        try:
            await super().handle_signal(input)
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


class _Outbound(WorkflowOutboundInterceptor):
    def __init__(
        self, next: WorkflowOutboundInterceptor, catalogue: Catalogue, steps: StepLog, pauses: PauseRegister
    ) -> None:
        super().__init__(next)
        self._catalogue = catalogue
        self._steps = steps
        self._named: bool | None = None
        self._carried: bool | None = None
        self._parks = False
        self._control = FlowControl(pauses.holds)
        self._pauses = pauses
        pauses.attach(self._control, lambda: self._carried, lambda: self._flow() is not None)
        self.own_types: list[type] | None = None
        self._counts: Counter[str] = Counter()
        self._given: Counter[str] = Counter()
        self.parked = Register(steps.state_of)

    def held(self) -> list[str]:
        """Return what flow control holds back."""
        held = self._control.held - self._control.paused
        return [f"{held:,} more {'step waits' if held == 1 else 'steps wait'} for a turn"] if held else []

    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        return self._start("activity", input)

    def start_local_activity(self, input: StartLocalActivityInput) -> workflow.ActivityHandle[Any]:
        return self._start("local_activity", input)

    def _start(
        self, command: Command, input: StartActivityInput | StartLocalActivityInput
    ) -> workflow.ActivityHandle[Any]:
        step = self._prepared(input)
        flow = self._flow()
        if flow is None:
            handle = self._schedule(input, step)
        else:
            activity = self._send(flow, command, input, step) if flow.enter(command, step.activity) else None
            carrying = self._carry(flow, command, input, step, activity)
            handle = CarriedStep(carrying, f"step: {input.activity}", activity)
            step.handle = handle
        self._steps.started(
            handle, command, input.activity, input.summary, input.activity_id if command == "activity" else None
        )
        return handle

    async def _carry(
        self,
        flow: FlowControl,
        command: Command,
        input: StartActivityInput | StartLocalActivityInput,
        step: _Call,
        activity: workflow.ActivityHandle[Any] | None,
    ) -> Any:
        """Carry a step through to its result."""
        assert step.handle is not None
        step.handle.begun = True
        if activity is None:
            await flow.turn(command, step.activity)
            activity = self._send(flow, command, input, step)
        recovery: Recovery | None = None
        while True:
            try:
                result = await activity
            except FailureError as error:
                if not self._parks or is_cancelled_exception(error):
                    raise
                if command == "local_activity":
                    # Its end may come within one workflow task and be replayed within the one before, where what is
                    # decided now is not known yet. A timer's end comes where it came.
                    await workflow.sleep(_AT_ONCE, summary=f"what follows the failure of {step.id}")
                recovery = recovery or Recovery(self._failed_step(command, input, step), self.parked, step.began)
                after = await recovery.after(error)
                if isinstance(after, Settled):
                    return after.result
                input = self._again(input, step, after)
                if not flow.enter(command, step.activity):
                    await flow.turn(command, step.activity)
                activity = self._send(flow, command, input, step)
                continue
            if flow.exceeded is not None:
                raise flow.exceeded
            return result

    def _failed_step(
        self, command: Command, input: StartActivityInput | StartLocalActivityInput, step: _Call
    ) -> FailedStep:
        """Return what matters of a step that has failed."""
        assert step.handle is not None
        name, handle = step.activity, step.handle
        system, options = self._catalogue.system(name), self._catalogue.options(name)
        return FailedStep(
            id=step.id,
            activity=name,
            kind="local_activity" if command == "local_activity" else "activity",
            system=system.name if system is not None else None,
            summary=input.summary,
            names=step.names,
            hints=input.arg_types or types_of(input.activity),
            returns=self._returns(input, system),
            # The items of a batch fail each by itself, and `fan_out` has it in hand.
            policy="fail" if step.is_batch else options.on_exhausted if options is not None else None,
            rule=step.rule,
            undoes=step.undoes,
            effect=step.effect,
            retry_policy=step.retry_policy,
            within=input.schedule_to_close_timeout,
            sent=lambda: self._sent(input, step),
            handle=handle,
            show=lambda why: self._steps.parked(handle, why),
            reconcile=lambda: self._reconcile(input, step),
        )

    def _returns(self, input: StartActivityInput | StartLocalActivityInput, system: System | None) -> Any:
        return input.ret_type or (system.returns.get(input.activity) if system is not None else None)

    def _sent(self, input: StartActivityInput | StartLocalActivityInput, step: _Call) -> list[Payload]:
        """Return the arguments of a step as they were sent, which the workflow's code may have altered since."""
        if step.sent is None:
            step.sent = workflow.payload_converter().to_payloads(input.args)
        return step.sent

    def _again(
        self, input: StartActivityInput | StartLocalActivityInput, step: _Call, after: Again
    ) -> StartActivityInput | StartLocalActivityInput:
        """Return the call of a step that is tried again: with its id and its key, unless it has another effect."""
        headers = dict(input.headers)
        if after.new_effect:
            known = step.step or Step()
            step.step = known.model_copy(update={"alteration": known.alteration + 1})
            headers[STEP_HEADER] = _header(step.step)
        summary = input.summary
        if after.args is not None:
            summary = summarize(after.args) if summary == summarize(input.args) else summary
            args, step.sent = after.args, None
        else:
            args = [RawValue(payload) for payload in self._sent(input, step)]
        within = after.within or step.within
        return dataclasses.replace(input, args=args, headers=headers, summary=summary, schedule_to_close_timeout=within)

    async def _reconcile(self, input: StartActivityInput | StartLocalActivityInput, step: _Call) -> Any:
        """Ask the system of a step what happened: with its arguments, and with its idempotency key."""
        assert step.effect.reconcile is not None
        hint = self._returns(input, self._catalogue.system(step.activity))
        told: Any = bool if step.effect.tells_whether else Optional[hint] if hint is not None else None  # noqa: UP045
        key = (step.step or Step()).model_copy(update={"activity_id": input.activity_id})
        token = _asked_of.set(key)
        try:
            asking = workflow.start_activity(
                step.effect.reconcile,
                args=[RawValue(payload) for payload in self._sent(input, step)],
                summary=f"what became of {step.id}",
                result_type=told,
            )
        finally:
            _asked_of.reset(token)
        return await asking

    def _send(
        self, flow: FlowControl, command: Command, input: StartActivityInput | StartLocalActivityInput, step: _Call
    ) -> workflow.ActivityHandle[Any]:
        """Schedule a step that has its turn, and let the next one have it when this one has ended."""
        with _leaving(flow, command):
            activity = self._schedule(input, step)
            if step.may_park:
                self._sent(input, step)
        activity.add_done_callback(lambda ended: flow.left(command, None if _failed(ended) else ended.result()))
        return activity

    def _schedule(
        self, input: StartActivityInput | StartLocalActivityInput, step: _Call
    ) -> workflow.ActivityHandle[Any]:
        """Give the command to the server, or raise what is wrong with its arguments."""
        with self._checked(step.callee, step.names, input.args):
            if isinstance(input, StartActivityInput):
                return self.next.start_activity(input)
            token = faithful.stays_here.set(True)
            try:
                return self.next.start_local_activity(input)
            finally:
                faithful.stays_here.reset(token)

    def _flow(self) -> FlowControl | None:
        """Return what holds this run's commands back; None if the run began before there was such a thing."""
        if self._carried is None:
            self._carried = has(Feature.CARRIED_STEPS)
            self._parks = self._carried and has(Feature.PARKED_STEPS)
        return self._control if self._carried else None

    async def start_child_workflow(self, input: StartChildWorkflowInput) -> workflow.ChildWorkflowHandle[Any, Any]:
        callee = f"Workflow {input.workflow!r} is not started"
        self._check(callee, (), input.args, input.arg_types)
        summary = input.static_summary
        if summary is None and (summary := summarize(input.args)) is not None:
            # The Web UI labels a child by its summary alone, where it sets an activity's type beside it.
            input.static_summary = f"{input.workflow} • {summary}"

        async def start() -> workflow.ChildWorkflowHandle[Any, Any]:
            input.headers = {**input.headers, **self._pauses.headers()}
            with self._checked(callee, (), input.args):
                return await self.next.start_child_workflow(input)

        flow = self._flow()
        if flow is None:
            handle = await start()
        else:
            handle = await _in_turn(flow, "child_workflow", None, start())
            handle.add_done_callback(lambda _: flow.left("child_workflow"))
            self._pauses.started(handle, input.headers)
        self._steps.started(handle, "child_workflow", input.workflow, summary)
        return handle

    async def signal_child_workflow(self, input: SignalChildWorkflowInput) -> None:
        await self._signal(input.signal, self.next.signal_child_workflow(input))

    async def signal_external_workflow(self, input: SignalExternalWorkflowInput) -> None:
        await self._signal(input.signal, self.next.signal_external_workflow(input))

    async def _signal(self, name: str, sending: Coroutine[Any, Any, None]) -> None:
        async def send() -> None:
            with self._checked(f"Signal {name!r} is not sent", (), ()):
                await sending

        flow = self._flow()
        if flow is None:
            await send()
        else:
            await _in_turn(flow, "signal", name, send())
            flow.left("signal")

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        callee = "The continued run is not started"
        self._check(callee, (), input.args, input.arg_types if input.workflow is not None else self.own_types)
        if self._catalogue.checks:
            # What the SDK cannot convert once the run's own code has ended, it drops without a word.
            with self._checked(callee, (), input.args):
                workflow.payload_converter().to_payloads(input.args)
        input.headers = {**input.headers, **self._pauses.headers()}
        self.next.continue_as_new(input)

    def _check(self, callee: str, names: tuple[str, ...], args: Sequence[Any], hints: list[type] | None) -> None:
        if self._catalogue.checks:
            check_arguments(callee, names, args, hints)

    @contextlib.contextmanager
    def _checked(self, callee: str, names: tuple[str, ...], args: Sequence[Any]) -> Generator[None]:
        """Name what the converter refuses. It need not look again at arguments that were checked."""
        token = faithful.meter.set(self._control.meter)
        try:
            with faithful.accepted(args):
                yield
        except PayloadError as error:
            raise unsendable(callee, names, error) from None
        finally:
            faithful.meter.reset(token)

    def _prepared(self, input: StartActivityInput | StartLocalActivityInput) -> _Call:
        """Complete a call from its system's policy, or refuse it here, where the workflow's author sees it."""
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
        self._check(callee, names, input.args, input.arg_types or types_of(name))
        if isinstance(input, StartActivityInput) and input.activity_id and input.activity_id in self._steps.open_ids:
            raise Terminal(
                f"{callee}: an activity with the id {input.activity_id!r} is still running in this run. Temporal tells "
                "the activities of a run apart by their ids: give another, or none",
                type="DuplicateActivityId",
            )
        given = input.activity_id
        input.activity_id = self._activity_id(name, given)
        if input.summary is None:
            input.summary = summarize(input.args)
        step = self._step(given)
        if step is not None:
            input.headers = {**input.headers, STEP_HEADER: _header(step)}
        called = _Call(
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

    def _hold_to_once(self, call: _Call, input: StartActivityInput | StartLocalActivityInput) -> None:
        """Have the server try an at-most-once step a single time, or refuse it where it might run twice."""
        if isinstance(input, StartLocalActivityInput):
            raise Terminal(
                f"{call.callee}: it is at-most-once, and a local activity runs again where its worker dies: call it "
                "with execute_activity",
                type="InvalidCall",
            )
        if call.is_batch:
            raise Terminal(
                f"Activity {call.activity!r} is not started: it is at-most-once, and a batch is tried again as a whole: "
                "leave batch out of fan_out",
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
        if (asked := _asked_of.get()) is not None:
            return asked
        if (whose := acting_for.get()) is not None:
            return whose.model_copy(update={"repetition": repetition})
        if not reset and not repetition:
            return None
        return Step(run_id=info.original_execution_run_id if reset else None, repetition=repetition)


@dataclasses.dataclass
class _Call:
    """A call that was prepared: how errors name it, whose step it is, and the handle that the workflow has of it."""

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
    handle: CarriedStep | None = None


_asked_of: Final[ContextVar[Step | None]] = ContextVar("segue_asked_of", default=None)
"""Whose step it is that an activity asks about, which then has the key of that step."""


def _header(step: Step) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=step.model_dump_json().encode())


def _failed(task: asyncio.Future[Any]) -> bool:
    """Whether a task that has ended has no result."""
    return task.cancelled() or task.exception() is not None


@contextlib.contextmanager
def _leaving(flow: FlowControl, command: Command) -> Generator[None]:
    """Count a command as closed if it cannot be sent after all."""
    try:
        yield
    except BaseException:
        flow.left(command)
        raise


async def _in_turn(flow: FlowControl, command: Command, name: str | None, sending: Coroutine[Any, Any, T]) -> T:
    """Send something when it is its turn. Whoever waits for its end counts it as closed, if it could be sent."""
    try:
        if not flow.enter(command, name):
            await flow.turn(command, name)
    except BaseException:
        sending.close()
        raise
    with _leaving(flow, command):
        return await sending


class _ActivityInbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, catalogue: Catalogue) -> None:
        super().__init__(next)
        self._catalogue = catalogue

    def init(self, outbound: ActivityOutboundInterceptor) -> None:
        self._outbound = _ActivityOutbound(outbound)
        super().init(self._outbound)

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        header = input.headers.get(STEP_HEADER)
        if header is not None:
            self._outbound.step_info = step_info(self._outbound.info(), header.data)
        done = effects.set({})
        name, returned = activity.info().activity_type, False
        try:
            if self._catalogue.effect(name).kind == "at_most_once":
                begun_in_time()
            async with self._outbound.beats.beating():
                result = await super().execute_activity(input)
            returned = True
            if self._catalogue.checks:
                definition = getattr(input.fn, "__temporal_activity_definition", None)
                check_result(
                    f"The result of activity {activity.info().activity_type!r}",
                    result,
                    getattr(definition, "ret_type", None),
                )
            if activity.info().is_local and (size := size_of(result)) > LOCAL_RESULT_LIMIT:
                raise PayloadError(
                    f"The result of local activity {activity.info().activity_type!r} is {size:,} bytes, and one of a "
                    f"local activity may be {LOCAL_RESULT_LIMIT:,}: all that end in one workflow task are recorded in "
                    "one request. Call it with execute_activity, or store an object and return a reference to it"
                )
            return result
        except (Exception, BaseExceptionGroup, asyncio.CancelledError) as error:
            system = self._catalogue.system(name)
            raised = classify(error, system)
            if self._catalogue.effect(name).kind == "at_most_once":
                raised = certain(error, raised, system, returned=returned)
            if raised is error:
                raise
            raise raised from raised.__cause__
        finally:
            effects.reset(done)


class _ActivityOutbound(ActivityOutboundInterceptor):
    def __init__(self, next: ActivityOutboundInterceptor) -> None:
        super().__init__(next)
        self.beats = heartbeat.Beats(super().heartbeat)
        self.step_info: activity.Info | None = None

    def info(self) -> activity.Info:
        return super().info() if self.step_info is None else self.step_info

    def heartbeat(self, *details: Any) -> None:
        self.beats.observe(details)
        super().heartbeat(*details)


def check_arguments(callee: str, names: tuple[str, ...], args: Sequence[Any], hints: list[type] | None) -> None:
    """Refuse arguments that the receiver would misread or refuse, before anything is scheduled.

    Without this a wrong argument fails each attempt at the other side, and a subclass arrives as its base class.

    Raises:
        PayloadError: Names what is called, the argument, and the path within it.
    """
    # Temporal pairs hints and arguments only when all parameters are given: with fewer, a model arrives as a dict.
    paired = hints is not None and len(hints) == len(args)
    for position, value in enumerate(args):
        if isinstance(value, RawValue):
            continue  # it was converted before, and goes as it is
        try:
            if hints is not None and position < len(hints):
                faithful.accept(value, hints[position])
            else:
                faithful.check(value)
            if not paired and hints is not None and len(args) < len(hints) and not faithful.plain(value):
                raise PayloadError(
                    f"would arrive as plain JSON, because Temporal goes by type hints only when all {len(hints)} "
                    f"parameters are given, and these are {len(args)}: give all"
                )
        except (PayloadError, pydantic.ValidationError) as error:
            if faithful.binding():
                refused = error if isinstance(error, PayloadError) else PayloadError(describe(error))
                raise unsendable(callee, names, refused, position) from None


def check_result(what: str, result: Any, hint: Any) -> None:
    """Refuse a result that its receiver would misread or refuse, and tell the converter what it converts next.

    Raises:
        PayloadError: Names the result and the path within it.
    """
    faithful.sending.set(what)
    try:
        if hint is None:
            faithful.check(result)
        else:
            faithful.accept(result, hint)
    except (PayloadError, pydantic.ValidationError) as error:
        if faithful.binding():
            message, path = (error.message, error.path) if isinstance(error, PayloadError) else (describe(error), "")
            raise PayloadError(f"{what}: {message}", path) from None


def unsendable(callee: str, names: tuple[str, ...], error: PayloadError, position: int | None = None) -> PayloadError:
    """Return the error with what is called and which argument is at fault in its message."""
    position = error.position if position is None else position
    name = f" {names[position]!r}" if position < len(names) else ""
    named = PayloadError(f"{callee}: argument {position + 1}{name}: {error.message}", error.path)
    named.position = position
    return named


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
