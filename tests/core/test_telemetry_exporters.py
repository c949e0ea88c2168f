"""Which exporter the standard variables choose, in processes of their own: a provider can be set only once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HTTP = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
GRPC = "spoken_over_grpc"
SCRIPT = f"""
import sys
from segue.client.telemetry import TelemetryError, configure

try:
    configure()
except TelemetryError as error:
    print(error)
else:
    print(*(name for name in ({HTTP!r}, {GRPC!r}) if name in sys.modules))
"""


def chosen(folder: Path, **variables: str) -> str:
    """The modules of the exporters that a process loads with these variables, or its error."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**kept, "PYTHONPATH": str(folder), "OTEL_TRACES_EXPORTER": "otlp", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.fixture
def grpc(tmp_path: Path) -> Path:
    """A folder with a distribution whose exporter is registered as the one over gRPC."""
    (tmp_path / "spoken_over_grpc.py").write_text(
        "from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter\n\n\n"
        "class Exporter(InMemorySpanExporter):\n    pass\n"
    )
    metadata = tmp_path / "spoken_over_grpc-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: spoken-over-grpc\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[opentelemetry_traces_exporter]\notlp_proto_grpc = spoken_over_grpc:Exporter\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, HTTP),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, HTTP),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, GRPC),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": " "}, HTTP),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}, HTTP),
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, GRPC),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
            "OTEL_EXPORTER_OTLP_PROTOCOL is 'http/json', which is not supported: use http/protobuf or grpc",
        ),
    ],
)
def test_the_protocol_chooses_the_exporter(grpc: Path, variables: dict[str, str], expected: str) -> None:
    """OTLP is spoken by the exporter of the protocol that the variables name, over HTTP if they name none."""
    assert chosen(grpc, **variables) == expected


def test_a_protocol_whose_exporter_is_not_installed(tmp_path: Path) -> None:
    """Without the exporter over gRPC, the error names the package."""
    assert chosen(tmp_path, OTEL_EXPORTER_OTLP_PROTOCOL="grpc") == (
        "OTEL_TRACES_EXPORTER names 'otlp' over gRPC, which is not installed; "
        "install it with pip install opentelemetry-exporter-otlp-proto-grpc"
    )
