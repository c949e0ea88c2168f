"""The fan-outs of a run as its history has them: which steps carry items of which, and what became of these.

Items travel as activities, as batches, or in child workflows, whose ids and summaries say which they are; what became
of those of a batch or child stands in its result. So it is told of a run that has ended as of one that runs.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import pydantic
import pydantic_core
from temporalio.api.common.v1 import Payload

from segue.activities.batch import BATCH_ACTIVITY, Failure
from segue.client._failures import Decoded
from segue.client._history import History
from segue.client._repaired import result_of
from segue.client.records import FanOut, Items, Step
from segue.client.wording import one_line
from segue.workflows.fanout.shard import SHARD_WORKFLOW

__all__ = ["fan_out_of", "fan_outs_in", "fanned", "reports_in"]

_FIRST: Final = 5
_FAILED: Final = ("failed", "timed_out", "terminated")
_FAILURES: Final = pydantic.TypeAdapter(list[Failure])
_ONE: Final = re.compile(r"(.+)/(\d+)")
_SEVERAL: Final = re.compile(r"(.+)/(again-\d+-)?\d+(-[0-9a-f]+)?")
_CALLED: Final = re.compile(r".*: (?:item \d+|items (\d+) to (\d+)|(\d+) items from \d+ to \d+)")
# What a worker reports begins with what is told here; the results come last, and may be megabytes.
_RESULTS: Final = b',"results":['


def reports_in(history: History, steps: Iterable[Step]) -> Iterator[Payload]:
    """Yield what must be decoded to know what became of items."""
    for step in steps:
        payload = result_of(history, step) if _carries_several(step) else None
        if payload is not None and not _is_plain(payload):
            yield payload


def fanned(steps: Iterable[Step], history: History, decoded: Decoded, workflow_id: str) -> list[Step]:
    """Return the steps, those that carry items of a fan-out with what is known of these.

    Args:
        steps: The steps.
        history: The run's history.
        decoded: Gives what `reports_in` yielded. What became of items of which it tells nothing is not known.
        workflow_id: Id of the run's workflow, with which those of its children begin.
    """
    return [
        dataclasses.replace(step, items=items)
        if (items := _items(step, history, decoded, workflow_id)) is not None
        else step
        for step in steps
    ]


def fan_outs_in(steps: Iterable[Step]) -> tuple[FanOut, ...]:
    """Return the fan-outs of a run, in the order of their start."""
    by_name: dict[str, list[Step]] = {}
    for step in steps:
        if step.items is not None:
            by_name.setdefault(step.items.fan_out, []).append(step)
    return tuple(found for carrying in by_name.values() if (found := fan_out_of(carrying)) is not None)


def fan_out_of(steps: Sequence[Step]) -> FanOut | None:
    """Return the fan-out whose items some steps carry; None if they carry none."""
    parts = [step.items for step in steps if step.items is not None]
    if not parts:
        return None
    return FanOut(
        name=parts[0].fan_out,
        total=sum(part.count for part in parts if not part.again),
        done=sum(part.done for part in parts),
        failed=sum(part.failed for part in parts),
        failures=tuple(failure for part in parts for failure in part.failures)[:_FIRST],
    )


def _carries_several(step: Step) -> bool:
    return step.name == (SHARD_WORKFLOW if step.kind == "child_workflow" else BATCH_ACTIVITY)


def _items(step: Step, history: History, decoded: Decoded, workflow_id: str) -> Items | None:
    if step.kind == "activity" and (one := _ONE.fullmatch(step.id)) is not None:
        # The first of a name has it as it is, the second has it with a number.
        if not re.fullmatch(rf"{re.escape(step.name)}(-\d+)?", one[1]):
            return None
        failed = step.state in _FAILED
        failures = (f"item {one[2]}: {step.error}",) if failed else ()
        done = step.state == "completed"
        return Items(fan_out=one[1], count=1, done=int(done), failed=int(failed), failures=failures)
    if step.kind not in ("activity", "child_workflow") or not _carries_several(step):
        return None
    id = step.id.removeprefix(f"{workflow_id}/") if step.kind == "child_workflow" else step.id
    several, called = _SEVERAL.fullmatch(id), _CALLED.fullmatch(step.summary or "")
    if several is None or called is None:
        return None
    first, last, again = called.groups()
    items = Items(
        fan_out=several[1],
        count=int(again) if again else int(last) - int(first) + 1 if first else 1,
        again=bool(again or several[2]),
    )
    if step.state in _FAILED:
        return dataclasses.replace(items, failed=items.count, failures=(f"{items.count} items: {step.error}",))
    payload = result_of(history, step)
    return items if payload is None else _reported(items, payload, decoded)


def _reported(items: Items, payload: Payload, decoded: Decoded) -> Items:
    """Return items with what their worker reported of them."""
    try:
        report = _head(payload.data) if _is_plain(payload) else decoded(payload)
        failures = _FAILURES.validate_python(report.get("failures", []))
        left = [len(report.get(name, ())) for name in ("retries", "left")]
    except (ValueError, AttributeError, TypeError):  # of another version, or it cannot be decoded here
        return items
    return dataclasses.replace(
        items,
        done=max(items.count - len(failures) - sum(left), 0),
        failed=len(failures),
        failures=tuple(one_line(str(failure), 200) for failure in failures[:_FIRST]),
    )


def _is_plain(payload: Payload) -> bool:
    return payload.metadata.get("encoding") == b"json/plain"


def _head(data: bytes) -> Any:
    """Return a report without the results, which are not looked into where they come last."""
    # A quotation mark within a text has a backslash before it, so no message of a failure looks like this.
    head, found, _ = data.partition(_RESULTS)
    if found and head.startswith(b"{") and b'"failures":' in head:
        return pydantic_core.from_json(head + b"}")
    return pydantic_core.from_json(data)
