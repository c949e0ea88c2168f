"""One exchange: a request sent, redirects followed, the answer handed out while it is still open.

A redirect never carries a credential away. Within the origin (scheme, host and port) that the request was meant for it
takes everything along. To any other, also from https to http on the same host, it takes only headers that say nothing
about the caller, and a request that has a body or an effect is not sent there at all. httpx and browsers drop
`Authorization` alone, and with it neither API keys nor idempotency keys.

Each request sent is a client span of OpenTelemetry's semantic conventions for HTTP, and passes its trace on as
`traceparent` to the origin it was meant for.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import AsyncGenerator, Generator
from typing import Final

import httpx
from opentelemetry import propagate, trace

from segue.activities.http._errors import RedirectRefused, named, shown
from segue.activities.http._requests import UNSAFE

__all__ = ["Outgoing", "answered", "origin"]

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

# What may go to an origin that the caller did not name. Everything else stays: an API's own credential headers have
# names that nobody can list.
_NEUTRAL: Final = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "range",
        "user-agent",
    }
)

_tracer = trace.get_tracer("segue.activities.http")


@dataclasses.dataclass(frozen=True)
class Outgoing:
    """A request ready to be sent, its secrets resolved.

    Attributes:
        secret: Lower-case names of the headers whose values came from a secret.
        timeout: Times for connecting and between two reads; the time for the whole is the caller's to keep.
        trusted: Whether it goes to the origin that the caller named, and always went there so far.
    """

    method: str
    url: httpx.URL
    headers: httpx.Headers = dataclasses.field(repr=False)
    content: bytes | None = dataclasses.field(default=None, repr=False)
    secret: frozenset[str] = frozenset()
    maximum_redirects: int = 5
    timeout: httpx.Timeout = dataclasses.field(default_factory=lambda: httpx.Timeout(None))
    trusted: bool = True


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Return the scheme, host and port of a URL (RFC 6454)."""
    return url.scheme, url.host, url.port or _DEFAULT_PORTS.get(url.scheme)


@contextlib.asynccontextmanager
async def answered(client: httpx.AsyncClient, outgoing: Outgoing) -> AsyncGenerator[httpx.Response, None]:
    """Send a request and yield the answer, its body still to be read, after the redirects that lead to it.

    Raises:
        httpx.TransportError: No answer; its message names the request.
        httpx.TooManyRedirects: More than `maximum_redirects`.
        RedirectRefused: A redirect leads where the request must not go.
    """
    first = outgoing
    for resend in range(outgoing.maximum_redirects + 1):
        async with _sent(client, outgoing, resend) as response:
            location = response.headers.get("location")
            if response.status_code not in _REDIRECTS or not location or not outgoing.maximum_redirects:
                yield response
                return
        outgoing = _redirected(outgoing, response.status_code, location)
    raise httpx.TooManyRedirects(
        f"{first.method} {shown(first.url)} was redirected more than {first.maximum_redirects} times, "
        f"the last time to {shown(outgoing.url)}"
    )


@contextlib.asynccontextmanager
async def _sent(client: httpx.AsyncClient, outgoing: Outgoing, resend: int) -> AsyncGenerator[httpx.Response, None]:
    """Send one request, without redirects, within its span."""
    headers = outgoing.headers
    with _span(outgoing, resend) as span, named(outgoing.method, outgoing.url):
        if outgoing.trusted and "traceparent" not in headers:
            carrier: dict[str, str] = {}
            propagate.inject(carrier)
            if carrier:
                headers = headers.copy()
                headers.update(carrier)
        request = client.build_request(
            outgoing.method, outgoing.url, headers=headers, content=outgoing.content, timeout=outgoing.timeout
        )
        try:
            response = await client.send(request, stream=True)
        except httpx.InvalidURL as error:
            # httpx reads the location even where it does not follow it.
            raise RedirectRefused(
                f"{outgoing.method} {shown(outgoing.url)} was redirected to no URL: {error}"
            ) from None
        try:
            span.set_attribute("http.response.status_code", response.status_code)
            span.set_attribute("network.protocol.version", response.http_version.removeprefix("HTTP/"))
            if response.status_code >= 400:
                span.set_attribute("error.type", str(response.status_code))
                span.set_status(trace.StatusCode.ERROR)
            yield response
        finally:
            await response.aclose()


@contextlib.contextmanager
def _span(outgoing: Outgoing, resend: int) -> Generator[trace.Span, None, None]:
    scheme, host, port = origin(outgoing.url)
    attributes: dict[str, str | int] = {
        "http.request.method": outgoing.method,
        "server.address": host,
        "server.port": port or 0,
        "url.full": shown(outgoing.url),
        "url.scheme": scheme,
    }
    if resend:
        attributes["http.request.resend_count"] = resend
    with _tracer.start_as_current_span(
        outgoing.method,
        kind=trace.SpanKind.CLIENT,
        attributes=attributes,
        # The activity's own span records the exception; here its class is enough.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except BaseException as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(trace.StatusCode.ERROR)
            raise


def _redirected(outgoing: Outgoing, status: int, location: str) -> Outgoing:
    """Return the request that a redirect asks for (RFC 9110 15.4), less what must not go there."""
    # A user name and password in it would be sent as credentials.
    url = outgoing.url.join(location).copy_with(username=None, password=None)
    if url.scheme not in _DEFAULT_PORTS or not url.host:
        raise RedirectRefused(
            f"{outgoing.method} {shown(outgoing.url)} was redirected to {shown(url)}, which is not http or https"
        )
    method, content, headers = outgoing.method, outgoing.content, outgoing.headers
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, content = "GET", None
        dropped = ("content-type", "content-encoding", "idempotency-key")
        headers = httpx.Headers([(name, value) for name, value in headers.multi_items() if name not in dropped])
    if origin(url) == origin(outgoing.url):
        return dataclasses.replace(outgoing, method=method, url=url, content=content, headers=headers)
    if content is not None or method in UNSAFE:
        raise RedirectRefused(
            f"{method} {shown(outgoing.url)} was redirected ({status}) to another origin, {shown(url)}, where its body "
            "and credentials do not go: send it there in the first place, if you trust it"
        )
    headers = httpx.Headers(
        [(name, value) for name, value in headers.multi_items() if name in _NEUTRAL and name not in outgoing.secret]
    )
    return dataclasses.replace(outgoing, method=method, url=url, content=content, headers=headers, trusted=False)
