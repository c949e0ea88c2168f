"""Bodies of answers, read and decompressed as they arrive, and never beyond a limit.

The limit counts what comes out of decompression, and decompression stops there: a kilobyte that unpacks to a gigabyte
costs no more memory than any other answer.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import AsyncGenerator, Iterator
from typing import Final, cast

import httpx

__all__ = ["TooLarge", "chunks", "excerpt", "read", "settled"]

_STEP: Final = 256 * 1024
_EXCERPT_BYTES: Final = 64 * 1024
# Tells gzip and zlib, which servers send as "deflate", apart by their headers.
_ANY_HEADER: Final = zlib.MAX_WBITS | 32


class TooLarge(Exception):
    """The body is larger than the limit."""


async def chunks(response: httpx.Response, limit: int) -> AsyncGenerator[bytes, None]:
    """Yield an open answer's decoded body.

    Raises:
        TooLarge: It is longer than the limit, or says that it will be.
        httpx.DecodingError: It is not in the encoding that it declares, or in one that was not asked for.
    """
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    inflater = None
    if coding in ("gzip", "x-gzip", "deflate"):
        inflater = _Inflater(response)
    elif coding != "identity":
        raise httpx.DecodingError(f"Content-Encoding {coding!r} was not asked for", request=response.request)
    elif response.request.method != "HEAD" and int(response.headers.get("content-length", 0)) > limit:
        raise TooLarge
    total = 0
    async with contextlib.aclosing(cast("AsyncGenerator[bytes, None]", response.aiter_raw())) as raw:
        async for data in raw:
            for chunk in inflater.feed(data) if inflater else (data,):
                total += len(chunk)
                if total > limit:
                    raise TooLarge
                yield chunk
    if inflater:
        inflater.finish()


async def read(response: httpx.Response, limit: int) -> bytes:
    """Return an open answer's whole decoded body. Raises as `chunks` does."""
    async with contextlib.aclosing(chunks(response, limit)) as decoded:
        return b"".join([chunk async for chunk in decoded])


async def excerpt(response: httpx.Response) -> bytes:
    """Return the body of an error, up to 64 KiB and as far as it arrives: an explanation must not hide the error."""
    parts: list[bytes] = []
    with contextlib.suppress(TooLarge, httpx.RequestError):
        async with contextlib.aclosing(chunks(response, _EXCERPT_BYTES)) as decoded:
            async for chunk in decoded:
                parts.append(chunk)  # noqa: PERF401 - what came before an error is kept
    return b"".join(parts)


def settled(response: httpx.Response, content: bytes) -> httpx.Response:
    """Return the answer with its body, decoded and read, as callers of httpx know it."""
    kept = ("http_version", "reason_phrase")
    coded = ("content-encoding", "content-length", "transfer-encoding")
    return httpx.Response(
        response.status_code,
        headers=[(name, value) for name, value in response.headers.multi_items() if name not in coded],
        content=content,
        request=response.request,
        extensions={key: value for key, value in response.extensions.items() if key in kept},
    )


class _Inflater:
    def __init__(self, response: httpx.Response) -> None:
        self._request = response.request
        self._stream = zlib.decompressobj(_ANY_HEADER)
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what the data unpacks to, a step at a time."""
        while data:
            if self._stream.eof:
                # gzip may consist of several members, one after another (RFC 1952 2.2).
                self._stream = zlib.decompressobj(_ANY_HEADER)
            self._begun = True
            yield from self._unpack(data)
            data = self._stream.unused_data

    def _unpack(self, data: bytes) -> Iterator[bytes]:
        chunk = b""
        # A full chunk may have left more inside, even if all data went in.
        while data or len(chunk) == _STEP:
            try:
                chunk = self._stream.decompress(data, _STEP)
            except zlib.error as error:
                raise httpx.DecodingError(
                    f"the body is not what it declares: {error}", request=self._request
                ) from error
            data = self._stream.unconsumed_tail
            if chunk:
                yield chunk

    def finish(self) -> None:
        """Check that the compressed body came to its end."""
        if self._begun and not self._stream.eof:
            raise httpx.RemoteProtocolError("the compressed body ends too early", request=self._request)
