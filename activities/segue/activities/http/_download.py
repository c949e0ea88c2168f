"""Downloads: a URL's content into an object, resumed where the attempt before this one stopped.

What arrives is first written to a file of the worker's temporary folder, and stored as an object once it is whole and
has the expected digest. The attempt reports, as its progress, which file that is, how far it came, and the validator
(RFC 9110 8.8) of the content. The next attempt, if it runs on the same machine, asks for the rest under that validator
(`Range` and `If-Range`); a system that does not support ranges, or has other content by now, sends it all.
"""

from __future__ import annotations

import asyncio
import dataclasses
import email.utils
import hashlib
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import httpx
import pydantic
from temporalio import activity
from temporalio.exceptions import ApplicationError

from segue.activities.errors import classify
from segue.activities.heartbeat import last_progress, progress
from segue.activities.http import _body as body
from segue.activities.http._errors import ChecksumMismatch, ResponseTooLarge, said, shown
from segue.activities.http._exchange import Outgoing, answered
from segue.activities.http._partial import Partial, blocking
from segue.activities.http._requests import Download, DownloadRequest
from segue.activities.objects import write

__all__ = ["fetch"]

_BUFFER_BYTES: Final = 1024 * 1024
_CONTENT_RANGE: Final = re.compile(r"bytes (\d+)-\d+/(?:\d+|\*)")


class _Progress(pydantic.BaseModel):
    """What a download reports: to operators how far it is, to the next attempt where to go on.

    Attributes:
        key: Of which URL into which object.
        validator: Of the content, for `If-Range`; empty if the system gives none, and then nothing is resumed.
    """

    key: str
    received_bytes: int = 0
    total_bytes: int | None = None
    partial: str = ""
    validator: str = ""
    etag: str = ""
    content_type: str = ""


async def fetch(
    client: httpx.AsyncClient, outgoing: Outgoing, request: DownloadRequest, *, resumable: bool
) -> Download:
    """Return the object that the content was written to.

    Args:
        client: Sends the request.
        outgoing: The request, without its range.
        request: Says where the content goes, and how large it may be.
        resumable: Report progress, and go on where the last attempt stopped. Only for a step that does nothing else,
            for a step has one progress.

    Raises:
        httpx.HTTPStatusError: The answer is an error.
        httpx.TransportError: No answer, or none to the end.
        ResponseTooLarge: The content is larger than `maximum_bytes`.
        ChecksumMismatch: The content is not the expected one.
        ObjectRefused, ObjectsUnavailable, InvalidObjectUrl: It cannot be stored; see `segue.activities.objects`.
    """
    key = hashlib.sha256(f"{request.url}\0{request.to}".encode()).hexdigest()[:16]
    last = _last(key) if resumable else _Progress(key=key)
    partial = await blocking(lambda: Partial(last.partial if last.validator else None))
    resumed_at, keep = partial.size, False
    try:
        last = last.model_copy(update={"partial": str(partial.path), "received_bytes": partial.size})
        if partial.size:
            # At once, for what the last attempt left is here now, and this one may fail before it gets an answer.
            progress(last)
        # An attempt that had it all, and then failed to store it, need not be repeated.
        if not partial.size or partial.size != last.total_bytes:
            last, resumed_at = await _receive(client, outgoing, request, partial, last, resumable)
        digest = partial.digest.hexdigest()
        if request.sha256 is not None and digest != request.sha256:
            raise ChecksumMismatch(
                f"{outgoing.method} {shown(outgoing.url)} brought {partial.size:,} bytes with SHA-256 {digest}, but "
                f"{request.sha256} was expected"
            )
        ref = await write(request.to, partial.chunks(), content_type=last.content_type or None, sha256=digest)
    except BaseException as error:
        keep = resumable and _worth_keeping(error)
        raise
    finally:
        await blocking(lambda: partial.close(keep=keep))
    return Download(object=ref, etag=last.etag, resumed_at_bytes=resumed_at)


async def _receive(
    client: httpx.AsyncClient,
    outgoing: Outgoing,
    request: DownloadRequest,
    partial: Partial,
    last: _Progress,
    resumable: bool,
) -> tuple[_Progress, int]:
    """Fetch what is missing of the content; return how it was described, and where it was resumed."""
    while True:
        headers = outgoing.headers.copy()
        headers["accept-encoding"] = "identity"  # a range of compressed content is not a range of the content
        asked = partial.size
        if asked:
            headers["range"] = f"bytes={asked}-"
            headers["if-range"] = last.validator
        async with answered(client, dataclasses.replace(outgoing, headers=headers)) as response:
            if asked and response.status_code in (206, 416) and not _goes_on(response, asked, last):
                await blocking(partial.empty)
                continue
            if response.status_code >= 300:
                explained = body.settled(response, await body.excerpt(response))
                raise httpx.HTTPStatusError(said(explained), request=explained.request, response=explained)
            if response.status_code != 206:
                await blocking(partial.empty)
            elif not asked:
                raise httpx.RemoteProtocolError("a range came that was not asked for", request=response.request)
            resumed_at = partial.size
            last = _described(response, last.key, partial)
            await _append(response, partial, request.maximum_bytes, last if resumable else None)
            return last, resumed_at


async def _append(response: httpx.Response, partial: Partial, maximum: int, report: _Progress | None) -> None:
    def tell() -> None:
        if report is not None:
            progress(report.model_copy(update={"received_bytes": partial.size}))

    tell()
    try:
        async for data in _gathered(body.chunks(response, maximum - partial.size)):
            await blocking(lambda data=data: partial.append(data))  # type: ignore[misc]
            tell()
    except body.TooLarge:
        raise ResponseTooLarge(
            f"{said(response)} with more than {maximum:,} bytes: raise maximum_bytes if it may be that large"
        ) from None


async def _gathered(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the chunks in larger ones, and what came before an error before the error."""
    gathered = bytearray()
    failure: Exception | None = None
    try:
        async for chunk in chunks:
            gathered += chunk
            if len(gathered) >= _BUFFER_BYTES:
                yield bytes(gathered)
                gathered.clear()
    except Exception as error:
        failure = error
    if gathered:
        yield bytes(gathered)
    if failure is not None:
        raise failure


def _described(response: httpx.Response, key: str, partial: Partial) -> _Progress:
    """Return what an answer says about the content, as the progress to report."""
    headers = response.headers
    encoded = "content-encoding" in headers
    length = headers.get("content-length")
    return _Progress(
        key=key,
        total_bytes=None if encoded or length is None else partial.size + int(length),
        partial=str(partial.path),
        validator="" if encoded else _validator(headers),
        etag=headers.get("etag", ""),
        content_type=headers.get("content-type", ""),
    )


def _validator(headers: httpx.Headers) -> str:
    """Return what `If-Range` takes (RFC 9110 13.1.5): a strong entity tag, or a date that is one; empty for neither."""
    etag = headers.get("etag", "")
    if etag:
        return etag if etag.startswith('"') else ""
    modified = headers.get("last-modified", "")
    try:
        # Content that changed within the second of its date may have changed again under the same date.
        age = email.utils.parsedate_to_datetime(headers["date"]) - email.utils.parsedate_to_datetime(modified)
    except (KeyError, ValueError, TypeError):
        return ""
    return modified if age >= timedelta(seconds=1) else ""


def _goes_on(response: httpx.Response, size: int, last: _Progress) -> bool:
    """Whether an answer is the rest of what is here. Some systems honour `Range` and overlook `If-Range`."""
    match = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", ""))
    same = response.headers.get("etag", "") in (last.etag, "") and "content-encoding" not in response.headers
    return response.status_code == 206 and match is not None and int(match[1]) == size and same


def _last(key: str) -> _Progress:
    """Return what the last attempt reported about the same download, or that there is nothing."""
    try:
        last = last_progress(_Progress)
    except pydantic.ValidationError:
        last = None
    return last if last is not None and last.key == key else _Progress(key=key)


def _worth_keeping(error: BaseException) -> bool:
    """Whether another attempt may go on with what is here."""
    if isinstance(error, asyncio.CancelledError):
        # A worker that shuts down cancels its steps too; those are tried again.
        details = activity.cancellation_details()
        return details is None or not details.cancel_requested
    verdict = classify(error)
    return (
        isinstance(verdict, ApplicationError) and not verdict.non_retryable and not isinstance(error, ChecksumMismatch)
    )
