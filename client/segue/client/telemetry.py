"""OpenTelemetry by its standard variables; nothing at all without them.

    OTEL_TRACES_EXPORTER=console           # or otlp, or any exporter that is installed; several with commas
    OTEL_EXPORTER_OTLP_ENDPOINT=...        # implies otlp
    OTEL_SERVICE_NAME=orders

Temporal's own interceptor makes the spans; this module only gives it a tracer provider that is safe in replay.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Final

from opentelemetry import trace
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from temporalio.contrib.opentelemetry import ReplaySafeTracerProvider, create_tracer_provider

__all__ = ["TelemetryError", "configure", "exporters", "flush"]

_EXPORTER_GROUP: Final = "opentelemetry_traces_exporter"
_EXTRAS: Final = {"otlp": "otlp", "otlp_proto_http": "otlp"}


class TelemetryError(ValueError):
    """The `OTEL_` variables name an exporter that is not installed."""


def exporters(environment: Mapping[str, str] | None = None) -> list[str]:
    """Return the names of the trace exporters that the standard variables ask for; empty for none."""
    environment = os.environ if environment is None else environment
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return []
    named = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    if not named:
        endpoints = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
        return ["otlp"] if any(environment.get(name, "").strip() for name in endpoints) else []
    return [name for part in named.split(",") if (name := part.strip()) and name != "none"]


def configure() -> bool:
    """Make the process's tracer provider, if the variables ask for one; return whether there is one to trace with.

    Raises:
        TelemetryError: A named exporter is not installed.
    """
    if isinstance(trace.get_tracer_provider(), ReplaySafeTracerProvider):
        return True
    wanted = exporters()
    if not wanted:
        return False
    loaded = [_load(name) for name in wanted]
    provider = create_tracer_provider()
    for exporter in loaded:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return True


def flush() -> None:
    """Send what is still buffered. A process that ends without interpreter shutdown, as the CLI does, calls this."""
    provider = trace.get_tracer_provider()
    if isinstance(provider, ReplaySafeTracerProvider):
        provider.force_flush()


def _load(name: str) -> SpanExporter:
    # The OTLP exporter over HTTP registers itself under a longer name than the variable uses.
    for registered in (name, f"{name}_proto_http"):
        for entry_point in entry_points(group=_EXPORTER_GROUP, name=registered):
            exporter: SpanExporter = entry_point.load()()
            return exporter
    hint = f'; install it with pip install "segue[{_EXTRAS[name]}]"' if name in _EXTRAS else ""
    raise TelemetryError(f"OTEL_TRACES_EXPORTER names {name!r}, which is not installed{hint}")
