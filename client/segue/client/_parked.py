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

__all__ = ["commands", "parked_in", "typed", "why", "with_parked"]

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
        number = latest.get(one.step, latest.get(one.step.rpartition("#")[0]))
        if number is None or found[number].is_open:
            continue
        step = found[number]
        found[number] = dataclasses.replace(
            step,
            state="parked",
            closed_time=None,
            duration=max(now - step.scheduled_time, timedelta()),
            waiting_for=_waits(one),
            commands=commands(workflow_id, one),
        )
    return found


def _waits(parked: ParkedStep) -> str:
    """Return what a parked step waits for."""
    if parked.reason == "ambiguous":
        return (
            f"an operator to find out whether {parked.step} happened, --retry if it did not and --result if it did, "
            f"since {time(parked.since)} ({why(parked)})"
        )
    return f"an operator to repair {parked.step}, since {time(parked.since)} ({why(parked)})"


def why(parked: ParkedStep) -> str:
    """Return why a step parked: `terminal: CardDeclined: no funds`."""
    return f"{parked.reason}: {parked.error}{f'; {parked.note}' if parked.note is not None else ''}"


def commands(workflow_id: str, parked: ParkedStep) -> tuple[str, ...]:
    """Return the commands by which an operator repairs a step, each as it can be typed."""
    retry = typed("repair", workflow_id, parked.step, "--retry")
    if parked.reason == "ambiguous":
        # Nobody knows whether it happened: if it did, its result is read from standard input.
        return (retry, typed("repair", workflow_id, parked.step, "--result", "-"))
    return (retry,)


def typed(command: str, *arguments: str) -> str:
    """Return a command of `segue` as it is typed into a shell."""
    return f"segue {command} {shlex.join(arguments)}"
