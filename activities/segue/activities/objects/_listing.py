"""What a folder of objects holds: sorted by key, a page at a time."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator

from pydantic import BaseModel, ConfigDict

from segue.activities.objects._address import Address, InvalidObjectUrl, is_in_progress
from segue.activities.objects._errors import translated
from segue.activities.objects._local import confine
from segue.activities.objects._reading import ObjectRef
from segue.activities.objects._store import store_of

__all__ = ["ObjectPage", "page"]

_BATCH = 1000


class ObjectPage(BaseModel):
    """Some of a folder's objects, without digests and media types.

    Attributes:
        objects: In the order of their keys, by Unicode code point.
        next_start_after: Where the next page starts; None at the end.
        skipped: Number of objects left out because no URL of ours names them: their keys hold a `?`, a backslash, or
            a part that is empty or `..`, which other programs may write.
    """

    model_config = ConfigDict(frozen=True)

    objects: tuple[ObjectRef, ...]
    next_start_after: str | None = None
    skipped: int = 0


async def page(prefix: str, start_after: str | None, limit: int) -> ObjectPage:
    """Return up to `limit` of a folder's objects, after the one whose URL is given.

    Raises:
        ObjectNotFound: There is no such bucket. (A folder that is not there is an empty one.)
        ObjectRefused, ObjectsUnavailable, InvalidObjectUrl: As their docstrings say.
    """
    folder = Address.parse(prefix, prefix=True)
    confine(folder)
    after = None if start_after is None else _key_in(folder, start_after)
    found: list[tuple[str, ObjectRef]] = []
    skipped = 0
    async for key, size_bytes, etag in _sorted(folder, after, limit + 1):
        try:
            found.append((key, ObjectRef(url=folder.at(key).url, size_bytes=size_bytes, etag=etag)))
        except ValueError:
            skipped += 1
            continue
        if len(found) > limit:
            break
    refs = tuple(ref for _, ref in found[:limit])
    return ObjectPage(objects=refs, next_start_after=refs[-1].url if len(found) > limit else None, skipped=skipped)


async def _sorted(folder: Address, after: str | None, enough: int) -> AsyncIterator[tuple[str, int, str | None]]:
    """Yield (key, size, entity tag) of the objects in a folder, in order.

    The remote stores answer in this order. A local folder comes in that of its file system, so all of it is looked at.
    """
    if folder.scheme != "file":
        async for entry in _entries(folder, after):
            yield entry
        return
    entries = [entry async for entry in _entries(folder, after) if after is None or entry[0] > after]
    for entry in heapq.nsmallest(enough, entries):
        yield entry


async def _entries(folder: Address, after: str | None) -> AsyncIterator[tuple[str, int, str | None]]:
    store = store_of(folder)
    import obstore

    # Its overloads name types of an optional package, unknown where that is not installed.
    listed = obstore.list(store, folder.key or None, offset=after, chunk_size=_BATCH)  # pyright: ignore[reportUnknownMemberType]
    with translated("list", folder.url):
        async for batch in listed:
            for meta in batch:
                if not is_in_progress(meta["path"]):
                    yield meta["path"], meta["size"], meta["e_tag"]


def _key_in(folder: Address, url: str) -> str:
    address = Address.parse(url)
    if (address.scheme, address.bucket) != (folder.scheme, folder.bucket):
        raise InvalidObjectUrl(f"The list of {folder.url!r} cannot start after {url!r}, which is in another store")
    return address.key
