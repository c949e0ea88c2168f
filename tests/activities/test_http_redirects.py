"""Redirects, between real servers: what is followed, and what never travels."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from pydantic import SecretStr
from tests.activities.http_server import Server, answer, serve

from segue.activities import http
from segue.activities.errors import classify
from segue.activities.http import HttpConnector, HttpRequest
from segue.activities.secrets import SecretRef


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Server]:
    """The system that the caller named."""
    async with serve() as server:
        yield server
        await http.close()


@pytest_asyncio.fixture
async def other() -> AsyncIterator[Server]:
    """Another system: the same host, but another port, is another origin."""
    async with serve() as server:
        yield server


def moved(url: str, status: int = 302) -> Any:
    """A redirect."""
    return answer(status, "moved", headers={"location": url})


CREDENTIALS: dict[str, Any] = {
    "Authorization": "Bearer s3cret",
    "Proxy-Authorization": "Basic s3cret",
    "Cookie": "session=s3cret",
    "Idempotency-Key": "s3cret",
    "X-Api-Key": "s3cret",
    "X-Company-Token": SecretStr("s3cret"),
    "X-By-Reference": SecretRef("env:PAYMENTS_TOKEN"),
    "User-Agent": SecretRef("env:PAYMENTS_TOKEN"),
    "X-Unknown": "s3cret",
}


async def test_no_credential_reaches_another_origin(
    site: Server, other: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Across origins only headers travel that say nothing about the caller; a credential of any name stays."""
    monkeypatch.setenv("PAYMENTS_TOKEN", "s3cret")
    url = site.on("/a", moved(other.on("/b", answer(200, "there"))))
    connector = HttpConnector(headers={"X-Connector": SecretRef("env:PAYMENTS_TOKEN"), "X-Tenant": "s3cret"})
    headers = CREDENTIALS | {"Accept": "text/plain", "Accept-Language": "de", "Range": "bytes=0-4"}
    response = await connector.request(HttpRequest(url=url, headers=headers))
    assert response.text == "there"
    assert len([value for _, value in site.requests[0].headers if "s3cret" in value]) == len(CREDENTIALS) + 2
    [received] = other.requests
    assert sorted(received.headers) == [
        ("accept", "text/plain"),
        ("accept-encoding", "gzip"),
        ("accept-language", "de"),
        ("connection", "keep-alive"),
        ("host", other.url.removeprefix("http://")),
        ("range", "bytes=0-4"),
        ("user-agent", "segue"),
    ]


async def test_credentials_do_not_come_back(site: Server, other: Server) -> None:
    """Once away, a request stays without credentials, even where the other origin sends it back."""
    site.on("/c", answer(200, "back"))
    url = site.on("/a", moved(other.on("/b", moved(f"{site.url}/c"))))
    assert (await http.request(HttpRequest(url=url, headers={"Authorization": "s3cret"}))).text == "back"
    assert [received.header("authorization") for received in site.requests] == ["s3cret", None]


async def test_a_redirect_within_the_origin_keeps_everything(site: Server) -> None:
    """On the same scheme, host and port headers, method and body stay, also under a relative location."""
    site.on("/v2/charges", answer(201))
    url = site.on("/v1/charges", moved("../v2/charges?a=1", 308))
    await http.request(HttpRequest(method="POST", url=url, text="pay", headers={"Authorization": "s3cret"}))
    assert [
        (r.method, r.target, r.body, r.header("authorization"), r.header("content-type")) for r in site.requests
    ] == [
        ("POST", "/v1/charges", b"pay", "s3cret", "text/plain; charset=utf-8"),
        ("POST", "/v2/charges?a=1", b"pay", "s3cret", "text/plain; charset=utf-8"),
    ]


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "HEAD", "HEAD"),
        (302, "PUT", "PUT"),
        (307, "POST", "POST"),
        (308, "DELETE", "DELETE"),
    ],
)
async def test_methods(site: Server, status: int, method: Any, then: str) -> None:
    """Methods change as RFC 9110 15.4 and browsers have it; with the method, the body and its headers go."""
    site.on("/b", answer())
    body = None if method == "HEAD" else "body"
    request = HttpRequest(method=method, url=site.on("/a", moved("/b", status)), idempotency_key="key", text=body)
    await http.request(request)
    first, second = site.requests
    assert (first.method, second.method) == (method, then)
    kept = then == method
    assert second.body == (first.body if kept else b"")
    for name in ("content-type", "idempotency-key"):
        assert second.header(name) == (first.header(name) if kept else None)


@pytest.mark.parametrize(("status", "method"), [(307, "POST"), (308, "POST"), (302, "PUT"), (301, "DELETE")])
async def test_no_body_and_no_effect_reaches_another_origin(
    site: Server, other: Server, status: int, method: Any
) -> None:
    """A request with an effect is not repeated at another origin; the error says where it should have gone."""
    url = site.on("/charges", moved(f"{other.url}/charges?token=s3cret", status))
    with pytest.raises(http.RedirectRefused) as raised:
        await http.request(HttpRequest(method=method, url=url))
    assert raised.value.message == (
        f"{method} {url} was redirected ({status}) to another origin, {other.url}/charges, where its body and "
        "credentials do not go: send it there in the first place, if you trust it"
    )
    assert raised.value.non_retryable
    assert other.requests == []


async def test_a_post_may_be_answered_elsewhere(site: Server, other: Server) -> None:
    """303 after a POST fetches the answer from another origin, with no body and no credential."""
    url = site.on("/reports", moved(other.on("/report", answer(200, "done")), 303))
    response = await http.request(HttpRequest(method="POST", url=url, text="pay", headers={"X-Api-Key": "s3cret"}))
    assert response.text == "done"
    [received] = other.requests
    assert (received.method, received.body, received.header("x-api-key")) == ("GET", b"", None)


async def test_credentials_in_a_location_are_not_sent(site: Server) -> None:
    """A user name and password that a redirect puts into the URL are not turned into credentials."""
    site.on("/b", answer())
    url = site.on("/a", moved(site.url.replace("http://", "http://user:pass@") + "/b"))
    await http.request(HttpRequest(url=url))
    assert [received.header("authorization") for received in site.requests] == [None, None]


async def test_too_many_redirects(site: Server) -> None:
    """A loop ends after five redirects, or as many as the request allows, and is terminal."""
    url = site.on("/loop", moved("/loop?s3cret"))
    for given, times in (({}, 5), ({"maximum_redirects": 2}, 2)):
        site.requests.clear()
        with pytest.raises(httpx.TooManyRedirects) as raised:
            await http.request(HttpRequest.model_validate({"url": url} | given))
        assert str(raised.value) == f"GET {url} was redirected more than {times} times, the last time to {url}"
        assert len(site.requests) == times + 1
        assert classify(raised.value).non_retryable  # type: ignore[attr-defined]


async def test_a_redirect_can_be_the_answer(site: Server) -> None:
    """With no redirects allowed, the redirect is returned; so is one that says not where to."""
    url = site.on("/a", moved("/b"))
    response = await http.request(HttpRequest(url=url, maximum_redirects=0))
    assert (response.status, response.headers["location"]) == (302, "/b")
    assert (await http.request(HttpRequest(url=site.on("/c", answer(302))))).status == 302


@pytest.mark.parametrize("location", ["ftp://files.example/a", "mailto:/a", "file:/etc/passwd"])
async def test_redirects_to_what_is_not_http(site: Server, location: str) -> None:
    """A location that is not http or https is refused."""
    url = site.on("/a", moved(location))
    with pytest.raises(http.RedirectRefused) as raised:
        await http.request(HttpRequest(url=url))
    assert raised.value.message == f"GET {url} was redirected to {location}, which is not http or https"


async def test_a_location_that_is_no_url(site: Server) -> None:
    """A location that is no URL is an error that names the request."""
    url = site.on("/a", moved("javascript:alert(1)"), moved("http://host:port/"))
    with pytest.raises(http.RedirectRefused) as raised:
        await http.request(HttpRequest(url=url))
    assert raised.value.message == (
        f"GET {url} was redirected to no URL: For absolute URLs, path must be empty or begin with '/'"
    )
    with pytest.raises(httpx.RemoteProtocolError) as broken:
        await http.request(HttpRequest(url=url))
    assert str(broken.value) == f"GET {url}: Invalid URL in location header: Invalid port: 'port'."
