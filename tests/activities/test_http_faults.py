"""What a system does wrong, and what that means to Temporal: each fault on a real connection, through `classify`."""

from __future__ import annotations

import dataclasses
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import pytest_asyncio
import trustme
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from tests.activities.http_server import Act, Server, answer, chunked, raw, reset, serve, stall

from segue.activities import System, http
from segue.activities.errors import classify
from segue.activities.http import HttpConnector, HttpRequest


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Server]:
    """A system that does what the test scripts."""
    async with serve() as server:
        yield server
        await http.close()


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What Temporal is told."""

    type: str | None
    terminal: bool
    message: str
    after: timedelta | None = None
    benign: bool = False


async def verdict(request: HttpRequest, system: System | None = None) -> Verdict:
    """How a request fails, as Temporal is told."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the verdict is compared as a whole
        await http.request(request)
    error = classify(raised.value, system)
    assert isinstance(error, ApplicationError)
    return Verdict(
        error.type,
        error.non_retryable,
        str(error.message),
        error.next_retry_delay,
        error.category is ApplicationErrorCategory.BENIGN,
    )


HALF = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"
CUT = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab"

IMPATIENT = timedelta(seconds=0.3)

CONNECTION_FAULTS: dict[str, tuple[Act, str, str]] = {
    "reset before the answer": (reset(), "ReadError", "the connection was lost while the answer was awaited"),
    "reset within the answer": (reset(HALF), "ReadError", "the connection was lost while the answer was awaited"),
    "closed before the answer": (raw(b""), "RemoteProtocolError", "Server disconnected without sending a response."),
    "half an answer": (
        raw(HALF),
        "RemoteProtocolError",
        "peer closed connection without sending complete message body (received 3 bytes, expected 10)",
    ),
    "half a chunk": (
        raw(CUT),
        "RemoteProtocolError",
        "peer closed connection without sending complete message body (incomplete chunked read)",
    ),
    "no HTTP": (
        raw(b"220 mail ready\r\n\r\n"),
        "RemoteProtocolError",
        "illegal status line: bytearray(b'220 mail ready')",
    ),
    "wrong length": (raw(b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"), "RemoteProtocolError", "bad Content-Length"),
    "silence": (stall(), "RequestTimeout", "not done within 0.3 s, its timeout"),
    "silence within the answer": (stall(HALF), "RequestTimeout", "not done within 0.3 s, its timeout"),
    "slow drip": (chunked(b"x", every=0.02), "RequestTimeout", "not done within 0.3 s, its timeout"),
}


@pytest.mark.parametrize("fault", CONNECTION_FAULTS)
async def test_faults_of_the_connection_are_retryable(site: Server, fault: str) -> None:
    """Whatever breaks on the way is retryable, under httpx's name for it, and the message says which request."""
    act, kind, problem = CONNECTION_FAULTS[fault]
    url = site.on("/charge", act)
    timeout = IMPATIENT if kind == "RequestTimeout" else timedelta(seconds=30)
    request = HttpRequest(method="POST", url=url, params={"key": "s3cret"}, timeout=timeout)
    assert await verdict(request) == Verdict(kind, False, f"POST {url}: {problem}")


async def test_nobody_listens() -> None:
    """A refused connection is retryable."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
        found = await verdict(HttpRequest(url=url))
    assert found == Verdict("ConnectError", False, f"GET {url}: All connection attempts failed")
    await http.close()


@pytest.mark.parametrize(
    ("status", "terminal"),
    [
        (400, True),
        (401, True),
        (403, True),
        (404, True),
        (408, False),
        (409, False),
        (422, True),
        (425, False),
        (429, False),
        (500, False),
        (502, False),
        (503, False),
        (504, False),
    ],
)
async def test_statuses(site: Server, status: int, terminal: bool) -> None:
    """Statuses that may pass are retryable with the policy's backoff, others are terminal."""
    url = site.on("/charge", answer(status))
    assert await verdict(HttpRequest(url=url)) == Verdict(
        "HTTPStatusError", terminal, f"GET {url} answered {status} Reason"
    )


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_in_seconds(site: Server, status: int) -> None:
    """`Retry-After: 7` is the delay of the next attempt, and no alarm."""
    url = site.on("/charge", answer(status, headers={"Retry-After": "7"}))
    assert await verdict(HttpRequest(url=url)) == Verdict(
        "HTTPStatusError", False, f"GET {url} answered {status} Reason", timedelta(seconds=7), benign=True
    )


async def test_retry_after_as_a_date(site: Server) -> None:
    """`Retry-After` as a date is the time until then."""
    then = datetime.now(UTC) + timedelta(seconds=90)
    url = site.on("/charge", answer(429, headers={"Retry-After": then.strftime("%a, %d %b %Y %H:%M:%S GMT")}))
    found = await verdict(HttpRequest(url=url))
    assert found.after is not None
    assert timedelta(seconds=80) < found.after <= timedelta(seconds=90)
    assert not found.terminal


async def test_retry_after_of_a_terminal_status(site: Server) -> None:
    """A terminal status stays terminal, whatever it says about later."""
    url = site.on("/charge", answer(403, headers={"Retry-After": "7"}))
    assert await verdict(HttpRequest(url=url)) == Verdict("HTTPStatusError", True, f"GET {url} answered 403 Reason")


async def test_500_then_200(site: Server) -> None:
    """A system that recovers is answered for by the next attempt, over the same connection."""
    url = site.on("/charge", answer(500), answer(200, "ok"))
    assert not (await verdict(HttpRequest(url=url))).terminal
    assert (await http.request(HttpRequest(url=url))).text == "ok"
    assert site.connections == 1


async def test_a_system_may_declare_otherwise(site: Server) -> None:
    """What a system declares goes before what httpx's errors usually mean."""
    strict = System("strict-http-test", terminal=(httpx.TransportError,), retryable=(httpx.HTTPStatusError,))
    url = site.on("/a", reset(), answer(404))
    assert (await verdict(HttpRequest(url=url), strict)).terminal
    assert not (await verdict(HttpRequest(url=url), strict)).terminal


async def test_after_a_fault_connections_are_fresh(site: Server) -> None:
    """A connection on which something broke is not used again."""
    url = site.on("/a", raw(HALF), stall(), answer(200, "ok"))
    for _ in range(2):
        await verdict(HttpRequest(url=url, timeout=timedelta(seconds=0.2)))
    assert (await http.request(HttpRequest(url=url))).text == "ok"
    assert site.connections == 3


# TLS


@pytest.fixture
def authority() -> trustme.CA:
    """A certificate authority that only this test knows."""
    return trustme.CA()


def server_side(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]
    return context


def client_side(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)  # pyright: ignore[reportUnknownMemberType]
    return context


async def test_tls_of_a_connector(authority: trustme.CA) -> None:
    """A connector trusts what its own TLS settings trust, and nobody else does; an untrusted system is retryable."""
    async with serve(server_side(authority)) as secure:
        api = HttpConnector(base_url=secure.url, ssl_context=client_side(authority))
        secure.on("/a", answer(json=1))
        assert secure.url.startswith("https://")
        assert await api.get_json("/a") == 1
        found = await verdict(HttpRequest(url=f"{secure.url}/a"))
        assert (found.type, found.terminal) == ("ConnectError", False)
        assert found.message.startswith(f"GET {secure.url}/a: [SSL: CERTIFICATE_VERIFY_FAILED]")
        await http.close()


async def test_a_downgrade_is_another_origin(authority: trustme.CA, site: Server) -> None:
    """A redirect from https to http takes no credential along, and no effect."""
    async with serve(server_side(authority)) as secure:
        api = HttpConnector(ssl_context=client_side(authority))
        url = secure.on("/a", answer(307, headers={"location": site.on("/b", answer())}))
        await api.request(HttpRequest(url=url, headers={"Authorization": "s3cret"}))
        assert site.requests[0].header("authorization") is None
        with pytest.raises(http.RedirectRefused, match="to another origin"):
            await api.request(HttpRequest(method="POST", url=url, text="body"))
        assert len(site.requests) == 1
        await http.close()
