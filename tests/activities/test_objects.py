"""Objects in a local folder and in S3: the same promises, kept against the real thing and against one that misbehaves.

S3 is moto's server on loopback, driven through obstore's own S3 client. The faults come from a small HTTP server below.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import workflow

# The sandbox runs this module anew for every run of its workflows, and the tools of the tests are not made for that.
with workflow.unsafe.imports_passed_through():
    import httpx
    import obstore.exceptions
    import pydantic
    import pytest
    from hypothesis import given
    from hypothesis import strategies as st
    from moto.moto_server.werkzeug_app import (  # pyright: ignore[reportMissingTypeStubs]
        DomainDispatcherApplication,
        create_backend_app,
    )
    from temporalio.client import Client, WorkflowFailureError
    from temporalio.exceptions import ActivityError, ApplicationError
    from temporalio.testing import ActivityEnvironment
    from temporalio.worker import Worker
    from werkzeug.serving import make_server

    from segue.activities import objects
    from segue.activities.errors import classify
    from segue.activities.objects import (
        ChecksumObject,
        CopyObject,
        DeleteObject,
        InvalidObjectUrl,
        ListObjects,
        ObjectBody,
        ObjectChanged,
        ObjectExists,
        ObjectNotFound,
        ObjectRef,
        ObjectRefused,
        ObjectsUnavailable,
        ObjectTooLarge,
        ReadObject,
        TransferProgress,
        WriteObject,
        _address,  # pyright: ignore[reportPrivateUsage]
        _errors,  # pyright: ignore[reportPrivateUsage]
        _store,  # pyright: ignore[reportPrivateUsage]
    )

MIB = 1024 * 1024


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def in_pieces(content: bytes, size: int = 300_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    """A real HTTP server that speaks S3, on loopback.

    It answers one request at a time: moto's own threaded server looks whether a key is free and takes it in two steps,
    so that two conditional writes at once may both succeed, which S3 rules out.
    """
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=False)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def use_s3(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    """Point obstore at an S3 server, as a deployment does: by the environment."""
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test-secret-key",
    }.items():
        monkeypatch.setenv(name, value)
    objects.forget_stores()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a new bucket."""
    use_s3(monkeypatch, s3_server)
    bucket = f"bucket-{uuid.uuid4().hex[:8]}"
    assert httpx.put(f"{s3_server}/{bucket}").status_code == 200
    yield f"s3://{bucket}"
    objects.forget_stores()


@pytest.fixture(params=["file", "s3"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty folder of objects, in each kind of store."""
    return (
        (tmp_path / "objects").as_uri() if request.param == "file" else str(request.getfixturevalue("s3")) + "/folder"
    )


def leftovers(base: str, s3_server: str) -> list[str]:
    """What failed writes left behind in a store: unpublished files, objects and multipart uploads."""
    if base.startswith("file:"):
        return [str(path) for path in Path(base.removeprefix("file://")).rglob("*#*")]
    bucket = f"{s3_server}/{base.split('/')[2]}"
    keys = [line for line in httpx.get(bucket).text.split("<Key>")[1:] if "#" in line.partition("<")[0]]
    return keys + httpx.get(f"{bucket}?uploads").text.split("<UploadId>")[1:]


# Writing and reading, the same in every store


@pytest.mark.parametrize(
    ("key", "data", "content", "content_type"),
    [
        ("a.txt", "Grüße\n", "Grüße\n".encode(), "text/plain"),
        ("a", "text", b"text", "application/octet-stream"),
        ("b.json", b"\xff\x00\xfe", b"\xff\x00\xfe", "application/json"),
        ("Ü ber/50% off+é.pdf", b"x", b"x", "application/pdf"),
        ("empty", b"", b"", "application/octet-stream"),
    ],
)
async def test_what_was_written_is_read(
    base: str, key: str, data: str | bytes, content: bytes, content_type: str
) -> None:
    """Text and bytes come back as they were, under any key, with their digest, size and media type."""
    url = objects.join(base, key)
    ref = await objects.write(url, data)
    assert ref == ObjectRef(
        url=url, size_bytes=len(content), sha256=sha256(content), etag=ref.etag, content_type=content_type
    )
    assert ref.etag
    assert await objects.read(url) == content
    assert await objects.read(ref) == content
    assert await objects.checksum(url) == ref
    assert await objects.info(url) == ref.model_copy(update={"sha256": None})


@pytest.mark.parametrize("if_absent", [False, True])
@pytest.mark.parametrize("size", [3, 20 * MIB])
async def test_streams(base: str, s3_server: str, if_absent: bool, size: int) -> None:
    """Content of any size goes in and out in chunks, whole and verified, and leaves nothing else behind."""
    content = os.urandom(size)
    ref = await objects.write(f"{base}/big.bin", in_pieces(content), if_absent=if_absent, content_type="model/x")
    assert ref == ObjectRef(
        url=f"{base}/big.bin", size_bytes=size, sha256=sha256(content), etag=ref.etag, content_type="model/x"
    )
    chunks = [chunk async for chunk in objects.stream(ref, chunk_bytes=MIB)]
    assert b"".join(chunks) == content
    assert max(map(len, chunks)) < 3 * MIB
    assert leftovers(base, s3_server) == []


async def test_a_store_keeps_the_media_type(s3: str) -> None:
    """S3 has the media type that was given with a write, by whichever way the content went there."""
    for number, (size, if_absent) in enumerate([(3, False), (3, True), (9 * MIB, False), (9 * MIB, True)]):
        url = f"{s3}/{number}.json"
        await objects.write(url, in_pieces(bytes(size)), if_absent=if_absent, content_type="model/x")
        assert (await objects.info(url)).content_type == "model/x"
    await objects.write(f"{s3}/0.json", bytes(3), content_type="model/y")
    assert (await objects.info(f"{s3}/0.json")).content_type == "model/y"


@pytest.mark.parametrize("if_absent", [False, True])
@pytest.mark.parametrize("size", [3, 9 * MIB])
async def test_writing_the_same_again(base: str, if_absent: bool, size: int) -> None:
    """The same content under the same key succeeds again, with the same reference."""
    first = await objects.write(f"{base}/a", in_pieces(bytes(size)), if_absent=if_absent)
    assert await objects.write(f"{base}/a", in_pieces(bytes(size)), if_absent=if_absent) == first


@pytest.mark.parametrize("size", [3, 9 * MIB])
async def test_replacing(base: str, size: int) -> None:
    """Without a condition, other content takes the place of what is there."""
    first = await objects.write(f"{base}/a", in_pieces(b"1" * size))
    second = await objects.write(f"{base}/a", in_pieces(b"2" * size))
    assert await objects.read(second) == b"2" * size
    with pytest.raises(ObjectChanged) as raised:
        await objects.read(first)
    assert raised.value.message == (
        f"Object '{base}/a' is not the one referred to: its SHA-256 is {second.sha256}, not {first.sha256}"
    )


@pytest.mark.parametrize(("size", "other"), [(3, 3), (3, 4), (9 * MIB, 9 * MIB), (9 * MIB, 3), (3, 9 * MIB)])
async def test_create_only(base: str, s3_server: str, size: int, other: int) -> None:
    """Create-only refuses other content for good, and leaves what is there as it is."""
    ref = await objects.write(f"{base}/a", in_pieces(b"1" * size), if_absent=True)
    with pytest.raises(ObjectExists) as raised:
        await objects.write(f"{base}/a", in_pieces(b"2" * other), if_absent=True)
    assert raised.value.message == (
        f"Object '{base}/a' exists with other content, and is not to be replaced (if_absent)"
    )
    assert raised.value.url == f"{base}/a"
    assert raised.value.non_retryable
    assert await objects.checksum(f"{base}/a") == ref
    assert leftovers(base, s3_server) == []


@pytest.mark.parametrize(("writers", "size"), [(8, 3), (3, 9 * MIB)])
async def test_of_many_creators_one_wins(base: str, s3_server: str, writers: int, size: int) -> None:
    """Of many that create the same object at once, one succeeds, and the object is that one's whole content."""
    results = await asyncio.gather(
        *(objects.write(f"{base}/a", in_pieces(b"%d" % n * size), if_absent=True) for n in range(writers)),
        return_exceptions=True,
    )
    [winner] = [result for result in results if isinstance(result, ObjectRef)]
    assert [type(result) for result in results if not isinstance(result, ObjectRef)] == [ObjectExists] * (writers - 1)
    assert await objects.read(winner) == b"%d" % results.index(winner) * size
    assert leftovers(base, s3_server) == []


@pytest.mark.parametrize("if_absent", [False, True])
@pytest.mark.parametrize("size", [3, 9 * MIB])
async def test_unexpected_content_is_not_written(base: str, s3_server: str, if_absent: bool, size: int) -> None:
    """Content that has not the digest it should have is never published."""
    expected = sha256(b"other")
    with pytest.raises(ObjectChanged) as raised:
        await objects.write(f"{base}/a", in_pieces(bytes(size)), if_absent=if_absent, sha256=expected)
    assert raised.value.message == (
        f"Object '{base}/a' was not written: its SHA-256 is {sha256(bytes(size))}, not {expected}"
    )
    with pytest.raises(ObjectNotFound):
        await objects.info(f"{base}/a")
    assert leftovers(base, s3_server) == []


@pytest.mark.parametrize("if_absent", [False, True])
async def test_a_source_that_breaks_off(base: str, s3_server: str, if_absent: bool) -> None:
    """When the source fails half-way its error is raised as it is, and nothing is published or left behind."""

    async def broken() -> AsyncIterator[bytes]:
        async for piece in in_pieces(bytes(20 * MIB), 8 * MIB):
            yield piece
        raise FileNotFoundError("the source's own")

    with pytest.raises(FileNotFoundError, match="the source's own"):
        await objects.write(f"{base}/a", broken(), if_absent=if_absent)
    with pytest.raises(ObjectNotFound):
        await objects.info(f"{base}/a")
    assert leftovers(base, s3_server) == []


@pytest.mark.parametrize("if_absent", [False, True])
async def test_a_cancelled_write(base: str, s3_server: str, if_absent: bool) -> None:
    """A write that is cancelled half-way publishes nothing and leaves nothing behind."""
    waiting = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        async for piece in in_pieces(bytes(20 * MIB), 8 * MIB):
            yield piece
        waiting.set()
        await asyncio.Event().wait()

    writing = asyncio.create_task(objects.write(f"{base}/a", stuck(), if_absent=if_absent))
    await waiting.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    with pytest.raises(ObjectNotFound):
        await objects.info(f"{base}/a")
    assert leftovers(base, s3_server) == []


async def test_a_reference_of_another_size(base: str) -> None:
    """An object that has not the size of its reference is refused before anything is read."""
    ref = await objects.write(f"{base}/a", b"1234")
    with pytest.raises(ObjectChanged) as raised:
        await objects.read(ref.model_copy(update={"size_bytes": 1234567}))
    assert raised.value.message == f"Object '{base}/a' is not the one referred to: it has 4 bytes, not 1,234,567"


async def test_too_large_to_read(base: str) -> None:
    """An object over the limit is refused, and the message says what to do instead."""
    await objects.write(f"{base}/a", b"1234")
    assert await objects.read(f"{base}/a", maximum_bytes=4) == b"1234"
    with pytest.raises(ObjectTooLarge) as raised:
        await objects.read(f"{base}/a", maximum_bytes=3)
    assert raised.value.message == (
        f"Object '{base}/a' has 4 bytes, more than the 3 that are to be read: pass on its reference, or raise "
        "maximum_bytes"
    )


@pytest.mark.parametrize(
    ("action", "call"), [("read", objects.read), ("read", objects.checksum), ("look up", objects.info)]
)
async def test_not_there(base: str, action: str, call: Callable[[str], Awaitable[object]]) -> None:
    """An object that is not there is a terminal error that names it."""
    with pytest.raises(ObjectNotFound) as raised:
        await call(f"{base}/none")
    assert raised.value.message == f"Cannot {action} object '{base}/none': there is no such object"
    assert raised.value.non_retryable
    assert raised.value.__cause__ is None


async def test_deleting(base: str) -> None:
    """A deleted object is gone, and may be deleted again."""
    await objects.write(f"{base}/a", b"1")
    await objects.delete(f"{base}/a")
    await objects.delete(f"{base}/a")
    with pytest.raises(ObjectNotFound):
        await objects.read(f"{base}/a")


# Lists


async def listed(prefix: str, limit: int = 1000) -> list[str]:
    """All the URLs below a prefix, gathered page by page."""
    urls: list[str] = []
    after: str | None = None
    while True:
        page = await objects.list_objects(ListObjects(prefix=prefix, start_after=after, limit=limit))
        assert len(page.objects) <= limit
        assert page.skipped == 0
        urls += [ref.url for ref in page.objects]
        if page.next_start_after is None:
            return urls
        after = page.next_start_after


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
async def test_pages(base: str, limit: int) -> None:
    """Pages of any size add up to all the objects of a folder and its subfolders, in the order of their keys."""
    keys = ["a/b.c", "a/b/c", "a/b/d", "a/é", "a/Z", "a/z", "a/😀", "ab", "a.b"]
    for key in keys:
        await objects.write(objects.join(base, key), key)
    inside = sorted(key for key in keys if key.startswith("a/"))
    assert await listed(f"{base}/a", limit) == [objects.join(base, key) for key in inside]
    assert await listed(f"{base}/a/", limit) == [objects.join(base, key) for key in inside]
    assert await listed(base, limit) == [objects.join(base, key) for key in sorted(keys)]
    assert await listed(f"{base}/none", limit) == []


async def test_a_listed_object(base: str) -> None:
    """A list gives each object's URL, size and entity tag; nothing is read."""
    ref = await objects.write(f"{base}/a.txt", "1234")
    [found] = (await objects.list_objects(ListObjects(prefix=base))).objects
    assert found == ref.model_copy(update={"sha256": None, "content_type": None})


async def test_writes_in_progress_are_not_listed(base: str) -> None:
    """What has not been published is in no list."""
    seen: list[list[str]] = []

    async def content() -> AsyncIterator[bytes]:
        for piece in [bytes(8 * MIB)] * 3:
            yield piece
            seen.append(await listed(base))

    ref = await objects.write(f"{base}/a", content(), if_absent=True)
    assert seen == [[], [], []]
    assert await listed(base) == [ref.url]


async def test_unnameable_objects_are_counted(s3: str, s3_server: str) -> None:
    """Objects of other programs whose keys no URL of ours names are left out of a list, and counted."""
    await objects.write(f"{s3}/a", b"")
    async with httpx.AsyncClient() as other:
        (await other.put(f"{s3_server}/{s3.removeprefix('s3://')}/what%3F")).raise_for_status()
    page = await objects.list_objects(ListObjects(prefix=s3))
    assert ([ref.url for ref in page.objects], page.skipped) == ([f"{s3}/a"], 1)


async def test_a_list_stays_in_its_store(tmp_path: Path) -> None:
    """A list cannot start after an object of another store."""
    with pytest.raises(InvalidObjectUrl) as raised:
        await objects.list_objects(ListObjects(prefix=str(tmp_path), start_after="s3://bucket/a"))
    assert raised.value.message == (
        f"The list of '{tmp_path.as_uri()}' cannot start after 's3://bucket/a', which is in another store"
    )


async def test_no_such_bucket(s3: str) -> None:
    """A bucket that is not there is a terminal error, in writes and in lists."""
    del s3
    with pytest.raises(ObjectNotFound) as raised:
        await objects.write("s3://nowhere/a", b"1")
    assert raised.value.message == "Cannot write object 's3://nowhere/a': there is no such bucket"
    with pytest.raises(ObjectNotFound) as raised:
        await objects.list_objects(ListObjects(prefix="s3://nowhere/a"))
    assert raised.value.message == "Cannot list object 's3://nowhere/a': there is no such bucket"


# The local folder


async def test_plain_keys_live_under_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain key lives under the worker's root: `.segue/objects` of its folder, or what the environment says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(objects.ROOT_VARIABLE, raising=False)
    assert (await objects.write("a/b", b"1")).url == (tmp_path / ".segue/objects/a/b").as_uri()
    for root in (f"{tmp_path}/x", f"{tmp_path}/x/", (tmp_path / "x").as_uri()):
        monkeypatch.setenv(objects.ROOT_VARIABLE, root)
        assert (await objects.write("a/b", b"1")).url == (tmp_path / "x/a/b").as_uri()
        assert await listed("") == [(tmp_path / "x/a/b").as_uri()]


async def test_the_root_may_be_a_bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a bucket for a root, the same plain keys live there."""
    monkeypatch.setenv(objects.ROOT_VARIABLE, f"{s3}/team")
    assert (await objects.write("a/b", b"1")).url == f"{s3}/team/a/b"
    assert await listed("a") == [f"{s3}/team/a/b"]
    assert await listed("") == [f"{s3}/team/a/b"]


async def test_a_link_out_of_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain key cannot leave the root by a symbolic link, to read, write, list or delete."""
    root = tmp_path / "root"
    outside = tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "a").write_text("secret")
    (root / "link").symlink_to(outside)
    monkeypatch.setenv(objects.ROOT_VARIABLE, str(root))
    message = f"Object '{root.as_uri()}/link{{}}' is outside of its root '{root}', by a link"
    calls: list[tuple[str, Awaitable[object]]] = [
        ("/a", objects.read("link/a")),
        ("/a", objects.info("link/a")),
        ("/a", objects.write("link/a", b"1")),
        ("/a", objects.delete("link/a")),
        ("", objects.list_objects(ListObjects(prefix="link"))),
    ]
    for key, call in calls:
        with pytest.raises(ObjectRefused) as raised:
            await call
        assert raised.value.message == message.format(key)
    assert (outside / "a").read_text() == "secret"


async def test_readers_never_see_half_an_object(tmp_path: Path) -> None:
    """While an object is replaced again and again, every read is one writer's whole content."""
    url = f"{tmp_path}/a"
    contents = [bytes([n]) * 3 * MIB for n in range(10)]
    await objects.write(url, contents[0])
    seen: set[bytes] = set()

    async def replace() -> None:
        for content in contents:
            await objects.write(url, content)

    replacing = asyncio.create_task(replace())
    while not replacing.done():
        seen.add(await objects.read(url))
    await replacing
    assert seen <= set(contents)


@pytest.mark.parametrize("if_absent", [False, True])
async def test_a_write_is_on_disk_before_it_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, if_absent: bool
) -> None:
    """The content is flushed before it gets its name, and each folder after it got a new entry."""
    flushed: list[tuple[str, bool]] = []
    target = tmp_path / "new" / "folder" / "a"
    fsync = os.fsync

    def watched(descriptor: int) -> None:
        name = Path(os.readlink(f"/proc/self/fd/{descriptor}")).name
        flushed.append((name.partition("#")[0], target.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    await objects.write(str(target), b"1", if_absent=if_absent)
    assert flushed == [(tmp_path.name, False), ("new", False), (".segue", False), ("folder", True)]


async def test_a_killed_writer(tmp_path: Path) -> None:
    """A process killed in the middle of a write leaves the old object as it was, and no trace in lists."""
    url = f"{tmp_path}/a"
    old = await objects.write(url, b"old")
    program = f"""
import asyncio
from segue.activities import objects
async def content():
    yield bytes(3_000_000)
    print("writing", flush=True)
    await asyncio.Event().wait()
asyncio.run(objects.write({url!r}, content()))
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"writing\n"
    process.send_signal(signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL
    assert len(leftovers(tmp_path.as_uri(), "")) == 1
    assert await objects.checksum(url) == old
    assert await listed(str(tmp_path)) == [old.url]
    assert (await objects.write(url, b"new")).size_bytes == 3


@pytest.mark.parametrize("if_absent", [False, True])
async def test_something_in_the_way(tmp_path: Path, if_absent: bool) -> None:
    """A folder where the object should be, or a file where its folder should be, is a terminal error."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for name, problem in [("folder", "Is a directory"), ("file/a", "Not a directory"), ("file/b/c", "Not a directory")]:
        with pytest.raises(ObjectRefused) as raised:
            await objects.write(str(tmp_path / name), b"1", if_absent=if_absent)
        assert raised.value.message == f"Cannot write object '{tmp_path.as_uri()}/{name}': {problem}"
    with pytest.raises(ObjectNotFound):
        await objects.read(str(tmp_path / "folder"))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EACCES, ObjectRefused("Cannot write object 'file:///a': Permission denied", "file:///a")),
        (errno.EROFS, ObjectRefused("Cannot write object 'file:///a': Read-only file system", "file:///a")),
        (errno.ENOSPC, ObjectsUnavailable("Cannot write object 'file:///a' now: No space left on device", "file:///a")),
        (errno.EIO, ObjectsUnavailable("Cannot write object 'file:///a' now: Input/output error", "file:///a")),
    ],
)
def test_errors_of_the_file_system(number: int, expected: ApplicationError) -> None:
    """A full or failing disk may recover; a missing permission does not by itself."""
    with pytest.raises(type(expected)) as raised, _errors.translated("write", "file:///a"):
        raise OSError(number, os.strerror(number))
    assert raised.value.message == expected.message


# Keys and URLs


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "Object '' has no key"),
        ("a/../b", "Object 'a/../b' climbs out of its folder with '..'"),
        ("../a", "Object '../a' climbs out of its folder with '..'"),
        ("/data/../etc/passwd", "Object '/data/../etc/passwd' climbs out of its folder with '..'"),
        ("file:///data/%2e%2e/a", "Object 'file:///data/%2e%2e/a' climbs out of its folder with '..'"),
        ("s3://bucket/a/..", "Object 's3://bucket/a/..' climbs out of its folder with '..'"),
        ("s3://bucket/./a", "Object 's3://bucket/./a' holds '.' as a part"),
        ("//etc/passwd", "Object '//etc/passwd' has an empty part: a slash at its start or end, or two in a row"),
        (
            "s3://bucket//etc/passwd",
            "Object 's3://bucket//etc/passwd' has an empty part: a slash at its start or end, or two in a row",
        ),
        ("a/", "Object 'a/' has an empty part: a slash at its start or end, or two in a row"),
        ("a\0b", r"Object 'a\x00b' holds a control character"),
        ("s3://bucket/a\nb", r"Object 's3://bucket/a\nb' holds a control character"),
        ("file:///a%00b", "Object 'file:///a%00b' holds a control character"),
        ("a\\..\\b", r"Object 'a\\..\\b' holds a backslash, which some systems take for a slash"),
        ("a\ud800", r"Object 'a\ud800' is not valid Unicode"),
        ("file:///a%ff", "Object 'file:///a%ff' is not percent-encoded UTF-8"),
        ("a#12", "Object 'a#12' ends in '#' and digits, as writes in progress do"),
        ("é" * 513, f"Object {'é' * 200!r} is longer than 1,024 bytes"),
        ("s3://bucket", "Object 's3://bucket' has no key"),
        ("s3://bucket/", "Object 's3://bucket/' has no key"),
        ("s3:///a", "The 's3' URL of an object names no bucket: write s3://bucket/key"),
        ("file://host/a", "The 'file' URL of an object is not absolute: write file:///path"),
        ("file:a", None),
        (
            "https://host/a?X-Amz-Signature=5ecret",
            "Objects cannot be kept at 'https' URLs: use s3, gs, az, file, or a plain path",
        ),
        (
            "s3://AKIA:5ecret@bucket/a",
            "The 's3' URL of an object holds a user name or password: leave it out, a store's credentials come from "
            "the environment of the worker",
        ),
        ("s3://AKIA:5ecr/et@bucket/a", "The 's3' URL of an object names no bucket: write s3://bucket/key"),
        (
            "az://container/a?sv=1&sig=5ecret",
            "The 'az' URL of an object holds a '?': leave the query out, a store's credentials come from the "
            "environment of the worker",
        ),
    ],
)
async def test_what_names_no_object(url: str, problem: str | None) -> None:
    """A key that could leave its folder, or a URL that holds a credential, is refused everywhere, and says why."""
    if problem is None:
        WriteObject(url=url, data=b"")
        return
    with pytest.raises(InvalidObjectUrl) as raised:
        await objects.write(url, b"")
    assert raised.value.message == problem
    assert raised.value.non_retryable
    with pytest.raises(pydantic.ValidationError) as refused:
        WriteObject(url=url, data=b"")
    assert [error["msg"] for error in refused.value.errors()] == [f"Value error, InvalidObjectUrl: {problem}"]
    assert "5ecret" not in str(refused.value)
    assert "5ecret" not in str(classify(refused.value))


def test_a_joined_key_stays_below_its_root() -> None:
    """Whatever the key, joined to a root it names something below the root, or is refused."""

    @given(st.text(max_size=20), st.sampled_from(["/data", "file:///data", "s3://bucket/data"]))
    def stays_below(key: str, root: str) -> None:
        with contextlib.suppress(InvalidObjectUrl):
            address = _address.Address.parse(objects.join(root, key))
            assert address.key == f"data/{key}"
            assert os.path.normpath(f"/{address.key}") == f"/data/{key}"

    stays_below()


@pytest.mark.parametrize(
    ("problem", "fields"),
    [
        ("Value error, give either text or data", {}),
        ("Value error, give either text or data", {"text": "a", "data": b"a"}),
        ("Extra inputs are not permitted", {"text": "a", "secret_access_key": "5ecret"}),
    ],
)
def test_what_is_no_request(problem: str, fields: dict[str, Any]) -> None:
    """A request with no content, two, or a credential is refused, and does not show what it holds."""
    with pytest.raises(pydantic.ValidationError) as refused:
        WriteObject(url="a", **fields)
    assert [error["msg"] for error in refused.value.errors()] == [problem]
    assert "5ecret" not in str(refused.value)


# S3 when it misbehaves


class Faults:
    """An S3 endpoint on loopback that answers each request with the next of the given answers, the last for ever.

    An answer is the bytes of an HTTP response, after which the connection is closed, or None: silence.
    """

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.requests: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(" ".join(head.split(" ")[:2]))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer is None:
                await reader.read()
            else:
                length = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
                await reader.readexactly(int(length[0].split(":")[1]) if length else 0)
                writer.write(answer)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def misbehaving(monkeypatch: pytest.MonkeyPatch, *answers: bytes | None) -> AsyncGenerator[Faults]:
    faults = Faults(*answers)
    server = await asyncio.start_server(faults.serve, "127.0.0.1", 0)
    use_s3(monkeypatch, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        yield faults
    finally:
        objects.forget_stores()
        server.close()


def response(status: str, body: bytes = b"", *, length: int | None = None, headers: str = "") -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\nConnection: close\r\n{headers}\r\n".encode() + body


def s3_error(status: str, code: str, message: str = "") -> bytes:
    return response(status, f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode())


FOUND = 'ETag: "1"\r\nLast-Modified: Mon, 23 Nov 2026 12:00:00 GMT\r\n'


@pytest.mark.parametrize(
    ("answer", "error", "reason"),
    [
        (
            s3_error("503 Slow Down", "SlowDown", "Reduce your rate."),
            ObjectsUnavailable,
            "503 SlowDown (Reduce your rate.)",
        ),
        (s3_error("500 Internal Server Error", "InternalError"), ObjectsUnavailable, "500 InternalError"),
        (response("502 Bad Gateway", b"<html>"), ObjectsUnavailable, "502"),
        (s3_error("429 Too Many Requests", "TooManyRequests"), ObjectsUnavailable, "429 TooManyRequests"),
        (s3_error("400 Bad Request", "RequestTimeout", "Idle."), ObjectsUnavailable, "400 RequestTimeout (Idle.)"),
        (s3_error("400 Bad Request", "InvalidArgument", "No."), ObjectRefused, "400 InvalidArgument (No.)"),
        (s3_error("403 Forbidden", "AccessDenied", "Access Denied"), ObjectRefused, "403 AccessDenied (Access Denied)"),
        (s3_error("401 Unauthorized", "InvalidToken"), ObjectRefused, "401 InvalidToken"),
        (s3_error("405 Method Not Allowed", "MethodNotAllowed"), ObjectRefused, "405 MethodNotAllowed"),
    ],
)
async def test_what_s3_answers(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, error: type[ApplicationError], reason: str
) -> None:
    """Throttling and the store's own failures are retried; what it refuses is terminal. Both say what it answered."""
    now = " now" if error is ObjectsUnavailable else ""
    async with misbehaving(monkeypatch, answer):
        for action, call in (
            ("read", objects.read("s3://b/a")),
            ("write", objects.write("s3://b/a", b"1", if_absent=True)),
        ):
            with pytest.raises(error) as raised:
                await call
            assert raised.value.message == f"Cannot {action} object 's3://b/a'{now}: the store answered {reason}"
            assert raised.value.__cause__ is None
            assert raised.value.non_retryable is (error is ObjectRefused)


async def test_a_hiccup_costs_no_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """One failed request is repeated at once, within the attempt."""
    async with misbehaving(
        monkeypatch, s3_error("503 Slow Down", "SlowDown"), response("200 OK", b"1", headers=FOUND)
    ) as faults:
        assert await objects.read("s3://b/a") == b"1"
    assert faults.requests == ["GET /b/a"] * 2


async def test_half_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A download that breaks off goes on from there; if it cannot, the step is retried."""
    half = response("200 OK", b"x" * 500, length=1000, headers=FOUND)
    rest = response("206 Partial Content", b"y" * 500, headers=f"{FOUND}Content-Range: bytes 500-999/1000\r\n")
    async with misbehaving(monkeypatch, half, rest):
        assert await objects.read("s3://b/a") == b"x" * 500 + b"y" * 500
    async with misbehaving(monkeypatch, half, s3_error("503 Slow Down", "SlowDown")):
        with pytest.raises(ObjectsUnavailable) as raised:
            await objects.read("s3://b/a")
    assert raised.value.message.startswith("Cannot read object 's3://b/a' now: ")


async def test_a_silent_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that does not answer in time is retried."""
    monkeypatch.setitem(_store._TIMEOUTS, "read", {"read_timeout": "100ms"})  # pyright: ignore[reportPrivateUsage]
    async with misbehaving(monkeypatch, None):
        with pytest.raises(ObjectsUnavailable) as raised:
            await objects.read("s3://b/a")
    assert raised.value.message == ("Cannot read object 's3://b/a' now: HTTP error: error sending request (Timeout)")


async def test_a_store_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that refuses the connection is retried."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    use_s3(monkeypatch, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    server.close()
    await server.wait_closed()
    with pytest.raises(ObjectsUnavailable) as raised:
        await objects.write("s3://b/a", b"1")
    assert raised.value.message == (
        "Cannot look up object 's3://b/a' now: HTTP error: error sending request (Connect: Connection refused)"
    )


def test_a_store_that_is_not_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store whose account the environment does not name is retried, for the worker's environment may be mended."""
    for name in list(os.environ):
        if name.startswith("AZURE_"):
            monkeypatch.delenv(name)
    with pytest.raises(ObjectsUnavailable) as raised:
        asyncio.run(objects.read("az://container/a"))
    assert raised.value.message == (
        "Cannot reach object 'az://container/a' now: Generic MicrosoftAzure error: Account must be specified"
    )


def test_every_error_of_obstore_has_a_meaning() -> None:
    """When obstore gains an error, somebody has to say whether it is worth another attempt."""
    known = {
        name
        for name, value in vars(obstore.exceptions).items()
        if isinstance(value, type) and issubclass(value, obstore.exceptions.BaseError)
    }
    assert known - {"BaseError"} == set(_errors.STORE_ERRORS)


def test_signed_urls_are_not_repeated() -> None:
    """The query of a URL in a store's error is left out, for it may be a signature."""
    with pytest.raises(ObjectsUnavailable) as raised, _errors.translated("read", "az://c/a"):
        raise obstore.exceptions.GenericError("Generic error - error sending request for http://h/c/a?sig=5ecret) to h")
    assert raised.value.message == (
        "Cannot read object 'az://c/a' now: error sending request for http://h/c/a?...) to h"
    )


@pytest.mark.slow
def test_a_script_that_ends_after_an_upload(s3: str) -> None:
    """A process that exits right after an upload exits with success, each time."""
    program = f"""
import asyncio
from segue.activities import objects
async def content():
    for _ in range(20):
        yield bytes({MIB})
asyncio.run(objects.write("{s3}/a", content()))
"""
    runs = [subprocess.run([sys.executable, "-c", program], capture_output=True, check=False) for _ in range(3)]
    assert [run.returncode for run in runs] == [0] * 3


def test_without_obstore() -> None:
    """Without the extra everything can be imported, and using a store says what to install."""
    program = """
import sys, asyncio
sys.modules["obstore"] = None
from segue.activities import objects
asyncio.run(objects.read("a"))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.stderr.splitlines()[-1] == 'ImportError: Object storage needs obstore: pip install "segue[objects]"'


# Steps of a workflow, on a real Temporal server


@workflow.defn
class Archive:
    """Every step on objects once."""

    @workflow.run
    async def run(self, folder: str) -> list[ObjectBody]:
        text = await workflow.execute_activity(
            objects.write_object, WriteObject(url=f"{folder}/note.txt", text="Grüße", if_absent=True)
        )
        data = await workflow.execute_activity(
            objects.write_object, WriteObject(url=f"{folder}/data", data=bytes(range(256)), content_type="model/x")
        )
        copy = await workflow.execute_activity(
            objects.copy_object, CopyObject(source=data, target=f"{folder}/copies/data")
        )
        assert copy.sha256 == data.sha256
        page = await workflow.execute_activity(objects.list_objects, ListObjects(prefix=folder))
        assert [ref.url for ref in page.objects] == [copy.url, data.url, text.url]
        await workflow.execute_activity(objects.delete_object, DeleteObject(url=data.url))
        assert await workflow.execute_activity(objects.checksum_object, ChecksumObject(source=copy)) == copy
        return [
            await workflow.execute_activity(objects.read_object, ReadObject(source=text)),
            await workflow.execute_activity(objects.read_object, ReadObject(source=copy.url, as_bytes=True)),
        ]


@workflow.defn
class WriteOnce:
    """A create-only write that finds other content."""

    @workflow.run
    async def run(self, url: str) -> None:
        await workflow.execute_activity(objects.write_object, WriteObject(url=url, text="new", if_absent=True))


STEPS: list[Callable[..., Any]] = [
    objects.write_object,
    objects.read_object,
    objects.list_objects,
    objects.copy_object,
    objects.checksum_object,
    objects.delete_object,
]


async def test_steps_of_a_workflow(client: Client, base: str) -> None:
    """A workflow writes, copies, lists, digests, deletes and reads; text and any bytes arrive as they were."""
    queue = str(uuid.uuid4())
    async with Worker(client, task_queue=queue, workflows=[Archive], activities=STEPS):
        handle = await client.start_workflow(Archive.run, base, id=queue, task_queue=queue)
        text, data = await handle.result()
    assert (text.text, text.data, text.ref.url) == ("Grüße", None, f"{base}/note.txt")
    assert (data.text, data.data, data.ref.url) == (None, bytes(range(256)), f"{base}/copies/data")
    history = await handle.fetch_history()
    scheduled = [
        event.activity_task_scheduled_event_attributes
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    assert [step.activity_type.name for step in scheduled] == [
        "segue.objects.write",
        "segue.objects.write",
        "segue.objects.copy",
        "segue.objects.list",
        "segue.objects.delete",
        "segue.objects.checksum",
        "segue.objects.read",
        "segue.objects.read",
    ]
    assert {step.heartbeat_timeout.ToTimedelta() for step in scheduled} == {timedelta(seconds=30)}


async def test_a_terminal_error_is_tried_once(client: Client, base: str) -> None:
    """A create-only write that finds other content fails its step at once, with the reason in the history."""
    await objects.write(f"{base}/a", "old")
    queue = str(uuid.uuid4())
    async with Worker(client, task_queue=queue, workflows=[WriteOnce], activities=STEPS):
        with pytest.raises(WorkflowFailureError) as raised:
            await client.execute_workflow(WriteOnce.run, f"{base}/a", id=queue, task_queue=queue)
    step = raised.value.cause
    assert isinstance(step, ActivityError)
    cause = step.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.type, cause.message, cause.non_retryable) == (
        "ObjectExists",
        f"Object '{base}/a' exists with other content, and is not to be replaced (if_absent)",
        True,
    )
    assert await objects.read(f"{base}/a") == b"old"


async def test_a_store_that_recovers(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step outlives a store that is throttled for a while, and writes once."""
    slow = s3_error("503 Slow Down", "SlowDown")
    queue = str(uuid.uuid4())
    async with (
        misbehaving(monkeypatch, slow, slow, slow, response("200 OK", headers=FOUND)) as faults,
        Worker(client, task_queue=queue, workflows=[WriteOnce], activities=STEPS),
    ):
        handle = await client.start_workflow(WriteOnce.run, "s3://b/a", id=queue, task_queue=queue)
        await handle.result()
    assert faults.requests == ["PUT /b/a"] * 4
    events = (await handle.fetch_history()).events
    [started] = [e for e in events if e.HasField("activity_task_started_event_attributes")]
    assert started.activity_task_started_event_attributes.attempt == 2


async def test_long_steps_report_progress(base: str) -> None:
    """Copying and digesting report how many bytes have passed, as heartbeats that operators see."""
    environment = ActivityEnvironment()
    beats: list[Any] = []
    environment.on_heartbeat = lambda *details: beats.extend(details)
    ref = await objects.write(f"{base}/a", in_pieces(bytes(20 * MIB)))
    assert await environment.run(objects.checksum_object, ChecksumObject(source=ref)) == ref
    copy = await environment.run(objects.copy_object, CopyObject(source=ref, target=f"{base}/b"))
    assert (copy.url, copy.sha256) == (f"{base}/b", ref.sha256)
    assert len(beats) == 4  # two of each step
    for beat, least in zip(beats, (8, 16, 8, 16), strict=True):
        assert beat == TransferProgress(bytes_done=beat.bytes_done, bytes_total=20 * MIB)
        assert least * MIB <= beat.bytes_done < (least + 2) * MIB


async def test_what_is_no_text(base: str) -> None:
    """Bytes that are no UTF-8 cannot be read as text; the error says where and what to do."""
    await objects.write(f"{base}/a", b"ab\xff")
    with pytest.raises(ApplicationError) as raised:
        await objects.read_object(ReadObject(source=f"{base}/a"))
    assert raised.value.non_retryable
    assert raised.value.message == (f"Object '{base}/a' is not UTF-8 text, from byte 2 on: read it with as_bytes=True")


async def test_the_limit_of_a_read(base: str) -> None:
    """A step returns up to 1 MiB unless it is asked for more."""
    await objects.write(f"{base}/a", bytes(MIB))
    body = await objects.read_object(ReadObject(source=f"{base}/a", as_bytes=True))
    assert body.data == bytes(MIB)
    await objects.write(f"{base}/a", bytes(MIB + 1))
    with pytest.raises(ObjectTooLarge):
        await objects.read_object(ReadObject(source=f"{base}/a", as_bytes=True))
