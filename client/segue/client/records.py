"""What is known of a run and of each of its steps: plain, typed, frozen values.

`segue.client.steps` and `segue.client.run` make them; `draw` and `table` show them. As JSON:

    pydantic.TypeAdapter(Run).dump_json(run)
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from segue.client.wording import one_line
from segue.workflows.graph.shown import DeclaredStep
from segue.workflows.repair.records import Action

__all__ = [
    "OPEN",
    "Error",
    "FanOut",
    "Items",
    "Kind",
    "PendingStep",
    "Repair",
    "Run",
    "State",
    "Status",
    "Step",
    "TaskQueue",
]

Kind = Literal[
    "activity",
    "local_activity",
    "child_workflow",
    "timer",
    "wait",
    "signal",
    "update",
    "external_signal",
    "external_cancel",
    "nexus_operation",
    "branch",
]
"""What a step is. `signal` and `update` were received; `external_signal` and `external_cancel` were sent to another
workflow. `wait` stands for workflow code that waits for a condition, which leaves no event; `branch` for code that
chooses among the steps of a graph, which leaves none either, and is told only where the graph is."""

State = Literal[
    "scheduled",
    "running",
    "backing_off",
    "waiting",
    "paused",
    "parked",
    "cancel_requested",
    "completed",
    "failed",
    "timed_out",
    "cancelled",
    "terminated",
    "abandoned",
    "pending",
    "skipped",
    "upstream_failed",
]
"""Where a step is. `backing_off` is between two attempts; `parked` failed for good and waits
for an operator, see `segue.client.repairs`; `abandoned` was open when its run closed. A timer is
`cancelled` when what it bounded came first, as when the condition of a `wait_condition` with a timeout comes true.
The last three are those of a graph's steps that have not started: `pending` may yet, the others will not."""

OPEN: Final[frozenset[State]] = frozenset(
    {"scheduled", "running", "backing_off", "waiting", "paused", "parked", "cancel_requested", "pending"}
)
"""The states of a step that has not closed."""

Status = Literal[
    "running", "paused", "completed", "failed", "cancelled", "terminated", "continued_as_new", "timed_out", "unknown"
]


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Error:
    """Why a step or a run failed. `str(error)` says it on one line.

    Attributes:
        type: Type of the failure, such as `HTTPStatusError`; `TimeoutError` for Temporal's timeouts.
        message: Its message, whole.
        cause: The innermost cause on one line, None if the failure has no cause.
    """

    type: str
    message: str
    cause: str | None = None

    def __str__(self) -> str:
        if self.cause is not None and self.type in _WRAPPERS:
            return self.cause
        message = one_line(self.message)
        line = f"{self.type}: {message}" if message and message != self.type else self.type
        if self.cause is None or self.cause in line or (message and self.cause.partition(": ")[2] == message):
            return line  # what is passed on under another type is not said twice
        return f"{line} (caused by {self.cause})"


# Failures that only say where another failure happened.
_WRAPPERS: Final = frozenset({"ActivityError", "ChildWorkflowError", "NexusOperationError"})


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Repair:
    """What was done about a step that had failed for good. `str(repair)` says it on one line.

    Attributes:
        action: What an operator did, see `segue repair`; `reconcile` where its system was asked, and said that the step
            had happened.
        by: Who did it, as they say; the name of the activity that asked.
        at: When, UTC.
        reason: Why, as they say.
        identity: The client that sent it, as the history has it; None if that is not known.
    """

    action: Action | Literal["reconcile"]
    by: str
    at: datetime
    reason: str | None = None
    identity: str | None = None

    def __str__(self) -> str:
        verb = "reconciled" if self.action == "reconcile" else "repaired"
        reason = f", {one_line(self.reason, 200)}" if self.reason else ""
        return f"{verb} by {one_line(self.by, 80)}: {_DONE[self.action]}{reason}"


_DONE: Final[dict[Action | Literal["reconcile"], str]] = {
    "retry": "tried again",
    "retry_with": "tried again with another input",
    "result": "result given",
    "skip": "skipped",
    "fail": "let fail",
    "reconcile": "it had happened",
}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Items:
    """The items of a fan-out that a step carries: one, a batch of them, or those of a child workflow.

    Attributes:
        fan_out: Name of the fan-out in its run.
        count: How many it carries.
        again: Whether they were carried before, and are sent again.
        done: How many of them have completed.
        failed: How many have failed.
        failures: Which and why, the first of them: `item 7: Terminal: torn`.
    """

    fan_out: str
    count: int
    again: bool = False
    done: int = 0
    failed: int = 0
    failures: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class FanOut:
    """A fan-out of a run. `str(fan_out)` says how far it is: `200 items, 196 done, 4 failed`.

    Attributes:
        name: Its name in the run: that of its activity, with -2 for a second of the name.
        total: How many items it has; where it ended early, or no worker says, how many it has begun with.
        done: How many have completed.
        failed: How many have failed.
        failures: Which and why, the first of them.
    """

    name: str
    total: int
    done: int
    failed: int
    failures: tuple[str, ...] = ()

    def __str__(self) -> str:
        failed = f", {self.failed:,} failed" if self.failed else ""
        return f"{self.total:,} item{'s' if self.total != 1 else ''}, {self.done:,} done{failed}"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step of a run, as operators see it.

    Attributes:
        id: Activity id, child workflow id, timer id or update id; for what has none, `kind-` and its first event's id.
        kind: What it is.
        name: Type of the activity, child or operation; name of the signal or update; a timer's summary.
        summary: What tells it from others of its name; None if nothing does, or if it cannot be decoded here.
        state: Where it is.
        attempts: Attempts made, the one under way and those before a repair included; 0 for what is not attempted, such
            as a timer.
        maximum_attempts: Bound on them; 0 for none.
        scheduled_time: When the workflow asked for it; for a signal or update, when it arrived. UTC, as all times.
        started_time: When its last attempt started.
        closed_time: When it ended. A local activity's is an estimate, for its marker holds none.
        duration: From scheduled to closed, or until now: with queueing, every attempt, and the waits between them.
        queue_delay: How long the first attempt waited for a worker, or the running one if later; None if unknown.
        error: Why it failed; while it is open, why its last attempt did; of one that was repaired, why it had failed.
        retry_state: Why it was not tried again, in Temporal's words, such as `maximum_attempts_reached`.
        next_attempt_time: When the next attempt is due, while it is backing off.
        fire_time: When a timer fires.
        task_queue: The queue that it was sent to.
        identity: The worker of its last attempt; for a signal or update, who sent it.
        waiting_for: What an open step waits for, as in "attempt 3 in 4 s: ReadTimeout: ..." or "until ...".
        workflow_id: The other workflow, for a child and for what was sent to or came from a workflow.
        run_id: The run of a child, once it has started.
        last_heartbeat_time: When the running attempt last reported progress.
        heartbeat_details: What it reported; empty if it cannot be decoded here.
        input_bytes: Size of its arguments as stored.
        result_bytes: Size of its result as stored.
        scheduled_event_id: First event of the step; steps are listed in its order.
        closed_event_id: Last event of the step.
        scheduled_task: Event id of the completed workflow task that asked for it; None for what came from outside.
        observed_task: Event id of the completed workflow task that first knew how it ended, None if none does yet.
            Steps scheduled by that task may follow from this one.
        parent_event_id: First event of the signal or update whose handler asked for it; None for the run itself.
        outcome: What came of it, for an approval: `approved by ann: as agreed`.
        repairs: What was done about it each time that it had failed for good. Its state is what it came to after that.
        commands: What may be typed about an open step that waits for somebody: `segue repair order-17 pay-1 --retry`.
            The options of a connection come behind it, where the command line needs any.
        items: The items of a fan-out that it carries; None if it carries none.
    """

    id: str
    kind: Kind
    name: str
    summary: str | None
    state: State
    scheduled_time: datetime
    duration: timedelta
    scheduled_event_id: int
    attempts: int = 0
    maximum_attempts: int = 0
    started_time: datetime | None = None
    closed_time: datetime | None = None
    queue_delay: timedelta | None = None
    error: Error | None = None
    retry_state: str | None = None
    next_attempt_time: datetime | None = None
    fire_time: datetime | None = None
    task_queue: str | None = None
    identity: str | None = None
    waiting_for: str | None = None
    workflow_id: str | None = None
    run_id: str | None = None
    last_heartbeat_time: datetime | None = None
    heartbeat_details: tuple[Any, ...] = ()
    input_bytes: int = 0
    result_bytes: int = 0
    closed_event_id: int | None = None
    scheduled_task: int | None = None
    observed_task: int | None = None
    parent_event_id: int | None = None
    outcome: str | None = None
    repairs: tuple[Repair, ...] = ()
    commands: tuple[str, ...] = ()
    items: Items | None = None

    @property
    def is_open(self) -> bool:
        """Whether the step may still change."""
        return self.state in OPEN


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TaskQueue:
    """A task queue that a run depends on, and who serves it.

    Attributes:
        name: Its name.
        type: What it carries.
        pollers: Identities of the workers that poll it. A worker that was killed is counted for up to 75 seconds,
            one that stopped in good order is not.
        last_poll_time: When anybody last asked it for a task, at most five minutes back; None if nobody did.
        backlog: About how many tasks wait in it.
        rate_limited: Whether its rate limit holds tasks back.
        stopped: Who stopped it and why, as in `mill by ann: maintenance`; None if nothing in it is held so.
    """

    name: str
    type: Literal["workflow", "activity"]
    pollers: tuple[str, ...] = ()
    last_poll_time: datetime | None = None
    backlog: int = 0
    rate_limited: bool = False
    stopped: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class PendingStep:
    """A step that a graph of the run declared, and that has not started.

    Attributes:
        name: Its name in the graph.
        kind: What it will be.
        after: Names of the steps before it that have not ended.
        waiting_for: The same as a sentence: `after extract, transform`.
    """

    name: str
    kind: Kind
    after: tuple[str, ...]
    waiting_for: str


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One run of a workflow: what it did, what it waits for, and what is wrong with it.

    Attributes:
        workflow_id: Id of the workflow.
        run_id: Id of this run.
        type: Type of the workflow.
        status: Status of the run, as it was when its history was read.
        summary: Its static summary; None if it has none, or if it cannot be decoded here.
        task_queue: The queue of its workflow tasks.
        start_time: When it started, UTC.
        close_time: When it closed, None while it is open.
        duration: From start to close, or until now.
        steps: Its steps, in the order of their first events.
        waiting_for: What an open run waits for, on one line; None if nothing.
        problems: What an operator may have to act on, the gravest first: a workflow task that keeps failing, a task
            queue that no worker polls, a history near the server's limit.
        result: The start of its result as JSON; None if it has none, or if it cannot be decoded here.
        error: Why it failed.
        history_length: Number of events.
        history_size_bytes: Size of the events.
        queues: The task queues that an open run depends on now, its own first.
        parent_workflow_id: The workflow that started it as its child.
        first_run_id: First run of the chain that this run continues: as new, by retry, by schedule.
        continued_from_run_id: The run before it in that chain.
        continued_as_run_id: The run after it.
        cancel_requested: Whether somebody asked it to cancel.
        graphs: What it declared to a `Graph`, each step with its edges and its state. Empty for a run without one, for
            one that has closed, see `segue.client.graphs`, and where no worker could say.
        pending: The steps of its graphs that have not started.
        fan_outs: Its fan-outs, in the order of their start, also of a run that has ended.
    """

    workflow_id: str
    run_id: str
    type: str
    status: Status
    task_queue: str
    start_time: datetime
    duration: timedelta
    steps: tuple[Step, ...]
    summary: str | None = None
    close_time: datetime | None = None
    waiting_for: str | None = None
    problems: tuple[str, ...] = ()
    result: str | None = None
    error: Error | None = None
    history_length: int = 0
    history_size_bytes: int = 0
    queues: tuple[TaskQueue, ...] = ()
    parent_workflow_id: str | None = None
    first_run_id: str | None = None
    continued_from_run_id: str | None = None
    continued_as_run_id: str | None = None
    cancel_requested: bool = False
    graphs: tuple[tuple[DeclaredStep, ...], ...] = ()
    pending: tuple[PendingStep, ...] = ()
    fan_outs: tuple[FanOut, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether the run may still change."""
        return self.status in ("running", "paused", "unknown")

    @property
    def children(self) -> tuple[Step, ...]:
        """Its child workflows."""
        return tuple(step for step in self.steps if step.kind == "child_workflow")
