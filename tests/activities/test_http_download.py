"""Downloads into objects, on a real server: whole, bounded, verified, and resumed by the next attempt."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import hashlib
import json
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pydantic
import pytest
import pytest_asyncio
from temporalio import activity
from temporalio.testing import ActivityEnvironment
from tests.activities.http_server import Act, Exchange, Server, answer, chunked, raw, serve, stall

from segue.activities import http, objects
from segue.activities.http import Download, DownloadRequest

CONTENT = bytes(range(256)) * 12_000  # 3 MB, so that it takes several pieces
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Server]:
    """A system that does what the test scripts."""
    async with serve() as server:
        yield server
        await http.close()


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The worker's temporary folder, which no download may litter."""
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def file(
    content: bytes = CONTENT, *, etag: str = '"v1"', cut: int | None = None, headers: dict[str, str] | None = None
) -> Act:
    """A file as a good server has it, with ranges (RFC 9110 14); `cut` breaks off after so many bytes."""

    async def act(exchange: Exchange) -> bool:
        request, fields = exchange.request, dict(headers or {})
        if etag:
            fields["etag"] = etag
        start, status = 0, 200
        wanted = request.header("range")
        if wanted is not None and request.header("if-range") in (etag, fields.get("last-modified")):
            start, status = int(wanted.removeprefix("bytes=").removesuffix("-")), 206
            fields["content-range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        part = content[start:]
        await exchange.head(status, fields | {"content-length": str(len(part))})
        await exchange.send(part if cut is None else part[:cut])
        return cut is None

    return act


def files(folder: Path) -> list[Path]:
    """What is in a folder."""
    return sorted(folder.iterdir())


class Step:
    """A step that downloads, attempt by attempt, with the progress that Temporal would keep for it."""

    def __init__(self, url: str, to: Path, **fields: Any) -> None:
        self.request = DownloadRequest(url=url, to=str(to), **fields)
        self.progress: list[Any] = []
        self.attempt = 0

    async def run(self, fn: Any = http.download, name: str = "segue.http.download") -> Download:
        self.attempt += 1
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(
            environment.info,
            activity_type=name,
            attempt=self.attempt,
            started_time=datetime.now(UTC),
            start_to_close_timeout=timedelta(seconds=30),
            schedule_to_close_timeout=None,
            heartbeat_details=[json.loads(json.dumps(detail)) for detail in self.progress[-1:]],
        )

        def beat(detail: pydantic.BaseModel) -> None:
            self.progress.append(detail.model_dump(mode="json"))

        environment.on_heartbeat = beat
        result = await environment.run(fn, self.request)
        assert isinstance(result, Download)
        return result


async def test_a_download_becomes_an_object(site: Server, tmp_path: Path, spool: Path) -> None:
    """The content is stored whole; the result refers to it and says what it is."""
    to = tmp_path / "reports" / "today.bin"
    url = site.on("/report", file(headers={"content-type": "application/x-report"}))
    download = await http.download(DownloadRequest(url=url, to=str(to)))
    assert download == Download(
        object=objects.ObjectRef(
            url=to.as_uri(),
            size_bytes=len(CONTENT),
            sha256=DIGEST,
            etag=download.object.etag,
            content_type="application/x-report",
        ),
        etag='"v1"',
        elapsed=download.elapsed,
    )
    assert to.read_bytes() == CONTENT
    assert site.requests[0].header("accept-encoding") == "identity"
    assert files(spool) == []


async def test_an_empty_download(site: Server, tmp_path: Path) -> None:
    """Nothing is content too."""
    download = await http.download(DownloadRequest(url=site.on("/a", answer(200)), to=str(tmp_path / "a")))
    assert (download.object.size_bytes, (tmp_path / "a").read_bytes()) == (0, b"")


async def test_compressed_content_is_unpacked(site: Server, tmp_path: Path) -> None:
    """A server that compresses what it was asked not to compress does not spoil the object."""
    url = site.on("/a", answer(200, gzip.compress(CONTENT), headers={"content-encoding": "gzip"}))
    download = await http.download(DownloadRequest(url=url, to=str(tmp_path / "a")))
    assert download.object.sha256 == DIGEST


async def test_errors_store_nothing(site: Server, tmp_path: Path, spool: Path) -> None:
    """An error status, a range that nobody asked for, and a broken answer raise, and leave what was there."""
    to = tmp_path / "a"
    to.write_text("before")
    url = site.on(
        "/a",
        answer(404, "gone"),
        answer(304),
        answer(206, "part"),
        raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab"),
    )
    problems = [
        f"GET {url} answered 404 Reason",
        f"GET {url} answered 304 Reason",
        f"GET {url}: a range came that was not asked for",
        f"GET {url}: peer closed connection without sending complete message body (received 2 bytes, expected 9)",
    ]
    for problem in problems:
        with pytest.raises(httpx.HTTPError) as raised:
            await http.download(DownloadRequest(url=url, to=str(to)))
        assert str(raised.value) == problem
    assert to.read_text() == "before"
    assert files(spool) == []


async def test_downloads_have_a_limit_too(site: Server, tmp_path: Path, spool: Path) -> None:
    """A body over the limit ends the download, declared or not, and nothing is kept of it."""
    for act in (answer(200, b"x" * 2001), chunked(b"x" * 500)):
        step = Step(site.on("/a", act), tmp_path / "a", maximum_bytes=2000)
        with pytest.raises(http.ResponseTooLarge) as raised:
            await step.run()
        assert raised.value.message == (
            f"GET {step.request.url} answered 200 Reason with more than 2,000 bytes: raise maximum_bytes if it may be "
            "that large"
        )
    assert files(tmp_path) == [spool]
    assert files(spool) == []


async def test_the_digest_is_verified(site: Server, tmp_path: Path, spool: Path) -> None:
    """Content with another digest is thrown away, and fetched anew by the next attempt."""
    step = Step(site.on("/a", file(b"other"), file()), tmp_path / "a", sha256=DIGEST.upper())
    with pytest.raises(http.ChecksumMismatch) as raised:
        await step.run()
    other = hashlib.sha256(b"other").hexdigest()
    assert raised.value.message == (f"GET {site.url}/a brought 5 bytes with SHA-256 {other}, but {DIGEST} was expected")
    assert not raised.value.non_retryable
    assert files(tmp_path) == [spool]
    assert files(spool) == []
    assert (await step.run()).object.sha256 == DIGEST
    assert site.requests[1].header("range") is None


# Resuming


async def test_the_next_attempt_goes_on(site: Server, tmp_path: Path, spool: Path) -> None:
    """Three attempts, each cut short, fetch each byte once; the last one says from where it went on."""
    step = Step(site.on("/a", file(cut=1_000_000), file(cut=1_500_000), file()), tmp_path / "a")
    for received in (1_000_000, 2_500_000):
        with pytest.raises(httpx.RemoteProtocolError):
            await step.run()
        assert step.progress[-1]["received_bytes"] == received
        assert step.progress[-1]["total_bytes"] == len(CONTENT)
        assert len(files(spool)) == 1
    download = await step.run()
    assert (download.resumed_at_bytes, download.object.sha256) == (2_500_000, DIGEST)
    assert [(r.header("range"), r.header("if-range")) for r in site.requests] == [
        (None, None),
        ("bytes=1000000-", '"v1"'),
        ("bytes=2500000-", '"v1"'),
    ]
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert files(spool) == []


async def test_failures_in_between_lose_nothing(site: Server, tmp_path: Path, spool: Path) -> None:
    """An attempt that gets no further, for it got an error or no answer, hands on what it found."""
    step = Step(site.on("/a", file(cut=1_000_000), answer(503), raw(b""), file()), tmp_path / "a")
    for _ in range(3):
        with pytest.raises(httpx.HTTPError):
            await step.run()
        assert len(files(spool)) == 1
    assert (await step.run()).resumed_at_bytes == 1_000_000
    assert files(spool) == []


async def test_what_a_killed_worker_had_written_counts(site: Server, tmp_path: Path) -> None:
    """A killed worker's reports may be far behind its file: the first one is enough to go on where the file ends."""
    step = Step(site.on("/a", file(cut=2_500_000), file()), tmp_path / "a")
    with pytest.raises(httpx.RemoteProtocolError):
        await step.run()
    del step.progress[1:]
    assert step.progress[0]["received_bytes"] == 0
    assert (await step.run()).resumed_at_bytes == 2_500_000


async def test_a_date_is_a_validator(site: Server, tmp_path: Path) -> None:
    """Without an entity tag the date of the last change does, if it is older than the answer (RFC 9110 8.8.2.2)."""
    old, now = "Sun, 01 Mar 2026 12:00:00 GMT", "Sun, 01 Mar 2026 12:00:05 GMT"
    fields = {"last-modified": old, "date": now}
    step = Step(
        site.on("/a", file(etag="", cut=1_000_000, headers=fields), file(etag="", headers=fields)), tmp_path / "a"
    )
    with pytest.raises(httpx.RemoteProtocolError):
        await step.run()
    assert (await step.run()).resumed_at_bytes == 1_000_000
    assert site.requests[1].header("if-range") == old


@pytest.mark.parametrize(
    ("etag", "headers"),
    [
        ("", {}),
        ('W/"v1"', {}),
        ("", {"last-modified": "Sun, 01 Mar 2026 12:00:00 GMT", "date": "Sun, 01 Mar 2026 12:00:00 GMT"}),
        ("", {"last-modified": "yesterday", "date": "Sun, 01 Mar 2026 12:00:00 GMT"}),
    ],
)
async def test_without_a_strong_validator_nothing_is_resumed(
    site: Server, tmp_path: Path, etag: str, headers: dict[str, str]
) -> None:
    """What cannot be told to be the same content is fetched anew."""
    first, second = file(etag=etag, cut=1_000_000, headers=headers), file(etag=etag, headers=headers)
    step = Step(site.on("/a", first, second), tmp_path / "a")
    with pytest.raises(httpx.RemoteProtocolError):
        await step.run()
    download = await step.run()
    assert (download.resumed_at_bytes, download.object.sha256) == (0, DIGEST)
    assert site.requests[1].header("range") is None


async def test_content_that_changed_is_fetched_anew(site: Server, tmp_path: Path) -> None:
    """Other content under the same URL answers 200, and nothing of the old is in the object."""
    new = CONTENT[::-1]
    step = Step(site.on("/a", file(cut=1_000_000), file(new, etag='"v2"')), tmp_path / "a")
    with pytest.raises(httpx.RemoteProtocolError):
        await step.run()
    download = await step.run()
    assert (download.resumed_at_bytes, download.etag) == (0, '"v2"')
    assert (tmp_path / "a").read_bytes() == new


@pytest.mark.parametrize(
    "second",
    [
        answer(206, CONTENT[1_000_000:], headers={"content-range": "bytes 1000000-3071999/3072000", "etag": '"v2"'}),
        answer(206, CONTENT[5:], headers={"content-range": "bytes 5-3071999/3072000", "etag": '"v1"'}),
        answer(206, CONTENT, headers={"etag": '"v1"'}),
        answer(416, headers={"content-range": "bytes */5"}),
    ],
)
async def test_ranges_that_do_not_fit_are_not_used(site: Server, tmp_path: Path, second: Act) -> None:
    """A range of other content, another range, and none at all: the same attempt fetches it anew."""
    step = Step(site.on("/a", file(cut=1_000_000), second, file()), tmp_path / "a")
    with pytest.raises(httpx.RemoteProtocolError):
        await step.run()
    download = await step.run()
    assert (download.resumed_at_bytes, download.object.sha256) == (0, DIGEST)
    assert [received.header("range") for received in site.requests] == [None, "bytes=1000000-", None]


async def test_another_machine_starts_anew(site: Server, tmp_path: Path, spool: Path) -> None:
    """Where the file of the last attempt is not, the download starts at the beginning."""
    step = Step(site.on("/a", file(cut=1_000_000), file()), tmp_path / "a")
    with pytest.raises(httpx.RemoteProtocolError):
        await step.run()
    [left] = files(spool)
    left.unlink()
    assert (await step.run()).resumed_at_bytes == 0


async def test_only_files_of_its_own_are_taken_over(site: Server, tmp_path: Path, spool: Path) -> None:
    """A history cannot make a worker read, or delete, a file that no download left."""
    private = tmp_path / "private.part"
    private.write_text("s3cret")
    link = spool / "segue-link.part"
    link.symlink_to(private)
    for path in (private, link, spool / ".." / "private.part"):
        step = Step(site.on("/a", file(cut=1_000_000), file()), tmp_path / "a")
        with pytest.raises(httpx.RemoteProtocolError):
            await step.run()
        step.progress[-1]["partial"] = str(path)
        assert (await step.run()).object.sha256 == DIGEST
    assert private.read_text() == "s3cret"
    assert site.requests[-1].header("range") is None


async def test_what_is_whole_is_only_stored(
    site: Server, tmp_path: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt after one that could not store what it had fetched asks for nothing again."""
    for name, value in {
        "AWS_ENDPOINT": site.url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "here",
    }.items():
        monkeypatch.setenv(name, value)
    objects.forget_stores()
    site.on("/bucket/a", answer(503))
    step = Step(site.on("/a", file()), tmp_path / "a")
    step.request = step.request.model_copy(update={"to": "s3://bucket/a"})
    with pytest.raises(objects.ObjectsUnavailable):
        await step.run()
    assert len(files(spool)) == 1

    async def store(exchange: Exchange) -> bool:
        stored = exchange.request.method == "PUT"
        return await answer(200 if stored else 404, headers={"etag": '"s"'} if stored else {})(exchange)

    site.on("/bucket/a", store)
    download = await step.run()
    assert (download.object.url, download.object.sha256) == ("s3://bucket/a", DIGEST)
    assert (download.resumed_at_bytes, download.etag) == (len(CONTENT), '"v1"')
    assert [received.path for received in site.requests].count("/a") == 1
    assert files(spool) == []
    objects.forget_stores()


async def test_a_step_s_own_progress_is_left_alone(site: Server, tmp_path: Path, spool: Path) -> None:
    """Within an activity of one's own, a download reports nothing: a step has one progress, which is its author's."""

    async def collect(request: DownloadRequest) -> Download:
        activity.heartbeat(pydantic.RootModel[int](1))
        return await http.download(request)

    step = Step(site.on("/a", file(cut=1_000_000), file()), tmp_path / "a")
    with pytest.raises(httpx.RemoteProtocolError):
        await step.run(collect, "collect")
    assert step.progress == [1]
    assert files(spool) == []
    assert (await step.run(collect, "collect")).resumed_at_bytes == 0


async def test_a_cancelled_download_leaves_nothing(site: Server, tmp_path: Path, spool: Path) -> None:
    """A download that is cancelled outside of a step leaves no file behind."""
    url = site.on("/a", stall(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab"))
    task = asyncio.create_task(http.download(DownloadRequest(url=url, to=str(tmp_path / "a"))))
    await site.received(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files(spool) == []


async def test_a_download_follows_to_storage_without_credentials(site: Server, tmp_path: Path) -> None:
    """A redirect to a signed URL elsewhere, as APIs answer, is resumed there, and gets no credential."""
    async with serve() as storage:
        storage.on("/signed", file(cut=1_000_000), file())
        url = site.on("/a", answer(302, headers={"location": f"{storage.url}/signed?signature=s3cret"}))
        step = Step(url, tmp_path / "a", headers={"X-Api-Key": "k"})
        with pytest.raises(httpx.RemoteProtocolError) as raised:
            await step.run()
        assert str(raised.value).startswith(f"GET {storage.url}/signed: ")
        assert (await step.run()).resumed_at_bytes == 1_000_000
        assert [r.header("x-api-key") for r in site.requests + storage.requests] == ["k", "k", None, None]
        assert storage.requests[1].header("if-range") == '"v1"'


def test_where_to_is_checked_first() -> None:
    """A request into no object is refused before anything starts."""
    with pytest.raises(pydantic.ValidationError, match="Objects cannot be kept at 'ftp' URLs"):
        DownloadRequest(url="https://api.example/a", to="ftp://host/a")
    with pytest.raises(pydantic.ValidationError, match="sha256"):
        DownloadRequest(url="https://api.example/a", to="a", sha256="abc")
