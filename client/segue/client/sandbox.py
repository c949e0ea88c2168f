"""The workflow sandbox, with what need not be imported anew for every run passed through, and a detour spared.

The sandbox imports a workflow's module again for each run, so that no run sees another's state. Models, activities and
Segue's own modules hold no such state, and importing them again is half of what a short workflow costs.
"""

from __future__ import annotations

import dataclasses
import inspect
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, cast

import pydantic
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import DataConverter, SerializationContext, StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxMatcher
from temporalio.workflow import Info

from segue.activities.system import system_of, systems
from segue.workflows.approvals.register import IDENTITY_FUNCTION
from segue.workflows.features import FLAG_FUNCTION, FLAGS

__all__ = ["FlaggedWorkflowRunner", "SegueWorkflowRunner", "flagged"]

# Modules that workflows share with the process, each because importing it anew for every run costs much and wins
# nothing: they hold no state that a run could change.
_PASSED_THROUGH: Final = (
    "segue.activities",
    "segue.client",
    "segue.workflows.agents",
    "segue.workflows.analysis",
    "segue.workflows.approvals",
    "segue.workflows.calls",
    "segue.workflows.compensating",
    "segue.workflows.arguments",
    "segue.workflows.attempt",
    "segue.workflows.carried",
    "segue.workflows.extraction",
    "segue.workflows.fanout",
    "segue.workflows.features",
    "segue.workflows.flow_control",
    "segue.workflows.generation",
    "segue.workflows.graph",
    "segue.workflows.history_room",
    "segue.workflows.ids",
    "segue.workflows.interceptor",
    "segue.workflows.interruption",
    "segue.workflows.options",
    "segue.workflows.outbound",
    "segue.workflows.prepared",
    "segue.workflows.queried",
    "segue.workflows.pausing",
    "segue.workflows.repair",
    "segue.workflows.research",
    "segue.workflows.reroute",
    "segue.workflows.saga",
    "segue.workflows.steps",
    "segue.workflows.summary",
    "segue.workflows.waiting",
    "segue.workflows.waits",
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "typing_extensions",
    "typing_inspection",
    "opentelemetry",
    # A system declares its errors with httpx's classes, and httpx cannot be imported in the sandbox. What it does to
    # the network is withheld below.
    "httpx",
)
# What Temporal's decorators leave on a workflow's run method and handlers.
_HANDLER_MARKS: Final = (
    "__temporal_workflow_run",
    "__temporal_signal_definition",
    "__temporal_query_definition",
    "_defn",
)
_HTTPX_CALLS: Final = (
    "get",
    "post",
    "put",
    "patch",
    "delete",
    "head",
    "options",
    "request",
    "stream",
    "Client",
    "AsyncClient",
)


def flagged(
    runner: WorkflowRunner,
    converter: DataConverter | None,
    workflows: Iterable[type],
    activities: Iterable[Callable[..., Any]],
) -> WorkflowRunner:
    """Return a runner that keeps the flag; the sandbox also with Segue's modules and the models passed through."""
    contexts = converter is None or _needs_context(converter)
    if not isinstance(runner, SandboxedWorkflowRunner):
        return FlaggedWorkflowRunner(runner, contexts)
    workflows = list(workflows)
    # What is passed through takes along every module below it: a package's own file stays where its workflows do.
    sandboxed = {name for cls in workflows for name in _with_packages(cls.__module__)}
    shared = {module for module in _modules(workflows, activities) if module not in sandboxed}
    restrictions = runner.restrictions.with_passthrough_modules(*_PASSED_THROUGH, *shared)
    withheld = SandboxMatcher(children={"httpx": SandboxMatcher(use=set(_HTTPX_CALLS), only_runtime=True)})
    restrictions = dataclasses.replace(
        restrictions, invalid_module_members=restrictions.invalid_module_members | withheld
    )
    if type(runner) is not SandboxedWorkflowRunner:
        return FlaggedWorkflowRunner(dataclasses.replace(runner, restrictions=restrictions), contexts)
    return SegueWorkflowRunner(
        restrictions=restrictions,
        runner_class=runner.runner_class,
        contexts=contexts,
    )


def _needs_context(converter: DataConverter) -> bool:
    return converter.payload_codec is not None or converter.external_storage is not None


@dataclasses.dataclass(frozen=True)
class SegueWorkflowRunner(SandboxedWorkflowRunner):
    """The sandbox, with a flag in each run's history that says its activities have named ids, and a detour spared."""

    contexts: bool = True
    """Whether a codec or external storage looks at the context of a payload.

    For each payload of each command the SDK asks the workflow instance, four times over, in which context to encode it,
    and each question enters the sandbox. In a wide fan-out that is a quarter of the worker's CPU. Where nobody uses the
    answer it is given here, at once.
    """

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """See base class."""
        return _flagged_instance(super().create_instance, det, self.contexts)


class FlaggedWorkflowRunner(WorkflowRunner):
    """Any other runner, with the same flag: a run may be begun under one runner and go on under another."""

    def __init__(self, runner: WorkflowRunner, contexts: bool) -> None:
        self._runner = runner
        self._contexts = contexts

    def prepare_workflow(self, defn: Any) -> None:
        """See base class."""
        self._runner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """See base class."""
        return _flagged_instance(self._runner.create_instance, det, self._contexts)

    def set_worker_level_failure_exception_types(self, types: Sequence[type[BaseException]]) -> None:
        """See base class."""
        self._runner.set_worker_level_failure_exception_types(types)


def _flagged_instance(
    create: Callable[[WorkflowInstanceDetails], WorkflowInstance], det: WorkflowInstanceDetails, contexts: bool
) -> WorkflowInstance:
    flags = _Flags()
    functions = cast("Mapping[str, Any]", det.extern_functions)  # pyright: ignore[reportUnknownMemberType]
    senders: dict[str, str] = {}
    functions = {**functions, FLAG_FUNCTION: flags.raised, IDENTITY_FUNCTION: senders.get}
    return _Instance(create(dataclasses.replace(det, extern_functions=functions)), flags, senders, contexts)


class _Flags:
    """Which features a run has, and what became of its failed steps, written into its history with the workflow task
    that decides it.

    Temporal's server keeps with each workflow task the flags that the SDK used in it, and hands all flags of a history
    to its replay: a patch without the two events that a patch costs, and without their noise in the Web UI.
    """

    def __init__(self) -> None:
        self._known: set[int] = set()
        self._lacked: set[int] = set()
        self._used: list[int] = []
        self._replaying = False

    def before(self, act: WorkflowActivation) -> None:
        if act.available_internal_flags:
            self._known.update(flag for flag in act.available_internal_flags if flag in FLAGS)
        self._replaying = act.is_replaying

    def raised(self, flag: int) -> bool:
        """Return whether the history has the flag; a run that is not replaying gets it by asking."""
        if flag not in self._known:
            if self._replaying:
                # It is asked again when the run goes on, and a flag from then on would hold for all of the next replay.
                self._lacked.add(flag)
            elif flag not in self._lacked:
                self._known.add(flag)
                self._used.append(flag)
        return flag in self._known

    def after(self, completion: WorkflowActivationCompletion) -> None:
        if self._used and completion.HasField("successful"):
            completion.successful.used_internal_flags.extend(self._used)
            self._used.clear()


class _Instance(WorkflowInstance):
    def __init__(self, sandboxed: WorkflowInstance, flags: _Flags, senders: dict[str, str], contexts: bool) -> None:
        self._sandboxed = sandboxed
        self._flags = flags
        # Who sent the updates that are handled now, by their ids: the history has it, and the SDK keeps it to itself.
        self._senders = senders
        self._contexts = contexts

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        self._flags.before(act)
        self._senders.clear()
        for job in act.jobs:
            if job.HasField("do_update"):
                self._senders[job.do_update.id] = job.do_update.meta.identity
        completion = self._sandboxed.activate(act)
        _fail_run_that_cannot_begin(completion)
        self._flags.after(completion)
        return completion

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        return self._sandboxed.get_serialization_context(command_info) if self._contexts else None

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        return self._sandboxed.get_external_store_context(command_info) if self._contexts else _NO_CONTEXT

    def get_info(self) -> Info:
        return self._sandboxed.get_info()

    def get_thread_id(self) -> int | None:
        return self._sandboxed.get_thread_id()


# Errors that tell of the worker's code rather than of the run.
_OF_THE_WORKER: Final = ("NondeterminismError", "RestrictedWorkflowAccessError", "ReadOnlyContextError")


def _fail_run_that_cannot_begin(completion: WorkflowActivationCompletion) -> None:
    """Make of an error in a workflow's own `__init__` the run's failure, where it would be its task's for ever.

    No interceptor stands around the making of the workflow object, so what it raises is known by its trace.
    """
    failure = completion.failed.failure
    trace = failure.stack_trace
    if (
        completion.HasField("failed")
        and "in _instantiate_workflow_object" in trace
        and "in __init__" in trace
        and failure.application_failure_info.type not in _OF_THE_WORKER
    ):
        failed = WorkflowActivationCompletion(run_id=completion.run_id)
        failed.successful.commands.add().fail_workflow_execution.failure.CopyFrom(failure)
        completion.CopyFrom(failed)


_NO_CONTEXT: Final = StorageDriverStoreContext(target=None)


def _modules(workflows: Iterable[type], activities: Iterable[Callable[..., Any]]) -> Iterable[str]:
    """Yield the modules of systems and their activities, and of the models that workflows take and return."""
    # A replayer is given no activities, and must import what a worker imports.
    for system in systems().values():
        if system.module != "__main__":
            yield system.module
    for fn in activities:
        if system_of(fn) is not None:
            yield from _own(fn)
    functions: list[Callable[..., Any]] = [
        member
        for cls in workflows
        for _, member in inspect.getmembers(cls, inspect.isfunction)
        if any(hasattr(member, mark) for mark in _HANDLER_MARKS)
    ]
    for fn in (*activities, *functions):
        try:
            hints = typing.get_type_hints(fn)
        except Exception:  # a hint that only a type checker can resolve
            continue
        for hint in hints.values():
            for cls in _classes(hint):
                yield from _own(cls)


def _with_packages(module: str) -> Iterable[str]:
    parts = module.split(".")
    return (".".join(parts[:length]) for length in range(1, len(parts) + 1))


def _own(thing: Any) -> Iterable[str]:
    module: str = getattr(thing, "__module__", "")
    # A script's own module holds everything at once, and builtins need no leave.
    if module and module not in ("__main__", "builtins"):
        yield module


def _classes(hint: Any) -> Iterable[type]:
    arguments = typing.get_args(hint)
    for argument in arguments:
        yield from _classes(argument)
    if not arguments and inspect.isclass(hint):
        cls: type[Any] = hint
        if issubclass(cls, pydantic.BaseModel) or dataclasses.is_dataclass(cls):
            yield cls
