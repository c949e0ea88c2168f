"""HTTP in durable runs, on a real Temporal server: attempts, keys, timeouts and secrets as operators will meet them."""

from __future__ import annotations

import base64
import contextlib
import re
import time
import uuid
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import Worker

# The sandbox runs this module anew for every run of its workflows, and the tools of the tests are not made for that.
with workflow.unsafe.imports_passed_through():
    import hashlib

    import pytest
    import pytest_asyncio
    from pydantic import BaseModel
    from tests.activities.http_server import Act, Exchange, Server, answer, raw, reset, serve, stall

    from segue.activities import Policy, System, http
    from segue.activities.http import Download, DownloadRequest, HttpConnector, HttpRequest, HttpResponse
    from segue.activities.secrets import SecretRef

QUEUE = "http-durable"


class Order(BaseModel):
    url: str
    id: str


class Receipt(BaseModel):
    number: int


cards = System(
    "cards-http-durable-test", policy=Policy(start_to_close_timeout=timedelta(seconds=5), backoff_coefficient=1)
)
hurried = System(
    "hurried-http-durable-test", policy=Policy(start_to_close_timeout=timedelta(seconds=1), maximum_attempts=1)
)
api = HttpConnector(cards, headers={"Authorization": SecretRef("env:CARDS_TOKEN", prefix="Bearer ")})


@cards.activity
async def charge_card(order: Order) -> Receipt:
    """Charge a card, in one line."""
    return await http.post_json(order.url, order, response=Receipt)


@hurried.activity
async def hurry(url: str) -> HttpResponse:
    """Ask a system that has a second."""
    return await http.request(HttpRequest(url=url))


@workflow.defn
class Charge:
    @workflow.run
    async def run(self, order: Order) -> Receipt:
        return await workflow.execute_activity(charge_card, order)


@workflow.defn
class Hurry:
    @workflow.run
    async def run(self, url: str) -> HttpResponse:
        return await workflow.execute_activity(hurry, url)


@workflow.defn
class Ask:
    """Straight from a workflow, through the shipped activities and through a system's own."""

    @workflow.run
    async def run(self, url: str) -> list[Any]:
        posted = await workflow.execute_activity(api.request, HttpRequest(method="POST", url=url, json_body={"n": 1}))
        rates = await workflow.execute_activity(http.request_json, HttpRequest(url=url))
        return [posted.status, rates]


@workflow.defn
class Fetch:
    @workflow.run
    async def run(self, request: DownloadRequest) -> Download:
        return await workflow.execute_activity(http.download, request)


@workflow.defn
class Leak:
    @workflow.run
    async def run(self, url: str) -> None:
        request = HttpRequest(url=url, headers={"Authorization": "Bearer s3cret"})
        await workflow.execute_activity(http.request, request)


@workflow.defn
class Peek:
    @workflow.run
    async def run(self) -> str:
        return SecretRef("env:CARDS_TOKEN").resolve()


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Server]:
    """A system that does what the test scripts."""
    async with serve() as server:
        yield server
        await http.close()


@contextlib.asynccontextmanager
async def worker(client: Client) -> AsyncGenerator[None, None]:
    """A worker of everything here."""
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[Charge, Hurry, Ask, Fetch, Leak, Peek],
        activities=[charge_card, hurry, http.request, http.request_json, http.download, *api.activities],
    ):
        yield


async def start(client: Client, run: Any, *args: Any) -> WorkflowHandle[Any, Any]:
    """A run with an id of its own."""
    return await client.start_workflow(run, args=args, id=str(uuid.uuid4()), task_queue=QUEUE)


async def failure(handle: WorkflowHandle[Any, Any]) -> ApplicationError:
    """Why the step of a run failed."""
    with pytest.raises(WorkflowFailureError) as raised:
        await handle.result()
    assert isinstance(raised.value.cause, ActivityError)
    assert isinstance(raised.value.cause.cause, ApplicationError)
    return raised.value.cause.cause


async def history_text(handle: WorkflowHandle[Any, Any]) -> str:
    """All that the history of a run holds."""
    text = (await handle.fetch_history()).to_json()
    encoded = re.findall(r'"data": "([A-Za-z0-9+/=]+)"', text)
    return text + "".join(base64.b64decode(data).decode(errors="replace") for data in encoded)


async def test_one_charge_through_every_fault(client: Client, site: Server) -> None:
    """Errors, resets and half an answer, and then a receipt: every attempt carried the same key."""
    half = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")
    url = site.on("/charges", answer(500), reset(), half, answer(201, json={"number": 7}))
    async with worker(client):
        handle = await start(client, Charge.run, Order(url=url, id="17"))
        assert await handle.result() == Receipt(number=7)
    assert len(site.requests) == 4
    assert len({received.header("idempotency-key") for received in site.requests}) == 1
    assert len({received.body for received in site.requests}) == 1


async def test_retry_after_is_the_wait(client: Client, site: Server) -> None:
    """A system that asks for two seconds is left alone for two seconds."""
    arrivals: list[float] = []

    def timed(act: Act) -> Act:
        async def timing(exchange: Exchange) -> bool:
            arrivals.append(time.monotonic())
            return await act(exchange)

        return timing

    busy = answer(429, headers={"Retry-After": "2"})
    url = site.on("/charges", timed(busy), timed(answer(201, json={"number": 7})))
    async with worker(client):
        assert (await (await start(client, Charge.run, Order(url=url, id="17"))).result()).number == 7
    assert arrivals[1] - arrivals[0] >= 2


async def test_a_declined_card_is_asked_once(client: Client, site: Server) -> None:
    """A terminal status ends the step at its first attempt, in an error that says who answered what."""
    url = site.on("/charges", answer(402, json={"code": "declined"}))
    async with worker(client):
        error = await failure(await start(client, Charge.run, Order(url=url, id="17")))
    assert (error.type, error.message, error.non_retryable) == (
        "HTTPStatusError",
        f"POST {url} answered 402 Reason",
        True,
    )
    assert error.details == ({"status": 402, "method": "POST", "url": url},)
    assert len(site.requests) == 1


async def test_a_hung_system_is_named(client: Client, site: Server) -> None:
    """The error of a system that hangs is the request's own, which names it, and not the server's bare timeout."""
    url = site.on("/slow", stall())
    async with worker(client):
        error = await failure(await start(client, Hurry.run, url))
    assert error.type == "RequestTimeout"
    assert error.message.startswith(f"GET {url}: not done within 0.")
    assert error.message.endswith(" s, what the attempt had left")


async def test_requests_straight_from_a_workflow(client: Client, site: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Shipped activities and a connector's need no code; the history holds the reference and not the secret."""
    monkeypatch.setenv("CARDS_TOKEN", "s3cret")
    url = site.on("/rates", answer(json={"eur": 1.1}))
    async with worker(client):
        handle = await start(client, Ask.run, url)
        assert await handle.result() == [200, {"eur": 1.1}]
        text = await history_text(handle)
    posted, got = site.requests
    assert (posted.method, posted.header("authorization"), posted.body) == ("POST", "Bearer s3cret", b'{"n":1}')
    assert (got.method, got.header("authorization")) == ("GET", None)
    assert "s3cret" not in text
    assert "cards-http-durable-test.request" in text
    assert "segue.http.json" in text


async def test_a_download_goes_on_in_the_next_attempt(client: Client, site: Server, tmp_path: Path) -> None:
    """The progress that Temporal keeps lets the second attempt fetch only the rest."""
    content = bytes(range(256)) * 10_000
    head = b'HTTP/1.1 200 OK\r\netag: "v1"\r\ncontent-length: %d\r\n\r\n' % len(content)
    rest = answer(
        206,
        content[1_500_000:],
        headers={"etag": '"v1"', "content-range": f"bytes 1500000-{len(content) - 1}/{len(content)}"},
    )
    url = site.on("/report", raw(head + content[:1_500_000]), rest)
    async with worker(client):
        handle = await start(client, Fetch.run, DownloadRequest(url=url, to=str(tmp_path / "report")))
        download = await handle.result()
    assert download.resumed_at_bytes == 1_500_000
    assert download.object.sha256 == hashlib.sha256(content).hexdigest()
    assert (tmp_path / "report").read_bytes() == content
    assert [received.header("range") for received in site.requests] == [None, "bytes=1500000-"]


async def test_a_literal_credential_enters_no_history(client: Client, site: Server) -> None:
    """A workflow that would write a token into its history fails before it does, and is told what to do instead."""
    async with worker(client):
        handle = await start(client, Leak.run, site.on("/a", answer()))
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
        assert "headers.Authorization is a SecretStr" in str(raised.value.cause)
        assert "s3cret" not in await history_text(handle)
    assert site.requests == []


async def test_a_workflow_cannot_resolve_a_secret(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workflow code that asks for a secret's value fails; only activities get one."""
    monkeypatch.setenv("CARDS_TOKEN", "s3cret")
    async with worker(client):
        handle = await start(client, Peek.run)
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
    assert str(raised.value.cause).endswith(
        "Secret 'env:CARDS_TOKEN' cannot be resolved in a workflow: pass it to an activity"
    )
