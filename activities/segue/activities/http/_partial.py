"""What has arrived of a download: a file of the worker's temporary folder, with its digest.

An attempt takes over what the one before it left by copying it, which reads it for the digest anyway. So an attempt
that the server has given up, and that does not know it yet, never writes into the file of its successor.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final, TypeVar

__all__ = ["Partial", "blocking"]

T = TypeVar("T")

_PREFIX: Final = "segue-"
_SUFFIX: Final = ".part"
_CHUNK_BYTES: Final = 1024 * 1024


class Partial:
    """The part of a download that is here.

    Args:
        path: What an earlier attempt left, to be taken over; None, or a file that is not there any more, for none.

    Attributes:
        path: The file.
        size: Bytes that it holds.
        digest: SHA-256 of them.
    """

    def __init__(self, path: str | None = None) -> None:
        descriptor, name = tempfile.mkstemp(prefix=_PREFIX, suffix=_SUFFIX)
        # Unbuffered, so that a killed process loses nothing that it has written.
        self._file = io.FileIO(descriptor, "r+")
        self.path = Path(name)
        self.size = 0
        self.digest = hashlib.sha256()
        if path is not None:
            self._take_over(Path(path))

    def append(self, data: bytes) -> None:
        """Add what arrived."""
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        self.digest.update(data)
        self.size += len(data)

    def empty(self) -> None:
        """Throw away what is here."""
        self._file.seek(0)
        self._file.truncate()
        self.size = 0
        self.digest = hashlib.sha256()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield all that is here."""
        await blocking(lambda: self._file.seek(0))
        while chunk := await blocking(lambda: self._file.read(_CHUNK_BYTES)):
            yield chunk

    def close(self, *, keep: bool) -> None:
        """Close the file, and delete it unless it is kept for the next attempt."""
        self._file.close()
        if not keep:
            self.path.unlink(missing_ok=True)

    def _take_over(self, path: Path) -> None:
        # The path comes from a history. Only a file that this module has made is read, and then deleted.
        ours = path.parent == self.path.parent and path.name.startswith(_PREFIX) and path.suffix == _SUFFIX
        if not ours or path.is_symlink():
            return
        try:
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK_BYTES):
                    self.append(chunk)
        except OSError:
            self.empty()  # the download starts anew, as it does on another machine
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


async def blocking(fn: Callable[[], T]) -> T:
    """Run a blocking call in a thread. A cancelled caller waits for it, since no thread can be stopped half-way."""
    call = asyncio.ensure_future(asyncio.to_thread(fn))
    try:
        return await asyncio.shield(call)
    except asyncio.CancelledError:
        await asyncio.wait({call})
        raise
