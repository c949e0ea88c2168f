"""Segue on a Temporal client: one plugin, which reaches every worker of that client.

    client = await Client.connect("localhost:7233", plugins=[SeguePlugin()])
    worker = Worker(client, task_queue="orders", workflows=[FulfilOrder], activities=[reserve, charge, ship])

Workers are Temporal's own. Where an activity's system has a task queue of its own, the worker serves that queue too,
within the system's capacity.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import typing
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final

import pydantic
from temporalio.contrib.opentelemetry import OpenTelemetryInterceptor
from temporalio.plugin import SimplePlugin
from temporalio.worker import ReplayerConfig, Worker, WorkerConfig, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxMatcher

from segue.activities.settings import Settings
from segue.activities.system import system_of, systems
from segue.client import telemetry
from segue.client.converter import data_converter
from segue.workflows.interceptor import SegueInterceptor
from segue.workflows.options import Catalogue

__all__ = ["SeguePlugin"]

# Modules that workflows share with the process, each because importing it anew for every run costs much and wins
# nothing: they hold no state that a run could change.
_PASSED_THROUGH: Final = (
    "segue.activities",
    "segue.client",
    "segue.workflows.interceptor",
    "segue.workflows.options",
    "segue.workflows.steps",
    "segue.workflows.summary",
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
_HTTPX_CALLS: Final = ("get", "post", "put", "patch", "delete", "head", "options", "request", "stream", "Client", "AsyncClient")


class SeguePlugin(SimplePlugin):
    """Applies each connected system's policy, checks what is sent, records steps, and traces, on client and workers.

    Args:
        settings: Overrides of this deployment; by default those of `segue.toml` or `$SEGUE_CONFIG`.
        telemetry: Whether to trace with OpenTelemetry; by default if the `OTEL_` variables name an exporter, or the
            process has a tracer provider of Temporal's making.

    Raises:
        SettingsError: The settings file cannot be applied.
    """

    def __init__(self, *, settings: Settings | None = None, telemetry: bool | None = None) -> None:
        self.settings = settings if settings is not None else Settings.load()
        self.catalogue = Catalogue(self.settings)
        super().__init__(
            "segue.SeguePlugin",
            data_converter=data_converter,
            interceptors=[*_tracing(telemetry), SegueInterceptor(self.catalogue)],
        )

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """See base class.

        Raises:
            SettingsError: The settings name a system that this process does not declare.
        """
        self.settings.check(systems().values())
        activities = config.get("activities") or ()
        workflows = config.get("workflows") or ()
        self.catalogue.register(activities)
        config["workflow_runner"] = _runner(config.get("workflow_runner"), workflows, activities)
        if not workflows:
            self._bound(config, activities)
        return super().configure_worker(config)

    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        """See base class."""
        config["workflow_runner"] = _runner(config.get("workflow_runner"), config.get("workflows") or (), ())
        return super().configure_replayer(config)

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        """Run a worker, and beside it one for each task queue that a system of its activities has for itself."""
        beside = self._companions(worker)
        if not beside:
            await super().run_worker(worker, next)
            return
        _beside[id(worker)] = beside
        runs = [asyncio.ensure_future(one.run()) for one in beside]
        main = asyncio.ensure_future(super().run_worker(worker, next))
        try:
            # A worker that ends without being told has failed: its error ends the others too, and is raised.
            await asyncio.wait([main, *runs], return_when=asyncio.FIRST_COMPLETED)
        finally:
            del _beside[id(worker)]
            await asyncio.gather(*(one.shutdown() for one in (worker, *beside)))
            outcomes = await asyncio.gather(main, *runs, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    def _companions(self, worker: Worker) -> list[Worker]:
        config = worker.config()
        queues = self.catalogue.queues(config.get("activities") or ())
        return [
            Worker(**{**config, "task_queue": queue, "workflows": [], "activities": activities})  # type: ignore[misc]
            for queue, activities in queues.items()
            if queue != worker.task_queue
        ]

    def _bound(self, config: WorkerConfig, activities: Sequence[Callable[..., Any]]) -> None:
        """Hold a worker that serves a system's own queue within that system's capacity: the strictest, if several."""
        served = self.catalogue.queues(activities).get(config.get("task_queue", ""), [])
        declared = {system.name: system for fn in served if (system := system_of(fn)) is not None}
        capacities = [self.settings.resolve(system).capacity for system in declared.values()]
        rates = [capacity.per_second for capacity in capacities if capacity.per_second is not None]
        slots = [capacity.concurrent for capacity in capacities if capacity.concurrent is not None]
        if rates and config.get("max_task_queue_activities_per_second") is None:
            config["max_task_queue_activities_per_second"] = min(rates)
        if slots:
            config["max_concurrent_activities"] = min(slots)
            config["tuner"] = None


# Workers that run beside another, by the identity of that one: whoever shuts it down shuts these down at once with it.
_beside: dict[int, list[Worker]] = {}


async def shutdown(worker: Worker) -> None:
    """Shut a worker down together with those that the plugin runs beside it, so that they drain at the same time."""
    await asyncio.gather(*(one.shutdown() for one in (worker, *_beside.get(id(worker), ()))))


def _tracing(wanted: bool | None) -> list[OpenTelemetryInterceptor]:
    if not (telemetry.configure() if wanted is None else wanted):
        return []
    return [OpenTelemetryInterceptor(add_temporal_spans=True)]


def _runner(
    runner: WorkflowRunner | None, workflows: Iterable[type], activities: Iterable[Callable[..., Any]]
) -> WorkflowRunner | None:
    """Return the sandbox with Segue's modules and the workflows' models passed through; any other runner as it is."""
    if not isinstance(runner, SandboxedWorkflowRunner):
        return runner
    workflows = list(workflows)
    sandboxed = {cls.__module__ for cls in workflows}
    shared = {module for module in _modules(workflows, activities) if module not in sandboxed}
    restrictions = runner.restrictions.with_passthrough_modules(*_PASSED_THROUGH, *shared)
    withheld = SandboxMatcher(children={"httpx": SandboxMatcher(use=set(_HTTPX_CALLS), only_runtime=True)})
    return dataclasses.replace(
        runner,
        restrictions=dataclasses.replace(
            restrictions, invalid_module_members=restrictions.invalid_module_members | withheld
        ),
    )


def _modules(workflows: Iterable[type], activities: Iterable[Callable[..., Any]]) -> Iterable[str]:
    """Yield the modules of activities that belong to a system, and of the models that workflows take and return."""
    for fn in activities:
        if system_of(fn) is not None:
            yield from _own(fn)
    functions = [
        member
        for cls in workflows
        for _, member in inspect.getmembers(cls, inspect.isfunction)
        if any(hasattr(member, mark) for mark in _HANDLER_MARKS)
    ]
    for fn in [*activities, *functions]:
        try:
            hints = typing.get_type_hints(fn)
        except Exception:  # a hint that only a type checker can resolve
            continue
        for hint in hints.values():
            for cls in _classes(hint):
                yield from _own(cls)


def _own(thing: Any) -> Iterable[str]:
    module: str = getattr(thing, "__module__", "")
    # A script's own module holds everything at once, and builtins need no leave.
    if module and module not in ("__main__", "builtins"):
        yield module


def _classes(hint: Any) -> Iterable[type]:
    if isinstance(hint, type) and not typing.get_args(hint):
        if isinstance(hint, type) and (issubclass(hint, pydantic.BaseModel) or dataclasses.is_dataclass(hint)):
            yield hint
        return
    for argument in typing.get_args(hint):
        yield from _classes(argument)
