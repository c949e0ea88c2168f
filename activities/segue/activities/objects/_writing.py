"""Content into stores: streamed, digested on the way, published whole or not at all.

    ref = await objects.write("s3://reports/2026/q1.csv", rows())     # bytes, text, or an async iterable of bytes

For the code of activities. Workflows use the steps of `segue.activities.objects`.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import AsyncIterable, AsyncIterator
from typing import Final

from segue.activities.objects._address import Address
from segue.activities.objects._errors import (
    ObjectChanged,
    ObjectExists,
    ObjectNotFound,
    ObjectRefused,
    ObjectsUnavailable,
    translated,
)
from segue.activities.objects._local import Staged, confine
from segue.activities.objects._reading import ObjectRef, checksum, guessed_type, stat
from segue.activities.objects._store import PART_BYTES, store_of, upload

__all__ = ["delete", "write"]

_FILE_CHUNK_BYTES: Final = 1024 * 1024


async def write(
    url: str,
    data: bytes | str | AsyncIterable[bytes],
    *,
    if_absent: bool = False,
    content_type: str | None = None,
    sha256: str | None = None,
) -> ObjectRef:
    """Write an object whole or not at all, and return what was written.

    Writing the same content again succeeds, so that a step may be retried. Content of up to 8 MiB (any size, in a local
    folder) is then left as it is, and its reference is the same down to the entity tag.

    Args:
        url: Where to; an object that is there is replaced.
        data: The content. Text becomes UTF-8. An iterable is taken piece by piece, in memory of about 50 MB at most.
        if_absent: Replace nothing: other content under this URL is an error. S3 takes up to 5 GiB so.
        content_type: Media type; by default that of the key's extension, else application/octet-stream.
        sha256: What the content must be, in hexadecimal digits; if it is not, nothing is written.

    Raises:
        ObjectExists: Other content is there, and `if_absent` was asked for.
        ObjectChanged: The content has another digest than `sha256`.
        ObjectRefused, ObjectsUnavailable, InvalidObjectUrl: As their docstrings say.
    """
    address = Address.parse(url)
    confine(address)
    writing = _Writing(address, if_absent, content_type or guessed_type(address.key), sha256)
    chunks = _chunks(data)
    return await (writing.to_file(chunks) if address.scheme == "file" else writing.to_store(chunks))


async def delete(url: str) -> None:
    """Delete an object. One that is not there is deleted already.

    Raises:
        ObjectRefused, ObjectsUnavailable, InvalidObjectUrl: As their docstrings say.
    """
    await _delete(Address.parse(url))


class _Writing:
    """One write: where to, on which condition, and what the content must be."""

    def __init__(self, address: Address, if_absent: bool, content_type: str, sha256: str | None) -> None:
        self.address = address
        self.if_absent = if_absent
        self.content_type = content_type
        self.expected = sha256
        self.digest = hashlib.sha256()
        self.size_bytes = 0

    async def to_file(self, chunks: AsyncIterable[bytes]) -> ObjectRef:
        async with Staged(self.address) as staged:
            await staged.take(self._digested(_gathered(chunks, _FILE_CHUNK_BYTES)))
            if self.if_absent:
                if not await staged.publish(replace=False):
                    return await self._settled()
            elif same := await self._same():
                # The folder keeps no media type, and the first writing's reference had the one that was given.
                return same.model_copy(update={"content_type": self.content_type})
            else:
                await staged.publish(replace=True)
        return self._ref((await stat(self.address)).etag)

    async def to_store(self, chunks: AsyncIterable[bytes]) -> ObjectRef:
        parts = aiter(self._digested(_gathered(chunks, PART_BYTES)))
        first = await anext(parts, b"")
        second = await anext(parts, None)
        if second is None:
            return await self._put(first)

        async def content() -> AsyncIterator[bytes]:
            yield first
            yield second
            async for part in parts:
                yield part

        if self.if_absent:
            return await self._create_large(content())
        return self._ref(await upload(self.address, self.address.key, content(), self._attributes()))

    async def _put(self, data: bytes) -> ObjectRef:
        """Write content that fits in one request."""
        same = None if self.if_absent else await self._same()
        if same and same.content_type == self.content_type:
            return same
        store = store_of(self.address)
        import obstore
        from obstore.exceptions import AlreadyExistsError

        with translated("write", self.address.url), contextlib.suppress(AlreadyExistsError):
            result = await obstore.put_async(
                store,
                self.address.key,
                data,
                attributes=self._attributes(),
                mode="create" if self.if_absent else "overwrite",
                use_multipart=False,
            )
            return self._ref(result["e_tag"])
        return await self._settled()

    async def _create_large(self, content: AsyncIterable[bytes]) -> ObjectRef:
        """Write content that takes many requests, if nothing is there when it is complete.

        No store can make a whole upload conditional through obstore. So it goes under a name of its own, which listings
        do not show, and is copied within the store on the condition that the key is free.
        """
        if await self._is_taken():
            async for _ in content:  # digested as it passes; there is nothing to gain from an upload
                pass
            return await self._settled()
        staged = self.address.at(f"{self.address.key}#{secrets.randbelow(10**16):016}")
        try:
            await upload(self.address, staged.key, content, self._attributes())
            store = store_of(self.address, "copy", content_type=self.content_type)
            import obstore
            from obstore.exceptions import AlreadyExistsError

            with translated("write", self.address.url), contextlib.suppress(AlreadyExistsError):
                await obstore.copy_async(store, staged.key, self.address.key, overwrite=False)
                return self._ref((await stat(self.address)).etag)
        finally:
            with contextlib.suppress(ObjectRefused, ObjectsUnavailable):
                await _delete(staged)
        return await self._settled()

    async def _digested(self, chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """Pass on chunks and digest them. Raises at the end if they are not what was expected."""
        async for chunk in chunks:
            self.digest.update(chunk)
            self.size_bytes += len(chunk)
            yield chunk
        url, sha256 = self.address.url, self.digest.hexdigest()
        if self.expected is not None and self.expected.lower() != sha256:
            raise ObjectChanged(f"Object {url!r} was not written: its SHA-256 is {sha256}, not {self.expected}", url)

    async def _is_taken(self) -> bool:
        with contextlib.suppress(ObjectNotFound):
            await stat(self.address)
            return True
        return False

    async def _same(self) -> ObjectRef | None:
        """Return the reference of what is there if it has the content that was to be written."""
        with contextlib.suppress(ObjectNotFound):
            if (await stat(self.address)).size_bytes == self.size_bytes:
                there = await checksum(self.address.url)
                if there.sha256 == self.digest.hexdigest():
                    return self._ref(there.etag).model_copy(update={"content_type": there.content_type})
        return None

    async def _settled(self) -> ObjectRef:
        """Return the reference of what stood in the way of a create-only write, if it has the same content.

        Raises:
            ObjectExists: It has not.
            ObjectsUnavailable: It has gone meanwhile.
        """
        if same := await self._same():
            return same
        url = self.address.url
        if not await self._is_taken():
            raise ObjectsUnavailable(f"Object {url!r} was deleted while it was being written", url)
        raise ObjectExists(f"Object {url!r} exists with other content, and is not to be replaced (if_absent)", url)

    def _attributes(self) -> dict[str, str]:
        return {"Content-Type": self.content_type}

    def _ref(self, etag: str | None) -> ObjectRef:
        return ObjectRef(
            url=self.address.url,
            size_bytes=self.size_bytes,
            sha256=self.digest.hexdigest(),
            etag=etag,
            content_type=self.content_type,
        )


async def _delete(address: Address) -> None:
    confine(address)
    store = store_of(address)
    import obstore

    with contextlib.suppress(ObjectNotFound), translated("delete", address.url):
        await obstore.delete_async(store, address.key)


async def _chunks(data: bytes | str | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    if isinstance(data, str):
        data = data.encode()
    if isinstance(data, bytes):
        for start in range(0, len(data), PART_BYTES):
            yield data[start : start + PART_BYTES]
        return
    async for chunk in data:
        yield chunk


async def _gathered(chunks: AsyncIterable[bytes], size: int) -> AsyncIterator[bytes]:
    """Yield the same bytes in pieces of at least `size`, but for the last: small ones cost a call each."""
    gathered: list[bytes] = []
    length = 0
    async for chunk in chunks:
        gathered.append(chunk)
        length += len(chunk)
        if length >= size:
            yield gathered[0] if len(gathered) == 1 else b"".join(gathered)
            gathered, length = [], 0
    if length:
        yield b"".join(gathered)
