"""A key that names one effect: the same for every attempt of a step, in every worker.

    await client.post(url, json=order, headers={"Idempotency-Key": idempotency_key()})

A system that remembers the keys it has seen makes the effect happen once, however often the step is tried.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Hashable
from contextvars import ContextVar
from typing import Final

from pydantic import BaseModel
from temporalio import activity

__all__ = ["STEP_HEADER", "Step", "acting_for", "claim", "effects", "idempotency_key", "step_info"]

STEP_HEADER: Final = "segue-step"
"""Activity header that says which step this is where the run's and the activity's own ids do not: a `Step` as JSON."""


class Step(BaseModel):
    """Which step an activity is, as far as its own ids do not say.

    Attributes:
        workflow_id: The workflow that the step belongs to, None if it is the one that scheduled it.
        run_id: The run's id before it was reset, None if it was not; that of the workflow that the step belongs to.
        repetition: How often the run gave the same activity id to an earlier step.
        alteration: How often an operator gave this step another input, which makes another effect of it.
        activity_id: The activity whose step this is, where it is another's: it asks what became of that one.
    """

    workflow_id: str | None = None
    run_id: str | None = None
    repetition: int = 0
    alteration: int = 0
    activity_id: str | None = None


@dataclasses.dataclass(frozen=True)
class StepInfo(activity.Info):
    """An activity's information with what `STEP_HEADER` said. It goes along to threads and to other processes."""

    step: Step = dataclasses.field(default_factory=Step)


def step_info(info: activity.Info, header: bytes) -> StepInfo:
    """Return an activity's information with what its header says of the step. The activity interceptor calls this."""
    fields = {field.name: getattr(info, field.name) for field in dataclasses.fields(info)}
    return StepInfo(**fields, step=Step.model_validate_json(header))


acting_for: ContextVar[Step | None] = ContextVar("acting_for", default=None)
"""In a workflow that does a part of another's work: whose steps its activities are. Then they have the keys that they
would have there, and keep them when the part is done again by another child of a reset run."""


effects: ContextVar[dict[Hashable, bytes] | None] = ContextVar("effects", default=None)
"""What this attempt has already done under the step's own key: a digest of the effect, for each system that was asked.

The activity interceptor gives each attempt an empty one, which its tasks share; without the plugin, whoever needs it
first does. A connector refuses a second, different effect under one key, which the system would drop as a repetition.
"""


def idempotency_key(part: str = "") -> str:
    """Return 32 hexadecimal digits that are the same for every attempt of this step and for no other step or run.

    A reset run repeats its steps with the keys they had, so a reset charges nobody twice; a run that continues as new,
    retries, or is started again is another run with other keys.

    Args:
        part: Tells the effects of one step apart when it has several.

    Raises:
        RuntimeError: Called outside an activity.
    """
    info = activity.info()
    step = info.step if isinstance(info, StepInfo) else Step()
    run = step.run_id or info.workflow_run_id or info.activity_run_id or ""
    activity_id = step.activity_id or info.activity_id
    if step.repetition or step.alteration:
        # No activity's id holds a line break that was not put there, and keys of older versions stay as they are.
        activity_id += f"\n{step.repetition}" + (f"\n{step.alteration}" if step.alteration else "")
    fields = (info.namespace, step.workflow_id or info.workflow_id or "", run, activity_id, part)
    return hashlib.sha256("\0".join(fields).encode()).hexdigest()[:32]


def claim(key: Hashable, effect: bytes) -> bool:
    """Return whether an effect is the only one that this attempt has under a key: the first, or the same again.

    Args:
        key: What the system knows the effect by.
        effect: The effect itself, of which a digest is kept.
    """
    done = effects.get()
    if done is None:
        effects.set(done := {})
    digest = hashlib.sha256(effect).digest()
    return done.setdefault(key, digest) == digest
