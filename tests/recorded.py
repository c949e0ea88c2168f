"""Recorded histories: written down once, and replayed by every later version.

A history stands for the runs of the version that made it, so one that is there is never written again: delete the file
to record it anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from temporalio.client import WorkflowFailureError, WorkflowHandle, WorkflowHistory

__all__ = ["HISTORIES", "beginnings", "missing", "record", "recorded", "without_machine"]

HISTORIES = Path(__file__).parent / "histories"

Case = TypeVar("Case")


def missing(prefix: str, cases: Mapping[str, Case]) -> Iterator[tuple[str, Case, Path]]:
    """Yield the cases whose histories are not there, each with its name and the file that is to hold it."""
    for name, case in cases.items():
        path = HISTORIES / f"{prefix}_{name}.json"
        if not path.exists():
            yield name, case, path


async def record(handle: WorkflowHandle[Any, Any], path: Path) -> None:
    """Wait for a run's end, whichever it is, and write its history down."""
    try:
        await handle.result()
    except WorkflowFailureError as error:
        print(f"{path.name}: ended with {error.cause!r}")
    history = json.loads((await handle.fetch_history()).to_json())
    path.write_text(json.dumps(without_machine(history), indent=1) + "\n")
    print(path.name, len(history["events"]), "events")


def recorded(prefix: str) -> list[WorkflowHistory]:
    """Return the histories whose files' names begin with `prefix` and `_`, in the order of their names."""
    return [
        WorkflowHistory.from_json(path.stem, path.read_text()) for path in sorted(HISTORIES.glob(f"{prefix}_*.json"))
    ]


def beginnings(histories: Iterable[WorkflowHistory]) -> list[WorkflowHistory]:
    """Return each history as it was after each of its workflow tasks: any of them may be the last before an upgrade."""
    return [
        WorkflowHistory(one.workflow_id, one.events[: number + 1])
        for one in histories
        for number, event in enumerate(one.events)
        if event.HasField("workflow_task_completed_event_attributes")
    ]


def without_machine(history: Any) -> Any:
    """Return a history without the name of the machine and process that recorded it, and the failures' traces."""
    left_out = {"identity": "recorded", "stackTrace": ""}
    if isinstance(history, dict):
        fields = cast("dict[str, Any]", history)
        return {key: left_out.get(key, without_machine(value)) for key, value in fields.items()}
    if isinstance(history, list):
        return [without_machine(item) for item in cast("Iterable[Any]", history)]
    return history
