"""What an open run and each of its open steps wait for, and what is wrong, in sentences for whoever is on call."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from temporalio.api.enums.v1 import PendingWorkflowTaskState, WorkflowExecutionStatus, WorkflowTaskFailedCause
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from segue.client._events import enum_words, utc
from segue.client._failures import Decoded, error_of
from segue.client._history import History
from segue.client.records import Error, Status, Step, TaskQueue
from segue.client.wording import TIMES, duration, is_shown, one_line, time, title
from segue.workflows.pausing.pause import Pause

__all__ = ["Waiting"]

# The server terminates a run at 51,200 events or 50 MB.
_LENGTH_WARNING: Final = 40_000
_SIZE_WARNING: Final = 40_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Waiting:
    """An open run at one moment, from its history, its description, and the task queues that it depends on."""

    history: History
    described: DescribeWorkflowExecutionResponse
    queues: tuple[TaskQueue, ...]
    decoded: Decoded
    now: datetime
    pauses: tuple[Pause, ...] = ()

    @property
    def status(self) -> Status:
        """Its status. The history was read last, so an end that it tells of is newer than the description."""
        paused = (
            self.described.workflow_execution_info.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED
        )
        paused = paused or any(pause.system is None for pause in self.pauses)
        return "paused" if paused and self.history.closed is None else self.history.status

    @property
    def task_pending(self) -> bool:
        """Whether the workflow's own code is about to run, or running."""
        return self.history.task is not None

    def step(self, step: Step) -> str:
        """Return what an open step waits for."""
        if step.state == "backing_off":
            due = step.next_attempt_time
            when = f" in {duration(due - self.now)}" if due is not None and due > self.now else ""
            attempt = f"attempt {step.attempts + 1}{when}"
            return f"{attempt}: {step.error}" if step.error is not None else attempt
        match step.kind:
            case "timer":
                return f"until {time(step.fire_time)}" if step.fire_time is not None else "its time"
            case "child_workflow":
                return f"child workflow {step.id!r} to {'start' if step.state == 'scheduled' else 'close'}"
            case "external_signal" | "external_cancel":
                return f"workflow {step.workflow_id!r} to receive it"
            case "update":
                return "its handler to return"
            case "nexus_operation":
                return f"operation {step.name!r} to {'start' if step.state == 'scheduled' else 'complete'}"
            case _:
                return self._activity(step)

    def run(self, steps: Sequence[Step]) -> str | None:
        """Return what the run waits for, None if nothing."""
        task, open_steps = (
            self.described.pending_workflow_task,
            [step for step in steps if step.is_open and is_shown(step)],
        )
        whole = next((step for step in open_steps if step.state == "paused" and step.id == "paused"), None)
        if whole is not None:
            return whole.waiting_for
        if self.status == "paused":
            paused = self.described.workflow_extended_info.pause_info
            reason = f": {one_line(paused.reason)}" if paused.reason else ""
            return f"an operator to unpause it (paused by {paused.identity or 'somebody'}{reason})"
        if self.task_error() is not None:
            return f"attempt {self._task_attempt} of its workflow task to succeed"
        if self.task_pending and task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED:
            return f"its worker to finish a workflow task, so far for {duration(self.now - utc(task.started_time))}"
        if self.task_pending:
            return self._worker(self.queues[0].name, self.queues[0])
        begins = utc(self.described.workflow_execution_info.execution_time)
        if self.history.last_task is None and begins > self.now:
            return f"until {time(begins)}, when it is to begin"
        if len(open_steps) == 1:
            step = open_steps[0]
            return step.waiting_for if step.kind == "wait" else f"{title(step)}: {step.waiting_for}"
        if parked := [step for step in open_steps if step.state == "parked"]:
            others = f", and {len(open_steps) - len(parked)} others" if len(parked) < len(open_steps) else ""
            return f"an operator to repair {len(parked)} steps: {_names(parked)}{others}"
        return f"{len(open_steps)} steps: {_names(open_steps)}" if open_steps else None

    def problems(self, steps: Sequence[Step]) -> Iterator[str]:
        """Yield what an operator may have to act on, the gravest first."""
        error = self.task_error()
        if error is not None:
            yield f"its workflow task fails, now at attempt {self._task_attempt}: {error}"
        for queue in self.queues:
            if queue.pollers:
                continue
            if queue.type == "workflow":
                yield f"no worker polls task queue {queue.name!r} for workflow tasks"
            elif held := [s for s in steps if s.state == "scheduled" and s.task_queue == queue.name]:
                yield f"no worker polls task queue {queue.name!r} for activities: {_names(held)}"
        size = self.described.workflow_execution_info.history_size_bytes
        if self.history.length > _LENGTH_WARNING or size > _SIZE_WARNING:
            yield (
                f"its history holds {self.history.length} events and {size / 1e6:.0f} MB, "
                "and the server terminates it at 51200 events or 50 MB"
            )

    def task_error(self) -> Error | None:
        """Return why the run's workflow task keeps failing, None if it does not."""
        failed = self.history.task_failure
        if failed is None or not self.task_pending:
            return None
        if not failed.HasField("workflow_task_failed_event_attributes"):
            return Error(type="TimeoutError", message="its worker did not finish it in time")
        said = failed.workflow_task_failed_event_attributes
        error = error_of(said.failure, self.decoded)
        if said.cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE:
            return error or Error(type="WorkflowTaskFailed", message="no failure given")
        cause = enum_words(WorkflowTaskFailedCause, said.cause, "WORKFLOW_TASK_FAILED_CAUSE_").replace("_", " ")
        return Error(type=cause, message=error.message if error is not None else "")

    @property
    def _task_attempt(self) -> int:
        task = self.history.task
        by_history = task.workflow_task_scheduled_event_attributes.attempt if task is not None else 0
        return max(by_history, self.described.pending_workflow_task.attempt)

    def _activity(self, step: Step) -> str:
        worker = step.identity or "its worker"
        if step.state == "cancel_requested":
            return f"{worker} to hear of the cancellation at its next heartbeat"
        if step.state != "running":
            served = (queue for queue in self.queues if queue.name == step.task_queue and queue.type == "activity")
            return self._worker(step.task_queue or "", next(served, None))
        since = f" for {duration(self.now - step.started_time)}" if step.started_time is not None else ""
        text = f"attempt {step.attempts} on {worker}{since}"
        if step.last_heartbeat_time is not None:
            text += f", heartbeat {duration(self.now - step.last_heartbeat_time)} ago"
            if step.heartbeat_details:
                text += f": {one_line(', '.join(str(detail) for detail in step.heartbeat_details), 60)}"
        return text

    def _worker(self, name: str, queue: TaskQueue | None) -> str:
        """Return what a task in a queue waits for."""
        if queue is None:
            return f"a worker on task queue {name!r}"
        if not queue.pollers:
            seen = (
                f"; the last poll was {duration(self.now - queue.last_poll_time)} ago" if queue.last_poll_time else ""
            )
            return f"a worker on task queue {name!r} (none polls it{seen})"
        others = f"; {queue.backlog} tasks wait" if queue.backlog > 1 else ""
        if queue.stopped is not None:
            return f"an operator to resume task queue {name!r}, which is stopped ({queue.stopped}){others}"
        if queue.rate_limited:
            return f"its turn under the rate limit of task queue {name!r}{others}"
        polls = "1 polls it" if len(queue.pollers) == 1 else f"{len(queue.pollers)} poll it"
        return f"a free worker on task queue {name!r} ({polls}{others})"


def _names(steps: Iterable[Step]) -> str:
    """Return the names of steps, each once and counted."""
    counts: dict[str, int] = {}
    for step in steps:
        name = one_line(step.name, 40)
        counts[name] = counts.get(name, 0) + 1
    names = [name if count == 1 else f"{name} {TIMES} {count}" for name, count in counts.items()]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
