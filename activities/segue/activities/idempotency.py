"""A key that names one effect: the same for every attempt of a step, in every worker.

    await client.post(url, json=order, headers={"Idempotency-Key": idempotency_key()})

A system that remembers the keys it has seen makes the effect happen once, however often the step is tried.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from contextvars import ContextVar
from typing import Final

from temporalio import activity

__all__ = ["RUN_HEADER", "claim", "effects", "idempotency_key", "original_run_id"]

RUN_HEADER: Final = "segue-run"
"""Activity header that carries the run's original id when the workflow was reset, so that its keys stay the same."""

original_run_id: ContextVar[str | None] = ContextVar("original_run_id", default=None)
"""What `RUN_HEADER` held; the activity interceptor sets it."""

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
    run = original_run_id.get() or info.workflow_run_id or info.activity_run_id or ""
    fields = (info.namespace, info.workflow_id or "", run, info.activity_id, part)
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
