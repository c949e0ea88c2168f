"""What each call is to those who watch: a span, and metrics, by OpenTelemetry's semantic conventions for GenAI clients.

    chat gpt-4o-mini           gen_ai.operation.name, gen_ai.request.model, gen_ai.response.model,
    └─ POST                    gen_ai.usage.input_tokens, gen_ai.usage.output_tokens, ...; segue.cost_usd

No span holds a prompt, an answer or a key. Metrics go where the worker's own go (Temporal's runtime): histograms
`gen_ai.client.token.usage` and `gen_ai.client.operation.duration`, whose exporters write `_` for `.`, and the counter
`segue_model_cost_microdollars`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator
from typing import Any, Final

import httpx
from opentelemetry import trace
from temporalio import activity

from segue.activities.llm._models import Model
from segue.activities.llm._usage import Usage

__all__ = ["Watched", "watched"]

_tracer = trace.get_tracer("segue.activities.llm")

_DOLLAR: Final = 1_000_000


class Watched:
    """One call while it is made."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self.usage: Usage | None = None

    def set(self, **attributes: Any) -> None:
        """Add attributes, by their names after `gen_ai.` with `__` for a dot; None is left out."""
        for name, value in attributes.items():
            if value is not None:
                self._span.set_attribute(f"gen_ai.{name.replace('__', '.')}", value)

    def answered(self, usage: Usage, *, model: str, finish_reason: str | None = None, reused: bool = False) -> None:
        """Tell what came back. What was paid for before is told on the span, and counts in no metric."""
        self.set(
            response__model=model or None,
            response__finish_reasons=[finish_reason] if finish_reason else None,
            usage__input_tokens=usage.input_tokens,
            usage__output_tokens=usage.output_tokens,
            usage__cache_read__input_tokens=usage.cached_input_tokens or None,
        )
        if usage.cost_usd is not None:
            self._span.set_attribute("segue.cost_usd", usage.cost_usd)
        if reused:
            self._span.set_attribute("segue.reused", True)
        else:
            self.usage = usage


@contextlib.contextmanager
def watched(operation: str, model: Model, **attributes: Any) -> Generator[Watched]:
    """Watch one call: `chat` or `embeddings`."""
    url = httpx.URL(model.base_url)
    with _tracer.start_as_current_span(
        f"{operation} {model.name}",
        kind=trace.SpanKind.CLIENT,
        attributes={
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": model.provider or url.host,
            "gen_ai.request.model": model.name,
            "server.address": url.host,
            "server.port": url.port or (443 if url.scheme == "https" else 80),
        },
        # The activity's own span records the exception; here its class is enough.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        call = Watched(span)
        call.set(**attributes)
        started, kind = time.monotonic(), ""
        try:
            yield call
        except BaseException as error:
            kind = type(error).__qualname__
            span.set_attribute("error.type", kind)
            span.set_status(trace.StatusCode.ERROR)
            raise
        finally:
            _count(operation, model, call.usage, time.monotonic() - started, kind)


def _count(operation: str, model: Model, usage: Usage | None, seconds: float, error: str) -> None:
    if not activity.in_activity():
        return
    try:
        meter = activity.metric_meter()
    except RuntimeError:  # an activity in a process of its own has none
        return
    named = {"gen_ai.operation.name": operation, "gen_ai.request.model": model.name}
    durations = meter.create_histogram_float("gen_ai.client.operation.duration", "Time of a call", "s")
    durations.record(seconds, {**named, "error.type": error} if error else named)
    if usage is None:
        return
    tokens = meter.create_histogram("gen_ai.client.token.usage", "Tokens of a call", "{token}")
    tokens.record(usage.input_tokens, {**named, "gen_ai.token.type": "input"})
    if operation == "chat":
        tokens.record(usage.output_tokens, {**named, "gen_ai.token.type": "output"})
    if usage.cost_usd:
        cost = meter.create_counter("segue_model_cost_microdollars", "What calls cost at the declared price")
        cost.add(round(usage.cost_usd * _DOLLAR), named)
