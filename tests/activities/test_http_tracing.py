"""Each request is a span, and its trace goes on at the system that the caller named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.activities.http_server import Server, answer, reset, serve

from segue.activities import http
from segue.activities.http import HttpRequest


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Server]:
    """A system that does what the test scripts."""
    async with serve() as server:
        yield server
        await http.close()


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """The spans that have ended. The process's own provider is left alone, for it can be set only once."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("segue.activities.http._exchange._tracer", provider.get_tracer("segue.activities.http"))
    return exporter


def attributes(site: Server, path: str, **more: Any) -> dict[str, Any]:
    """The attributes that every span has, by the semantic conventions for HTTP clients."""
    return {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "server.port": int(site.url.rpartition(":")[2]),
        "url.full": site.url + path,
        "url.scheme": "http",
    } | more


async def test_a_request_is_a_client_span(site: Server, spans: InMemorySpanExporter) -> None:
    """The span says who was asked what, without the query, and the system gets its trace."""
    url = site.on("/rates", answer())
    await http.request(HttpRequest(url=url, params={"key": "s3cret"}))
    [span] = spans.get_finished_spans()
    assert (span.name, span.kind, span.status.status_code) == ("GET", trace.SpanKind.CLIENT, trace.StatusCode.UNSET)
    assert dict(span.attributes or {}) == attributes(
        site, "/rates", **{"http.response.status_code": 200, "network.protocol.version": "1.1"}
    )
    context = span.get_span_context()
    assert context is not None
    sent = site.requests[0].header("traceparent") or ""
    assert sent.rpartition("-")[0] == f"00-{context.trace_id:032x}-{context.span_id:016x}"


async def test_errors_on_the_span(site: Server, spans: InMemorySpanExporter) -> None:
    """An error status and a broken connection mark the span as failed, with their kind."""
    url = site.on("/a", answer(503), reset())
    for _ in range(2):
        with pytest.raises(httpx.HTTPError):
            await http.request(HttpRequest(url=url))
    answered, broken = spans.get_finished_spans()
    assert dict(answered.attributes or {}) == attributes(
        site,
        "/a",
        **{"http.response.status_code": 503, "network.protocol.version": "1.1", "error.type": "503"},
    )
    assert dict(broken.attributes or {}) == attributes(site, "/a", **{"error.type": "ReadError"})
    assert [span.status.status_code for span in (answered, broken)] == [trace.StatusCode.ERROR] * 2
    assert [list(span.events) for span in (answered, broken)] == [[], []]


async def test_the_trace_stays_within_the_origin(site: Server, spans: InMemorySpanExporter) -> None:
    """Each redirect is a span of its own; one to another origin does not get the trace."""
    async with serve() as other:
        url = site.on("/a", answer(302, headers={"location": "/b"}))
        site.on("/b", answer(302, headers={"location": other.on("/c", answer())}))
        await http.request(HttpRequest(url=url))
    assert [r.header("traceparent") is not None for r in site.requests + other.requests] == [True, True, False]
    resends = [(span.attributes or {}).get("http.request.resend_count") for span in spans.get_finished_spans()]
    assert resends == [None, 1, 2]


async def test_a_trace_that_the_caller_gives_stays(site: Server, spans: InMemorySpanExporter) -> None:
    """A `traceparent` of the caller's is not replaced."""
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await http.request(HttpRequest(url=site.on("/a", answer()), headers={"traceparent": given}))
    assert site.requests[0].header("traceparent") == given


async def test_without_a_tracer_nothing_is_added(site: Server) -> None:
    """Where nobody traces, no header is added."""
    await http.request(HttpRequest(url=site.on("/a", answer())))
    assert site.requests[0].header("traceparent") is None
