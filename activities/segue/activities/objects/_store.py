"""obstore's stores, made once for each bucket, and streamed uploads that leave nothing behind when they fail."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
from collections.abc import AsyncIterable, AsyncIterator
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from segue.activities.exit import settle_at_exit
from segue.activities.objects._address import Address, Scheme
from segue.activities.objects._errors import translated

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

__all__ = ["PART_BYTES", "forget_stores", "store_of", "upload"]

PART_BYTES: Final = 8 * 1024 * 1024
"""Larger content is uploaded in parts of this size. S3 takes 10,000 parts, so up to 78 GiB."""

_PARTS_AT_ONCE = 4  # bounds the memory of an upload to about 50 MB
_ALLOW_HTTP = {"s3": "AWS_ALLOW_HTTP", "gs": "GOOGLE_ALLOW_HTTP", "az": "AZURE_ALLOW_HTTP"}

Use = Literal["request", "read", "copy"]

# obstore's own limit of 30 s on a whole request, body included, would cut off every long download. Reading has no
# limit as long as bytes keep coming, and a store may be silent for minutes while it copies.
_TIMEOUTS: dict[Use, ClientConfig] = {
    "request": {"read_timeout": "60s", "timeout": "120s"},
    "read": {"read_timeout": "30s", "timeout": "1day"},
    "copy": {"read_timeout": "15min", "timeout": "15min"},
}

# Short hiccups are not worth an attempt of the step. Anything longer is Temporal's to retry, where operators see it.
_RETRIES: RetryConfig = {"max_retries": 2, "retry_timeout": timedelta(seconds=10)}


def store_of(address: Address, use: Use = "request", *, content_type: str | None = None) -> ObjectStore:
    """Return the store that holds an object. Its credentials and endpoint come from this process's environment.

    Args:
        address: The object.
        use: What for; decides the timeouts.
        content_type: What uploads are declared to be that do not say it themselves.

    Raises:
        ImportError: obstore is not installed. Call this before importing obstore: its message says what to install.
    """
    with translated("reach", address.url):
        return _store(address.scheme, address.bucket, use, content_type)


def forget_stores() -> None:
    """Make the next use of each store read the environment again, for example after credentials were replaced."""
    _store.cache_clear()


@functools.lru_cache(maxsize=256)
def _store(scheme: Scheme, bucket: str, use: Use, content_type: str | None) -> ObjectStore:
    try:
        from obstore.store import AzureStore, GCSStore, LocalStore, S3Store
    except ImportError as error:
        raise ImportError('Object storage needs obstore: pip install "segue[objects]"', name="obstore") from error
    settle_at_exit()
    if scheme == "file":
        return LocalStore()
    options: ClientConfig = {"connect_timeout": "5s", **_TIMEOUTS[use]}
    # Client options given in code replace those of the environment, so the one that test servers need is handed on.
    if os.environ.get(_ALLOW_HTTP[scheme], "").lower() in ("1", "true"):
        options["allow_http"] = True
    if content_type is not None:
        options["default_content_type"] = content_type
    match scheme:
        case "s3":
            # S3 has no conditional copy, but it completes a copy made in parts only if the key is free. Stores that
            # have one are configured by this variable, as obstore documents it.
            copy = os.environ.get("AWS_COPY_IF_NOT_EXISTS", "multipart")
            return S3Store(bucket, copy_if_not_exists=copy, client_options=options, retry_config=_RETRIES)
        case "gs":
            return GCSStore(bucket, client_options=options, retry_config=_RETRIES)
        case "az":
            return AzureStore(bucket, client_options=options, retry_config=_RETRIES)


class _Abandoned(Exception):
    """The upload's content will never be complete."""


async def upload(address: Address, key: str, chunks: AsyncIterable[bytes], attributes: dict[str, str]) -> str | None:
    """Upload content in parts, all or nothing, under a key in the address's bucket. Return its entity tag.

    The chunks are pulled in the caller's task, so that their errors and its cancellation are the caller's; obstore gets
    them through a queue, and on either is made to abort the upload, whose parts would else be kept and charged for.
    """
    store = store_of(address)
    import obstore

    queue: asyncio.Queue[bytes | _Abandoned | None] = asyncio.Queue(maxsize=1)

    async def feed() -> AsyncIterator[bytes]:
        while (item := await queue.get()) is not None:
            if isinstance(item, _Abandoned):
                raise item
            yield item

    async def put() -> str | None:
        result = await obstore.put_async(
            store,
            key,
            feed(),
            attributes=attributes,
            use_multipart=True,
            chunk_size=PART_BYTES,
            max_concurrency=_PARTS_AT_ONCE,
        )
        return result["e_tag"]

    uploading = asyncio.create_task(put())

    async def hand_over(item: bytes | None) -> None:
        """Wait until the upload takes the item, or has failed and never will."""
        handing = asyncio.create_task(queue.put(item))
        try:
            await asyncio.wait({handing, uploading}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            handing.cancel()

    try:
        async for chunk in chunks:
            await hand_over(chunk)
            if uploading.done():
                break
        else:
            await hand_over(None)
        with translated("write", address.url):
            return await asyncio.shield(uploading)
    except BaseException:
        if not uploading.done():
            while not queue.empty():
                queue.get_nowait()
            queue.put_nowait(_Abandoned())
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({uploading}, timeout=10)
        if uploading.done() and not uploading.cancelled():
            uploading.exception()  # seen, so that asyncio does not report it as forgotten
        raise
