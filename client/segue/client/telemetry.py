"""OpenTelemetry by its standard variables; nothing at all without them.

    OTEL_TRACES_EXPORTER=console           # or otlp, or any exporter that is installed; several with commas
    OTEL_EXPORTER_OTLP_ENDPOINT=...        # implies otlp
    OTEL_EXPORTER_OTLP_PROTOCOL=grpc       # else http/protobuf
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
_PROTOCOLS: Final = {"http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}
_PACKAGES: Final = {"otlp_proto_http": '"segue[otlp]"', "otlp_proto_grpc": "opentelemetry-exporter-otlp-proto-grpc"}


class TelemetryError(ValueError):
    """The `OTEL_` variables name an exporter that is not installed, or a protocol that none speaks."""


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
        TelemetryError: A named exporter is not installed, or none speaks the named protocol.
    """
    if isinstance(trace.get_tracer_provider(), ReplaySafeTracerProvider):
        return True
    wanted = exporters()
    if not wanted:
        return False
    loaded = [_load(name, os.environ) for name in wanted]
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


def _load(name: str, environment: Mapping[str, str]) -> SpanExporter:
    registered = _otlp(environment) if name == "otlp" else name
    for entry_point in entry_points(group=_EXPORTER_GROUP, name=registered):
        exporter: SpanExporter = entry_point.load()()
        return exporter
    hint = f"; install it with pip install {_PACKAGES[registered]}" if registered in _PACKAGES else ""
    over = " over gRPC" if name != registered == "otlp_proto_grpc" else ""
    raise TelemetryError(f"OTEL_TRACES_EXPORTER names {name!r}{over}, which is not installed{hint}")


def _otlp(environment: Mapping[str, str]) -> str:
    """Return the name under which the OTLP exporter of the protocol that is asked for registers itself."""
    for variable in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if protocol := environment.get(variable, "").strip():
            break
    else:
        return _PROTOCOLS["http/protobuf"]
    if protocol not in _PROTOCOLS:
        raise TelemetryError(f"{variable} is {protocol!r}, which is not supported: use {' or '.join(_PROTOCOLS)}")
    return _PROTOCOLS[protocol]
