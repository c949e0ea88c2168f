"""Content out of stores: streamed, digested on the way, verified against its reference.

    async for chunk in objects.stream(ref): ...                       # refuses content that is not ref's
    data = await objects.read(ref, maximum_bytes=1_000_000)

These are for the code of activities. Workflows use the steps of `segue.activities.objects`.
"""

from __future__ import annotations

import functools
import hashlib
import mimetypes
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ConfigDict, Field

from segue.activities.objects._address import Address, ObjectUrl
from segue.activities.objects._errors import ObjectChanged, ObjectsUnavailable, ObjectTooLarge, translated
from segue.activities.objects._local import confine
from segue.activities.objects._store import store_of

if TYPE_CHECKING:
    from obstore import GetResult

__all__ = ["ObjectRef", "Reading", "checksum", "guessed_type", "info", "read", "stat", "stream"]

_CHUNK_BYTES: Final = 1024 * 1024


class ObjectRef(BaseModel):
    """One object, as workflows pass it on in place of its content.

    Attributes:
        url: Full URL.
        size_bytes: Size of the content.
        sha256: Digest of the content in hexadecimal digits; None where the content was not read.
        etag: The store's tag of this version.
        content_type: Media type as the store has it; None in lists. A local folder keeps none, so there it is the one
            given with the write, else that of the key's extension.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: ObjectUrl
    size_bytes: int = Field(ge=0)
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    etag: str | None = None
    content_type: str | None = None


async def read(source: str | ObjectRef, *, maximum_bytes: int | None = None) -> bytes:
    """Return an object's whole content. Given a reference, its content is verified against the reference.

    Raises:
        ObjectTooLarge: It has more than `maximum_bytes`; none were read.
        ObjectNotFound, ObjectChanged, ObjectRefused, ObjectsUnavailable, InvalidObjectUrl: As their docstrings say.
    """
    return await (await Reading.of(source)).whole(maximum_bytes)


async def stream(source: str | ObjectRef, *, chunk_bytes: int = _CHUNK_BYTES) -> AsyncIterator[bytes]:
    """Yield an object's content in chunks of about `chunk_bytes`.

    What is yielded is one version of the object, even if it is replaced meanwhile. Given a reference, content that is
    not the reference's raises in place of the last chunk at the latest: act on what you read when the stream has ended.

    Raises:
        ObjectNotFound, ObjectChanged, ObjectRefused, ObjectsUnavailable, InvalidObjectUrl: As their docstrings say.
    """
    reading = await Reading.of(source)
    async for chunk in reading.chunks(chunk_bytes):
        yield chunk


async def checksum(source: str | ObjectRef) -> ObjectRef:
    """Return an object's reference with its digest, read from the whole content.

    Raises:
        ObjectNotFound, ObjectChanged, ObjectRefused, ObjectsUnavailable, InvalidObjectUrl: As their docstrings say.
    """
    reading = await Reading.of(source)
    async for _ in reading.chunks():
        pass
    return reading.ref


async def info(url: str) -> ObjectRef:
    """Return an object's reference without its digest; the content is not read.

    Raises:
        ObjectNotFound, ObjectRefused, ObjectsUnavailable, InvalidObjectUrl: As their docstrings say.
    """
    return await stat(Address.parse(url))


class Reading:
    """An object that has been opened.

    Attributes:
        ref: What is being read; it has its digest once the content has been read to the end.
    """

    def __init__(self, result: GetResult, ref: ObjectRef, expected: ObjectRef | None) -> None:
        self.ref = ref
        self._result = result
        self._expected = expected

    @classmethod
    async def of(cls, source: str | ObjectRef) -> Reading:
        """Open an object.

        Raises:
            ObjectChanged: It is not of the size that its reference says.
        """
        expected = source if isinstance(source, ObjectRef) else None
        address = Address.parse(source.url if isinstance(source, ObjectRef) else source)
        confine(address)
        store = store_of(address, "read")
        import obstore

        with translated("read", address.url):
            result = await obstore.get_async(store, address.key)
        ref = _ref(address, result)
        if expected is not None and expected.size_bytes != ref.size_bytes:
            raise ObjectChanged(
                f"Object {ref.url!r} is not the one referred to: it has {ref.size_bytes:,} bytes, not "
                f"{expected.size_bytes:,}",
                ref.url,
            )
        return cls(result, ref, expected)

    async def chunks(self, chunk_bytes: int = _CHUNK_BYTES) -> AsyncIterator[bytes]:
        """Yield the content once, and verify it at the end."""
        digest, size, url = hashlib.sha256(), 0, self.ref.url
        with translated("read", url):
            async for chunk in self._result.stream(chunk_bytes):
                # A copy is made only if obstore should hand out its own buffer type.
                data = chunk if type(chunk) is bytes else bytes(chunk)
                digest.update(data)
                size += len(data)
                yield data
        if size != self.ref.size_bytes:
            raise ObjectsUnavailable(f"Object {url!r} ended after {size:,} of {self.ref.size_bytes:,} bytes", url)
        sha256 = digest.hexdigest()
        self.ref = self.ref.model_copy(update={"sha256": sha256})
        if self._expected is not None and self._expected.sha256 not in (None, sha256):
            raise ObjectChanged(
                f"Object {url!r} is not the one referred to: its SHA-256 is {sha256}, not {self._expected.sha256}", url
            )

    async def whole(self, maximum_bytes: int | None) -> bytes:
        """Return the content, if it is not too large."""
        if maximum_bytes is not None and self.ref.size_bytes > maximum_bytes:
            raise ObjectTooLarge(
                f"Object {self.ref.url!r} has {self.ref.size_bytes:,} bytes, more than the {maximum_bytes:,} that are "
                "to be read: pass on its reference, or raise maximum_bytes",
                self.ref.url,
            )
        return b"".join([chunk async for chunk in self.chunks()])


async def stat(address: Address) -> ObjectRef:
    """Return the reference of the object at an address, without its digest."""
    confine(address)
    store = store_of(address)
    import obstore

    with translated("look up", address.url):
        return _ref(address, await obstore.get_async(store, address.key, options={"head": True}))


def guessed_type(key: str) -> str:
    """Return the media type that a key's extension suggests, by default that of any bytes."""
    return _types().guess_type(key.rpartition("/")[2])[0] or "application/octet-stream"


def _ref(address: Address, result: GetResult) -> ObjectRef:
    return ObjectRef(
        url=address.url,
        size_bytes=result.meta["size"],
        etag=result.meta["e_tag"],
        content_type=result.attributes.get("Content-Type") or guessed_type(address.key),
    )


@functools.cache
def _types() -> mimetypes.MimeTypes:
    # Python's own table: those of the system differ from worker to worker.
    return mimetypes.MimeTypes()
