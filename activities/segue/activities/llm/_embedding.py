"""Texts as vectors: asked of a model in batches, each of which is paid for once.

vectors = await llm.embeddings(llm.Embed(model=model, texts=("a lease", "a loan"), store=store))
vectors.values[0]                       # for the code of activities

found = await workflow.execute_activity(llm.embed, llm.Embed(...))      # a step: the vectors are in an object
array.array("f", await objects.read(found.vectors))                     # count × dimensions numbers of 32 bits
"""

from __future__ import annotations

import array
import dataclasses
import math
import sys
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field
from temporalio import activity

from segue.activities import objects
from segue.activities.errors import Terminal
from segue.activities.idempotency import idempotency_key
from segue.activities.llm._answers import tokens_of
from segue.activities.llm._calling import Sending, post
from segue.activities.llm._errors import ModelError, ModelUnavailable, NotRecorded
from segue.activities.llm._json import canonical, digest_of, fields, items
from segue.activities.llm._limits import Share
from segue.activities.llm._models import Model
from segue.activities.llm._records import Call, Recording, call_url, found, labels, persisted
from segue.activities.llm._telemetry import watched
from segue.activities.llm._usage import Usage
from segue.activities.llm._wire import usage_of
from segue.activities.objects import ObjectPrefix, ObjectRef

__all__ = ["Embed", "Embeddings", "Vectors", "embeddings", "stored"]

_TYPE: Final = "application/octet-stream"


class Embed(BaseModel):
    """Texts to be made vectors of.

    Attributes:
        model: The model.
        texts: The texts, or the objects that hold them (UTF-8).
        dimensions: How many numbers a vector has, for a model that lets one choose.
        batch: Most texts of one request.
        store: Object URL prefix under which vectors are kept, and what was paid for is found again after a crash.
        key: Stands for this call in place of the step's own idempotency key.
        recording: Where vectors are recorded, or replayed from; by default what the worker's environment says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    model: Model
    texts: Annotated[tuple[str | ObjectRef, ...], Field(min_length=1)]
    dimensions: Annotated[int, Field(gt=0)] | None = None
    batch: Annotated[int, Field(gt=0, le=2048)] = 64
    store: ObjectPrefix | None = None
    key: Annotated[str, Field(min_length=1)] | None = None
    recording: Recording | None = None


class Embeddings(BaseModel):
    """Vectors, as a history holds them.

    Attributes:
        vectors: The object that holds them, one after another: numbers of 32 bits, little-endian.
        count: How many.
        dimensions: How many numbers each has.
        usage: What they took.
        engine: Which engine made them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    vectors: ObjectRef
    count: int
    dimensions: int
    usage: Usage
    engine: str


@dataclasses.dataclass(frozen=True)
class Vectors:
    """Vectors, for the code of an activity.

    Attributes:
        values: One for each text, in their order.
        usage: What they took.
        engine: Which engine made them.
    """

    values: tuple[tuple[float, ...], ...]
    usage: Usage
    engine: str


async def embeddings(embed: Embed) -> Vectors:
    """Return the vectors of texts.

    Raises:
        ModelUnavailable: Not now.
        ModelError: The server rejects a text, or answers with something else; see the classes below it.
    """
    texts = [text if isinstance(text, str) else (await objects.read(text)).decode() for text in embed.texts]
    values: list[tuple[float, ...]] = []
    usage = Usage()
    for start in range(0, len(texts), embed.batch):
        call = await _batch(embed, texts[start : start + embed.batch])
        values += call.vectors
        usage += call.usage
    if len({len(vector) for vector in values}) > 1:
        raise Terminal(f"Model {embed.model.name!r} answers with vectors of several lengths", type="InvalidOutput")
    return Vectors(tuple(values), usage, embed.model.engine)


async def stored(embed: Embed) -> Embeddings:
    """Write the vectors of texts to an object."""
    if embed.store is None:
        raise Terminal("Vectors are too much for a history: give store=, where they are kept", type="InvalidRequest")
    made = await embeddings(embed)
    numbers = array.array("f", [number for vector in made.values for number in vector])
    if sys.byteorder == "big":
        numbers.byteswap()
    data = numbers.tobytes()
    digest = digest_of(data)
    url = objects.join(embed.store, "vectors", digest[:2], f"{digest}.f32")
    return Embeddings(
        vectors=await objects.write(url, data, content_type=_TYPE),
        count=len(made.values),
        dimensions=len(made.values[0]),
        usage=made.usage,
        engine=made.engine,
    )


async def _batch(embed: Embed, texts: list[str]) -> Call:
    model = embed.model
    asked = canonical({"input": texts, "dimensions": embed.dimensions})
    digest = digest_of(asked)
    recording = embed.recording or Recording.of_environment()
    with watched("embeddings", model, embeddings__dimension__count=embed.dimensions) as watch:
        place = recording.object_of(model, asked) if recording is not None and recording.mode != "off" else None
        if place is not None and recording is not None and recording.mode == "replay":
            call = await found(place)
            if call is None:
                raise NotRecorded(
                    f"Model {model.name!r}: the texts {digest[:12]} are not among the recorded ones in "
                    f"{recording.url!r}: record them (mode='record'), or ask the model (mode='off')",
                    engine=model.engine,
                )
            watch.answered(call.usage, model=call.model, reused=True)
            return call
        url = call_url(embed.store, embed.key, model, digest) if embed.store is not None else None
        if url is not None and (call := await found(url)) is not None:
            watch.answered(call.usage, model=call.model, reused=True)
            return call
        call = await _asked(embed, texts, digest)
        watch.answered(call.usage, model=call.model)
        for target in (url, place):
            if target is not None:
                await persisted(target, call.model_copy(update={"labels": labels()}))
        return call


async def _asked(embed: Embed, texts: list[str], digest: str) -> Call:
    model = embed.model
    body: dict[str, Any] = {"model": model.name, "input": texts, "encoding_format": "float"}
    if embed.dimensions is not None:
        body["dimensions"] = embed.dimensions
    estimate = sum(map(tokens_of, texts))
    step = embed.key or (idempotency_key("segue.llm") if activity.in_activity() else "")
    taken = await Share(model).turn(estimate, 1)
    sending = Sending(
        model=model,
        path="/embeddings",
        body=body | dict(model.options),
        key=digest_of(f"{step}\0{model.name}\0{digest}")[:32] if step else "",
        texts=" ".join(" ".join(texts).split()),
    )
    try:
        answer = fields(await post(sending))
    except (ModelError, ModelUnavailable):
        taken.used(0)
        raise
    counted = usage_of(answer.get("usage")) or Usage(input_tokens=estimate, calls=1, estimated=True)
    taken.used(counted.tokens)
    return Call(
        kind="embeddings",
        engine=model.engine,
        model=str(answer.get("model") or ""),
        prompt_digest=digest,
        vectors=_vectors(answer, len(texts), model),
        usage=counted.priced(model.price),
    )


def _vectors(answer: dict[str, Any], count: int, model: Model) -> tuple[tuple[float, ...], ...]:
    """Return the vectors in the order of their texts."""
    data = [fields(one) for one in items(answer.get("data"))]
    data.sort(key=lambda one: one["index"] if isinstance(one.get("index"), int) else 0)
    vectors = tuple(tuple(items(one.get("embedding"))) for one in data)
    if len(vectors) != count or not all(vector and all(map(_is_number, vector)) for vector in vectors):
        raise ModelUnavailable(
            f"Model {model.name!r} answered {count} texts with what is not as many vectors", engine=model.engine
        )
    return vectors


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
