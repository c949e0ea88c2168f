"""Durable, atomic writes to a local folder.

obstore's local store writes a file beside the object and renames it, so a reader never sees half an object. But it does
not flush to disk, so a power cut may take an object whose write was reported; and its create-only mode holds the whole
object in memory. Here the file is written as the data comes, flushed (fsync), and published by a rename or, if nothing
is to be replaced, by a hard link; then the folder is flushed. Reading, listing and deleting are left to obstore.

A killed process leaves its unpublished file behind, named `.segue#` and digits. Listings do not show it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import io
import os
import secrets
from collections.abc import AsyncIterable, Callable
from pathlib import Path
from typing import Self, TypeVar

from segue.activities.objects._address import Address
from segue.activities.objects._errors import ObjectRefused, translated

__all__ = ["Staged", "confine"]

T = TypeVar("T")


class Staged:
    """Content on its way to a local object. Leaving the block removes what has not been published."""

    def __init__(self, address: Address) -> None:
        self._url = address.url
        self._target = address.path
        self._path = self._target.with_name(f".segue#{secrets.randbelow(10**16):016}")
        self._file: io.FileIO | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._do(self._open)
        except BaseException:
            await self._do(self._discard)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._do(self._discard)

    async def take(self, chunks: AsyncIterable[bytes]) -> None:
        """Write all the chunks, and flush them to disk."""
        async for chunk in chunks:
            await self._do(functools.partial(self._write, chunk))
        await self._do(self._flush)

    async def publish(self, *, replace: bool) -> bool:
        """Give the content its name, durably. Return False if something has the name and is not to be replaced."""
        return await self._do(lambda: self._publish(replace))

    async def _do(self, fn: Callable[[], T]) -> T:
        """Run a blocking call in a thread. A cancelled caller waits for it, since no thread can be stopped half-way."""
        call = asyncio.ensure_future(asyncio.to_thread(fn))
        with translated("write", self._url):
            try:
                return await asyncio.shield(call)
            except asyncio.CancelledError:
                await asyncio.wait({call})
                raise

    def _open(self) -> None:
        _make_folder(self._target.parent)
        self._file = io.FileIO(self._path, "x")

    def _write(self, chunk: bytes) -> None:
        assert self._file is not None
        rest = memoryview(chunk)
        while rest:
            rest = rest[self._file.write(rest) :]

    def _flush(self) -> None:
        assert self._file is not None
        os.fsync(self._file.fileno())
        self._file.close()

    def _publish(self, replace: bool) -> bool:
        if self._target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if replace:
            self._path.replace(self._target)
        else:
            try:
                os.link(self._path, self._target)
            except FileExistsError:
                return False
        _sync_folder(self._target.parent)
        return True

    def _discard(self) -> None:
        if self._file is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)


def confine(address: Address) -> None:
    """Refuse a plain key that leaves the worker's root by a symbolic link.

    Raises:
        ObjectRefused: It does.
    """
    if address.root is not None and not address.path.resolve().is_relative_to(address.root.resolve()):
        raise ObjectRefused(
            f"Object {address.url!r} is outside of its root {str(address.root)!r}, by a link", address.url
        )


def _make_folder(folder: Path) -> None:
    missing: list[Path] = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        with contextlib.suppress(FileExistsError):  # another write may be making it; a file in the way fails below
            new.mkdir()
        _sync_folder(new.parent)


def _sync_folder(folder: Path) -> None:
    """Flush a folder's entries, without which a new name may be lost with the power."""
    if os.name == "nt":  # a folder cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
