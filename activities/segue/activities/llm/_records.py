"""Answers that were paid for, kept as objects: found again after a crash, replayed offline, and run again elsewhere.

    <store>/calls/ab/ab12….json        by the step's idempotency key: an attempt after a crash finds what was paid for
    <recording>/ab/ab12….json          by model and prompt: a replay finds what was answered
    <store>/texts/ab/ab12….txt         answers and prompts by their own digest: what a history refers to

A record holds the answer. It is written before anything else is done with it, and a store that is unreachable just then
is tried again, for the answer is gone once the attempt ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field
from temporalio import activity

from segue.activities import objects
from segue.activities.errors import Terminal
from segue.activities.idempotency import idempotency_key
from segue.activities.llm._json import canonical, digest_of
from segue.activities.llm._messages import ToolCall
from segue.activities.llm._models import Model
from segue.activities.llm._usage import Usage
from segue.activities.objects import ObjectNotFound, ObjectPrefix, ObjectRef, ObjectsUnavailable

__all__ = ["RECORDING_VARIABLE", "Call", "Mode", "Recording", "call_url", "found", "labels", "persisted", "text_object"]

RECORDING_VARIABLE: Final = "SEGUE_LLM_RECORDING"
"""Environment variable of a worker: `record:URL` or `replay:URL`, for the calls that say nothing of their own."""

Mode = Literal["record", "replay", "off"]

_WAITS_SECONDS: Final = (0.1, 0.5, 2.0, 5.0, 10.0)


class Recording(BaseModel):
    """A store of answers by model and prompt.

    Attributes:
        url: Object URL prefix.
        mode: "record" asks the model and keeps its answer; "replay" asks nobody, and a prompt that was not recorded is
            an error; "off" does neither.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: ObjectPrefix
    mode: Mode = "replay"

    @classmethod
    def of_environment(cls) -> Self | None:
        """Return the recording that this process is told to use; None if there is none.

        Raises:
            Terminal: The variable says something else.
        """
        told = os.environ.get(RECORDING_VARIABLE, "")
        if told in ("", "off"):
            return None
        mode, colon, url = told.partition(":")
        if mode not in ("record", "replay") or not colon or not url:
            raise Terminal(
                f"{RECORDING_VARIABLE} must be record:URL, replay:URL or off, not {told!r}", type="InvalidRecording"
            )
        return cls.model_validate({"url": url, "mode": mode})

    def object_of(self, model: Model, asked: bytes) -> str:
        """Return where the answer to a question is kept."""
        return _sharded(self.url, digest_of(canonical([model.name, dict(model.options)]) + b"\0" + asked))


class Call(BaseModel):
    """One answer that was paid for.

    Attributes:
        kind: What was asked for.
        engine: Which engine answered.
        model: The model, as its server names it.
        prompt_digest: SHA-256 of what was asked, but for the model.
        prompt: What was asked, as JSON text; None where it is kept apart.
        prompt_ref: The object that holds it.
        text: The answer.
        tool_calls: The tools that the model wished to have called.
        vectors: The embeddings, where those were asked for.
        finish_reason: Why it ended.
        refusal: What was said in place of an answer.
        usage: What it took.
        labels: Whose step it was: `workflow_id`, `run_id`, `activity_id`, `activity_type`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["chat", "embeddings"] = "chat"
    engine: str
    model: str = ""
    prompt_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    prompt: str | None = None
    prompt_ref: ObjectRef | None = None
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    vectors: tuple[tuple[float, ...], ...] = ()
    finish_reason: str = ""
    refusal: str = ""
    usage: Usage
    labels: Mapping[str, str] = {}


def call_url(store: str, key: str | None, model: Model, prompt_digest: str) -> str | None:
    """Return where the answer to a step's question is kept; None outside of a step that has no key of its own."""
    if key is None:
        if not activity.in_activity():
            return None
        key = idempotency_key("segue.llm")
    parts = (key, model.base_url, model.name, canonical(dict(model.options)).decode(), prompt_digest)
    return _sharded(objects.join(store, "calls"), hashlib.sha256("\0".join(parts).encode()).hexdigest())


async def found(url: str) -> Call | None:
    """Return what was recorded under a URL; None if nothing was."""
    with contextlib.suppress(ObjectNotFound):
        return Call.model_validate_json(await objects.read(url))
    return None


async def persisted(url: str, call: Call) -> None:
    """Write a record, and try for a while: what it holds was paid for.

    Raises:
        ObjectsUnavailable: The store stayed unreachable.
    """
    await _insisting(url, call.model_dump_json(exclude_defaults=True))


async def text_object(store: str, text: str | bytes, suffix: str, *, paid: bool) -> ObjectRef:
    """Write a text under its own digest, and return its reference. One that was paid for is worth trying for a while.

    Raises:
        ObjectsUnavailable: The store is unreachable.
    """
    data = text.encode() if isinstance(text, str) else text
    digest = digest_of(data)
    url = objects.join(store, "texts", digest[:2], digest + suffix)
    return await (_insisting if paid else objects.write)(url, data)


def labels() -> dict[str, str]:
    """Return whose step this is; empty outside of activities."""
    if not activity.in_activity():
        return {}
    info = activity.info()
    told = {
        "workflow_id": info.workflow_id,
        "run_id": info.workflow_run_id,
        "activity_id": info.activity_id,
        "activity_type": info.activity_type,
    }
    return {name: value for name, value in told.items() if value}


async def _insisting(url: str, data: bytes | str) -> ObjectRef:
    for wait in _WAITS_SECONDS:
        with contextlib.suppress(ObjectsUnavailable):
            return await objects.write(url, data)
        await asyncio.sleep(wait)
    return await objects.write(url, data)


def _sharded(prefix: str, digest: str) -> str:
    return objects.join(prefix, digest[:2], f"{digest}.json")
