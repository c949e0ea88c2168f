"""What a run spent on models, out of its steps' results and errors: for `segue evals usage` and `segue status`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from segue.activities.llm import Usage

__all__ = ["counts", "line", "spent"]

_UNKNOWN: Final = "?"

# What tells of spending has one of these; what is plain JSON and has none need not be decoded.
_TOLD: Final = (b'"usage"', b'"spent"')
_PLAIN: Final = b"json/plain"


async def spent(client: Any, workflow_id: str, run_id: str | None) -> list[tuple[str, str, Usage]]:
    """Return each step that tells what it took: its id, the engine, and what that took."""
    from segue.activities.llm import accounts

    names: dict[int, str] = {}
    rows: list[tuple[str, str, Usage]] = []
    async for event in client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history_events():
        if event.HasField("activity_task_scheduled_event_attributes"):
            names[event.event_id] = event.activity_task_scheduled_event_attributes.activity_id
            continue
        if event.HasField("activity_task_completed_event_attributes"):
            ended: Any = event.activity_task_completed_event_attributes
            payloads = ended.result.payloads
        elif event.HasField("activity_task_failed_event_attributes"):
            ended = event.activity_task_failed_event_attributes
            payloads = ended.failure.application_failure_info.details.payloads
        else:
            continue
        step = names[ended.scheduled_event_id]
        rows += [(step, *one) for value in await _decoded(client, payloads) for one in accounts(value)]
    return rows


def line(rows: Iterable[tuple[str, str, Usage]]) -> str | None:
    """Return what a run spent in all, on one line; None if it asked no model."""
    from segue.activities.llm import Usage

    total = sum((usage for *_, usage in rows), Usage())
    if not total.calls:
        return None
    calls, read, written, cost = counts(total)
    many = "call" if total.calls == 1 else "calls"
    return f"models     {calls} {many} · {read} tokens read · {written} written · {cost}"


def counts(usage: Usage) -> tuple[str, str, str, str]:
    """Return the calls, the tokens read and written, and the cost, as they are shown."""
    about = "~" if usage.estimated else ""
    cost = _UNKNOWN if usage.cost_usd is None else f"${usage.cost_usd:.6f}"
    return f"{usage.calls:,}", f"{about}{usage.input_tokens:,}", f"{about}{usage.output_tokens:,}", about + cost


async def _decoded(client: Any, payloads: Sequence[Any]) -> list[Any]:
    wanted = [
        one for one in payloads if one.metadata.get("encoding") != _PLAIN or any(told in one.data for told in _TOLD)
    ]
    if not wanted:
        return []
    try:
        return list(await client.data_converter.decode(wanted))
    except Exception:  # a codec may raise anything, and a sum with a gap is better than none
        return []
