"""Requests and their answers, on a real server."""

from __future__ import annotations

import asyncio
import dataclasses
import gzip
import re
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, assert_type

import httpx
import pydantic
import pytest
import pytest_asyncio
from pydantic import BaseModel, SecretStr, TypeAdapter
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from tests.activities.http_server import Server, answer, chunked, raw, serve, stall

from segue.activities import PayloadError, System, http, idempotency_key
from segue.activities.errors import classify
from segue.activities.http import HttpConnector, HttpRequest, HttpResponse
from segue.activities.secrets import SecretError, SecretRef
from segue.client.converter import data_converter


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Server]:
    """A system that does what the test scripts."""
    async with serve() as server:
        yield server
        await http.close()


class Order(BaseModel):
    id: str
    cents: int
    due: date = date(2026, 1, 31)


class Receipt(BaseModel):
    number: int


def attempt(**changes: Any) -> ActivityEnvironment:
    """An activity's environment, as in the first attempt of a step that has just started."""
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(
        environment.info,
        workflow_run_id="run-1",
        activity_id="charge-1",
        started_time=datetime.now(UTC),
        start_to_close_timeout=timedelta(seconds=30),
        schedule_to_close_timeout=None,
        **changes,
    )
    return environment


def travelled(request: HttpRequest) -> HttpRequest:
    """A request as the activity gets it, after its way through a history."""
    converter = data_converter(None).payload_converter
    return converter.from_payload(converter.to_payload(request), HttpRequest)


# Requests


async def test_a_request_returns_the_answer(site: Server) -> None:
    """The result is the status, the headers, the body as text, and the time it took."""
    url = site.on("/rates", answer(200, "1.10", headers={"content-type": "text/plain", "X-Rate": "a"}))
    response = await http.request(HttpRequest(url=url))
    assert response.elapsed > timedelta(0)
    assert response == HttpResponse(
        status=200,
        headers={"content-length": "4", "content-type": "text/plain", "x-rate": "a"},
        text="1.10",
        elapsed=response.elapsed,
    )
    [received] = site.requests
    assert (received.method, received.target, received.body) == ("GET", "/rates", b"")


@pytest.mark.parametrize(
    ("given", "content_type", "sent"),
    [
        ({}, None, b""),
        (
            {"json_body": Order(id="17", cents=5)},
            "application/json",
            b'{"id":"17","cents":5,"due":"2026-01-31"}',
        ),
        ({"json_body": [1, None, {"a": "\u00e9"}]}, "application/json", '[1,null,{"a":"\u00e9"}]'.encode()),
        ({"form": {"a": "1 2", "b": ["x", "y"]}}, "application/x-www-form-urlencoded", b"a=1+2&b=x&b=y"),
        ({"text": "\u00e9"}, "text/plain; charset=utf-8", "\u00e9".encode()),
        ({"content": b"\xff\x00"}, "application/octet-stream", b"\xff\x00"),
        ({"content": b"<a/>", "headers": {"Content-Type": "text/xml"}}, "text/xml", b"<a/>"),
    ],
)
async def test_bodies(site: Server, given: dict[str, Any], content_type: str | None, sent: bytes) -> None:
    """Each kind of body arrives in its form, with its content type, also after its way through a history."""
    request = HttpRequest(method="POST", url=site.on("/orders", answer(201)), **given)
    assert (await http.request(travelled(request))).status == 201
    [received] = site.requests
    assert (received.method, received.header("content-type"), received.body) == ("POST", content_type, sent)


async def test_params_are_added_to_the_query(site: Server) -> None:
    """Parameters follow what the URL's query already says, and lists repeat the name."""
    site.on("/search", answer())
    await http.request(HttpRequest(url=f"{site.url}/search?lang=en", params={"q": "a&b", "tag": ["x", "y"], "n": 1}))
    assert site.requests[0].query == "lang=en&q=a%26b&tag=x&tag=y&n=1"


async def test_a_request_survives_a_history_unchanged() -> None:
    """All fields arrive as they were sent, references to secrets and bytes among them."""
    request = HttpRequest(
        method="PUT",
        url="https://api.example/orders/17",
        headers={"Authorization": SecretRef("env:TOKEN", prefix="Bearer "), "X-Trace": "1"},
        params={"a": ["1", "2"]},
        timeout=timedelta(seconds=2.5),
        content=b"\x00\xff",
        accept_statuses=frozenset({404}),
        idempotency_key="order-17",
    )
    assert travelled(request) == request


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"url": "https://user:s3cret@api.example/"}, "must not hold a user name or password"),
        ({"url": "ftp://api.example/"}, "must begin with http:// or https://, not 'ftp'"),
        ({"url": "http://api:s3cret"}, "is not a URL"),
        ({"url": ""}, "at least 1 character"),
        ({"method": "BREW"}, "Input should be 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH' or 'DELETE'"),
        ({"text": "a", "form": {}}, "a request has one body, but both form and text are given"),
        ({"headers": {"Content-Length": "5"}}, "header 'Content-Length' is derived from the body"),
        ({"headers": {"X Y": "5"}}, "'X Y' is not the name of a header"),
        ({"headers": {"X-Key": "s3cret\r\nX-More: 1"}}, "header 'X-Key' has a value with characters that a header"),
        ({"headers": {"X-Key": "s3cr\u00e9t"}}, "header 'X-Key' has a value with characters that a header"),
        ({"timeout": timedelta(0)}, "Input should be greater than 0 seconds"),
        ({"idempotency_key": "a\nb"}, "has characters that a header cannot carry"),
        ({"verb": "GET"}, "Extra inputs are not permitted"),
    ],
)
def test_wrong_requests_are_refused_before_anything_starts(given: dict[str, Any], problem: str) -> None:
    """A request that cannot be sent is refused where it is made, without repeating what may be secret."""
    with pytest.raises(pydantic.ValidationError) as raised:
        HttpRequest.model_validate({"url": "https://api.example/"} | given)
    assert problem in str(raised.value)
    assert "s3cr" not in str(raised.value)


# Answers


@pytest.mark.parametrize(
    ("content_type", "content", "expected"),
    [
        ("text/plain; charset=latin-1", b"caf\xe9", {"text": "caf\u00e9", "encoding": "latin-1"}),
        ("text/plain", b"caf\xe9", {"binary": b"caf\xe9"}),
        ("image/png", b"\x89PNG\r\n\x1a\n", {"binary": b"\x89PNG\r\n\x1a\n"}),
        ("text/plain; charset=utf-16", "\ufeffab".encode("utf-16-le"), {"text": "ab", "encoding": "utf-16"}),
        ("text/plain; charset=utf-16", "ab".encode("utf-16-be"), {"binary": "ab".encode("utf-16-be")}),
        ("text/plain; charset=klingon", b"ab", {"binary": b"ab"}),
    ],
)
async def test_text_and_binary(site: Server, content_type: str, content: bytes, expected: dict[str, Any]) -> None:
    """A body is text only if its bytes can be had back from it; either way a history carries it unchanged."""
    url = site.on("/file", answer(200, content, headers={"content-type": content_type}))
    response = await http.request(HttpRequest(url=url))
    assert {"text": "", "binary": b"", "encoding": "utf-8"} | expected == {
        "text": response.text,
        "binary": response.binary,
        "encoding": response.encoding,
    }
    assert response.content == content
    converter = data_converter(None).payload_converter
    assert converter.from_payload(converter.to_payload(response), HttpResponse) == response


async def test_cookies_stay_with_nobody(site: Server) -> None:
    """A cookie is neither reported, which would put it into a history, nor sent with the next run's requests."""
    url = site.on("/login", answer(200, headers={"Set-Cookie": "session=s3cret"}))
    response = await http.request(HttpRequest(url=url))
    assert "set-cookie" not in response.headers
    await http.request(HttpRequest(url=url))
    assert site.requests[1].header("cookie") is None


async def test_error_statuses_raise_with_their_explanation(site: Server) -> None:
    """An error is httpx's own, says who answered what without the query, and its body can be read."""
    url = site.on("/charge", answer(402, json={"code": "card_declined"}))
    with pytest.raises(httpx.HTTPStatusError) as raised:
        await http.request(HttpRequest(method="POST", url=url, params={"key": "s3cret"}))
    assert str(raised.value) == f"POST {url} answered 402 Reason"
    assert raised.value.response.json() == {"code": "card_declined"}


async def test_accepted_statuses_are_answers(site: Server) -> None:
    """A status that the caller accepts is returned like any other."""
    url = site.on("/order", answer(404, "none"))
    response = await http.request(HttpRequest(url=url, accept_statuses=frozenset({404})))
    assert (response.status, response.text) == (404, "none")


async def test_a_long_explanation_is_cut(site: Server) -> None:
    """However long an error's body is, the error is that status and keeps its Retry-After."""
    head = b"HTTP/1.1 429 Slow\r\nretry-after: 7\r\ncontent-length: 1000000000\r\n\r\n"
    url = site.on("/busy", raw(head + b"x" * 200_000), raw(head + b"x"))
    for _ in range(2):
        with pytest.raises(httpx.HTTPStatusError) as raised:
            await http.request(HttpRequest(url=url))
        assert len(raised.value.response.content) <= 64 * 1024
        verdict = classify(raised.value)
        assert isinstance(verdict, ApplicationError)
        assert (verdict.message, verdict.next_retry_delay) == (f"GET {url} answered 429 Slow", timedelta(seconds=7))


async def test_head_has_no_body(site: Server) -> None:
    """The length that HEAD reports is not that of a body to come, so no limit applies to it."""
    url = site.on("/file", raw(b"HTTP/1.1 200 OK\r\ncontent-length: 5000000\r\ncontent-encoding: gzip\r\n\r\n"))
    response = await http.request(HttpRequest(method="HEAD", url=url))
    assert (response.status, response.content) == (200, b"")


# JSON


async def test_get_json_validates_the_answer(site: Server) -> None:
    """The answer comes back as the type that was asked for; without a type as it is."""
    url = site.on("/orders/17", answer(json={"id": "17", "cents": 5}))
    order = await http.get_json(url, response=Order)
    assert_type(order, Order)
    assert order == Order(id="17", cents=5)
    assert await http.get_json(url) == {"id": "17", "cents": 5}
    assert site.requests[0].header("accept") == "application/json"
    orders = await http.get_json(site.on("/orders", answer(json=[{"id": "1", "cents": 1}])), response=list[Order])
    assert_type(orders, list[Order])
    assert orders == [Order(id="1", cents=1)]


async def test_post_json_sends_a_model_and_returns_a_model(site: Server) -> None:
    """A charge is one line: a model goes out, a model comes back."""
    url = site.on("/charges", answer(201, json={"number": 7}))
    receipt = await http.post_json(url, Order(id="17", cents=5), response=Receipt)
    assert_type(receipt, Receipt)
    assert receipt == Receipt(number=7)
    [received] = site.requests
    assert TypeAdapter(Order).validate_json(received.body) == Order(id="17", cents=5)


async def test_an_empty_answer_is_none(site: Server) -> None:
    """204 and the like are None where no type was asked for."""
    assert await http.put_json(site.on("/orders/17", answer(204)), {"cents": 6}) is None


async def test_an_answer_that_is_not_json(site: Server) -> None:
    """A proxy's page in the place of JSON is retryable: the system behind it may be back at the next attempt."""
    url = site.on("/orders", answer(200, "<html>Maintenance", headers={"content-type": "text/html; charset=utf-8"}))
    for call in (http.get_json(url), http.get_json(url, response=Order)):
        with pytest.raises(http.NotJson) as raised:
            await call
        assert (
            raised.value.message
            == f"GET {url} answered 200 Reason with text/html that is not JSON: '<html>Maintenance'"
        )
        assert not raised.value.non_retryable
    with pytest.raises(http.NotJson, match=r"with application/json that is not JSON: 'NaN'$"):
        await http.get_json(site.on("/nan", answer(200, "NaN", headers={"content-type": "application/json"})))
    with pytest.raises(http.NotJson, match=r"with a body that is not JSON: ''$"):
        await http.get_json(site.on("/empty", answer(204)), response=Order)


async def test_json_of_another_shape(site: Server) -> None:
    """JSON that is not of the type is terminal, and the error names the fields but not their values."""
    url = site.on("/orders", answer(json={"id": "17", "cents": "s3cret"}))
    with pytest.raises(http.UnexpectedJson) as raised:
        await http.get_json(url, response=Order)
    assert raised.value.message == (
        f"GET {url} answered 200 Reason with JSON that is not a valid Order: cents: Input should be a valid integer, "
        "unable to parse string as an integer"
    )
    assert raised.value.non_retryable


def test_what_json_would_alter_is_refused() -> None:
    """A SecretStr, which JSON shows as asterisks, and a NaN are refused and never sent."""

    class Card(BaseModel):
        number: SecretStr

    with pytest.raises(PayloadError, match="number is a SecretStr, which would arrive as asterisks"):
        HttpRequest(method="POST", url="https://api.example/", json_body=Card(number=SecretStr("4111")))
    with pytest.raises(PayloadError, match="cents is nan, which JSON cannot carry"):
        HttpRequest(method="POST", url="https://api.example/", json_body={"cents": float("nan")})


# Limits


async def test_bodies_over_the_limit(site: Server) -> None:
    """A body over the limit is refused, whether its length is declared or not, with advice."""
    problem = (
        "answered 200 Reason with more than 1,000 bytes: raise maximum_bytes, or download it, which keeps it out of"
    )
    declared = site.on("/declared", answer(200, b"x" * 1001))
    endless = site.on("/endless", chunked(b"x" * 100))
    for url in (declared, endless):
        with pytest.raises(http.ResponseTooLarge) as raised:
            await http.request(HttpRequest(url=url, maximum_bytes=1000))
        assert raised.value.message == f"GET {url} {problem} the history"
        assert raised.value.non_retryable
    exact = site.on("/exact", answer(200, b"x" * 1000))
    assert len((await http.request(HttpRequest(url=exact, maximum_bytes=1000))).content) == 1000


@pytest.mark.parametrize(
    ("coding", "content"),
    [
        ("gzip", gzip.compress(b"a" * 300_000, mtime=0)),
        ("x-gzip", gzip.compress(b"a" * 100_000, mtime=0) + gzip.compress(b"a" * 200_000, mtime=0)),
        ("deflate", zlib.compress(b"a" * 300_000)),
        ("identity", b"a" * 300_000),
    ],
)
async def test_compressed_answers(site: Server, coding: str, content: bytes) -> None:
    """Compressed answers are unpacked, gzip of several members too."""
    response = await http.request(
        HttpRequest(url=site.on("/file", answer(200, content, headers={"content-encoding": coding})))
    )
    assert response.text == "a" * 300_000
    assert "content-encoding" not in response.headers
    assert site.requests[0].header("accept-encoding") == "gzip"


async def test_a_compression_bomb_costs_no_memory(site: Server) -> None:
    """The limit holds for what a body unpacks to, and unpacking stops there."""
    bomb = gzip.compress(b"\0" * 200_000_000)
    url = site.on("/bomb", answer(200, bomb, headers={"content-encoding": "gzip"}))
    tracemalloc.start()
    try:
        with pytest.raises(http.ResponseTooLarge):
            await http.request(HttpRequest(url=url))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


@pytest.mark.parametrize(
    ("coding", "content", "error", "problem"),
    [
        (
            "gzip",
            gzip.compress(b"a" * 1000, mtime=0)[:-4],
            httpx.RemoteProtocolError,
            "the compressed body ends too early",
        ),
        ("gzip", b"not gzip", httpx.DecodingError, "the body is not what it declares: Error -3"),
        ("br", b"a", httpx.DecodingError, "Content-Encoding 'br' was not asked for"),
    ],
    ids=["cut short", "no gzip", "not asked for"],
)
async def test_broken_compression(
    site: Server, coding: str, content: bytes, error: type[httpx.RequestError], problem: str
) -> None:
    """A compressed body that is cut short may come whole next time; one that is something else will not."""
    url = site.on("/file", answer(200, content, headers={"content-encoding": coding}))
    with pytest.raises(error) as raised:
        await http.request(HttpRequest(url=url))
    assert str(raised.value).startswith(f"GET {url}: {problem}")


# Time


async def test_the_request_has_a_limit_of_its_own(site: Server) -> None:
    """A system that accepts and says nothing is given up after the request's timeout, in an error that says so."""
    url = site.on("/slow", stall())
    with pytest.raises(http.RequestTimeout) as raised:
        await http.request(HttpRequest(url=url, timeout=timedelta(seconds=0.2)))
    assert str(raised.value) == f"GET {url}: not done within 0.2 s, its timeout"
    assert isinstance(raised.value, httpx.TimeoutException)


async def test_a_dripping_answer_is_bounded_too(site: Server) -> None:
    """An answer of which a byte comes now and then ends at the timeout, which bounds the whole exchange."""
    url = site.on("/drip", chunked(b"x", every=0.02))
    with pytest.raises(http.RequestTimeout, match=r"not done within 0.3 s, its timeout$"):
        await http.request(HttpRequest(url=url, timeout=timedelta(seconds=0.3)))


async def test_the_attempt_bounds_the_request(site: Server) -> None:
    """Without a timeout, or with a longer one, a request ends shortly before the server gives the attempt up."""
    url = site.on("/slow", stall())
    for timeout in (None, timedelta(seconds=60)):
        environment = attempt()
        environment.info = dataclasses.replace(environment.info, start_to_close_timeout=timedelta(seconds=0.6))
        with pytest.raises(http.RequestTimeout, match=r"within 0\.[345]\d? s, what the attempt had left$"):
            await environment.run(http.request, HttpRequest(url=url, timeout=timeout))


async def test_a_clock_that_disagrees_costs_no_time(site: Server) -> None:
    """Where the worker's clock says that the attempt is over, or has not begun, the whole time counts."""
    url = site.on("/fast", answer())
    for error in (timedelta(hours=1), timedelta(hours=-1)):
        environment = attempt()
        environment.info = dataclasses.replace(environment.info, started_time=datetime.now(UTC) + error)
        assert (await environment.run(http.request, HttpRequest(url=url))).status == 200


async def test_cancellation_is_not_a_timeout(site: Server) -> None:
    """A request that is cancelled ends as cancelled."""
    url = site.on("/slow", stall())
    task = asyncio.create_task(http.request(HttpRequest(url=url)))
    await site.received(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# Connections


async def test_connections_are_kept_and_closed(site: Server) -> None:
    """Requests one after another share a connection; after `close`, the next opens a new one."""
    url = site.on("/a", answer(200, "x"))
    for _ in range(3):
        await http.request(HttpRequest(url=url))
    assert site.connections == 1
    await http.close()
    await http.request(HttpRequest(url=url))
    assert site.connections == 2


async def test_many_at_once(site: Server) -> None:
    """A slow system keeps no other waiting: there is no bound on connections but the worker's slots."""
    slow, fast = site.on("/slow", stall()), site.on("/fast", answer())
    waiting = [asyncio.create_task(http.request(HttpRequest(url=slow))) for _ in range(150)]
    await site.received(150)
    assert (await http.request(HttpRequest(url=fast))).status == 200
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


def test_each_event_loop_has_its_own_connections() -> None:
    """A process that runs one event loop after another, as tests do, meets no connection of a closed one."""

    async def once() -> int:
        async with serve() as server:
            response = await http.request(HttpRequest(url=server.on("/a", answer())))
            await http.close()
            return response.status

    assert [asyncio.run(once()), asyncio.run(once())] == [200, 200]


# Idempotency keys


async def test_the_step_s_key_goes_with_every_effect(site: Server) -> None:
    """Methods with an effect carry the key of the step, the same at every attempt; reading carries none."""
    url = site.on("/charges", answer())
    keys = [await attempt(attempt=number).run(_key_of, site, "POST", url) for number in (1, 2)]
    expected = attempt().run(idempotency_key)
    assert keys == [expected, expected]
    for method in ("PUT", "PATCH", "DELETE"):
        assert await attempt().run(_key_of, site, method, url) == expected
    for method in ("GET", "HEAD", "OPTIONS"):
        assert await attempt().run(_key_of, site, method, url) is None


async def test_keys_given_and_turned_off(site: Server) -> None:
    """A key that is given, as field or header, is sent; False sends none; outside of a step there is none to send."""
    url = site.on("/charges", answer())
    assert await attempt().run(_key_of, site, "POST", url, idempotency_key="order-17") == "order-17"
    assert await attempt().run(_key_of, site, "POST", url, headers={"idempotency-key": "mine"}) == "mine"
    assert await attempt().run(_key_of, site, "POST", url, idempotency_key=False) is None
    assert await _key_of(site, "POST", url) is None
    assert await _key_of(site, "POST", url, idempotency_key="order-17") == "order-17"


async def _key_of(site: Server, method: Any, url: str, **given: Any) -> str | None:
    await http.request(HttpRequest(method=method, url=url, **given))
    return site.requests[-1].header("idempotency-key")


async def test_a_second_effect_needs_its_own_key(site: Server) -> None:
    """A second effect on the same system under the same key would be dropped as a repetition, so it is refused."""
    site.on("/charges", answer(json=1))
    api = HttpConnector(base_url=site.url)

    async def charge_two() -> None:
        await api.post_json("/charges", {"order": 1})
        await api.post_json("/charges", {"order": 1})  # the same again is a repetition, and may be one
        await api.post_json("/charges", {"order": 2})

    with pytest.raises(http.RequestRefused) as raised:
        await attempt().run(charge_two)
    assert raised.value.message == (
        f"POST {site.url}/charges is another effect of this step on the same system, which would take it for the "
        "first: give each its own key, such as idempotency_key=idempotency_key('invoice')"
    )
    assert [received.body for received in site.requests] == [b'{"order":1}'] * 2

    async def charge_both() -> None:
        await api.post_json("/charges", {"order": 1})
        await api.post_json("/charges", {"order": 2}, idempotency_key=idempotency_key("second"))

    await attempt().run(charge_both)
    assert len({received.header("idempotency-key") for received in site.requests[2:]}) == 2


# Secrets


async def test_secrets_are_resolved_where_they_are_used(site: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A header by reference is sent with the secret's value, which the request itself never holds."""
    monkeypatch.setenv("PAYMENTS_TOKEN", "s3cret")
    request = HttpRequest(
        url=site.on("/a", answer()), headers={"Authorization": SecretRef("env:PAYMENTS_TOKEN", prefix="Bearer ")}
    )
    await http.request(travelled(request))
    assert site.requests[0].header("authorization") == "Bearer s3cret"
    assert "s3cret" not in repr(request)


async def test_secrets_that_cannot_be_sent(site: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that is missing, or that a header cannot carry, fails before anything is sent and shows no value."""
    request = HttpRequest(url=site.on("/a", answer()), headers={"Authorization": SecretRef("env:PAYMENTS_TOKEN")})
    with pytest.raises(SecretError, match="'env:PAYMENTS_TOKEN' is not set"):
        await http.request(request)
    monkeypatch.setenv("PAYMENTS_TOKEN", "s3cret\r\nX: 1")
    with pytest.raises(SecretError) as raised:
        await http.request(request)
    assert raised.value.message == (
        "Secret 'env:PAYMENTS_TOKEN' holds characters that the header 'authorization' cannot carry"
    )
    assert site.requests == []


async def test_literal_credentials_work_in_process_and_enter_no_history(site: Server) -> None:
    """An activity may send a token that it has in hand; the same request is refused on its way into a history."""
    request = HttpRequest(url=site.on("/a", answer()), headers={"authorization": "Bearer s3cret"})
    await http.request(request)
    assert site.requests[0].header("authorization") == "Bearer s3cret"
    with pytest.raises(PayloadError) as raised:
        travelled(request)
    assert raised.value.message.startswith("headers.authorization is a SecretStr")
    assert "s3cret" not in repr(request) + str(raised.value)
    masked = HttpRequest.model_validate_json(request.model_dump_json())  # what plain pydantic would have sent
    with pytest.raises(http.RequestRefused, match="header 'authorization' was a literal credential and arrived as"):
        await http.request(masked)


# Connectors


async def test_a_connector_of_one_system(site: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative URLs follow the base URL, and every request carries the connector's headers unless it sets its own."""
    monkeypatch.setenv("PAYMENTS_TOKEN", "s3cret")
    api = HttpConnector(
        base_url=f"{site.url}/v1/", headers={"Authorization": SecretRef("env:PAYMENTS_TOKEN"), "X-Tenant": "a"}
    )
    site.on("/v1/charges", answer(json=1))
    site.on("/v1/", answer(json=2))
    site.on("/v2", answer(json=3))
    assert await api.get_json("/charges") == 1
    assert await api.get_json("charges", headers={"x-tenant": "b"}) == 1
    assert await api.get_json(f"{site.url}/v2") == 3
    assert [(r.path, r.header("authorization"), r.header("x-tenant")) for r in site.requests] == [
        ("/v1/charges", "s3cret", "a"),
        ("/v1/charges", "s3cret", "b"),
        ("/v2", "s3cret", "a"),
    ]


async def test_a_connector_s_credentials_go_nowhere_else(site: Server) -> None:
    """An absolute URL of another origin is refused, and a relative one without a base."""
    api = HttpConnector(base_url=site.url)
    async with serve() as other:
        with pytest.raises(http.RequestRefused) as raised:
            await api.get_json(other.on("/a", answer()))
        assert raised.value.message == (
            f"url '{other.url}/a' has another origin than the connector's base_url '{site.url}': "
            "use a connector of that system"
        )
        with pytest.raises(http.RequestRefused, match="url '/a' is relative, and the connector has no base_url"):
            await http.get_json("/a")
        assert other.requests == []
    with pytest.raises(ValueError, match="base_url must be http:// or https://"):
        HttpConnector(base_url="api.example")
    with pytest.raises(ValueError, match="'a b' is not the name of a header"):
        HttpConnector(base_url=site.url, headers={"a b": "c"})


def test_a_connector_s_activities_belong_to_its_system() -> None:
    """A connector of a system is three activities under the system's name and policy; the shipped one has its own."""
    billing = System("billing-http-test")
    api = HttpConnector(billing, base_url="https://billing.example")
    assert billing.activities == ["billing-http-test.request", "billing-http-test.json", "billing-http-test.download"]
    assert api.activities == [api.request, api.request_json, api.download]
    assert HttpConnector(base_url="https://billing.example").activities == []
    assert http.system.activities == ["segue.http.request", "segue.http.json"]
    assert http.downloads.activities == ["segue.http.download"]


def test_the_documentation_s_code_runs() -> None:
    """Each Python block of docs/connectors-http.md can be imported as it stands."""
    page = Path(__file__).parents[2] / "docs" / "connectors-http.md"
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 5
    for number, block in enumerate(blocks):
        exec(compile(block, f"{page.name}[{number}]", "exec"), {"__name__": f"connectors_http_{number}"})
