"""Objects of JSON lines, for who works on them in parts: where each part begins, and one part of them.

Lines are counted once, over the whole content, which is verified on the way; a part is then read by its bytes, of the
version that was counted.
"""

from __future__ import annotations

from pydantic import BaseModel

from segue.activities.errors import Terminal
from segue.activities.objects._address import Address
from segue.activities.objects._errors import ObjectChanged, translated
from segue.activities.objects._local import confine
from segue.activities.objects._reading import ObjectRef, Reading
from segue.activities.objects._store import store_of

__all__ = ["Lines", "count_lines", "read_bytes"]


class Lines(BaseModel):
    """How an object of lines falls into parts.

    Attributes:
        url: Full URL.
        etag: The store's tag of the version that was counted.
        count: How many lines there are.
        firsts: Number of the first line of each part.
        offsets: First byte of each part, and the byte after the last.
    """

    url: str
    etag: str | None
    count: int
    firsts: list[int]
    offsets: list[int]


async def count_lines(source: ObjectRef, count: int, size_bytes: int) -> Lines:
    """Return how an object falls into parts of so many lines, and so many bytes, at most. Empty lines are refused.

    Raises:
        Terminal: A line is empty.
        ObjectNotFound, ObjectChanged, ObjectRefused, ObjectsUnavailable, InvalidObjectUrl: As their docstrings say.
    """
    reading = await Reading.of(source)
    firsts, offsets = [0], [0]
    number = position = begun = 0
    async for chunk in reading.chunks():
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            stop = position + end + 1
            if stop - begun <= 1:
                raise Terminal(f"Object {source.url!r}: line {number + 1} is empty, and each line is to be an item")
            # The line ended here is the first of a new part if the part before it is full.
            if number - firsts[-1] >= count or (number > firsts[-1] and stop - offsets[-1] > size_bytes):
                firsts.append(number)
                offsets.append(begun)
            number += 1
            begun = stop
            start = end + 1
        position += len(chunk)
    if begun < position:  # a last line without an end
        if number - firsts[-1] >= count or (number > firsts[-1] and position - offsets[-1] > size_bytes):
            firsts.append(number)
            offsets.append(begun)
        number += 1
    offsets.append(position)
    ref = reading.ref
    return Lines(url=ref.url, etag=ref.etag, count=number, firsts=firsts if number else [], offsets=offsets)


async def read_bytes(url: str, etag: str | None, start: int, stop: int) -> bytes:
    """Return some bytes of an object, in the version with this tag.

    Raises:
        ObjectChanged: It is another version.
        ObjectNotFound, ObjectRefused, ObjectsUnavailable, InvalidObjectUrl: As their docstrings say.
    """
    address = Address.parse(url)
    confine(address)
    store = store_of(address, "read")
    import obstore

    with translated("read", address.url):
        result = await obstore.get_async(store, address.key, options={"range": (start, stop)})
        data = bytes(await result.bytes_async())
    if etag is not None and result.meta["e_tag"] != etag:
        raise ObjectChanged(f"Object {address.url!r} was replaced since its lines were counted", address.url)
    return data
