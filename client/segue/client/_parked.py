"""The parked steps of a run, as its memo has them, set in the place of their failed activities."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import pydantic

from segue.client.records import Step
from segue.client.wording import time
from segue.workflows.repair.records import ParkedStep

__all__ = ["command", "parked_in", "why", "with_parked"]

_STEP: Final = pydantic.TypeAdapter(ParkedStep)


def parked_in(told: Iterable[Any] | None) -> list[ParkedStep]:
    """Return the parked steps that a decoded memo tells of; what is none is left out."""
    found: list[ParkedStep] = []
    for entry in told or ():
        try:
            found.append(_STEP.validate_python(entry))
        except pydantic.ValidationError:  # of another version
            continue
    return found


def with_parked(steps: list[Step], parked: Iterable[ParkedStep], workflow_id: str, now: datetime) -> list[Step]:
    """Return the steps of an open run, those that are parked as such, with what to do about them."""
    latest = {step.id: number for number, step in enumerate(steps) if step.kind in ("activity", "local_activity")}
    found = list(steps)
    for one in parked:
        number = latest.get(one.step.partition("#")[0])
        if number is None or found[number].is_open:
            continue
        step = found[number]
        found[number] = dataclasses.replace(
            step,
            state="parked",
            closed_time=None,
            duration=max(now - step.scheduled_time, timedelta()),
            waiting_for=f"an operator since {time(one.since)}: {command(workflow_id, one)} ({why(one)})",
        )
    return found


def why(parked: ParkedStep) -> str:
    """Return why a step parked: `terminal: CardDeclined: no funds`."""
    return f"{parked.reason}: {parked.error}{f'; {parked.note}' if parked.note is not None else ''}"


def command(workflow_id: str, parked: ParkedStep) -> str:
    """Return the command by which an operator repairs a step."""
    repair = f"segue repair {shlex.quote(workflow_id)} {shlex.quote(parked.step)}"
    if parked.reason == "ambiguous":
        return f"{repair} --result JSON if it has happened, --retry if it has not"
    return f"{repair} --retry"
