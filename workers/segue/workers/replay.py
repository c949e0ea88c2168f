"""Replay recorded histories against today's code: what would break a run under way is found before it is deployed.

    async def test_running_workflows_survive_this_version() -> None:
        await replay("tests/histories", [FulfilOrder])

`segue history ID -o tests/histories/NAME.json` records one. Temporal's own command and Web UI write the same form.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from temporalio.api.history.v1 import HistoryEvent
    from temporalio.client import WorkflowHistory
    from temporalio.runtime import Runtime
    from temporalio.worker import Replayer

    from segue.client import SeguePlugin

__all__ = ["ReplayError", "ReplayFailure", "replay"]

# The SDK interrupts a workflow task after two seconds, as a deadlock. On a busy machine it interrupts one that is none,
# which says nothing of its history; what is interrupted every time is told.
_INTERRUPTED: Final = "[TMPRL1101]"
_TRIES: Final = 5


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReplayFailure:
    """A history that today's code does not fit. `str(failure)` says it on one line.

    Attributes:
        source: Name of its file, or id of its workflow if it came from a server.
        workflow_type: Type of the workflow; empty if the history could not be read.
        event_id: The first event that the code does not give rise to; None if that is not known.
        event_type: Type of that event, such as `ActivityTaskScheduled`; empty if it is not known.
        message: What is wrong.
        error: The error that the replay ended with; None if it could not begin.
    """

    source: str
    workflow_type: str
    message: str
    event_id: int | None = None
    event_type: str = ""
    error: Exception | None = None

    def __str__(self) -> str:
        kind = f" ({self.workflow_type})" if self.workflow_type else ""
        event = f" at event {self.event_id}, {self.event_type}" if self.event_id is not None else ""
        return f"{self.source}{kind}{event}: {self.message}"


class ReplayError(Exception):
    """Histories do not replay; the message lists them all.

    Attributes:
        failures: One for each of them.
        replayed: How many others did.
    """

    def __init__(self, failures: Sequence[ReplayFailure], replayed: int) -> None:
        total = len(failures) + replayed
        lines = "\n".join(f"  {failure}" for failure in failures)
        super().__init__(f"{len(failures)} of {total} histories do not replay:\n{lines}")
        self.failures = tuple(failures)
        self.replayed = replayed


async def replay(
    histories: str | os.PathLike[str] | Iterable[WorkflowHistory] | AsyncIterable[WorkflowHistory],
    workflows: Sequence[type],
    plugin: SeguePlugin | None = None,
    **options: Any,
) -> int:
    """Replay every history, and return how many there were.

    Args:
        histories: A folder, for each `*.json` in it, or histories from elsewhere, such as
            `client.list_workflows(query).map_histories()`.
        workflows: The workflow classes, as their worker serves them.
        plugin: The plugin, where its defaults are not wanted.
        options: Further options of `temporalio.worker.Replayer`, such as the data converter of encrypted histories.

    Raises:
        ReplayError: Some do not replay, or cannot be read; all were tried.
        ValueError: There is none: a test that replays nothing would pass for ever.
    """
    from temporalio.worker import Replayer

    from segue.client import SeguePlugin

    plugins = [*options.pop("plugins", ()), plugin if plugin is not None else SeguePlugin(telemetry=False)]
    options.setdefault("runtime", _quiet())
    replayer = Replayer(workflows=workflows, plugins=plugins, **options)
    known = {cls: _registered(cls) for cls in workflows}
    replayed = 0
    failures: list[ReplayFailure] = []
    async for source, history in _named(histories):
        failure = history if isinstance(history, ReplayFailure) else await _replayed(replayer, source, history, known)
        if failure is None:
            replayed += 1
        else:
            failures.append(failure)
    if failures:
        raise ReplayError(failures, replayed)
    if not replayed:
        raise ValueError(f"No histories to replay{_where(histories)}")
    return replayed


async def _replayed(
    replayer: Replayer, source: str, history: WorkflowHistory, known: dict[type, str | None]
) -> ReplayFailure | None:
    kind = history.events[0].workflow_execution_started_event_attributes.workflow_type.name
    # A dynamic workflow, registered without a name, takes any type.
    if kind not in known.values() and None not in known.values():
        names = ", ".join(sorted(name for name in known.values() if name is not None)) or "none"
        message = f"its type is not among the workflows given, which are {names}"
        return ReplayFailure(source=source, workflow_type=kind, message=message)
    if (error := await _failure(replayer, history)) is None:
        return None
    event = await _parting(replayer, history)
    return ReplayFailure(
        source=source,
        workflow_type=kind,
        message=_heart(error),
        event_id=event.event_id,
        event_type=_event_type(event),
        error=error,
    )


async def _failure(replayer: Replayer, history: WorkflowHistory) -> Exception | None:
    """Return why a history does not replay; None if it does."""
    failure: Exception | None = None
    for _ in range(_TRIES):
        failure = (await replayer.replay_workflow(history, raise_on_replay_failure=False)).replay_failure
        if failure is None or _INTERRUPTED not in str(failure):
            break
    return failure


async def _parting(replayer: Replayer, history: WorkflowHistory) -> HistoryEvent:
    """Return the first event that code and history do not agree on: a shorter history replays, one with it does not.

    The SDK's message names it in some cases, and in none where steps of one type have changed places.
    """
    from temporalio.client import WorkflowHistory

    low, high = 0, len(history.events) - 1
    while low < high:
        middle = (low + high) // 2
        shorter = WorkflowHistory(history.workflow_id, history.events[: middle + 1])
        if await _failure(replayer, shorter) is None:
            low = middle + 1
        else:
            high = middle
    return history.events[high]


async def _named(
    histories: str | os.PathLike[str] | Iterable[WorkflowHistory] | AsyncIterable[WorkflowHistory],
) -> AsyncIterator[tuple[str, WorkflowHistory | ReplayFailure]]:
    """Yield each history with the name of where it comes from."""
    if isinstance(histories, (str, os.PathLike)):
        for path in _files(Path(histories)):
            yield path.name, _read(path)
    elif isinstance(histories, AsyncIterable):
        async for history in histories:
            yield history.workflow_id, history
    else:
        for history in histories:
            yield history.workflow_id, history


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


def _read(path: Path) -> WorkflowHistory | ReplayFailure:
    from temporalio.client import WorkflowHistory

    try:
        history = WorkflowHistory.from_json(path.stem, path.read_text(encoding="utf-8"))
        started = history.events[0].workflow_execution_started_event_attributes
    except Exception as error:  # the SDK's reader raises whatever its JSON and protobuf readers do
        message = f"cannot be read as a history: {type(error).__name__}: {error}"
        return ReplayFailure(source=path.name, workflow_type="", message=message, error=error)
    # A workflow may derive from its own id those of what it starts, and replay compares them.
    return WorkflowHistory(started.workflow_id or path.stem, history.events)


def _registered(cls: type) -> str | None:
    # Temporal's decorator leaves its definition here; there is no public way to ask for the name.
    return getattr(getattr(cls, "__temporal_workflow_definition", None), "name", None)


def _event_type(event: HistoryEvent) -> str:
    from temporalio.api.enums.v1 import EventType

    words = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").split("_")
    return "".join(word.capitalize() for word in words)


def _heart(error: Exception) -> str:
    """Return what an error says on one line; the SDK wraps what it has to say in a print-out of its own structures."""
    text = str(getattr(error, "message", None) or error)
    if (inner := re.search(r'message: "((?:[^"\\]|\\.)*)"', text)) is not None:
        text = inner[1].replace('\\"', '"')
    return " ".join(text.split()) or type(error).__name__


@functools.cache
def _quiet() -> Runtime:
    """Return a runtime whose core does not log: it would print each failure, which is told in the error."""
    from temporalio.runtime import Runtime, TelemetryConfig

    return Runtime(telemetry=TelemetryConfig(logging=None))


def _where(histories: object) -> str:
    return f" in {os.fspath(histories)}" if isinstance(histories, (str, os.PathLike)) else ""
