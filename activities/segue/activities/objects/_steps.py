"""The steps of workflows on objects: requests and results that fit into a history.

    report = await workflow.execute_activity(objects.write_object, WriteObject(url="reports/q1.csv", text=csv))
    body = await workflow.execute_activity(objects.read_object, ReadObject(source=report))

Content that is larger than a history takes stays in its store: pass on its reference, and read it in an activity of
your own with `objects.stream`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from temporalio import activity

from segue.activities.errors import Terminal
from segue.activities.heartbeat import progress
from segue.activities.objects._address import ObjectPrefix, ObjectUrl
from segue.activities.objects._listing import ObjectPage, page
from segue.activities.objects._reading import ObjectRef, Reading
from segue.activities.objects._writing import delete, write
from segue.activities.policy import Policy
from segue.activities.system import System

__all__ = [
    "MAXIMUM_READ_BYTES",
    "ChecksumObject",
    "CopyObject",
    "DeleteObject",
    "ListObjects",
    "ObjectBody",
    "ReadObject",
    "TransferProgress",
    "WriteObject",
    "checksum_object",
    "copy_object",
    "delete_object",
    "list_objects",
    "read_object",
    "system",
    "write_object",
]

MAXIMUM_READ_BYTES: Final = 1024 * 1024
"""Most content that `read_object` returns unless the request says otherwise: Temporal takes results of up to 2 MB."""

_PROGRESS_BYTES: Final = 8 * 1024 * 1024

system = System(
    "objects",
    # Long enough for many gigabytes. A dead worker is noticed by the heartbeat, a dead store by the client's timeouts.
    policy=Policy(start_to_close_timeout=timedelta(minutes=30), heartbeat_timeout=timedelta(seconds=30)),
)


class _Request(BaseModel):
    # Pydantic would repeat a wrong input in its error, and a wrong URL may hold a credential.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class WriteObject(_Request):
    """Write an object whole or not at all. Writing the same content again changes nothing.

    Attributes:
        url: Where to: an s3, gs, az or file URL, a path, or a key under the worker's root.
        text: The content, as text (written as UTF-8), or
        data: the content, as bytes.
        if_absent: Replace nothing: other content under this URL is a terminal error.
        content_type: Media type; by default that of the key's extension.
        sha256: What the content must be, in hexadecimal digits; if it is not, nothing is written.
    """

    # Without this, bytes that are not UTF-8 could not be sent at all.
    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    url: ObjectUrl
    text: str | None = None
    data: bytes | None = None
    if_absent: bool = False
    content_type: str | None = None
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _one_content(self) -> Self:
        if (self.text is None) == (self.data is None):
            raise ValueError("give either text or data")
        return self


class ReadObject(_Request):
    """Read a small object.

    Attributes:
        source: Its URL, or its reference, against which the content is then verified.
        as_bytes: Return bytes instead of text, which must be UTF-8.
        maximum_bytes: Refuse larger content before reading it. Text travels as JSON, bytes as base64 in JSON, which
            is a third larger; Temporal takes up to 2 MB of that.
    """

    source: ObjectUrl | ObjectRef
    as_bytes: bool = False
    maximum_bytes: int = Field(default=MAXIMUM_READ_BYTES, ge=0)


class ObjectBody(BaseModel):
    """An object's content, as text or as bytes.

    Attributes:
        ref: The object, with its digest.
        text: The content, if it was asked for as text.
        data: The content, if it was asked for as bytes.
    """

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    ref: ObjectRef
    text: str | None = None
    data: bytes | None = None


class ListObjects(_Request):
    """List the objects of a folder and its subfolders, sorted by key.

    Attributes:
        prefix: The folder: `s3://bucket/a` lists `a/b` but not `ab`. Empty for the worker's root.
        start_after: List only what sorts after this URL: `next_start_after` of the page before.
        limit: Most objects to return.
    """

    prefix: ObjectPrefix
    start_after: ObjectUrl | None = None
    limit: int = Field(default=1000, ge=1, le=1000)


class ChecksumObject(_Request):
    """Digest an object's content.

    Attributes:
        source: Its URL, or its reference, against which the content is then verified.
    """

    source: ObjectUrl | ObjectRef


class CopyObject(_Request):
    """Copy an object, within a store or from one to another. The content passes through the worker and is digested.

    Attributes:
        source: URL of the object, or its reference, against which the content is then verified.
        target: Where to.
        if_absent: Replace nothing: other content at the target is a terminal error.
    """

    source: ObjectUrl | ObjectRef
    target: ObjectUrl
    if_absent: bool = False


class DeleteObject(_Request):
    """Delete an object. One that is not there is deleted already.

    Attributes:
        url: Which.
    """

    url: ObjectUrl


class TransferProgress(BaseModel):
    """How far a long step on an object has come, as its heartbeats show it.

    Attributes:
        bytes_done: Bytes of the content that have passed.
        bytes_total: Size of the content.
    """

    bytes_done: int
    bytes_total: int


@system.activity(name="segue.objects.write")
async def write_object(request: WriteObject) -> ObjectRef:
    """Write an object, and return its reference."""
    content = request.data if request.data is not None else request.text or ""
    return await write(
        request.url,
        content,
        if_absent=request.if_absent,
        content_type=request.content_type,
        sha256=request.sha256,
    )


@system.activity(name="segue.objects.read")
async def read_object(request: ReadObject) -> ObjectBody:
    """Return the content of a small object."""
    reading = await Reading.of(request.source)
    data = await reading.whole(request.maximum_bytes)
    if request.as_bytes:
        return ObjectBody(ref=reading.ref, data=data)
    try:
        return ObjectBody(ref=reading.ref, text=data.decode())
    except UnicodeDecodeError as error:
        raise Terminal(
            f"Object {reading.ref.url!r} is not UTF-8 text, from byte {error.start:,} on: read it with as_bytes=True"
        ) from None


@system.activity(name="segue.objects.list")
async def list_objects(request: ListObjects) -> ObjectPage:
    """Return a page of the objects in a folder."""
    return await page(request.prefix, request.start_after, request.limit)


@system.activity(name="segue.objects.checksum")
async def checksum_object(request: ChecksumObject) -> ObjectRef:
    """Return an object's reference with its digest."""
    reading = await Reading.of(request.source)
    async for _ in _reported(reading):
        pass
    return reading.ref


@system.activity(name="segue.objects.copy")
async def copy_object(request: CopyObject) -> ObjectRef:
    """Copy an object, and return the reference of the copy."""
    reading = await Reading.of(request.source)
    return await write(
        request.target, _reported(reading), if_absent=request.if_absent, content_type=reading.ref.content_type
    )


@system.activity(name="segue.objects.delete")
async def delete_object(request: DeleteObject) -> None:
    """Delete an object."""
    await delete(request.url)


async def _reported(reading: Reading) -> AsyncIterator[bytes]:
    """Pass on the content, and report how much of it has passed."""
    done = reported = 0
    async for chunk in reading.chunks():
        yield chunk
        done += len(chunk)
        if done - reported >= _PROGRESS_BYTES and activity.in_activity():
            progress(TransferProgress(bytes_done=done, bytes_total=reading.ref.size_bytes))
            reported = done
