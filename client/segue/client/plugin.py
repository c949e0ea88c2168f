"""Segue on a Temporal client: one plugin, which reaches every worker of that client.

    client = await Client.connect("localhost:7233", plugins=[SeguePlugin()])
    worker = Worker(client, task_queue="orders", workflows=[FulfilOrder], activities=[reserve, charge, ship])

Workers are Temporal's own. Where an activity's system has a task queue of its own, the worker serves that queue too,
within the system's capacity.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, cast

from temporalio.client import Client
from temporalio.contrib.opentelemetry import OpenTelemetryInterceptor
from temporalio.converter import DataConverter
from temporalio.plugin import SimplePlugin
from temporalio.worker import ReplayerConfig, Worker, WorkerConfig

from segue.activities.batch import BATCH_ACTIVITY, Batches
from segue.activities.exit import settle_at_exit
from segue.activities.settings import Settings
from segue.activities.system import activity_name, system_of, systems
from segue.client import companions, telemetry
from segue.client.converter import SeguePayloadConverter, data_converter
from segue.client.interceptor import SegueClientInterceptor
from segue.client.sandbox import flagged
from segue.client.waiting import has_attribute
from segue.workflows.fanout.shard import FanOutShard, PinnedFanOutShard
from segue.workflows.interceptor import SegueInterceptor
from segue.workflows.options import Catalogue
from segue.workflows.waiting import WaitingInterceptor

__all__ = ["SeguePlugin"]

# A workflow task times out after ten seconds.
_DEADLOCK_SECONDS: Final = 8


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
        settle_at_exit()
        self.settings = settings if settings is not None else Settings.load()
        self.catalogue = Catalogue(self.settings)
        self._waiting = WaitingInterceptor()
        self._policies = SegueInterceptor(self.catalogue)
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            "segue.SeguePlugin",
            data_converter=self._convert,
            interceptors=[
                *_tracing(telemetry),
                SegueClientInterceptor(self.catalogue),
                self._policies,
                self._waiting,
            ],
        )

    def _convert(self, existing: DataConverter | None) -> DataConverter:
        converter = data_converter(existing)
        # A user's own converter knows better what it carries.
        self.catalogue.checks = issubclass(converter.payload_converter_class, SeguePayloadConverter)
        return converter

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """See base class.

        Raises:
            SettingsError: The settings name a system that this process does not declare.
        """
        self.settings.check(systems().values())
        options = cast("dict[str, Any]", config)
        activities: Sequence[Callable[..., Any]] = options.get("activities") or ()
        workflows: Sequence[type] = options.get("workflows") or ()
        self.catalogue.register(activities)
        # What Segue itself brings: see `segue.workflows.fan_out`.
        if activities and not any(activity_name(fn) == BATCH_ACTIVITY for fn in activities):
            batches = Batches(activities, self.catalogue.system, self.settings, options.get("activity_executor"))
            options["activities"] = [*activities, batches.run, batches.lines]
        if workflows:
            deployment = options.get("deployment_config")
            versioned = deployment is not None and deployment.use_worker_versioning
            shard = PinnedFanOutShard if versioned else FanOutShard
            options["workflows"] = [*(one for one in workflows if not issubclass(one, FanOutShard)), shard]
        client: Client = options["client"]
        self._policies.clients[client.namespace] = client
        converter = client.data_converter
        for runner in ("workflow_runner", "unsandboxed_workflow_runner"):
            options[runner] = flagged(options[runner], converter, workflows, activities)
        self._bound(options, activities)
        return super().configure_worker(config)

    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        """See base class."""
        options = cast("dict[str, Any]", config)
        if FanOutShard not in (workflows := options.get("workflows") or ()):
            options["workflows"] = [*workflows, FanOutShard]
        for runner in ("workflow_runner", "unsandboxed_workflow_runner"):
            options[runner] = flagged(options[runner], None, options.get("workflows") or (), ())
        return super().configure_replayer(config)

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        """Run a worker, and beside it one for each task queue that a system of its activities has for itself."""
        _give_time(worker)
        options = cast("dict[str, Any]", worker.config())
        if options["workflows"]:
            # A run that set an attribute which the namespace lacks would never get on.
            self._waiting.namespaces[worker.client.namespace] = await has_attribute(worker.client)
        served: Sequence[Callable[..., Any]] = () if options.get("no_remote_activities") else options["activities"]
        queues = self.catalogue.queues(served)
        apart = {queue: activities for queue, activities in queues.items() if queue != worker.task_queue}
        await companions.run_beside(worker, apart, lambda worker: super(SeguePlugin, self).run_worker(worker, next))

    def _bound(self, options: dict[str, Any], activities: Sequence[Callable[..., Any]]) -> None:
        """Hold a worker that serves a system's own queue within that system's capacity: the strictest, if several."""
        served = self.catalogue.queues(activities).get(options["task_queue"], [])
        declared = {system for fn in served if (system := system_of(fn)) is not None}
        capacities = [self.settings.resolve(system).capacity for system in declared]
        rates = [capacity.per_second for capacity in capacities if capacity.per_second is not None]
        slots = [capacity.concurrent for capacity in capacities if capacity.concurrent is not None]
        if rates:
            given: float | None = options.get("max_task_queue_activities_per_second")
            options["max_task_queue_activities_per_second"] = min(rates if given is None else [*rates, given])
            # A step that starts in the worker that scheduled it passes by the server, which keeps the rate.
            options["disable_eager_activity_execution"] = True
        if slots:
            options["max_concurrent_activities"] = min(slots)
            options["tuner"] = None


def _give_time(worker: Worker) -> None:
    """Let workflow code run for as long as its task may take, less a margin, before it is taken for a deadlock.

    After the SDK's two seconds a run that makes ten thousand calls at once, or a busy machine, is interrupted; the same
    goes for putting it out of memory, after which the worker cannot end. There is no public option for it.
    """
    workflows: Any = getattr(worker, "_workflow_worker", None)
    if workflows is not None and getattr(workflows, "_deadlock_timeout_seconds", None) == 2:
        workflows._deadlock_timeout_seconds = _DEADLOCK_SECONDS


def _tracing(wanted: bool | None) -> list[OpenTelemetryInterceptor]:
    if not (telemetry.configure() if wanted is None else wanted):
        return []
    return [OpenTelemetryInterceptor(add_temporal_spans=True)]
