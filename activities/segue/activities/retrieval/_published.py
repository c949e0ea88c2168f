"""Indexes between workers: published whole as objects, fetched once by each worker, and kept by their digest.

    <index>/<key>.sqlite    one state of the index; the key is that of the documents in it
    <index>/<key>.json      what is known of it, written after it: whoever finds this finds the whole
    <index>/latest.json     the same for the state that was published last, from which the next build begins

Nothing that was published is changed or deleted, so a run goes on with the state that it began with, whatever is built
meanwhile. On the worker itself, files lie in the folder that `SEGUE_RETRIEVAL_CACHE` names, by default
`.segue/retrieval`; those that were not used for longest are deleted.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from segue.activities import objects
from segue.activities.objects import ObjectExists, ObjectNotFound, ObjectRef
from segue.activities.retrieval._errors import InvalidIndex
from segue.activities.retrieval._requests import Index

__all__ = ["CACHE_VARIABLE", "fetched", "latest", "publish", "published", "working"]

CACHE_VARIABLE: Final = "SEGUE_RETRIEVAL_CACHE"
"""Environment variable of a worker: the folder in which it keeps the indexes that it works with."""

_DEFAULT_CACHE: Final = ".segue/retrieval"
_KEPT: Final = 16
_CHUNK_BYTES: Final = 1024 * 1024
_MAXIMUM_MANIFEST_BYTES: Final = 100_000

_fetching: dict[Path, asyncio.Task[None]] = {}


def cache() -> Path:
    """Return the folder of this worker's index files."""
    return Path(os.environ.get(CACHE_VARIABLE) or _DEFAULT_CACHE)


def working(key: str) -> Path:
    """Return the file in which an index is built."""
    return cache() / "building" / f"{key}.sqlite"


async def fetched(ref: ObjectRef) -> Path:
    """Return the file of a published index on this machine, fetched if it is not there.

    Raises:
        ObjectNotFound, ObjectChanged, ObjectRefused, ObjectsUnavailable, InvalidObjectUrl: As their docstrings say.
    """
    if ref.sha256 is None:
        raise InvalidIndex(
            f"The reference to the index {ref.url!r} has no digest: use the one that build_index returned"
        )
    path = cache() / f"{ref.sha256}.sqlite"
    # Of many searches at once, the first fetches; they may stand in different event loops, which then both do.
    while not _touched(path):
        task = _fetching.get(path)
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            task = _fetching[path] = asyncio.create_task(_fetch(ref, path))
            task.add_done_callback(lambda done: _fetching.pop(path, None) if _fetching.get(path) is done else None)
        # A caller that is cancelled leaves the others their file.
        await asyncio.shield(task)
    return path


async def published(index: str, key: str) -> Index | None:
    """Return the state of an index that has these documents; None if it was not published."""
    return await _manifest(objects.join(index, f"{key}.json"))


async def latest(index: str) -> Index | None:
    """Return the state of an index that was published last; None if none was."""
    return await _manifest(objects.join(index, "latest.json"))


async def publish(index: str, key: str, path: Path, about: Index) -> Index:
    """Publish a file that is complete, and keep it for this worker. Return the state as it is published.

    Where another worker has published the same documents meanwhile, that state is it.
    """
    url = objects.join(index, f"{key}.sqlite")
    try:
        ref = await objects.write(url, _chunks(path), if_absent=True, content_type="application/vnd.sqlite3")
        kept = cache() / f"{ref.sha256}.sqlite"
        await asyncio.to_thread(path.replace, kept)
    except ObjectExists:
        ref = await objects.checksum(url)
        await asyncio.to_thread(path.unlink, missing_ok=True)
    await asyncio.to_thread(_tidy, cache())
    state = about.model_copy(update={"ref": ref})
    content = state.model_dump_json()
    try:
        await objects.write(objects.join(index, f"{key}.json"), content, if_absent=True)
    except ObjectExists:
        other = await published(index, key)
        if other is not None and other.ref == ref:
            state, content = other, other.model_dump_json()
        else:  # it told of a file that somebody has deleted
            await objects.write(objects.join(index, f"{key}.json"), content)
    await objects.write(objects.join(index, "latest.json"), content)
    return state


async def _manifest(url: str) -> Index | None:
    try:
        content = await objects.read(url, maximum_bytes=_MAXIMUM_MANIFEST_BYTES)
    except ObjectNotFound:
        return None
    try:
        return Index.model_validate_json(content)
    except ValueError as error:
        raise InvalidIndex(f"The object {url!r} does not tell of an index: delete it, or name another index") from error


async def _fetch(ref: ObjectRef, path: Path) -> None:
    part = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    try:
        with await asyncio.to_thread(part.open, "wb") as file:
            async for chunk in objects.stream(ref, chunk_bytes=_CHUNK_BYTES):
                await asyncio.to_thread(file.write, chunk)
        # Only here is it known that the content is the reference's.
        await asyncio.to_thread(part.replace, path)
    finally:
        await asyncio.to_thread(part.unlink, missing_ok=True)
    await asyncio.to_thread(_tidy, path.parent)


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield chunk


def _touched(path: Path) -> bool:
    """Return whether a file is there, and note that it is used."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True


def _tidy(folder: Path) -> None:
    """Delete the files that were not used for longest. Who has one open goes on reading it."""
    with contextlib.suppress(OSError):  # another process tidies too
        files = sorted(folder.glob("*.sqlite"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in files[_KEPT:]:
            path.unlink(missing_ok=True)


def digest_of(parts: list[str]) -> str:
    """Return the key of a state: the same for the same documents, indexed in the same way."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]
